// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * AI cores for a debugger. A thread is a core, or one of the further kernels that share it: the
 * former are always there, the latter while they have a block.
 */
#include <stdio.h>
#include <string.h>

#include "npu_internal.h"

static unsigned int thread_of(const struct npu_aicore *ac)
{
	return ac - ac->core->aicores + 1;
}

/* With the lock: the block that @thread stands in, or NULL. */
static struct npu_aicore *held_block(struct npu_core *core, unsigned int thread)
{
	struct npu_aicore *ac;

	if (!thread || thread > core->nr_aicores)
		return NULL;
	ac = &core->aicores[thread - 1];
	return ac->task && (npu_load(&ac->dbg.held) || ac->hung) ? ac : NULL;
}

/* With the lock: is its block to end, whatever a debugger wants? */
static bool must_end(const struct npu_aicore *ac)
{
	return npu_load(&ac->lost) || npu_load(&ac->task->stop);
}

/* With the lock. */
void npu_debug_check(struct npu_core *core)
{
	struct npu_debug *d = core->debug;
	unsigned int i;

	if (!d->hold || d->standing)
		return;
	for (i = 0; i < core->nr_aicores; i++)
		if (core->aicores[i].task && !held_block(core, i + 1))
			return;
	d->standing = true;
	if (core->ops->debug_stopped)
		core->ops->debug_stopped(core->host, NPU_DEBUG_CORES);
}

/*
 * With the lock: have all stop, because of @stop if it is the first, or what has become of it: an
 * access that is watched may fail.
 */
static void hold(struct npu_core *core, const struct gdb_stop *stop)
{
	struct npu_debug *d = core->debug;
	unsigned int i;

	if (d->hold) {
		if (d->stop.watch && !d->standing && d->stop.thread == stop->thread)
			d->stop = *stop;
		return;
	}
	d->hold = true;
	d->standing = false;
	d->stop = *stop;
	npu_debug_set_holder(core, NPU_DEBUG_CORES, true);
	for (i = 0; i < core->nr_aicores; i++) {
		struct npu_aicore *ac = &core->aicores[i];

		if (!npu_list_empty(&ac->work.node)) {
			if (must_end(ac))
				continue;
			npu_sched_remove(core, &ac->work);
			ac->dbg.held = true;
		} else if (npu_load(&ac->worker)) {
			npu_aicore_interrupt(ac);
		}
	}
	npu_debug_check(core);
}

static void hold_at(struct npu_aicore *ac, enum gdb_signal signal, bool library)
{
	struct gdb_stop stop = {
		.thread = thread_of(ac),
		.signal = signal,
		.library = library,
	};

	hold(ac->core, &stop);
}

static void park(struct npu_aicore *ac)
{
	ac->dbg.held = true;
	npu_debug_check(ac->core);
}

/*
 * Hold the block of @ac and all others, for @signal, and return with the lock; false if there is no
 * debugger any more, or nothing to look at.
 */
static bool stop_here(struct npu_aicore *ac, enum gdb_signal signal, bool failed)
{
	struct npu_core *core = ac->core;
	bool attached;

	pthread_mutex_lock(&core->lock);
	attached = npu_load(&core->debug->attached) && !must_end(ac);
	if (attached) {
		ac->dbg.failed = failed;
		hold_at(ac, signal, false);
		park(ac);
	} else {
		pthread_mutex_unlock(&core->lock);
	}
	return attached;
}

void npu_debug_release(struct npu_aicore *ac)
{
	if (!ac->dbg.held)
		return;
	ac->dbg.held = false;
	npu_sched_add(ac->core, &ac->work, 1);
}

bool npu_debug_parks(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;
	bool parks;

	if (!npu_load(&core->debug->attached))
		return false;
	pthread_mutex_lock(&core->lock);
	parks = !must_end(ac) &&
		(core->debug->hold ||
		 (npu_load(&core->debug->attached) && ac->dbg.action == GDB_ACTION_STOP));
	if (parks)
		park(ac);
	else
		pthread_mutex_unlock(&core->lock);
	return parks;
}

