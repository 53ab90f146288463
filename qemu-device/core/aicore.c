// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * AI cores: blocks of kernels on the scalar unit and the tile engines.
 */
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"
#include "npu_ticks.h"
#include "strict.h"
#include "tile_kept.h"

#define SLICE_INSNS		100000
#define SLICE_MAX_NS		(20 * NPU_NS_PER_MS)	/* when nobody waits */
#define OWN_QUANTUM_NS		(20 * NPU_NS_PER_MS)	/* when blocks of the same kernel do */
#define RUN_LONG_NS		(48 * NPU_NS_PER_US)	/* for blocks taken as short ones */
#define LOOK_TICKS		50000	/* between looks at the clock: 10 to 50 us */
#define FAULTED			(-1)			/* details are in aicore->error */
#define FAR_ROWS		256ULL	/* lengths of a row between rows that are far apart */

static bool in_local(uint64_t addr, uint64_t base, uint64_t size)
{
	return addr - base < size;
}

static enum npu_access npu_access_of(enum rv64_access access)
{
	switch (access) {
	case RV64_ACCESS_WRITE:
		return NPU_ACCESS_WRITE;
	case RV64_ACCESS_EXEC:
		return NPU_ACCESS_EXEC;
	default:
		return NPU_ACCESS_READ;
	}
}

int npu_aicore_fault(struct npu_aicore *ac, enum npu_status status, enum npu_access access,
		     uint64_t addr)
{
	ac->error.status = status;
	ac->error.access = access;
	ac->error.address = addr;
	return FAULTED;
}

/* Data below NPU_VA_START: SMEM and UB. Code cannot be there. */
static int translate_local(struct npu_aicore *ac, uint64_t addr, enum npu_access access,
			   void **page)
{
	uint64_t va = addr & ~(NPU_PAGE_SIZE - 1);

	if (access == NPU_ACCESS_EXEC)
		return npu_aicore_fault(ac, NPU_ST_MMU_EXEC, access, addr);
	if (in_local(addr, NPU_SMEM_BASE, NPU_SMEM_SIZE))
		*page = ac->tile.smem + (va - NPU_SMEM_BASE);
	else if (in_local(addr, NPU_UB_BASE, NPU_UB_SIZE))
		*page = ac->tile.ub + (va - NPU_UB_BASE);
	else if (in_local(addr, NPU_L1_BASE, NPU_L1_SIZE) ||
		 in_local(addr, NPU_L0A_BASE, NPU_L0A_SIZE) ||
		 in_local(addr, NPU_L0B_BASE, NPU_L0B_SIZE) ||
		 in_local(addr, NPU_L0C_BASE, NPU_L0C_SIZE))
		return npu_aicore_fault(ac, NPU_ST_LOCAL_RANGE, access, addr);
	else
		return npu_aicore_fault(ac, npu_mmu_status(access), access, addr);
	return RV64_XLATE_RAM;
}

/* A page on the bus, mapped until the slice ends; NULL if that cannot be had. */
static void *map_page(struct npu_aicore *ac, uint64_t va, uint64_t phys, bool write)
{
	struct npu_core *core = ac->core;
	size_t len = NPU_PAGE_SIZE;
	void *ptr;

	if (!core->ops->dma_map || ac->nr_maps == NPU_CORE_MAPS ||
	    npu_inject_armed(core, NPU_INJECT_DMA_ERROR))
		return NULL;
	ptr = core->ops->dma_map(core->host, phys, &len, write);
	if (!ptr)
		return NULL;
	if (len != NPU_PAGE_SIZE || ((uintptr_t)ptr & 7)) {
		core->ops->dma_unmap(core->host, ptr, len, write, 0);
		return NULL;
	}
	ac->maps[ac->nr_maps++] = (struct npu_mapping){ .ptr = ptr, .va = va, .write = write };
	if (ac->nr_maps >= NPU_CORE_MAPS / 2)
		rv64_request_exit(&ac->cpu);
	return ptr;
}

static void unmap_pages(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;

	while (ac->nr_maps) {
		struct npu_mapping *m = &ac->maps[--ac->nr_maps];

		rv64_tlb_forget(&ac->cpu, m->va);
		core->ops->dma_unmap(core->host, m->ptr, NPU_PAGE_SIZE, m->write,
				     m->write ? NPU_PAGE_SIZE : 0);
	}
}

