// SPDX-License-Identifier: MIT
/*
 * Reliability: error counters in the firmware region, and the health that follows from them.
 */
#include <npu/npu_fw.h>
#include <npu/npu_regs.h>

#include "log.h"
#include "ras.h"
#include "region.h"

#define COOL_AGAIN_MC 90000
/* Corrected errors are normal; so many of them since boot are not. */
#define WARN_HBM_CE 100

static struct npu_fw_ras ras;
static bool too_hot;

static const char *const health_names[] = {
	[NPU_HEALTH_OK] = "ok",
	[NPU_HEALTH_WARNING] = "warning",
	[NPU_HEALTH_ALARM] = "alarm",
	[NPU_HEALTH_CRITICAL] = "critical",
};

static void check_temperature(uint32_t temperature)
{
	if (!too_hot && temperature > NPU_TEMPERATURE_MAX_MC) {
		too_hot = true;
		ras.over_temperature++;
		log_warn("ras", "%u degrees: too hot", temperature / 1000);
	} else if (too_hot && temperature < COOL_AGAIN_MC) {
		too_hot = false;
		log_info("ras", "%u degrees: cool again", temperature / 1000);
	}
}

static enum npu_health judge(uint32_t temperature)
{
	if (temperature > NPU_TEMPERATURE_CRIT_MC ||
	    ras.core_lost >= mmio_read32(NPU_MCU_SENSOR_CORES))
		return NPU_HEALTH_CRITICAL;
	if (ras.hbm_ue || ras.core_lost)
		return NPU_HEALTH_ALARM;
	if (too_hot || ras.hbm_ce >= WARN_HBM_CE)
		return NPU_HEALTH_WARNING;
	return NPU_HEALTH_OK;
}

void ras_update(void)
{
	uint32_t temperature = mmio_read32(NPU_MCU_SENSOR_TEMPERATURE);
	enum npu_health health;

	ras.hbm_ce = mmio_read64(NPU_MCU_COUNT_HBM_CE);
	ras.hbm_ue = mmio_read64(NPU_MCU_COUNT_HBM_UE);
	ras.task_faults = mmio_read64(NPU_MCU_COUNT_TASKS_FAILED);
	ras.core_lost = mmio_read64(NPU_MCU_COUNT_CORE_LOST);
	check_temperature(temperature);

	health = judge(temperature);
	if (health != ras.health) {
		log_warn("ras", "health %s -> %s (hbm ce %lu, ue %lu, cores lost %lu)",
			 health_names[ras.health], health_names[health], ras.hbm_ce, ras.hbm_ue,
			 ras.core_lost);
		ras.health = health;
		mmio_write32(NPU_MCU_HOST_IRQ, NPU_IRQ_CAUSE_EVENT);
	}
	region_publish(region_at(NPU_FW_REGION_RAS), &ras, sizeof(ras), &ras.sequence);
}