bool npu_debug_steps(const struct npu_aicore *ac)
{
	return npu_load(&ac->core->debug->attached) && npu_load(&ac->dbg.action) == GDB_ACTION_STEP;
}

bool npu_debug_stops(struct npu_aicore *ac, enum rv64_stop stop)
{
	if (stop == RV64_STOP_BREAKPOINT || (stop == RV64_STOP_BUDGET && npu_debug_steps(ac)))
		return stop_here(ac, GDB_SIGNAL_TRAP, false);
	return false;
}

/*
 * Who comes second waits for the debugger to go on, and meets the watchpoint again. The access is
 * made before all stand still.
 */
enum rv64_stop npu_debug_watched(struct npu_aicore *ac)
{
	const struct gdb_stop found = {
		.thread = thread_of(ac),
		.signal = GDB_SIGNAL_TRAP,
		.watch = ac->dbg.hit.watch,
		.address = ac->dbg.hit.address,
	};
	struct npu_core *core = ac->core;
	enum rv64_stop stop;
	bool first;

	pthread_mutex_lock(&core->lock);
	first = npu_load(&core->debug->attached) && !core->debug->hold && !must_end(ac);
	if (first)
		hold(core, &found);
	pthread_mutex_unlock(&core->lock);
	if (!first)
		return RV64_STOP_EXIT;
	ac->dbg.passes = true;
	stop = rv64_step(&ac->cpu);
	ac->dbg.passes = false;
	return stop == RV64_STOP_BUDGET ? RV64_STOP_EXIT : stop;
}

static enum gdb_signal signal_of(enum npu_status status)
{
	switch (status) {
	case NPU_ST_TIMEOUT:
		return GDB_SIGNAL_XCPU;
	case NPU_ST_KERNEL_TRAP:
		return GDB_SIGNAL_ABRT;
	case NPU_ST_BUS:
	case NPU_ST_HBM_ECC:
	case NPU_ST_MISALIGNED:
		return GDB_SIGNAL_BUS;
	case NPU_ST_ILLEGAL_INSN:
	case NPU_ST_TILE_ALIGN:
	case NPU_ST_TILE_SHAPE:
	case NPU_ST_FLAG_DEADLOCK:
		return GDB_SIGNAL_ILL;
	default:
		return GDB_SIGNAL_SEGV;
	}
}

bool npu_debug_catches(struct npu_aicore *ac)
{
	if (!npu_load(&ac->core->debug->attached) || ac->error.status == NPU_ST_CORE_LOST)
		return false;
	return stop_here(ac, signal_of(ac->error.status), true);
}

/* One that is stepped over its end has stopped there. */
void npu_debug_block_ends(struct npu_aicore *ac)
{
	if (!npu_debug_steps(ac))
		return;
	pthread_mutex_lock(&ac->core->lock);
	hold_at(ac, GDB_SIGNAL_TRAP, false);
	pthread_mutex_unlock(&ac->core->lock);
}

/* A context's memory, in a section */
struct reader {
	struct npu_worker *worker;
	struct npu_view view;
};

static bool read_view(void *opaque, uint64_t va, void *buf, uint64_t len)
{
	struct reader *r = opaque;
	struct npu_error error;

	return npu_gm_read(r->worker, &r->view, va, buf, len, &error);
}

static const struct npu_debug_module *find_module(struct npu_worker *worker, uint32_t context,
						  uint64_t entry)
{
	struct reader r = { .worker = worker };
	const struct npu_debug_module *module;

	npu_section_enter(worker, context, &r.view);
	module = npu_debug_find_module(worker->core->debug, entry, read_view, &r);
	npu_section_leave(worker);
	return module;
}