/*
 * Sparse addresses as RAM: loads go to a page of zeros, stores to one that no load sees. Atomics
 * go to the second, where the hart takes care that they find zero.
 */
static int translate_sparse(struct npu_aicore *ac, enum npu_access access, void **page)
{
	static uint8_t zeros[NPU_PAGE_SIZE] __attribute__((aligned(8)));

	*page = access == NPU_ACCESS_WRITE ? ac->sink : zeros;
	return RV64_XLATE_RAM;
}

/* From here on the scalar unit accesses a page by itself. Code and arguments tell it no news. */
static void share_page(struct npu_aicore *ac, uint64_t addr, enum npu_access access, bool code)
{
	uint64_t page = addr & ~(NPU_PAGE_SIZE - 1);

	if (access == NPU_ACCESS_READ && (code || page - ac->args <= NPU_PAGE_SIZE))
		return;
	if (access != NPU_ACCESS_EXEC)
		npu_tile_share(&ac->tile, addr, access == NPU_ACCESS_WRITE);
}

static int translate(void *opaque, uint64_t addr, enum rv64_access rv_access, void **page,
		     unsigned int *flags)
{
	struct npu_aicore *ac = opaque;
	enum npu_access access = npu_access_of(rv_access);
	struct npu_run run;
	uint64_t offset = addr & (NPU_PAGE_SIZE - 1);

	if (addr < NPU_VA_START) {
		share_page(ac, addr, access, false);
		return translate_local(ac, addr, access, page);
	}
	if (!npu_translate(ac->worker, &ac->view, addr, 1, access, &run, &ac->error))
		return FAULTED;
	share_page(ac, addr, access, run.code);
	if (run.sparse)
		return translate_sparse(ac, access, page);
	if (run.host && npu_inject_poison_near(ac->core, run.phys - offset)) {
		/* Each access is looked at by itself. */
		*flags |= RV64_XLATE_NOCACHE;
		if (access != NPU_ACCESS_EXEC)
			return RV64_XLATE_MMIO;
		return npu_aicore_fault(ac, NPU_ST_HBM_ECC, access, addr);
	}
	if (run.host) {
		*page = run.host - offset;
		return RV64_XLATE_RAM;
	}
	*page = map_page(ac, addr, run.phys - offset, access == NPU_ACCESS_WRITE);
	if (*page)
		return RV64_XLATE_RAM;
	*flags |= RV64_XLATE_NOCACHE;
	if (access != NPU_ACCESS_EXEC)
		return RV64_XLATE_MMIO;
	return npu_aicore_fault(ac, NPU_ST_BUS, access, addr);
}

static int mmio_read(void *opaque, uint64_t addr, unsigned int size, uint64_t *val)
{
	struct npu_aicore *ac = opaque;

	*val = 0;
	return npu_gm_read(ac->worker, &ac->view, addr, val, size, &ac->error) ? 0 : FAULTED;
}

static int mmio_write(void *opaque, uint64_t addr, unsigned int size, uint64_t val)
{
	struct npu_aicore *ac = opaque;

	return npu_gm_write(ac->worker, &ac->view, addr, &val, size, &ac->error) ? 0 : FAULTED;
}

static uint64_t core_time(void *opaque)
{
	struct npu_aicore *ac = opaque;

	if (ac->pipes)
		return ac->pipes_base +
		       npu_cycles_to_ns(ac->core->timing->profile,
					npu_pipes_now(ac->pipes, ac->cpu.instret));
	return npu_timestamp(ac->core);
}

/*
 * Nobody waits for the end of a slice: neither for the worker nor for blocks behind this one, and
 * if some of the task are left it is known to be long.
 */
static bool slice_goes_on(const struct npu_aicore *ac, uint64_t now)
{
	return now < ac->slice_start + SLICE_MAX_NS &&
	       (ac->shared || (ac->block + 1 >= ac->end && !npu_load(&ac->task->ready))) &&
	       !npu_sched_should_yield(ac->core, ac->work.priority, ac->task, 1);
}

