// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the firmware tells unasked: heartbeat, telemetry, RAS record and log ring.
 */
#include <glib.h>
#include <string.h>

#include "fw_host.h"
#include "npu_internal.h"
#include "tap.h"

static struct npu_fw_telemetry *telemetry(struct fw_host *host)
{
	return fw_region(host, NPU_FW_REGION_TELEMETRY);
}

static void test_heartbeat(void)
{
	struct fw_host *host = fw_host_booted(true);
	uint32_t first = fw_read(host, NPU_REG_FW_HEARTBEAT);

	fw_advance(host, 50 * MS);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) == first, "no beat in half a period");
	fw_advance(host, 50 * MS);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) == first + 1, "one after a period");
	fw_advance(host, 10000 * MS);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) == first + 101, "a hundred in ten seconds");

	npu_core_pause(host->core);
	host->now += 5000 * MS;
	npu_core_resume(host->core);
	first = fw_read(host, NPU_REG_FW_HEARTBEAT);
	fw_advance(host, 1000 * MS);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) - first <= 11, "missed beats are not made up for");
	fw_host_free(host);
}

static void test_telemetry(void)
{
	struct fw_host *host = fw_host_identified(true);
	const struct npu_fw_telemetry *t = telemetry(host);
	struct npu_fw_telemetry before;

	ok(t->samples == 1 && t->sequence == 2, "a sample at boot");
	ok(t->period_ms == 500, "period");
	before = *t;
	fw_advance(host, 499 * MS);
	ok(t->samples == before.samples, "none before its time");
	fw_advance(host, 1 * MS);
	ok(t->samples == before.samples + 1, "one after half a second");
	ok(t->sequence % 2 == 0 && t->sequence == before.sequence + 2, "the sequence is even");
	ok(t->timestamp - before.timestamp == 500 * MS, "timestamps are device time");

	before = *t;
	ok(fw_admin(host, (struct npu_admin_cmd){ .opcode = NPU_ADMIN_TELEMETRY }).status ==
	   NPU_ST_OK, "a sample on demand");
	ok(t->samples == before.samples + 1 && t->sequence == before.sequence + 2, "is taken");

	ok(t->aicore_mhz == fw_read(host, NPU_REG_CORE_CLOCK_MHZ) && t->hbm_mhz == 1600, "clocks");
	ok(t->temperature_mc > 30000 && t->temperature_mc < 50000, "an idle device is warm: %u",
	   t->temperature_mc);
	ok(t->power_mw > 50000 && t->power_mw < 150000, "and takes some power: %u", t->power_mw);
	ok(t->voltage_mv > 700 && t->voltage_mv < 900, "voltage: %u", t->voltage_mv);
	ok(t->aicore_permille == 0 && t->cube_permille == 0 && t->sdma_permille == 0 &&
	   t->hbm_permille == 0, "nothing is busy");
	ok(t->rsvd == 0, "reserved field");
	fw_host_free(host);
}

static void expect_health(struct fw_host *host, uint32_t health, const char *what)
{
	const struct npu_fw_ras *ras = fw_region(host, NPU_FW_REGION_RAS);

	ok(ras->health == health && ras->sequence % 2 == 0, "%s: health %u", what, ras->health);
}

static void test_ras(void)
{
	struct fw_host *host = fw_host_identified(true);
	const struct npu_fw_ras *ras = fw_region(host, NPU_FW_REGION_RAS);

	expect_health(host, NPU_HEALTH_OK, "a new device");
	ok(ras->sequence && !ras->hbm_ce && !ras->hbm_ue && !ras->core_lost &&
	   !ras->over_temperature && !ras->task_faults, "has no errors");

	npu_ras_count(host->core, NPU_RAS_HBM_CE, 99);
	npu_core_poll(host->core);
	ok(ras->hbm_ce == 99, "corrected errors are counted");
	expect_health(host, NPU_HEALTH_OK, "99 of them");
	fw_write(host, NPU_REG_IRQ_CAUSE, UINT32_MAX);
	npu_ras_count(host->core, NPU_RAS_HBM_CE, 1);
	npu_core_poll(host->core);
	expect_health(host, NPU_HEALTH_WARNING, "100 of them");
	ok(fw_read(host, NPU_REG_IRQ_CAUSE) == NPU_IRQ_CAUSE_EVENT, "the host is told");
	ok(fw_said(host, "W ras: health ok -> warning"), "the log tells");

	npu_ras_count(host->core, NPU_RAS_HBM_UE, 1);
	npu_core_poll(host->core);
	ok(ras->hbm_ue == 1, "uncorrected errors are counted");
	expect_health(host, NPU_HEALTH_ALARM, "one of them");
	npu_ras_count(host->core, NPU_RAS_CORE_LOST,
			    fw_read(host, NPU_REG_NUM_CORES));
	npu_core_poll(host->core);
	expect_health(host, NPU_HEALTH_CRITICAL, "all cores lost");
	fw_host_free(host);
}