/* If its module was not known to be there, the debugger has a look before the kernel runs. */
void npu_debug_block_starts(struct npu_worker *worker, struct npu_aicore *ac)
{
	uint64_t entry = ac->task->cmd.kernel.entry;
	const struct npu_debug_module *module;
	struct npu_core *core = ac->core;

	ac->dbg.failed = false;
	if (!npu_load(&core->debug->attached) || npu_load(&ac->task->known))
		return;
	module = find_module(worker, ac->task->queue->cfg.context, entry);
	pthread_mutex_lock(&core->lock);
	npu_store(&ac->task->known, true);
	if (module && npu_debug_add_library(core->debug, module, entry, ac->owner)) {
		if (core->debug->hold)
			core->debug->news = thread_of(ac);
		hold_at(ac, GDB_SIGNAL_TRAP, true);
	}
	pthread_mutex_unlock(&core->lock);
}

/* The context that @thread sees: its block's, that of the block that has stopped, or of any. */
static bool context_of(struct npu_core *core, unsigned int thread, uint32_t *context)
{
	struct npu_aicore *ac;
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	ac = held_block(core, thread);
	if (!ac)
		ac = held_block(core, core->debug->stop.thread);
	for (i = 1; !ac && i <= core->nr_aicores; i++)
		ac = held_block(core, i);
	if (ac)
		*context = ac->task->queue->cfg.context;
	pthread_mutex_unlock(&core->lock);
	return ac;
}

/* @len bytes at @addr in a buffer of the core's own, or NULL. */
static uint8_t *local_memory(const struct npu_tile *tile, uint64_t addr, size_t len)
{
	const struct {
		uint64_t base, size;
		uint8_t *memory;
	} buffers[] = {
		{ NPU_SMEM_BASE, NPU_SMEM_SIZE, tile->smem },
		{ NPU_UB_BASE, NPU_UB_SIZE, tile->ub },
		{ NPU_L1_BASE, NPU_L1_SIZE, tile->l1 },
		{ NPU_L0A_BASE, NPU_L0A_SIZE, tile->l0a },
		{ NPU_L0B_BASE, NPU_L0B_SIZE, tile->l0b },
		{ NPU_L0C_BASE, NPU_L0C_SIZE, tile->l0c },
	};
	unsigned int i;

	for (i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		uint64_t offset = addr - buffers[i].base;

		if (offset < buffers[i].size && len <= buffers[i].size - offset)
			return buffers[i].memory + offset;
	}
	return NULL;
}

/* A core that has ended its block still has its results, if there was a debugger already. */
static bool access_local(struct npu_core *core, unsigned int thread, uint64_t addr, void *buf,
			 size_t len, bool write)
{
	struct npu_aicore *ac = &core->aicores[thread - 1];
	uint8_t *memory = NULL;

	if (!thread || thread > core->nr_aicores)
		return false;
	pthread_mutex_lock(&core->lock);
	if (npu_load(&ac->ready) && (!ac->task || held_block(core, thread)))
		memory = local_memory(&ac->tile, addr, len);
	if (memory && write)
		memcpy(memory, buf, len);
	else if (memory)
		memcpy(buf, memory, len);
	pthread_mutex_unlock(&core->lock);
	return memory;
}

static void flush_code(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_aicores; i++)
		if (npu_load_acquire(&core->aicores[i].ready))
			rv64_flush_code(&core->aicores[i].cpu);
}

static bool read_memory(void *target, unsigned int thread, uint64_t addr, void *buf, size_t len)
{
	struct npu_core *core = target;
	struct reader r = { .worker = core->debug_worker };
	uint32_t context;
	bool ok;

	if (addr < NPU_VA_START)
		return access_local(core, thread, addr, buf, len, false);
	if (!context_of(core, thread, &context))
		return false;
	npu_section_enter(r.worker, context, &r.view);
	ok = read_view(&r, addr, buf, len);
	npu_section_leave(r.worker);
	return ok;
}

static bool write_memory(void *target, unsigned int thread, uint64_t addr, const void *buf,
			 size_t len)
{
	struct npu_core *core = target;
	struct npu_worker *worker = core->debug_worker;
	struct npu_error error;
	struct npu_view view;
	uint32_t context;
	bool ok;

	if (addr < NPU_VA_START)
		return access_local(core, thread, addr, (void *)buf, len, true);
	if (!context_of(core, thread, &context))
		return false;
	npu_section_enter(worker, context, &view);
	ok = npu_gm_write(worker, &view, addr, buf, len, &error);
	npu_section_leave(worker);
	flush_code(core);
	return ok;
}