/*
 * The end of a slice: a few instructions can be a lot of work. Ticks that have gone back, on
 * another CPU, are many that have passed.
 */
static void look_at_clock(struct npu_aicore *ac, uint64_t ticks)
{
	uint64_t now;

	if (ticks - ac->looked < LOOK_TICKS)
		return;
	ac->looked = ticks;
	now = npu_host_ns();
	if (now < ac->slice_end)
		return;
	if (slice_goes_on(ac, now))
		ac->slice_end = now + NPU_QUANTUM_NS;
	else
		rv64_request_exit(&ac->cpu);
}

/*
 * An instruction of an engine. Cube and vector are timed; what sets state takes none. A COPY may
 * have to carry out what the vector engine has left for later, and takes long only then.
 */
static enum npu_status exec_engine(struct npu_aicore *ac, struct rv64_cpu *cpu,
				   const struct rv64_custom *insn)
{
	const bool copies = insn->major == 0 && !npu_tile_waits(&ac->tile);
	enum npu_status status;
	uint64_t start, end;

	if (ac->core->cfg.sync || (insn->major == 2 && insn->funct3 != NPU_VEC_OP))
		return npu_tile_exec(&ac->tile, cpu, insn);
	if (copies) {
		status = npu_tile_exec(&ac->tile, cpu, insn);
		look_at_clock(ac, npu_ticks());
		return status;
	}
	start = npu_ticks();
	status = npu_tile_exec(&ac->tile, cpu, insn);
	end = npu_ticks();
	*(insn->major == 1 ? &ac->cube_ticks : &ac->vector_ticks) += npu_ticks_between(start, end);
	look_at_clock(ac, end);
	return status;
}

/*
 * A slice of @ns that began at @start: the engines' ticks in it become time. They have no more of
 * it than there is, even if ticks have gone back in between.
 */
static void count_engines(struct npu_worker *worker, struct npu_aicore *ac, uint64_t start,
			  uint64_t ns)
{
	uint64_t ticks = npu_max(npu_ticks_between(start, npu_ticks()),
				 ac->cube_ticks + ac->vector_ticks);

	npu_count(&worker->count.cube_ns, npu_ticks_ns(ac->cube_ticks, ticks, ns));
	npu_count(&worker->count.vector_ns, npu_ticks_ns(ac->vector_ticks, ticks, ns));
	ac->cube_ticks = 0;
	ac->vector_ticks = 0;
}

static int custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct npu_aicore *ac = opaque;
	enum npu_status status;

	status = insn->major < 3 ? exec_engine(ac, cpu, insn) :
				   npu_tile_exec(&ac->tile, cpu, insn);
	if (status == NPU_ST_OK)
		return RV64_CUSTOM_OK;
	npu_aicore_fault(ac, status, ac->tile.error.access, ac->tile.error.address);
	ac->error.unit = ac->tile.error.unit;
	return FAULTED;
}

static int custom_timed(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct npu_aicore *ac = opaque;
	int ret = custom(opaque, cpu, insn);

	if (ret == RV64_CUSTOM_OK)
		npu_pipes_insn(ac->pipes, &ac->tile, cpu, insn);
	return ret;
}

#define CORE_OPS(custom_fn) { \
	.translate = translate, \
	.mmio_read = mmio_read, \
	.mmio_write = mmio_write, \
	.custom = (custom_fn), \
	.time = core_time, \
}

const struct rv64_ops npu_core_ops = CORE_OPS(custom);
const struct rv64_ops npu_timed_ops = CORE_OPS(custom_timed);

/*
 * What to translate at once: all that rows span if they lie near each other. Those that do not are
 * by themselves: between them there may be any number of pages, which nobody asked for.
 */
static uint64_t look_ahead(uint64_t pitch, size_t row_bytes, size_t rows)
{
	bool near = pitch <= npu_max(NPU_PAGE_SIZE, FAR_ROWS * row_bytes);

	return near ? (rows - 1) * pitch + row_bytes : row_bytes;
}

