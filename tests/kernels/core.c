// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mmu.h>

#include "core.h"
#include "module.h"
#include "npu_internal.h"
#include "rv64.h"
#include "strict.h"
#include "tile.h"
#include "tile_kept.h"

#define GM_BASE NPU_VA_START
#define RUN_INSNS 1000000000ull /* longer than any kernel here */
#define CANARY 0xc0a1f2e3d4b59687ull /* in strict mode, what nobody has written */

struct core {
	struct rv64_cpu cpu;
	struct npu_tile tile;
	struct core_fault fault;
	struct strict *strict; /* NULL: not in strict mode */
	size_t strict_bytes;
	const struct npu_profile *profile; /* NULL: time is not modelled */
	struct npu_pipes *pipes;
	struct core_time time;
	uint8_t *gm;
	size_t size, used, modules_end;
	uint64_t args; /* of the kernel that runs */
};

struct kernel_module {
	uint64_t base;
	struct module_file file;
};

/* Host address of global memory, or NULL if any of it is outside. */
static uint8_t *gm_host(const struct core *core, uint64_t va, uint64_t bytes)
{
	const uint64_t offset = va - GM_BASE;

	if (va < GM_BASE || offset > core->size || bytes > core->size - offset)
		return NULL;
	return core->gm + offset;
}

static enum npu_status gm_read(void *opaque, void *dst, size_t dst_pitch, uint64_t va,
			       uint64_t src_pitch, size_t row_bytes, size_t rows,
			       uint64_t *fault_addr)
{
	for (; rows; rows--, va += src_pitch, dst = (uint8_t *)dst + dst_pitch) {
		const uint8_t *src = gm_host(opaque, va, row_bytes);

		if (!src) {
			*fault_addr = va;
			return NPU_ST_MMU_READ;
		}
		memcpy(dst, src, row_bytes);
	}
	return NPU_ST_OK;
}

static enum npu_status gm_write(void *opaque, uint64_t va, uint64_t dst_pitch, const void *src,
				size_t src_pitch, size_t row_bytes, size_t rows,
				uint64_t *fault_addr)
{
	for (; rows; rows--, va += dst_pitch, src = (const uint8_t *)src + src_pitch) {
		uint8_t *dst = gm_host(opaque, va, row_bytes);

		if (!dst) {
			*fault_addr = va;
			return NPU_ST_MMU_WRITE;
		}
		memcpy(dst, src, row_bytes);
	}
	return NPU_ST_OK;
}

static enum npu_status gm_piece(void *opaque, enum npu_access access, uint64_t va, uint64_t pitch,
				size_t row_bytes, size_t rows, uint8_t **host, uint64_t *fault_addr)
{
	(void)access;
	(void)fault_addr;
	*host = gm_host(opaque, va, (rows - 1) * pitch + row_bytes);
	return NPU_ST_OK;
}

static uint64_t timestamp(void *opaque)
{
	return ((struct core *)opaque)->cpu.instret;
}

static const struct npu_tile_ops tile_ops = { gm_read, gm_write, timestamp, gm_piece };

static int translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
		     unsigned int *flags)
{
	struct core *core = opaque;
	const uint64_t start = addr & RV64_PAGE_MASK;

	if (core->strict && access != RV64_ACCESS_EXEC)
		*flags |= RV64_XLATE_WATCH;
	if (access != RV64_ACCESS_EXEC && start != (core->args & RV64_PAGE_MASK) &&
	    addr - GM_BASE >= core->modules_end)
		npu_tile_share(&core->tile, addr, access == RV64_ACCESS_WRITE);
	if (addr - NPU_SMEM_BASE < NPU_SMEM_SIZE)
		*page = core->tile.smem + (start - NPU_SMEM_BASE);
	else if (addr - NPU_UB_BASE < NPU_UB_SIZE)
		*page = core->tile.ub + (start - NPU_UB_BASE);
	else
		*page = gm_host(core, start, RV64_PAGE_SIZE);
	if (*page)
		return RV64_XLATE_RAM;
	return access == RV64_ACCESS_EXEC ? -NPU_ST_MMU_EXEC :
	       access == RV64_ACCESS_READ ? -NPU_ST_MMU_READ : -NPU_ST_MMU_WRITE;
}

