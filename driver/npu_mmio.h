/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_MMIO_H__
#define __NPU_MMIO_H__

#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>

#include "npu_device.h"

/**
 * npu_read() - read a register
 * @npu: device
 * @reg: NPU_REG_*
 *
 * Return: value of the register; all ones when the device is gone.
 */
static inline u32 npu_read(struct npu_device *npu, u32 reg)
{
	return readl(npu->regs + reg);
}

/**
 * npu_debugged() - does a debugger hold cores of the device?
 * @npu: device
 *
 * What is late then is not lost.
 *
 * Return: true if so.
 */
static inline bool npu_debugged(struct npu_device *npu)
{
	u32 status = npu_read(npu, NPU_REG_DEV_STATUS);

	return status != ~0U && (status & NPU_DEV_STATUS_DEBUG);
}

/**
 * npu_write() - write a register or doorbell
 * @npu: device
 * @reg: NPU_REG_* or NPU_DB_*
 * @value: value to write
 *
 * Writes to coherent memory that come before it are visible to the device first.
 */
static inline void npu_write(struct npu_device *npu, u32 reg, u32 value)
{
	writel(value, npu->regs + reg);
}

/**
 * npu_read64() - read a _LO/_HI pair of registers
 * @npu: device
 * @reg: offset of the _LO register
 *
 * Return: value of the pair.
 */
static inline u64 npu_read64(struct npu_device *npu, u32 reg)
{
	return readq(npu->regs + reg);
}

/**
 * npu_write64() - write a _LO/_HI pair of registers
 * @npu: device
 * @reg: offset of the _LO register
 * @value: value to write
 */
static inline void npu_write64(struct npu_device *npu, u32 reg, u64 value)
{
	writeq(value, npu->regs + reg);
}

/* As readl_poll_timeout(), for a register by its name. */
#define npu_poll_timeout(npu, reg, value, cond, sleep_us, timeout_us) \
	readl_poll_timeout((npu)->regs + (reg), value, cond, sleep_us, timeout_us)

#endif /* __NPU_MMIO_H__ */