static enum npu_status gm_piece(void *opaque, enum npu_access access, uint64_t va, uint64_t pitch,
				size_t row_bytes, size_t rows, uint8_t **host, uint64_t *fault_addr)
{
	struct npu_cursor cursor = { .access = access };
	uint64_t ahead = look_ahead(pitch, row_bytes, rows);
	struct npu_aicore *ac = opaque;
	struct npu_counters *count = &ac->worker->count;
	struct npu_error error;
	struct npu_run run;

	if (!npu_cursor_seek(ac->worker, &ac->view, &cursor, va, ahead, &run, &error)) {
		*fault_addr = error.address;
		return error.status;
	}
	*host = run.len >= (rows - 1) * pitch + row_bytes ? run.host : NULL;
	if (*host)
		npu_count(access == NPU_ACCESS_READ ? &count->hbm_read : &count->hbm_write,
			  row_bytes * rows);
	return NPU_ST_OK;
}

static enum npu_status gm_read(void *opaque, void *dst, size_t dst_pitch, uint64_t va,
			       uint64_t src_pitch, size_t row_bytes, size_t rows,
			       uint64_t *fault_addr)
{
	struct npu_cursor cursor = { .access = NPU_ACCESS_READ };
	uint64_t ahead = look_ahead(src_pitch, row_bytes, rows);
	struct npu_aicore *ac = opaque;
	struct npu_error error;
	size_t i;

	for (i = 0; i < rows; i++, ahead -= ahead > row_bytes ? src_pitch : 0) {
		if (npu_cursor_read(ac->worker, &ac->view, &cursor, va + i * src_pitch,
				    (char *)dst + i * dst_pitch, row_bytes, ahead, &error))
			continue;
		*fault_addr = error.address;
		return error.status;
	}
	return NPU_ST_OK;
}

static enum npu_status gm_write(void *opaque, uint64_t va, uint64_t dst_pitch, const void *src,
				size_t src_pitch, size_t row_bytes, size_t rows,
				uint64_t *fault_addr)
{
	struct npu_cursor cursor = { .access = NPU_ACCESS_WRITE };
	uint64_t ahead = look_ahead(dst_pitch, row_bytes, rows);
	struct npu_aicore *ac = opaque;
	struct npu_error error;
	size_t i;

	for (i = 0; i < rows; i++, ahead -= ahead > row_bytes ? dst_pitch : 0) {
		if (npu_cursor_write(ac->worker, &ac->view, &cursor, va + i * dst_pitch,
				     (const char *)src + i * src_pitch, row_bytes, ahead,
				     &error))
			continue;
		*fault_addr = error.address;
		return error.status;
	}
	return NPU_ST_OK;
}

static const struct npu_tile_ops tile_ops = {
	.gm_read = gm_read,
	.gm_write = gm_write,
	.gm_piece = gm_piece,
	.timestamp = core_time,
};

/* Local buffers are a megabyte: a core has them from its first block on. */
static bool make_ready(struct npu_aicore *ac)
{
	struct rv64_config cfg = {
		.ops = npu_ops_of(ac),
		.opaque = ac,
		.isa = RV64_ISA_FD,
		.hartid = ac->id,
		.sink = ac->sink,
		.breakpoints = &ac->core->debug->breakpoints[NPU_DEBUG_CORES],
	};

	if (ac->ready)
		return true;
	if (npu_tile_init(&ac->tile, &tile_ops, ac))
		return false;
	ac->ops = cfg.ops;
	if (rv64_init(&ac->cpu, &cfg)) {
		npu_tile_fini(&ac->tile);
		return false;
	}
	if (ac->core->timing)
		ac->pipes = npu_pipes_new(ac->core->timing->profile);
	if (ac->core->timing && !ac->pipes) {
		rv64_destroy(&ac->cpu);
		npu_tile_fini(&ac->tile);
		return false;
	}
	npu_store_release(&ac->ready, true);
	return true;
}