static int custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct core *core = opaque;
	const enum npu_status status = npu_tile_exec(&core->tile, cpu, insn);

	if (!status && core->strict && !strict_insn(core->strict, &core->tile, cpu, insn))
		return -(int)strict_finding(core->strict)->status;
	if (!status && core->pipes)
		npu_pipes_insn(core->pipes, &core->tile, cpu, insn);
	return status ? -(int)status : RV64_CUSTOM_OK;
}

static int watch(void *opaque, const struct rv64_watch *watch)
{
	struct core *core = opaque;

	if (!core->strict || strict_scalar(core->strict, core->cpu.pc, watch))
		return 0;
	return -(int)strict_finding(core->strict)->status;
}

static const struct rv64_ops cpu_ops = {
	.translate = translate, .custom = custom, .watch = watch,
};

struct core *core_new(size_t bytes, bool strict)
{
	struct core *core = calloc(1, sizeof(*core));
	const struct rv64_config config = {
		.ops = &cpu_ops, .opaque = core, .isa = RV64_ISA_FD,
	};
	struct tile_kept *kept = tile_kept_new();

	core->size = (bytes + RV64_PAGE_SIZE - 1) & RV64_PAGE_MASK;
	core->gm = aligned_alloc(RV64_PAGE_SIZE, core->size);
	if (!core->gm || rv64_init(&core->cpu, &config) ||
	    npu_tile_init(&core->tile, &tile_ops, core) || !kept) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	memset(core->gm, 0, core->size);
	core->tile.kept = kept;
	core->strict = strict ? strict_new() : NULL;
	core->strict_bytes = STRICT_BYTES;
	return core;
}

void core_free(struct core *core)
{
	rv64_destroy(&core->cpu);
	tile_kept_free(core->tile.kept);
	npu_tile_fini(&core->tile);
	strict_free(core->strict);
	npu_pipes_free(core->pipes);
	free(core->gm);
	free(core);
}

void *core_alloc(struct core *core, size_t bytes, uint64_t *address)
{
	const size_t at = core->used;

	if (bytes > core->size - at) {
		fprintf(stderr, "out of global memory\n");
		exit(1);
	}
	core->used = (at + bytes + 63) & ~(size_t)63;
	*address = GM_BASE + at;
	return core->gm + at;
}

void core_release(struct core *core)
{
	memset(core->gm + core->modules_end, 0, core->used - core->modules_end);
	core->used = core->modules_end;
}

struct kernel_module *core_load(struct core *core, const char *path)
{
	struct kernel_module *module = calloc(1, sizeof(*module));

	if (!module || !module_read(&module->file, path)) {
		free(module);
		return NULL;
	}
	core->used = (core->used + RV64_PAGE_SIZE - 1) & RV64_PAGE_MASK;
	memcpy(core_alloc(core, module->file.bytes, &module->base), module->file.image,
	       module->file.bytes);
	core->modules_end = core->used;
	rv64_flush_code(&core->cpu);
	return module;
}

void kernel_module_free(struct kernel_module *module)
{
	if (module)
		module_free(&module->file);
	free(module);
}

/* What a stop of the scalar unit means for the task. */
static enum npu_status stop_status(struct core *core, enum rv64_stop stop)
{
	const struct rv64_stop_info *info = &core->cpu.stop;

	core->fault.pc = info->pc;
	core->fault.address = info->tval;
	switch (stop) {
	case RV64_STOP_ECALL:
		return NPU_ST_OK;
	case RV64_STOP_FAULT:
		/* The return to address 0. */
		if (info->access == RV64_ACCESS_EXEC && !info->tval)
			return NPU_ST_OK;
		return -info->code;
	case RV64_STOP_CUSTOM_ERR:
		core->fault.address = core->tile.error.address;
		return -info->code;
	case RV64_STOP_BUDGET:
		return NPU_ST_TIMEOUT;
	case RV64_STOP_MISALIGNED:
		return NPU_ST_MISALIGNED;
	case RV64_STOP_EBREAK:
		return NPU_ST_KERNEL_TRAP;
	default:
		return NPU_ST_ILLEGAL_INSN;
	}
}

void core_model(struct core *core, const struct npu_profile *profile)
{
	npu_pipes_free(core->pipes);
	core->profile = profile;
	core->pipes = npu_pipes_new(profile);
}

const struct core_time *core_time(const struct core *core)
{
	return &core->time;
}