static void test_temperature(void)
{
	struct fw_host *host = fw_host_identified(true);
	const struct npu_fw_ras *ras = fw_region(host, NPU_FW_REGION_RAS);
	uint32_t cool = telemetry(host)->temperature_mc;
	uint32_t warm;

	npu_core_set_ambient(host->core, 88000);
	fw_advance(host, 2000 * MS);
	warm = telemetry(host)->temperature_mc;
	ok(warm > cool + 5000 && warm < 88000, "the die warms up, but not at once: %u", warm);
	expect_health(host, NPU_HEALTH_OK, "warm");
	fw_advance(host, 60000 * MS);
	ok(telemetry(host)->temperature_mc > 97000, "then it is hot: %u",
	   telemetry(host)->temperature_mc);
	expect_health(host, NPU_HEALTH_WARNING, "hot");
	ok(ras->over_temperature == 1, "that counts once");

	npu_core_set_ambient(host->core, 100000);
	fw_advance(host, 60000 * MS);
	expect_health(host, NPU_HEALTH_CRITICAL, "hotter");
	npu_core_set_ambient(host->core, 25000);
	fw_advance(host, 60000 * MS);
	expect_health(host, NPU_HEALTH_OK, "cool again");
	ok(ras->over_temperature == 1, "it still counts once");
	fw_host_free(host);
}

/* Reads the log ring as the driver does. */
static size_t read_log(struct fw_host *host, char *text, size_t size)
{
	const struct npu_fw_console *ring = fw_region(host, NPU_FW_REGION_CONSOLE);
	uint64_t start = ring->written > ring->size ? ring->written - ring->size : 0;
	size_t len = 0;

	for (uint64_t i = start; i < ring->written && len < size - 1; i++)
		text[len++] = ring->data[i % ring->size];
	text[len] = '\0';
	return len;
}

static void test_log(void)
{
	static char text[NPU_FW_CONSOLE_BYTES + 1];
	struct fw_host *host = fw_host_identified(true);
	const struct npu_fw_console *ring = fw_region(host, NPU_FW_REGION_CONSOLE);
	const char *line;
	unsigned long long sec;
	unsigned int usec;
	uint64_t written;

	ok(ring->magic == NPU_FW_CONSOLE_MAGIC && ring->size == NPU_FW_CONSOLE_BYTES, "log ring");
	read_log(host, text, sizeof(text));
	ok(!strcmp(text, host->console), "holds what the console has printed");

	fw_advance(host, 12345678000);
	fw_admin(host, (struct npu_admin_cmd){ .opcode = 200 });
	line = strstr(host->console, "W admin: no command 200\n");
	ok(line && line - host->console >= 15 &&
	   sscanf(line - 15, "[%llu.%06u] ", &sec, &usec) == 2 && sec == 12 &&
	   usec >= 345678, "lines carry the device time");

	written = ring->written;
	while (ring->written < 2 * NPU_FW_CONSOLE_BYTES) {
		host->console_len = 0;
		fw_admin(host, (struct npu_admin_cmd){ .opcode = 200 });
		if (ring->written == written)
			break;
		written = ring->written;
	}
	ok(ring->written >= 2 * NPU_FW_CONSOLE_BYTES, "the ring goes round");
	ok(read_log(host, text, sizeof(text)) == NPU_FW_CONSOLE_BYTES, "and stays full");
	ok(!strcmp(text + strlen(text) - 24, "W admin: no command 200\n"), "with the newest last");
	fw_host_free(host);
}

static void test_threaded(void)
{
	struct fw_host *host = fw_host_identified(false);
	uint32_t beat = fw_read(host, NPU_REG_FW_HEARTBEAT);
	unsigned int right = 0;
	int tries;

	for (tries = 0; tries < 100 && fw_read(host, NPU_REG_FW_HEARTBEAT) < beat + 3; tries++)
		g_usleep(50000);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) >= beat + 3, "threaded: the heart beats");
	for (int i = 0; i < 1000; i++)
		right += fw_admin(host, (struct npu_admin_cmd){
			.opcode = NPU_ADMIN_QUEUE_QUERY }).status == NPU_ST_ADMIN_NOENT;
	ok(right == 1000, "threaded: a thousand admin commands");

	npu_core_pause(host->core);
	beat = fw_read(host, NPU_REG_FW_HEARTBEAT);
	g_usleep(250000);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) == beat, "threaded: it stands still in a pause");
	npu_core_resume(host->core);
	for (tries = 0; tries < 100 && fw_read(host, NPU_REG_FW_HEARTBEAT) == beat; tries++)
		g_usleep(50000);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) > beat, "threaded: and goes on after it");
	fw_host_free(host);
}

int main(void)
{
	test_heartbeat();
	test_telemetry();
	test_ras();
	test_temperature();
	test_log();
	test_threaded();
	return tap_done();
}