static void start_block(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;
	const struct npu_cmd_kernel *k = &ac->task->cmd.kernel;
	const struct npu_context *ctx = &core->contexts[ac->task->queue->cfg.context];
	uint64_t epoch = npu_load(&core->code_epoch);

	ac->error = (struct npu_error){};
	if (ac->owner != ctx->serial)
		npu_tile_clear(&ac->tile);
	ac->owner = ctx->serial;
	if (ac->code_epoch != epoch)
		rv64_check_code(&ac->cpu);
	ac->code_epoch = epoch;
	memset(ac->cpu.x, 0, sizeof(ac->cpu.x));
	memset(ac->cpu.f, 0, sizeof(ac->cpu.f));
	ac->cpu.fcsr = 0;
	ac->cpu.pc = k->entry;
	npu_store(&ac->pc, k->entry);
	ac->cpu.x[2] = NPU_SMEM_BASE + NPU_SMEM_SIZE;
	ac->cpu.x[10] = k->args;
	ac->cpu.x[11] = ac->block;
	ac->cpu.x[12] = k->blocks;
	npu_tile_start(&ac->tile, ac->block, k->blocks, ac->id, core->cfg.cores, k->log);
	if (ac->pipes)
		npu_timing_block_start(ac);
}

/* Has the block come to its end? Its caller is address zero. */
static bool block_ended(const struct npu_aicore *ac, enum rv64_stop stop)
{
	return stop == RV64_STOP_ECALL ||
	       (stop == RV64_STOP_FAULT && ac->cpu.stop.code != RV64_XLATE_MMIO &&
		ac->error.access == NPU_ACCESS_EXEC && ac->error.address == 0);
}

/* The error of a stop that is one; false if the block has ended well. */
static bool stop_error(struct npu_aicore *ac, enum rv64_stop stop)
{
	const struct rv64_stop_info *info = &ac->cpu.stop;
	struct npu_error *e = &ac->error;

	if (block_ended(ac, stop))
		return false;
	switch (stop) {
	case RV64_STOP_FAULT:
		/* An atomic on what can only be had by DMA. */
		if (info->code == RV64_XLATE_MMIO)
			npu_aicore_fault(ac, NPU_ST_BUS, npu_access_of(info->access), info->tval);
		e->unit = NPU_UNIT_SCALAR;
		break;
	case RV64_STOP_CUSTOM_ERR:
		if (e->status == NPU_ST_ILLEGAL_INSN)
			e->address = info->tval;
		break;
	case RV64_STOP_ILLEGAL:
		npu_aicore_fault(ac, NPU_ST_ILLEGAL_INSN, NPU_ACCESS_NONE, info->tval);
		e->unit = NPU_UNIT_SCALAR;
		break;
	case RV64_STOP_MISALIGNED:
		npu_aicore_fault(ac, NPU_ST_MISALIGNED, npu_access_of(info->access), info->tval);
		e->unit = NPU_UNIT_SCALAR;
		break;
	case RV64_STOP_EBREAK:
		npu_aicore_fault(ac, NPU_ST_KERNEL_TRAP, NPU_ACCESS_NONE, 0);
		e->unit = NPU_UNIT_SCALAR;
		break;
	default:
		npu_aicore_fault(ac, NPU_ST_CORE_LOST, NPU_ACCESS_NONE, stop);
		e->unit = NPU_UNIT_SCALAR;
		break;
	}
	e->pc = info->pc;
	return true;
}

/*
 * What blocks of the same kernel have left on this worker, as long as nothing else has been there.
 * A block that comes from another worker has written there, which nobody has told this one.
 */
static struct tile_kept *lend_kept(struct npu_worker *worker, struct npu_aicore *ac)
{
	const bool moved = ac->last_worker && ac->last_worker != worker;

	ac->last_worker = worker;
	if (npu_load(&worker->core->debug->attached))
		return NULL;
	if (moved || worker->kept_for != ac->task->serial || worker->kept_tag != ac->view.tag)
		tile_kept_drop(worker->kept);
	worker->kept_for = ac->task->serial;
	worker->kept_tag = ac->view.tag;
	return worker->kept;
}

/* At the end of a slice. What a block leaves behind nobody reads, unless there is a debugger. */
static void settle_tile(struct npu_aicore *ac, enum rv64_stop stop)
{
	if (block_ended(ac, stop) && !npu_load(&ac->core->debug->attached))
		npu_tile_forget(&ac->tile);
	else
		npu_tile_settle(&ac->tile);
}

/* Run for a while, with translations that hold so long. *@now is the time at begin and end. */
static enum rv64_stop run_slice(struct npu_worker *worker, struct npu_aicore *ac, uint64_t *now)
{
	uint64_t insns = ac->cpu.instret, start = *now, ns;
	uint64_t ticks = npu_ticks();
	enum rv64_stop stop;

