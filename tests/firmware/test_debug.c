// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A debugger on the management core while it runs the firmware. What gdb itself makes of it is in
 * tests/tools/gdb.py.
 */
#include <glib.h>
#include <string.h>

#include "fw_host.h"
#include "npu_internal.h"
#include "tap.h"

#define MCU	NPU_DEBUG_MCU
#define PC	32
#define MTVEC	70
#define WAIT_US	20000000

/* What comes for the debugger after it has sent @data, a packet; NULL if nothing does. */
static const char *ask(struct fw_host *host, const char *data)
{
	gint64 limit = g_get_monotonic_time() + WAIT_US;
	uint8_t sum = 0;
	char *packet, *start;
	size_t i;

	for (i = 0; data[i]; i++)
		sum += data[i];
	packet = g_strdup_printf("$%s#%02x", data, sum);
	host->debug_len = 0;
	npu_core_debug_input(host->core, MCU, packet, strlen(packet));
	g_free(packet);
	do {
		npu_core_debug_poll(host->core, MCU);
		start = host->debug_len ? strchr(host->debug, '$') : NULL;
	} while (!start && !host->sync && g_get_monotonic_time() < limit);
	if (!start)
		return NULL;
	*strchr(start, '#') = '\0';
	return start + 1;
}

static bool answers(struct fw_host *host, const char *want, const char *packet)
{
	const char *got = ask(host, packet);

	if (got && !strcmp(got, want))
		return true;
	printf("# %s: %s, not %s\n", packet, got, want);
	return false;
}

static uint64_t reg(struct fw_host *host, unsigned int number)
{
	char packet[16];
	uint64_t value = 0;
	const char *got;

	snprintf(packet, sizeof(packet), "p%x", number);
	got = ask(host, packet);
	return got && gdb_get_hex(got, &value, sizeof(value)) ? value : ~0ULL;
}

static uint32_t beats(struct fw_host *host)
{
	return fw_read(host, NPU_REG_FW_HEARTBEAT);
}

static void test_breakpoint(void)
{
	struct fw_host *host = fw_host_booted(true);
	uint32_t first = beats(host);
	char packet[64];
	uint64_t at;

	npu_core_debug_open(host->core, MCU);
	ok(answers(host, "T02thread:1;", "?") &&
	   fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_DEBUG, "it stands for the debugger");
	fw_advance(host, 1000 * MS);
	ok(beats(host) == first, "there is no heartbeat");
	ok(reg(host, MTVEC) - NPU_MCU_SRAM_BASE < NPU_MCU_SRAM_SIZE, "CSRs are read");
	/* It stands behind wfi, and comes there again. */
	at = reg(host, PC);
	ok(answers(host, "T05thread:1;", "vCont;s:1") && reg(host, PC) - at <= 4 &&
	   reg(host, PC) != at, "a step");
	snprintf(packet, sizeof(packet), "Z0,%llx,4", (unsigned long long)at);
	ok(answers(host, "OK", packet), "a breakpoint");
	if (!ask(host, "vCont;c"))
		fw_advance(host, 1000 * MS);
	npu_core_debug_poll(host->core, MCU);
	ok(strstr(host->debug, "T05thread:1;") && reg(host, PC) == at, "it gets there");
	npu_core_debug_close(host->core, MCU);
	fw_advance(host, 1000 * MS);
	ok(beats(host) - first >= 10 &&
	   !(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_DEBUG), "all goes on without it");
	fw_host_free(host);
}

static void test_memory(void)
{
	struct fw_host *host = fw_host_booted(true);

	npu_core_debug_open(host->core, MCU);
	host->hbm[16] = 0x5a;
	host->memory[0x345] = 0xa5;
	ok(strlen(ask(host, "m80000000,40")) == 0x80, "SRAM");
	ok(answers(host, "OK", "M80000010,2:abcd") && answers(host, "abcd", "m80000010,2"),
	   "which is written");
	ok(answers(host, "E0e", "m0,4") && answers(host, "E0e", "mfffffffffffffffe,4") &&
	   answers(host, "E0e", "m10000000,40") && answers(host, "E0e", "m10000001,4") &&
	   answers(host, "E0e", "m7fffffff,2"), "what is not there");
	ok(answers(host, "a5", "m8000000000000345,1") &&
	   answers(host, "E0e", "m8000000000200000,4"), "host memory, and what its bus refuses");
	npu_core_debug_close(host->core, MCU);
	fw_host_free(host);
}

/* With a thread of its own, held, reset, and let go. */
static void test_threads(void)
{
	struct fw_host *host = fw_host_booted(false);
	gint64 limit = g_get_monotonic_time() + WAIT_US;
	uint32_t first;

	npu_core_debug_open(host->core, MCU);
	ok(answers(host, "T02thread:1;", "?"), "a running core is held");
	first = beats(host);
	ok(reg(host, PC) - NPU_MCU_SRAM_BASE < NPU_MCU_SRAM_SIZE &&
	   answers(host, "T05thread:1;", "vCont;s:1"), "and stepped");
	npu_core_debug_close(host->core, MCU);
	while (beats(host) - first < 2 && g_get_monotonic_time() < limit)
		g_usleep(1000);
	ok(beats(host) - first >= 2, "its heart beats again");

	npu_core_debug_open(host->core, MCU);
	npu_core_reset(host->core);
	ok(answers(host, "T02thread:1;", "?") && reg(host, PC) == 0, "it is reset while held");
	npu_core_debug_close(host->core, MCU);
	fw_host_free(host);
}

int main(void)
{
	test_breakpoint();
	test_memory();
	test_threads();
	return tap_done();
}
