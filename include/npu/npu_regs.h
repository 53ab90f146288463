/* SPDX-License-Identifier: MIT */
/*
 * PCI identity, BAR layout and host-visible registers.
 * Specified in docs/hardware.md, "PCI identity" and "Registers".
 */
#ifndef NPU_REGS_H
#define NPU_REGS_H

#include "npu_types.h"

/* PCI identity: QEMU's vendor id with a device id of the project's own. */
#define NPU_PCI_VENDOR_ID 0x1234
#define NPU_PCI_DEVICE_ID 0x4e50
#define NPU_PCI_REVISION 0x01
#define NPU_PCI_CLASS 0x1200 /* processing accelerator */

#define NPU_BAR_REGS 0
#define NPU_BAR_REGS_SIZE 0x1000000
#define NPU_BAR_HBM 2

/* Architectural limits; the ID registers tell what one device has. */
#define NPU_MAX_QUEUES 2048
#define NPU_MAX_CONTEXTS 1024
#define NPU_MAX_CQS 255
#define NPU_MAX_VECTORS 256
#define NPU_MAX_CORES 64

/*
 * Registers are 32 bits wide and are accessed as such; a _LO/_HI pair may also
 * be accessed as one naturally aligned 64-bit word at the _LO offset.
 */

/* Identification, read only. */
#define NPU_REG_MAGIC 0x0000
#define NPU_MAGIC 0x3155504e /* "NPU1" */
#define NPU_REG_HW_VERSION 0x0004
#define NPU_HW_VERSION_MAJOR NPU_MASK(31, 16)
#define NPU_HW_VERSION_MINOR NPU_MASK(15, 0)
#define NPU_HW_VERSION_1_0 0x00010000
#define NPU_HW_VERSION_1_1 0x00010001 /* NPU_CMD_BRANCH, NPU_CMD_REDUCE, npu_sqe.first */
#define NPU_HW_VERSION_1_2 0x00010002 /* npu_cmd_kernel.log and .strict */
#define NPU_REG_FEATURES 0x0008
#define NPU_FEATURE_SYNC_MODE NPU_BIT(0) /* work is done inside the doorbell write */
#define NPU_FEATURE_SPARSE NPU_BIT(1) /* NPU_PTE_SPARSE */
#define NPU_FEATURE_TIMING NPU_BIT(2) /* timestamps of queues are modelled */
#define NPU_REG_NUM_QUEUES 0x000c
#define NPU_REG_NUM_CONTEXTS 0x0010
#define NPU_REG_NUM_CQS 0x0014
#define NPU_REG_NUM_VECTORS 0x0018
#define NPU_REG_NUM_CORES 0x001c
#define NPU_REG_HBM_SIZE_LO 0x0020
#define NPU_REG_HBM_SIZE_HI 0x0024
#define NPU_REG_FW_REGION_LO 0x0028 /* HBM offset of the firmware region */
#define NPU_REG_FW_REGION_HI 0x002c
#define NPU_REG_FW_REGION_SIZE 0x0030
#define NPU_REG_TIMESTAMP_FREQ 0x0034 /* Hz */
#define NPU_REG_TIMESTAMP_LO 0x0038 /* a 32-bit read of LO latches HI */
#define NPU_REG_TIMESTAMP_HI 0x003c
#define NPU_REG_UB_SIZE 0x0040
#define NPU_REG_L1_SIZE 0x0044
#define NPU_REG_L0A_SIZE 0x0048
#define NPU_REG_L0B_SIZE 0x004c
#define NPU_REG_L0C_SIZE 0x0050
#define NPU_REG_SMEM_SIZE 0x0054
#define NPU_REG_CORE_CLOCK_MHZ 0x0058
#define NPU_REG_PROFILE 0x005c
#define NPU_PROFILE_910B 1
#define NPU_PROFILE_910 2
#define NPU_PROFILE_910C 3 /* one of its dies */
#define NPU_PROFILE_310B 4
#define NPU_REG_SERIAL_LO 0x0060
#define NPU_REG_SERIAL_HI 0x0064