	ac->looked = ticks;
	ac->slice_start = start;
	__atomic_store_n(&ac->worker, worker, __ATOMIC_SEQ_CST);
	npu_section_enter(worker, ac->task->queue->cfg.context, &ac->view);
	if (ac->tag != ac->view.tag)
		rv64_tlb_flush(&ac->cpu);
	ac->tag = ac->view.tag;
	ac->tile.kept = lend_kept(worker, ac);
	if (ac->cpu.ops != ac->ops ||
	    npu_load(&worker->core->debug->watchpoints[NPU_DEBUG_CORES].count))
		npu_debug_choose_ops(ac);
	stop = npu_debug_steps(ac) ? rv64_step(&ac->cpu) : rv64_run(&ac->cpu, SLICE_INSNS);
	if (stop == RV64_STOP_WATCH)
		stop = npu_debug_watched(ac);
	settle_tile(ac, stop);
	unmap_pages(ac);
	npu_section_leave(worker);
	npu_store(&ac->pc, ac->cpu.pc);
	__atomic_store_n(&ac->worker, NULL, __ATOMIC_RELEASE);

	*now = npu_host_ns();
	insns = ac->cpu.instret - insns;
	ns = worker->core->cfg.sync ? insns : *now - start;
	if (ac->pipes)
		ns = 0;
	if (worker->core->cfg.sync)
		ac->task->sync_ns += insns + 1;
	ac->busy_ns += ns;
	npu_count(&worker->count.aicore_ns, ns);
	if (ac->cube_ticks || ac->vector_ticks)
		count_engines(worker, ac, ticks, ns);
	return stop;
}

/* The last of the blocks on @ac, or one that has @failed. */
static void end_block(struct npu_worker *worker, struct npu_aicore *ac, bool failed)
{
	ac->error.core = ac->id;
	ac->error.block = ac->block;
	npu_debug_block_ends(ac);
	if (ac->pipes && ac->task->booking)
		npu_timing_block_end(ac);
	npu_task_unit_end(worker, ac->task, ac, ac->busy_ns, failed ? &ac->error : NULL);
}

/* A block has ended well: true if there is another one to go on with. */
static bool next_block(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;
	const uint32_t next = ac->block + 1;
	bool more;

	if (ac->shared)
		pthread_mutex_lock(&core->lock);
	more = next < ac->end;
	if (more)
		npu_store(&ac->block, next);
	if (next + 1 == ac->end)
		npu_list_del(&ac->spare);
	if (ac->shared)
		pthread_mutex_unlock(&core->lock);
	if (more)
		start_block(ac);
	return more;
}

/* A debugger may want to see it first. */
static void fail_block(struct npu_worker *worker, struct npu_aicore *ac)
{
	if (!npu_debug_catches(ac))
		end_block(worker, ac, true);
}

/* Let the worker do something else first. */
static void interrupt_block(struct npu_aicore *ac)
{
	pthread_mutex_lock(&ac->core->lock);
	npu_sched_add(ac->core, &ac->work, 0);
}

static bool quantum_over(struct npu_aicore *ac, uint64_t start, uint64_t now)
{
	struct npu_core *core = ac->core;

	if (core->cfg.sync || npu_load(&core->sched.quiesce) || now >= start + OWN_QUANTUM_NS)
		return npu_sched_should_yield(core, ac->work.priority, NULL, ++ac->slices);
	if (now >= ac->slice_end) {
		ac->slice_end = now + NPU_QUANTUM_NS;
		return npu_sched_should_yield(core, ac->work.priority, ac->task, ++ac->slices);
	}
	return false;
}

static void end_with(struct npu_worker *worker, struct npu_aicore *ac, enum npu_status status)
{
	npu_aicore_fault(ac, status, NPU_ACCESS_NONE, 0);
	ac->error.unit = NPU_UNIT_SCALAR;
	ac->error.pc = ac->cpu.pc;
	fail_block(worker, ac);
}

/* The blocks behind that on @ac, and the rest of its task, are not to wait for it. */
static void share_blocks(struct npu_aicore *ac)
{
	if (!ac->shared)
		npu_task_is_long(ac);
}

