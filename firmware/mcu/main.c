// SPDX-License-Identifier: MIT
/*
 * Management firmware: start-up and event loop. Interrupts are never taken: they end wfi, and
 * the loop looks at what is pending. So everything here is one thread of control.
 */
#include <npu/npu_fw.h>
#include <npu/npu_mcu.h>
#include <npu/npu_regs.h>

#include "admin.h"
#include "log.h"
#include "mmio.h"
#include "queue.h"
#include "ras.h"
#include "telemetry.h"
#include "timer.h"

int main(void);

static void start(void)
{
	mmio_write32(NPU_MCU_HOST_POST, NPU_POST_FW_START);
	log_info("main", "firmware " NPU_FW_VERSION ", ABI %u.%u, %u AI cores",
		 NPU_FW_ABI_VERSION_MAJOR, NPU_FW_ABI_VERSION_MINOR,
		 mmio_read32(NPU_MCU_SENSOR_CORES));
	mmio_write32(NPU_MCU_HOST_ABI,
		     NPU_PREP(NPU_FW_ABI_MAJOR, NPU_FW_ABI_VERSION_MAJOR) |
		     NPU_PREP(NPU_FW_ABI_MINOR, NPU_FW_ABI_VERSION_MINOR));

	mmio_write32(NPU_MCU_INT_ENABLE, NPU_MCU_INT_ADMIN | NPU_MCU_INT_QUEUE |
		     NPU_MCU_INT_FAULT | NPU_MCU_INT_RAS);
	csr_write(mie, MIE_MTIE | MIE_MEIE);
	telemetry_sample();
	timer_start();
	mmio_write32(NPU_MCU_HOST_POST, NPU_POST_FW_READY);
	log_info("main", "ready");
}

static void serve_interrupts(void)
{
	uint32_t pending = mmio_read32(NPU_MCU_INT_PENDING);

	mmio_write32(NPU_MCU_INT_PENDING, pending);
	if (pending & NPU_MCU_INT_FAULT)
		queue_report_faults();
	if (pending & NPU_MCU_INT_RAS)
		ras_update();
}

int main(void)
{
	start();
	for (;;) {
		serve_interrupts();
		timer_poll();
		admin_poll();
		wait_for_interrupt();
	}
}
