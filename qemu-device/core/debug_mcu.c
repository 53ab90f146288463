// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management core for a debugger: one thread, which stands still as when it is paused.
 */
#include <stdio.h>
#include <string.h>

#include "mcu.h"

#define THREAD 1

/* With the MCU's lock. */
static bool stands(const struct npu_mcu *mcu)
{
	return mcu->debug_hold && mcu->standing;
}

/* Have it stand still, because of @stop if it is the first, or go on if that is NULL. */
static void set_hold(struct npu_core *core, const struct gdb_stop *stop)
{
	bool hold = stop;
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&core->lock);
	pthread_mutex_lock(&mcu->lock);
	hold = hold && npu_load(&mcu->debug_attached);
	if (hold && !mcu->debug_hold)
		mcu->debug_stop = *stop;
	mcu->debug_hold = hold;
	if (hold)
		rv64_request_exit(&mcu->cpu);
	pthread_cond_signal(&mcu->wake);
	pthread_mutex_unlock(&mcu->lock);
	npu_debug_set_holder(core, NPU_DEBUG_MCU, hold);
	pthread_mutex_unlock(&core->lock);
}

void npu_mcu_debug_stands(struct npu_mcu *mcu)
{
	struct npu_core *core = mcu->core;
	bool told;

	pthread_mutex_lock(&mcu->lock);
	told = stands(mcu);
	pthread_mutex_unlock(&mcu->lock);
	if (told && core->ops->debug_stopped)
		core->ops->debug_stopped(core->host, NPU_DEBUG_MCU);
}

static void stop_at(struct npu_mcu *mcu, const struct gdb_stop *stop)
{
	if (!npu_load(&mcu->debug_attached))
		return;
	set_hold(mcu->core, stop);
	npu_mcu_debug_stands(mcu);
}

void npu_mcu_debug_stop(struct npu_mcu *mcu, enum gdb_signal signal)
{
	stop_at(mcu, &(struct gdb_stop){ .thread = THREAD, .signal = signal });
}

bool npu_mcu_debug_watches(struct npu_mcu *mcu, const struct rv64_watch *access)
{
	return !mcu->debug_passes &&
	       npu_debug_find_watchpoint(&mcu->core->debug->watchpoints[NPU_DEBUG_MCU], access,
					 &mcu->debug_hit);
}

void npu_mcu_debug_watched(struct npu_mcu *mcu)
{
	mcu->debug_passes = true;
	rv64_step(&mcu->cpu);
	mcu->debug_passes = false;
	stop_at(mcu, &(struct gdb_stop){ .thread = THREAD, .signal = GDB_SIGNAL_TRAP,
					 .watch = mcu->debug_hit.watch,
					 .address = mcu->debug_hit.address });
}

static void halt(void *target)
{
	struct npu_core *core = target;
	struct npu_mcu *mcu = core->mcu;

	npu_store(&mcu->debug_attached, true);
	set_hold(core, &(struct gdb_stop){ .thread = THREAD, .signal = GDB_SIGNAL_INT });
	npu_mcu_debug_stands(mcu);
}

static bool stopped(void *target, struct gdb_stop *stop)
{
	struct npu_core *core = target;
	struct npu_mcu *mcu = core->mcu;
	bool standing;

	pthread_mutex_lock(&mcu->lock);
	standing = stands(mcu);
	*stop = mcu->debug_stop;
	pthread_mutex_unlock(&mcu->lock);
	return standing;
}

static void resume(void *target, struct gdb_server *server)
{
	struct npu_core *core = target;

	npu_store(&core->mcu->debug_step, gdb_server_action(server, THREAD) == GDB_ACTION_STEP);
	set_hold(core, NULL);
}

static void detach(void *target)
{
	struct npu_core *core = target;
	struct npu_mcu *mcu = core->mcu;

	npu_store(&mcu->debug_attached, false);
	npu_store(&mcu->debug_step, false);
	npu_debug_remove_points(core->debug, NPU_DEBUG_MCU);
	rv64_flush_code(&mcu->cpu);
	set_hold(core, NULL);
}

static unsigned int next_thread(void *target, unsigned int thread)
{
	return thread < THREAD ? THREAD : 0;
}

static void thread_info(void *target, unsigned int thread, char *text, size_t size)
{
	struct npu_core *core = target;

	snprintf(text, size, "management core, POST code 0x%x",
		 npu_reg_get(core, NPU_REG_BOOT_POST));
}

static bool still(struct npu_core *core)
{
	struct gdb_stop stop;

	return stopped(core, &stop);
}

