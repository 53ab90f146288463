/* SPDX-License-Identifier: MIT */
/*
 * The management core's side of the device: memory map, peripherals and
 * interrupts. Used by the firmware and by the device model, not by the driver.
 * Specified in docs/hardware.md, "Management core".
 */
#ifndef NPU_MCU_H
#define NPU_MCU_H

#include "npu_types.h"

#define NPU_MCU_SRAM_BASE 0x80000000ULL
#define NPU_MCU_SRAM_SIZE 0x200000ULL
/* Windows by the upper address bits: HBM by offset, the PCI bus by address. */
#define NPU_MCU_HBM_WINDOW NPU_BIT(62)
#define NPU_MCU_PCI_WINDOW NPU_BIT(63)

/*
 * Peripherals. Registers are 32 or 64 bits wide, as named, and naturally
 * aligned. Writing a *_CMD register acts at once; where it takes time, STATUS
 * is NPU_MCU_BUSY until the unit raises its interrupt, then an enum npu_status.
 */
#define NPU_MCU_PERIPH_BASE 0x10000000ULL
#define NPU_MCU_PERIPH_SIZE 0x10000ULL
#define NPU_MCU_REG(offset) (NPU_MCU_PERIPH_BASE + (offset))
#define NPU_MCU_BUSY 0xffffffffU

/* Console: bytes go to the log ring in the firmware region. */
#define NPU_MCU_CONSOLE_TX NPU_MCU_REG(0x0000) /* 32 W, low byte */

/* Timer in timestamp ticks; MTI is pending while TIME >= TIMECMP. */
#define NPU_MCU_TIME NPU_MCU_REG(0x0100) /* 64 R */
#define NPU_MCU_TIMECMP NPU_MCU_REG(0x0108) /* 64 RW, reset all ones */

/* Interrupt controller: MEI is pending while PENDING & ENABLE. */
#define NPU_MCU_INT_PENDING NPU_MCU_REG(0x0200) /* 32 RW1C */
#define NPU_MCU_INT_ENABLE NPU_MCU_REG(0x0204) /* 32 RW */
#define NPU_MCU_INT_ADMIN NPU_BIT(0) /* ASQ_TAIL was written */
#define NPU_MCU_INT_QUEUE NPU_BIT(1) /* a queue command ended */
#define NPU_MCU_INT_FAULT NPU_BIT(2) /* a queue has stopped with a fault */
#define NPU_MCU_INT_RAS NPU_BIT(3) /* a RAS counter has changed */

/* Host interface. */
#define NPU_MCU_HOST_POST NPU_MCU_REG(0x0300) /* 32 RW: NPU_REG_BOOT_POST */
#define NPU_MCU_HOST_HEARTBEAT NPU_MCU_REG(0x0304) /* 32 RW: NPU_REG_FW_HEARTBEAT */
#define NPU_MCU_HOST_ABI NPU_MCU_REG(0x0308) /* 32 RW: NPU_REG_FW_ABI */
#define NPU_MCU_HOST_IRQ NPU_MCU_REG(0x030c) /* 32 W: sets bits of NPU_REG_IRQ_CAUSE */
#define NPU_MCU_HOST_ASQ_BASE NPU_MCU_REG(0x0310) /* 64 R */
#define NPU_MCU_HOST_ACQ_BASE NPU_MCU_REG(0x0318) /* 64 R */
#define NPU_MCU_HOST_ENTRIES NPU_MCU_REG(0x0320) /* 32 R */
#define NPU_MCU_HOST_ASQ_TAIL NPU_MCU_REG(0x0324) /* 32 R */
#define NPU_MCU_HOST_ACQ_HEAD NPU_MCU_REG(0x0328) /* 32 R */
#define NPU_MCU_HOST_DEAD NPU_MCU_REG(0x032c) /* 32 W: mcause of a fatal trap; stops the MCU */
#define NPU_MCU_HOST_FW_REGION NPU_MCU_REG(0x0330) /* 64 R: HBM offset */

/* Contexts. */
#define NPU_MCU_CTX_ID NPU_MCU_REG(0x0400) /* 32 RW */
#define NPU_MCU_CTX_ROOT NPU_MCU_REG(0x0408) /* 64 RW */
#define NPU_MCU_CTX_CMD NPU_MCU_REG(0x0410) /* 32 W */
#define NPU_MCU_CTX_CMD_SET 1
#define NPU_MCU_CTX_CMD_CLEAR 2 /* NPU_ST_ADMIN_BUSY while a queue uses it */
#define NPU_MCU_CTX_STATUS NPU_MCU_REG(0x0414) /* 32 R */

/* Completion rings. */
#define NPU_MCU_CQ_ID NPU_MCU_REG(0x0500) /* 32 RW */
#define NPU_MCU_CQ_ENTRIES NPU_MCU_REG(0x0504) /* 32 RW */
#define NPU_MCU_CQ_BASE NPU_MCU_REG(0x0508) /* 64 RW */
#define NPU_MCU_CQ_VECTOR NPU_MCU_REG(0x0510) /* 32 RW */
#define NPU_MCU_CQ_CMD NPU_MCU_REG(0x0514) /* 32 W */
#define NPU_MCU_CQ_CMD_CREATE 1
#define NPU_MCU_CQ_CMD_DESTROY 2
#define NPU_MCU_CQ_STATUS NPU_MCU_REG(0x0518) /* 32 R */

/*
 * Queues of the hardware scheduler. Commands end with NPU_MCU_INT_QUEUE. One that is written
 * while STATUS is busy takes the place of the other, which goes on but whose end is not told.
 */