/*
 * Does the core make no progress? Then nobody has the block until it is reset, and the lock is
 * held.
 */
static bool core_hangs(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;

	if (npu_inject(core, NPU_INJECT_CORE_HANG, ac->id))
		npu_core_hang(core, 1ULL << ac->id);
	if (!(npu_load(&core->hung_cores) & 1ULL << ac->id))
		return false;
	share_blocks(ac);
	pthread_mutex_lock(&core->lock);
	ac->hung = npu_load(&core->hung_cores) & 1ULL << ac->id;
	npu_debug_check(core);
	if (!ac->hung)
		pthread_mutex_unlock(&core->lock);
	return ac->hung;
}

/* The core does not answer, be it from now on or since long. */
static bool core_lost(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;

	if (npu_inject(core, NPU_INJECT_CORE_LOST, ac->id)) {
		npu_sched_core_lost(core, ac->id);
		npu_ras_count(core, NPU_RAS_CORE_LOST, 1);
	}
	return npu_load(&core->sched.dead_cores) >> ac->id & 1;
}

static bool stop_is_end(enum rv64_stop stop)
{
	return stop != RV64_STOP_BUDGET && stop != RV64_STOP_EXIT && stop != RV64_STOP_BREAKPOINT;
}

/* A block has come to its end. True: there is nothing to go on with; the lock is held. */
static bool finish_block(struct npu_worker *worker, struct npu_aicore *ac, enum rv64_stop stop)
{
	if (npu_strict_end(worker, ac, stop_error(ac, stop)))
		fail_block(worker, ac);
	else if (!next_block(ac))
		end_block(worker, ac, false);
	else
		return false;
	return true;
}

/*
 * Go on with the blocks on @ac, to their end or until something else should be done. Returns with
 * the lock.
 */
void npu_aicore_resume(struct npu_worker *worker, struct npu_aicore *ac)
{
	struct npu_core *core = worker->core;
	uint64_t start = npu_host_ns(), now = start;
	enum rv64_stop stop;

	ac->slice_end = start + (ac->block + 1 < ac->end ? RUN_LONG_NS : NPU_QUANTUM_NS);
	for (;;) {
		if (core_hangs(ac))
			return;
		if (npu_load(&ac->lost) || core_lost(ac)) {
			end_with(worker, ac, NPU_ST_CORE_LOST);
			return;
		}
		if (npu_load(&ac->task->stop)) {
			end_block(worker, ac, false);
			return;
		}
		if (npu_debug_parks(ac))
			return;
		if (ac->dbg.failed) {
			end_block(worker, ac, true);
			return;
		}
		stop = run_slice(worker, ac, &now);
		if (npu_debug_stops(ac, stop))
			return;
		if (stop_is_end(stop)) {
			if (finish_block(worker, ac, stop))
				return;
			if (now - start > RUN_LONG_NS)
				share_blocks(ac);
		} else {
			share_blocks(ac);
		}
		if (npu_task_timed_out(core, ac->task)) {
			end_with(worker, ac, NPU_ST_TIMEOUT);
			return;
		}
		if (quantum_over(ac, start, now)) {
			interrupt_block(ac);
			return;
		}
	}
}

/* From any thread: the core is to look up from its block. One that is being made has none yet. */
void npu_aicore_interrupt(struct npu_aicore *ac)
{
	if (npu_load_acquire(&ac->ready))
		rv64_request_exit(&ac->cpu);
}

/*
 * The program of another kernel has seen nothing yet, and its arguments may be elsewhere; strict
 * mode looks at all that is moved.
 */
static void begin_sharing(struct npu_aicore *ac)
{
	const uint64_t args = ac->task->cmd.kernel.args & ~(NPU_PAGE_SIZE - 1);
	bool strict = ac->task->cmd.kernel.strict;

	if (ac->tile.aware)
		rv64_tlb_flush(&ac->cpu);
	if (args != ac->args) {
		rv64_tlb_forget(&ac->cpu, ac->args);
		rv64_tlb_forget(&ac->cpu, ac->args + NPU_PAGE_SIZE);
	}
	ac->args = args;
	ac->tile.aware = strict;
	ac->tile.eager = strict;
}