static uint64_t *own_register(struct npu_mcu *mcu, unsigned int reg)
{
	struct rv64_csrs *csr = &mcu->cpu.csr;
	uint64_t *const registers[NPU_DEBUG_MCU_REGS] = {
		&csr->mstatus, &csr->mie, &csr->mtvec, &csr->mscratch, &csr->mepc, &csr->mcause,
		&csr->mtval, &mcu->cpu.mip,
	};

	return reg - NPU_DEBUG_REG_OWN < NPU_DEBUG_MCU_REGS ? registers[reg - NPU_DEBUG_REG_OWN] :
							      NULL;
}

static bool read_register(void *target, unsigned int thread, unsigned int reg, uint64_t *value,
			  unsigned int *size)
{
	struct npu_core *core = target;
	uint64_t *own = own_register(core->mcu, reg);

	if (!still(core))
		return false;
	if (!own)
		return npu_debug_read_hart(&core->mcu->cpu, reg, value, size);
	*size = sizeof(*value);
	*value = npu_load(own);
	return true;
}

/* CSRs are for the firmware to write: not every value is one that they may have. */
static bool write_register(void *target, unsigned int thread, unsigned int reg, uint64_t value)
{
	struct npu_core *core = target;

	return still(core) && npu_debug_write_hart(&core->mcu->cpu, reg, value);
}

/* In a page; registers of peripherals one at a time. */
static bool access_page(struct npu_mcu *mcu, uint64_t addr, void *buf, size_t len, bool write)
{
	unsigned int flags = 0;
	uint64_t value = 0;
	void *page;
	int ret;

	ret = npu_mcu_bus.translate(mcu, addr, write ? RV64_ACCESS_WRITE : RV64_ACCESS_READ, &page,
				    &flags);
	if (ret == RV64_XLATE_RAM) {
		uint8_t *memory = (uint8_t *)page + (addr & ~RV64_PAGE_MASK);

		memcpy(write ? memory : buf, write ? buf : memory, len);
		return true;
	}
	if (ret != RV64_XLATE_MMIO || len > sizeof(value) || (len & (len - 1)) || addr % len)
		return false;
	if (write) {
		memcpy(&value, buf, len);
		return !npu_mcu_bus.mmio_write(mcu, addr, len, value);
	}
	ret = npu_mcu_bus.mmio_read(mcu, addr, len, &value);
	memcpy(buf, &value, len);
	return !ret;
}

static bool access_memory(struct npu_core *core, uint64_t addr, void *buf, size_t len, bool write)
{
	size_t n;

	if (!still(core))
		return false;
	for (; len; addr += n, buf = (char *)buf + n, len -= n) {
		n = npu_min(len, RV64_PAGE_SIZE - (addr & ~RV64_PAGE_MASK));
		if (!access_page(core->mcu, addr, buf, n, write))
			return false;
	}
	return true;
}

static bool read_memory(void *target, unsigned int thread, uint64_t addr, void *buf, size_t len)
{
	return access_memory(target, addr, buf, len, false);
}

static bool write_memory(void *target, unsigned int thread, uint64_t addr, const void *buf,
			 size_t len)
{
	struct npu_core *core = target;

	if (!access_memory(core, addr, (void *)buf, len, true))
		return false;
	rv64_flush_code(&core->mcu->cpu);
	return true;
}

static bool set_breakpoint(void *target, uint64_t addr, bool set)
{
	struct npu_core *core = target;

	if (!npu_load(&core->mcu->debug_attached) ||
	    !npu_debug_set_breakpoint(&core->debug->breakpoints[NPU_DEBUG_MCU], addr, set))
		return false;
	rv64_flush_code(&core->mcu->cpu);
	return true;
}

static bool set_watchpoint(void *target, enum gdb_watch kind, uint64_t addr, uint64_t len, bool set)
{
	struct npu_core *core = target;

	if (!npu_load(&core->mcu->debug_attached) ||
	    !npu_debug_set_watchpoint(&core->debug->watchpoints[NPU_DEBUG_MCU], kind, addr, len,
				      set))
		return false;
	rv64_tlb_flush(&core->mcu->cpu);
	return true;
}

const struct gdb_target_ops npu_debug_mcu_ops = {
	.description = npu_debug_mcu_xml,
	.halt = halt,
	.stopped = stopped,
	.resume = resume,
	.detach = detach,
	.next_thread = next_thread,
	.thread_info = thread_info,
	.read_register = read_register,
	.write_register = write_register,
	.read_memory = read_memory,
	.write_memory = write_memory,
	.set_breakpoint = set_breakpoint,
	.set_watchpoint = set_watchpoint,
	.command = npu_debug_mcu_command,
};
