// SPDX-License-Identifier: MIT
/*
 * Telemetry: sensors as they are, and utilisation from how far the counters went.
 */
#include <npu/npu_fw.h>

#include "ras.h"
#include "region.h"
#include "telemetry.h"
#include "timer.h"

#define PERMILLE 1000

enum counter {
	AICORE_NS,
	CUBE_NS,
	VECTOR_NS,
	SDMA_NS,
	MCU_NS,
	HBM_READ,
	HBM_WRITE,
	NUM_COUNTERS
};

static const uint64_t counter_addresses[NUM_COUNTERS] = {
	[AICORE_NS] = NPU_MCU_COUNT_AICORE_NS,
	[CUBE_NS] = NPU_MCU_COUNT_CUBE_NS,
	[VECTOR_NS] = NPU_MCU_COUNT_VECTOR_NS,
	[SDMA_NS] = NPU_MCU_COUNT_SDMA_NS,
	[MCU_NS] = NPU_MCU_COUNT_MCU_NS,
	[HBM_READ] = NPU_MCU_COUNT_HBM_READ,
	[HBM_WRITE] = NPU_MCU_COUNT_HBM_WRITE,
};

static struct npu_fw_telemetry sample;
static uint64_t counters[NUM_COUNTERS];

static uint16_t permille(uint64_t part, uint64_t whole)
{
	uint64_t share;

	if (!whole)
		return 0;
	share = part * PERMILLE / whole;
	return share < PERMILLE ? share : PERMILLE;
}

static void sample_sensors(void)
{
	sample.temperature_mc = mmio_read32(NPU_MCU_SENSOR_TEMPERATURE);
	sample.power_mw = mmio_read32(NPU_MCU_SENSOR_POWER);
	sample.voltage_mv = mmio_read32(NPU_MCU_SENSOR_VOLTAGE);
	sample.aicore_mhz = mmio_read32(NPU_MCU_SENSOR_AICORE_MHZ);
	sample.hbm_mhz = mmio_read32(NPU_MCU_SENSOR_HBM_MHZ);
}

/* @ns: time since the last sample */
static void sample_utilisation(uint64_t ns)
{
	uint64_t core_ns = ns * mmio_read32(NPU_MCU_SENSOR_CORES);
	uint64_t delta[NUM_COUNTERS];

	for (int i = 0; i < NUM_COUNTERS; i++) {
		uint64_t now = mmio_read64(counter_addresses[i]);

		delta[i] = now - counters[i];
		counters[i] = now;
	}
	sample.aicore_permille = permille(delta[AICORE_NS], core_ns);
	sample.cube_permille = permille(delta[CUBE_NS], core_ns);
	sample.vector_permille = permille(delta[VECTOR_NS], core_ns);
	sample.sdma_permille = permille(delta[SDMA_NS], ns);
	sample.mcu_permille = permille(delta[MCU_NS], ns);
	/* 1 MB/s is a byte a microsecond. */
	sample.hbm_permille = permille(delta[HBM_READ] + delta[HBM_WRITE],
				       ns / 1000 * mmio_read32(NPU_MCU_SENSOR_HBM_MBPS));
}

static void sample_totals(void)
{
	sample.aicore_busy_ns = counters[AICORE_NS];
	sample.sdma_busy_ns = counters[SDMA_NS];
	sample.hbm_read_bytes = counters[HBM_READ];
	sample.hbm_write_bytes = counters[HBM_WRITE];
	sample.tasks_done = mmio_read64(NPU_MCU_COUNT_TASKS_DONE);
	sample.tasks_failed = mmio_read64(NPU_MCU_COUNT_TASKS_FAILED);
}

void telemetry_sample(void)
{
	uint64_t now = time_now();

	sample_sensors();
	sample_utilisation(now - sample.timestamp);
	sample_totals();
	sample.period_ms = TELEMETRY_MS;
	sample.samples++;
	sample.timestamp = now;
	region_publish(region_at(NPU_FW_REGION_TELEMETRY), &sample, sizeof(sample),
		       &sample.sequence);
	ras_update();
}