/* The device's own way, with cores that have nothing else to do. */
static void book(struct core *core, struct npu_booking *booking)
{
	uint64_t core_free[NPU_MAX_CORES] = { 0 };
	struct npu_span span;

	npu_book_kernel(core->profile, booking, core_free, &span);
	core->time = (struct core_time){
		.ns = span.end, .core_ns = span.core_ns, .bytes = booking->pages.bytes,
		.again = npu_pages_again(&booking->pages),
	};
	memcpy(core->time.busy_ns, span.busy_ns, sizeof(span.busy_ns));
	npu_booking_free(booking);
}

/* As the device does it: what has been decoded stays. */
static void start_block(struct core *core, uint64_t entry, uint64_t args, uint32_t block,
			uint32_t blocks)
{
	memset(core->cpu.x, 0, sizeof(core->cpu.x));
	memset(core->cpu.f, 0, sizeof(core->cpu.f));
	core->cpu.fcsr = 0;
	core->cpu.pc = entry;
	core->cpu.x[2] = NPU_SMEM_BASE + NPU_SMEM_SIZE;
	core->cpu.x[10] = args;
	core->cpu.x[11] = block;
	core->cpu.x[12] = blocks;
	npu_tile_start(&core->tile, block, blocks, 0, 1, 0);
}

/* A kernel's program has seen nothing but its arguments so far. */
static void start_kernel(struct core *core, uint64_t args)
{
	core->args = args;
	core->tile.aware = core->strict;
	core->tile.eager = core->strict;
	tile_kept_drop(core->tile.kept);
	rv64_tlb_flush(&core->cpu);
}

enum npu_status core_run(struct core *core, const struct kernel_module *module, const char *name,
			 const void *args, size_t args_size, uint32_t blocks)
{
	const struct npu_kernel_desc *kernel = module_kernel(&module->file, name, args_size);
	struct npu_booking *booking = NULL;
	enum npu_status status = NPU_ST_OK;
	struct strict_task *task = NULL;
	const size_t used = core->used;
	uint64_t args_address;
	void *own_args;

	if (!kernel)
		return NPU_ST_CMD_INVALID;
	own_args = memcpy(core_alloc(core, args_size, &args_address), args, args_size);
	if (core->pipes)
		booking = npu_booking_new(core->profile, blocks,
					  ~0ULL >> (64 - core->profile->cores), 0);
	if (core->strict)
		task = strict_task_new(&core->strict_bytes);
	start_kernel(core, args_address);
	for (uint32_t block = 0; !status && block < blocks; block++) {
		if (core->strict)
			strict_start(core->strict, &(struct strict_block) {
				.task = task, .block = block, .canary = CANARY,
				.entry = module->base + kernel->entry,
			});
		start_block(core, module->base + kernel->entry, args_address, block, blocks);
		core->fault.block = block;
		if (booking)
			npu_pipes_start(core->pipes, core->cpu.instret,
					npu_booking_cores(booking));
		status = stop_status(core, rv64_run(&core->cpu, RUN_INSNS));
		npu_tile_forget(&core->tile);
		if (core->strict && !status && !strict_end(core->strict))
			status = strict_finding(core->strict)->status;
		if (booking)
			npu_booking_block(booking, block, core->pipes, core->cpu.instret);
	}
	strict_task_free(task);
	if (booking)
		book(core, booking);
	memset(own_args, 0, args_size);
	core->used = used;
	return status;
}

const struct core_fault *core_fault(const struct core *core)
{
	return &core->fault;
}

const char *core_finding(const struct core *core)
{
	static const char *const pipes[] = { "S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX" };
	static const char *const accesses[] = {
		[NPU_ACCESS_NONE] = "sets for ever", [NPU_ACCESS_READ] = "reads",
		[NPU_ACCESS_WRITE] = "writes",
	};
	const struct npu_strict *f = core->strict ? strict_finding(core->strict) : NULL;
	static char text[200];

	if (!f || !f->status)
		return NULL;
	snprintf(text, sizeof(text),
		 "status %u: block %u, pc 0x%llx: %s %s 0x%llx, block %u, pc 0x%llx: %s %s",
		 f->status, f->block, (unsigned long long)f->pc, pipes[f->pipe], accesses[f->access],
		 (unsigned long long)f->address, f->other_block, (unsigned long long)f->other_pc,
		 pipes[f->other_pipe], accesses[f->other_access]);
	return text;
}