/* @count blocks, one after the other. Returns with the lock. */
void npu_aicore_start(struct npu_worker *worker, struct npu_aicore *ac, uint32_t block,
		      uint32_t count)
{
	ac->busy_ns = 0;
	ac->first = block;
	ac->end = block + count;
	ac->last_worker = NULL;
	npu_store(&ac->lost, false);
	ac->work.priority = ac->task->work.priority;
	npu_store(&ac->block, block);
	ac->error = (struct npu_error){};
	if (!make_ready(ac)) {
		npu_aicore_fault(ac, NPU_ST_CORE_LOST, NPU_ACCESS_NONE, 0);
		end_block(worker, ac, true);
		return;
	}
	begin_sharing(ac);
	start_block(ac);
	npu_debug_block_starts(worker, ac);
	if (npu_strict_start(worker, ac))
		npu_aicore_resume(worker, ac);
	else
		end_block(worker, ac, true);
}

/* With the lock: the core of @ac works again. Its block goes on, or is @lost. */
static void revive(struct npu_aicore *ac, bool lost)
{
	struct npu_core *core = ac->core;

	npu_store(&ac->lost, lost);
	npu_debug_release(ac);
	if (!ac->hung) {
		npu_aicore_interrupt(ac);
		return;
	}
	ac->hung = false;
	/* It did not have this time. */
	if (!lost)
		npu_store(&ac->task->started, npu_max(npu_run_clock(core), 1));
	npu_sched_add(core, &ac->work, 1);
}

uint32_t npu_aicore_reset(struct npu_core *core, uint32_t id, uint32_t queue_id)
{
	struct npu_queue *queue;
	unsigned int i;

	if (id >= core->cfg.cores)
		return NPU_ST_ADMIN_INVALID;
	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, queue_id);
	if (queue) {
		npu_store(&core->hung_cores, core->hung_cores & ~(1ULL << id));
		for (i = 0; i < core->nr_aicores; i++) {
			struct npu_aicore *ac = &core->aicores[i];

			if (ac->id == id && ac->task)
				revive(ac, ac->task->queue == queue);
		}
	}
	pthread_mutex_unlock(&core->lock);
	return queue ? NPU_ST_OK : NPU_ST_ADMIN_NOENT;
}

void npu_core_hang(struct npu_core *core, uint64_t cores)
{
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	npu_store(&core->hung_cores, core->hung_cores | cores);
	for (i = 0; i < core->nr_aicores; i++)
		if (npu_load(&core->aicores[i].worker))
			npu_aicore_interrupt(&core->aicores[i]);
	pthread_mutex_unlock(&core->lock);
}

void npu_aicores_init(struct npu_core *core)
{
	unsigned int i;

	core->strict_bytes = STRICT_BYTES;
	for (i = 0; i < core->nr_aicores; i++) {
		struct npu_aicore *ac = &core->aicores[i];

		ac->core = core;
		ac->id = i % core->cfg.cores;
		ac->layer = i / core->cfg.cores;
		ac->work.kind = NPU_WORK_CORE;
		npu_list_init(&ac->work.node);
		npu_list_init(&ac->spare);
	}
}

/* All workers stand still. The buffers may hold data of a context that is no more. */
void npu_aicores_reset(struct npu_core *core)
{
	unsigned int i;

	npu_store(&core->hung_cores, 0);
	for (i = 0; i < core->nr_aicores; i++) {
		struct npu_aicore *ac = &core->aicores[i];

		npu_list_init(&ac->work.node);
		npu_list_init(&ac->spare);
		ac->hung = false;
		ac->dbg.held = false;
		npu_store(&ac->lost, false);
		ac->task = NULL;
		ac->owner = 0;
		ac->tag = 0;
		if (ac->ready)
			rv64_reset(&ac->cpu, 0);
	}
	npu_debug_check(core);
}

void npu_aicores_fini(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_aicores; i++) {
		if (!core->aicores[i].ready)
			continue;
		rv64_destroy(&core->aicores[i].cpu);
		strict_free(core->aicores[i].strict);
		npu_tile_fini(&core->aicores[i].tile);
		npu_pipes_free(core->aicores[i].pipes);
	}
}