/* Device control. */
#define NPU_REG_DEV_CTRL 0x0100
#define NPU_DEV_CTRL_RESET NPU_BIT(0) /* write 1: reset all but PCI config space and HBM */
#define NPU_REG_DEV_STATUS 0x0104
#define NPU_DEV_STATUS_RESETTING NPU_BIT(0)
#define NPU_DEV_STATUS_ROM_READY NPU_BIT(1)
#define NPU_DEV_STATUS_FW_RUNNING NPU_BIT(2)
#define NPU_DEV_STATUS_FW_DEAD NPU_BIT(3) /* the MCU took a trap it could not handle */
#define NPU_DEV_STATUS_DEBUG NPU_BIT(4) /* a debugger holds cores: nothing is late */
#define NPU_REG_RESET_COUNT 0x0108
#define NPU_REG_GUEST_ERRORS 0x010c /* accesses to registers that are not there, or not so */

/* Boot ROM and firmware state. */
#define NPU_REG_BOOT_IMAGE_LO 0x0200 /* HBM offset of the image, 64-byte aligned */
#define NPU_REG_BOOT_IMAGE_HI 0x0204
#define NPU_REG_BOOT_IMAGE_SIZE 0x0208
#define NPU_REG_BOOT_CMD 0x020c
#define NPU_BOOT_CMD_START 1
#define NPU_REG_BOOT_POST 0x0210 /* enum npu_post */
#define NPU_REG_FW_HEARTBEAT 0x0214 /* the firmware counts it up */
#define NPU_REG_FW_ABI 0x0218
#define NPU_FW_ABI_MAJOR NPU_MASK(31, 16)
#define NPU_FW_ABI_MINOR NPU_MASK(15, 0)

/* Admin queue: see npu_fw.h for its entries. */
#define NPU_REG_ASQ_BASE_LO 0x0300
#define NPU_REG_ASQ_BASE_HI 0x0304
#define NPU_REG_ACQ_BASE_LO 0x0308
#define NPU_REG_ACQ_BASE_HI 0x030c
#define NPU_REG_ADMIN_ENTRIES 0x0310 /* of both rings, a power of two, at most 256 */
#define NPU_REG_ASQ_TAIL 0x0314 /* doorbell, free-running index */
#define NPU_REG_ACQ_HEAD 0x0318 /* free-running index */

/*
 * Translation invalidation. Write the context, then the command; STATUS is BUSY
 * until no engine uses a translation from before the command.
 */
#define NPU_REG_INV_CONTEXT 0x0400
#define NPU_REG_INV_PAGES 0x0404 /* 4 KiB pages from VA; 0: the whole context */
#define NPU_REG_INV_VA_LO 0x0408
#define NPU_REG_INV_VA_HI 0x040c
#define NPU_REG_INV_CMD 0x0410
#define NPU_INV_CMD_START 1
#define NPU_REG_INV_STATUS 0x0414
#define NPU_INV_STATUS_BUSY NPU_BIT(0)

/* Interrupts. Vector 0 is the management vector; completion rings are created with theirs. */
#define NPU_REG_IRQ_CAUSE 0x0500 /* of vector 0, write 1 to clear */
#define NPU_IRQ_CAUSE_ADMIN NPU_BIT(0) /* admin completion posted */
#define NPU_IRQ_CAUSE_EVENT NPU_BIT(1) /* firmware event in the firmware region */
#define NPU_IRQ_CAUSE_FW_DEAD NPU_BIT(2)
#define NPU_REG_IRQ_ENABLE 0x0504 /* reset: 0 */
#define NPU_REG_IRQ_MODERATION(vector) (0x0600 + 4 * (vector))
#define NPU_IRQ_MODERATION_USECS NPU_MASK(15, 0)
#define NPU_IRQ_MODERATION_COUNT NPU_MASK(31, 16)

/* MSI-X table and pending bits lie in BAR 0. */
#define NPU_MSIX_TABLE_OFFSET 0x10000
#define NPU_MSIX_PBA_OFFSET 0x18000

/* Doorbells: each in a page of its own. Values are free-running 32-bit indices. */
#define NPU_DB_CQ_HEAD(cq) (0x100000 + 0x1000 * (cq))
#define NPU_DB_SQ_TAIL(queue) (0x800000 + 0x1000 * (queue))

#endif /* NPU_REGS_H */
