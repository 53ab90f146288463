// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management core's memory map.
 */
#include "mcu.h"

#define BUS_FAULT (-1)

static bool in_range(uint64_t addr, uint64_t base, uint64_t size)
{
	return addr >= base && addr - base < size;
}

/*
 * A hart that cannot fetch its trap handler would trap for ever. At this point mcause is still
 * that of the trap it was going to handle.
 */
static int fetch_fault(struct npu_mcu *mcu, uint64_t addr)
{
	if (((addr ^ mcu->cpu.csr.mtvec) & RV64_PAGE_MASK) == 0)
		npu_mcu_die(mcu, mcu->cpu.csr.mcause);
	return BUS_FAULT;
}

static int bus_translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
			 unsigned int *flags)
{
	struct npu_mcu *mcu = opaque;
	struct npu_core *core = mcu->core;
	uint64_t offset = addr & RV64_PAGE_MASK;

	if (access != RV64_ACCESS_EXEC &&
	    npu_debug_watches_page(&core->debug->watchpoints[NPU_DEBUG_MCU], addr))
		*flags |= RV64_XLATE_WATCH;
	if (in_range(addr, NPU_MCU_SRAM_BASE, NPU_MCU_SRAM_SIZE)) {
		*page = mcu->sram + (offset - NPU_MCU_SRAM_BASE);
		return RV64_XLATE_RAM;
	}
	/* Code runs from SRAM alone: the guest can write the rest. */
	if (access == RV64_ACCESS_EXEC)
		return fetch_fault(mcu, addr);
	if (addr & NPU_MCU_PCI_WINDOW)
		return RV64_XLATE_MMIO;
	if (in_range(addr, NPU_MCU_HBM_WINDOW, core->cfg.hbm_size)) {
		*page = core->hbm + (offset - NPU_MCU_HBM_WINDOW);
		return RV64_XLATE_RAM;
	}
	if (in_range(addr, NPU_MCU_PERIPH_BASE, NPU_MCU_PERIPH_SIZE))
		return RV64_XLATE_MMIO;
	return BUS_FAULT;
}

static int bus_read(void *opaque, uint64_t addr, unsigned int size, uint64_t *value)
{
	struct npu_mcu *mcu = opaque;
	struct npu_core *core = mcu->core;

	if (!(addr & NPU_MCU_PCI_WINDOW))
		return npu_mcu_reg_read(mcu, addr - NPU_MCU_PERIPH_BASE, size, value);
	*value = 0;
	if (npu_inject(core, NPU_INJECT_DMA_ERROR, NPU_INJECT_BY_MCU))
		return BUS_FAULT;
	return core->ops->dma_read(core->host, addr & ~NPU_MCU_PCI_WINDOW, value, size);
}

static int bus_write(void *opaque, uint64_t addr, unsigned int size, uint64_t value)
{
	struct npu_mcu *mcu = opaque;
	struct npu_core *core = mcu->core;

	if (!(addr & NPU_MCU_PCI_WINDOW))
		return npu_mcu_reg_write(mcu, addr - NPU_MCU_PERIPH_BASE, size, value);
	if (npu_inject(core, NPU_INJECT_DMA_ERROR, NPU_INJECT_BY_MCU))
		return BUS_FAULT;
	return core->ops->dma_write(core->host, addr & ~NPU_MCU_PCI_WINDOW, &value, size);
}

static int bus_watch(void *opaque, const struct rv64_watch *access)
{
	return npu_mcu_debug_watches(opaque, access) ? RV64_WATCH_STOP : 0;
}

static uint64_t bus_time(void *opaque)
{
	struct npu_mcu *mcu = opaque;

	return npu_timestamp(mcu->core);
}

const struct rv64_ops npu_mcu_bus = {
	.translate = bus_translate,
	.mmio_read = bus_read,
	.mmio_write = bus_write,
	.time = bus_time,
	.watch = bus_watch,
};