#define NPU_MCU_Q_ID NPU_MCU_REG(0x0600) /* 32 RW */
#define NPU_MCU_Q_ENTRIES NPU_MCU_REG(0x0604) /* 32 RW */
#define NPU_MCU_Q_BASE NPU_MCU_REG(0x0608) /* 64 RW */
#define NPU_MCU_Q_STATUS_BLOCK NPU_MCU_REG(0x0610) /* 64 RW */
#define NPU_MCU_Q_CORE_MASK NPU_MCU_REG(0x0618) /* 64 RW */
#define NPU_MCU_Q_TIMEOUT_US NPU_MCU_REG(0x0620) /* 32 RW */
#define NPU_MCU_Q_CONTEXT NPU_MCU_REG(0x0624) /* 32 RW */
#define NPU_MCU_Q_CQ NPU_MCU_REG(0x0628) /* 32 RW */
#define NPU_MCU_Q_PRIORITY NPU_MCU_REG(0x062c) /* 32 RW */
#define NPU_MCU_Q_ENGINE NPU_MCU_REG(0x0630) /* 32 RW */
#define NPU_MCU_Q_CMD NPU_MCU_REG(0x0634) /* 32 W */
#define NPU_MCU_Q_CMD_CREATE 1
#define NPU_MCU_Q_CMD_DESTROY 2 /* its running task is stopped, nothing more completes */
#define NPU_MCU_Q_CMD_SUSPEND 3 /* at the next command border */
#define NPU_MCU_Q_CMD_RESUME 4
#define NPU_MCU_Q_CMD_QUERY 5 /* loads the registers below */
#define NPU_MCU_Q_CMD_STOP 6 /* the entry in progress times out */
#define NPU_MCU_Q_STATUS NPU_MCU_REG(0x0638) /* 32 R */
#define NPU_MCU_Q_STATE NPU_MCU_REG(0x063c) /* 32 R: enum npu_queue_state */
#define NPU_MCU_Q_HEAD NPU_MCU_REG(0x0640) /* 32 R */
#define NPU_MCU_Q_TAIL NPU_MCU_REG(0x0644) /* 32 R */
#define NPU_MCU_Q_FAULT NPU_MCU_REG(0x0648) /* 32 R: enum npu_status */
#define NPU_MCU_Q_TASKS NPU_MCU_REG(0x0650) /* 64 R */
#define NPU_MCU_Q_CORES NPU_MCU_REG(0x0658) /* 64 R: AI cores that run blocks of it */
#define NPU_MCU_Q_PC NPU_MCU_REG(0x0660) /* 64 R: where the lowest of them is */
#define NPU_MCU_Q_COMMAND NPU_MCU_REG(0x0668) /* 32 R: index of the command in progress */
#define NPU_MCU_Q_RUN_US NPU_MCU_REG(0x066c) /* 32 R: longest time-out in progress */

/* AI cores. */
#define NPU_MCU_CORE_ID NPU_MCU_REG(0x0680) /* 32 RW */
#define NPU_MCU_CORE_QUEUE NPU_MCU_REG(0x0684) /* 32 RW */
#define NPU_MCU_CORE_CMD NPU_MCU_REG(0x0688) /* 32 W */
#define NPU_MCU_CORE_CMD_RESET 1 /* what the queue runs on it ends with NPU_ST_CORE_LOST */
#define NPU_MCU_CORE_STATUS NPU_MCU_REG(0x068c) /* 32 R */

/* Sensors and counters, all read only; times in ns since reset. */
#define NPU_MCU_SENSOR_TEMPERATURE NPU_MCU_REG(0x0700) /* 32, millidegrees Celsius */
#define NPU_MCU_SENSOR_POWER NPU_MCU_REG(0x0704) /* 32, mW */
#define NPU_MCU_SENSOR_VOLTAGE NPU_MCU_REG(0x0708) /* 32, mV */
#define NPU_MCU_SENSOR_AICORE_MHZ NPU_MCU_REG(0x070c) /* 32 */
#define NPU_MCU_SENSOR_HBM_MHZ NPU_MCU_REG(0x0710) /* 32 */
#define NPU_MCU_SENSOR_CORES NPU_MCU_REG(0x0714) /* 32, AI cores */
#define NPU_MCU_SENSOR_HBM_MBPS NPU_MCU_REG(0x0718) /* 32, HBM bandwidth of the profile, MB/s */
#define NPU_MCU_COUNT_AICORE_NS NPU_MCU_REG(0x0720) /* 64, summed over cores */
#define NPU_MCU_COUNT_CUBE_NS NPU_MCU_REG(0x0728) /* 64 */
#define NPU_MCU_COUNT_VECTOR_NS NPU_MCU_REG(0x0730) /* 64 */
#define NPU_MCU_COUNT_SDMA_NS NPU_MCU_REG(0x0738) /* 64 */
#define NPU_MCU_COUNT_MCU_NS NPU_MCU_REG(0x0740) /* 64 */
#define NPU_MCU_COUNT_HBM_READ NPU_MCU_REG(0x0748) /* 64, bytes */
#define NPU_MCU_COUNT_HBM_WRITE NPU_MCU_REG(0x0750) /* 64, bytes */
#define NPU_MCU_COUNT_TASKS_DONE NPU_MCU_REG(0x0758) /* 64 */
#define NPU_MCU_COUNT_TASKS_FAILED NPU_MCU_REG(0x0760) /* 64 */
#define NPU_MCU_COUNT_HBM_CE NPU_MCU_REG(0x0768) /* 64 */
#define NPU_MCU_COUNT_HBM_UE NPU_MCU_REG(0x0770) /* 64 */
#define NPU_MCU_COUNT_CORE_LOST NPU_MCU_REG(0x0778) /* 64 */

#endif /* NPU_MCU_H */