static void own_register(const struct npu_aicore *ac, unsigned int reg, uint64_t *value)
{
	const uint64_t values[] = {
		ac->block, ac->task->cmd.kernel.blocks, ac->id, ac->task->queue->cfg.context,
		ac->task->queue->id, ac->task->cmd.kernel.entry,
		ac->dbg.failed ? ac->error.status : NPU_ST_OK,
	};

	*value = values[reg - NPU_DEBUG_REG_OWN];
}

/* A core without a block has zeros. */
static bool read_register(void *target, unsigned int thread, unsigned int reg, uint64_t *value,
			  unsigned int *size)
{
	static const struct rv64_cpu idle = { .isa = RV64_ISA_FD };
	struct npu_core *core = target;
	struct npu_aicore *ac;
	bool ok = true;

	if (reg >= NPU_DEBUG_REG_OWN + NPU_DEBUG_CORE_REGS)
		return false;
	pthread_mutex_lock(&core->lock);
	ac = held_block(core, thread);
	*value = 0;
	*size = sizeof(*value);
	if (reg < NPU_DEBUG_REG_OWN)
		ok = npu_debug_read_hart(ac ? &ac->cpu : &idle, reg, value, size);
	else if (ac)
		own_register(ac, reg, value);
	pthread_mutex_unlock(&core->lock);
	return ok;
}

/* A block that has failed goes on if it is told where. */
static bool write_register(void *target, unsigned int thread, unsigned int reg, uint64_t value)
{
	struct npu_core *core = target;
	struct npu_aicore *ac;
	bool ok;

	pthread_mutex_lock(&core->lock);
	ac = held_block(core, thread);
	ok = ac && npu_debug_write_hart(&ac->cpu, reg, value);
	if (ok && reg == NPU_DEBUG_REG_PC)
		ac->dbg.failed = false;
	pthread_mutex_unlock(&core->lock);
	return ok;
}

static unsigned int next_thread(void *target, unsigned int thread)
{
	struct npu_core *core = target;

	if (thread < core->cfg.cores)
		return thread + 1;
	pthread_mutex_lock(&core->lock);
	while (++thread <= core->nr_aicores && !held_block(core, thread))
		;
	pthread_mutex_unlock(&core->lock);
	return thread <= core->nr_aicores ? thread : 0;
}

static void thread_info(void *target, unsigned int thread, char *text, size_t size)
{
	struct npu_core *core = target;
	struct npu_aicore *ac;

	pthread_mutex_lock(&core->lock);
	ac = held_block(core, thread);
	if (ac)
		npu_debug_describe(ac, text, size);
	else
		snprintf(text, size, "core %u, idle", (thread - 1) % core->cfg.cores);
	pthread_mutex_unlock(&core->lock);
}

static bool set_breakpoint(void *target, uint64_t addr, bool set)
{
	struct npu_core *core = target;

	/* Who has left cannot be told of it. */
	if (!npu_load(&core->debug->attached) ||
	    !npu_debug_set_breakpoint(&core->debug->breakpoints[NPU_DEBUG_CORES], addr, set))
		return false;
	flush_code(core);
	return true;
}

static void flush_translations(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_aicores; i++)
		if (npu_load_acquire(&core->aicores[i].ready))
			rv64_tlb_flush(&core->aicores[i].cpu);
}

static bool set_watchpoint(void *target, enum gdb_watch kind, uint64_t addr, uint64_t len, bool set)
{
	struct npu_core *core = target;

	if (!npu_load(&core->debug->attached) ||
	    !npu_debug_set_watchpoint(&core->debug->watchpoints[NPU_DEBUG_CORES], kind, addr, len,
				      set))
		return false;
	flush_translations(core);
	return true;
}

static void halt(void *target)
{
	struct gdb_stop stop = { .signal = GDB_SIGNAL_INT };
	struct npu_core *core = target;

	pthread_mutex_lock(&core->lock);
	npu_store(&core->debug->attached, true);
	hold(core, &stop);
	pthread_mutex_unlock(&core->lock);
}

static bool stopped(void *target, struct gdb_stop *stop)
{
	struct npu_core *core = target;
	unsigned int thread;
	bool standing;

	pthread_mutex_lock(&core->lock);
	standing = core->debug->hold && core->debug->standing;
	if (standing)
		*stop = core->debug->stop;
	for (thread = 1; standing && !stop->thread && thread <= core->nr_aicores; thread++)
		if (held_block(core, thread))
			stop->thread = thread;
	if (!stop->thread)
		stop->thread = 1;
	pthread_mutex_unlock(&core->lock);
	return standing;
}

/* With the lock. */
static void go_on(struct npu_core *core)
{
	unsigned int i;

	core->debug->hold = false;
	core->debug->standing = false;
	npu_debug_set_holder(core, NPU_DEBUG_CORES, false);
	for (i = 0; i < core->nr_aicores; i++)
		if (core->aicores[i].dbg.action != GDB_ACTION_STOP)
			npu_debug_release(&core->aicores[i]);
}

static void resume(void *target, struct gdb_server *server)
{
	struct npu_core *core = target;
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	for (i = 0; i < core->nr_aicores; i++)
		npu_store(&core->aicores[i].dbg.action, gdb_server_action(server, i + 1));
	go_on(core);
	if (core->debug->news)
		hold_at(&core->aicores[core->debug->news - 1], GDB_SIGNAL_TRAP, true);
	core->debug->news = 0;
	/* A step of a core that has no block is over at once. */
	for (i = 0; i < core->nr_aicores; i++)
		if (core->aicores[i].dbg.action == GDB_ACTION_STEP && !core->aicores[i].task)
			hold_at(&core->aicores[i], GDB_SIGNAL_TRAP, false);
	pthread_mutex_unlock(&core->lock);
}

static void detach(void *target)
{
	struct npu_core *core = target;
	unsigned int i;

	/* What workers keep of memory, the debugger may have written. */
	npu_invalidate_all(core);
	pthread_mutex_lock(&core->lock);
	npu_store(&core->debug->attached, false);
	npu_debug_remove_points(core->debug, NPU_DEBUG_CORES);
	core->debug->nr_libraries = 0;
	core->debug->news = 0;
	for (i = 0; i < core->nr_aicores; i++)
		npu_store(&core->aicores[i].dbg.action, GDB_ACTION_GO);
	go_on(core);
	pthread_mutex_unlock(&core->lock);
	flush_code(core);
}

static void libraries(void *target, char *text, size_t size)
{
	struct npu_core *core = target;

	pthread_mutex_lock(&core->lock);
	npu_debug_list_libraries(core->debug, text, size);
	pthread_mutex_unlock(&core->lock);
}

/* The kernels that are there already are looked at once more, as a module has become known. */
void npu_debug_look_again(struct npu_core *core)
{
	unsigned int i;

	for (i = 1; i <= core->nr_aicores; i++) {
		const struct npu_debug_module *module;
		uint64_t entry = 0, serial = 0;
		struct npu_aicore *ac;
		uint32_t context = 0;

		pthread_mutex_lock(&core->lock);
		ac = held_block(core, i);
		if (ac) {
			npu_store(&ac->task->known, false);
			context = ac->task->queue->cfg.context;
			entry = ac->task->cmd.kernel.entry;
			serial = ac->owner;
		}
		pthread_mutex_unlock(&core->lock);
		module = ac ? find_module(core->debug_worker, context, entry) : NULL;
		if (!module)
			continue;
		pthread_mutex_lock(&core->lock);
		npu_debug_add_library(core->debug, module, entry, serial);
		pthread_mutex_unlock(&core->lock);
	}
}

const struct gdb_target_ops npu_debug_core_ops = {
	.description = npu_debug_core_xml,
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
	.command = npu_debug_core_command,
	.libraries = libraries,
};
