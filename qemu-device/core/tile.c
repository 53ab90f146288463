// SPDX-License-Identifier: GPL-2.0-or-later
/* Tile engines: life cycle, dispatch of instructions, synchronisation and system instructions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mmu.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "tile_internal.h"
#include "tile_kept.h"
#include "tile_rows.h"

static const struct {
	uint32_t base, size;
} tile_buffers[] = {
	{ NPU_SMEM_BASE, NPU_SMEM_SIZE }, { NPU_UB_BASE, NPU_UB_SIZE },
	{ NPU_L1_BASE, NPU_L1_SIZE },	  { NPU_L0A_BASE, NPU_L0A_SIZE },
	{ NPU_L0B_BASE, NPU_L0B_SIZE },	  { NPU_L0C_BASE, NPU_L0C_SIZE },
};

#define TILE_BUFFER_COUNT (sizeof(tile_buffers) / sizeof(tile_buffers[0]))
#define TILE_HOST_PAGE 4096
#define LATE_BYTES 4096 /* to copy less is as fast as to note that it has not been done */

#ifdef __x86_64__
/* Not a feature that every compiler's __builtin_cpu_supports() knows. */
static bool tile_cpu_has_f16c(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#endif

/* The levels that this build has and this CPU can run, best first. */
static const struct tile_isa *tile_isa_find(const char *name)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		  __builtin_cpu_supports("bmi2") && tile_cpu_has_f16c();
	bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");

	bool vnni = v4 && __builtin_cpu_supports("avx512vnni");

	if (vnni && (!name || !strcmp(name, tile_isa_vnni.name)))
		return &tile_isa_vnni;
	if (v4 && (!name || !strcmp(name, tile_isa_v4.name)))
		return &tile_isa_v4;
	if (v3 && (!name || !strcmp(name, tile_isa_v3.name)))
		return &tile_isa_v3;
#endif
	if (!name || !strcmp(name, tile_isa_v1.name))
		return &tile_isa_v1;
	return NULL;
}

bool npu_tile_set_isa(struct npu_tile *tile, const char *name)
{
	const struct tile_isa *isa = tile_isa_find(name);

	if (isa)
		tile->isa = isa;
	return isa != NULL;
}

void npu_tile_combine(unsigned int opcode, unsigned int dtype, void *dst, const void *src,
		      size_t count)
{
	const struct tile_vec args = {
		.opcode = opcode, .dtype = dtype, .count = count, .rows = 1,
		.dst = dst, .src0 = dst, .src1 = src,
	};

	tile_isa_find(NULL)->vector(&args);
}

const char *npu_tile_isa_name(const struct npu_tile *tile)
{
	return tile->isa->name;
}

int npu_tile_init(struct npu_tile *tile, const struct npu_tile_ops *ops, void *opaque)
{
	*tile = (struct npu_tile) { .ops = ops, .opaque = opaque, .isa = tile_isa_find(NULL) };

	if (posix_memalign((void **)&tile->memory, TILE_HOST_PAGE, TILE_MEMORY_SIZE))
		return -ENOMEM;
	if (posix_memalign((void **)&tile->scratch, TILE_HOST_PAGE, sizeof(*tile->scratch))) {
		free(tile->memory);
		return -ENOMEM;
	}
	tile->smem = tile->memory;
	tile->ub = tile->smem + NPU_SMEM_SIZE;
	tile->l1 = tile->ub + NPU_UB_SIZE;
	tile->l0a = tile->l1 + NPU_L1_SIZE;
	tile->l0b = tile->l0a + NPU_L0A_SIZE;
	tile->l0c = tile->l0b + NPU_L0B_SIZE;
	npu_tile_clear(tile);
	npu_tile_start(tile, 0, 1, 0, 1, 0);
	return 0;
}

void npu_tile_fini(struct npu_tile *tile)
{
	free(tile->scratch);
	free(tile->memory);
	*tile = (struct npu_tile) { 0 };
}

void npu_tile_clear(struct npu_tile *tile)
{
	memset(tile->memory, 0, TILE_MEMORY_SIZE);
	npu_tile_forget(tile);
}

void npu_tile_start(struct npu_tile *tile, uint32_t block, uint32_t blocks, uint32_t core,
		    uint32_t cores, uint64_t log)
{
	tile->block = block;
	tile->blocks = blocks;
	tile->core = core;
	tile->cores = cores;
	tile->log = log;
	tile->rows = 1;
	tile->dst_pitch = 0;
	tile->src0_pitch = 0;
	tile->src1_pitch = 0;
	tile->mask = 0;
	tile->mask_pitch = 0;
	tile->scale_shift = 0;
	tile->scale_factor = 0;
	tile->scale_pitch = 0;
	tile->error = (struct npu_tile_error) { 0 };
	/* Not for each of many short blocks. */
	if (tile->flags_used)
		memset(tile->flags, 0, sizeof(tile->flags));
	tile->flags_used = false;
}

unsigned int tile_dtype_size(uint64_t dtype)
{
	static const uint8_t size[NPU_DTYPE_COUNT] = {
		[NPU_F32] = 4, [NPU_F16] = 2, [NPU_BF16] = 2, [NPU_S32] = 4,
		[NPU_S8] = 1,  [NPU_U8] = 1,  [NPU_S16] = 2,
	};

	return dtype < NPU_DTYPE_COUNT ? size[dtype] : 0;
}

enum tile_buffer tile_buffer_of(uint64_t address)
{
	for (unsigned int i = 0; i < TILE_BUFFER_COUNT; i++)
		if (address - tile_buffers[i].base < tile_buffers[i].size)
			return 1 << i;
	return 0;
}

uint8_t *tile_buffer_host(const struct npu_tile *tile, enum tile_buffer buffer)
{
	switch (buffer) {
	case TILE_SMEM:
		return tile->smem;
	case TILE_UB:
		return tile->ub;
	case TILE_L1:
		return tile->l1;
	case TILE_L0A:
		return tile->l0a;
	case TILE_L0B:
		return tile->l0b;
	default:
		return tile->l0c;
	}
}

const uint8_t *tile_local_host(const struct npu_tile *tile, uint64_t address)
{
	enum tile_buffer buffer = tile_buffer_of(address);

	return tile_buffer_host(tile, buffer) +
	       (address - tile_buffers[__builtin_ctz(buffer)].base);
}

uint64_t tile_rect_span(const struct tile_rect *rect)
{
	uint64_t span;

	if (__builtin_mul_overflow(rect->rows - 1, rect->rows > 1 ? rect->pitch : 0, &span) ||
	    __builtin_add_overflow(span, rect->row_bytes, &span))
		return UINT64_MAX;
	return span;
}

enum npu_status tile_check(struct npu_tile *tile, const struct tile_rect *rect, uint8_t **host)
{
	enum tile_buffer buffer = tile_buffer_of(rect->address);
	uint64_t offset, size;
	unsigned int index;

	if (!(buffer & rect->buffers))
		return tile_fail(tile, NPU_ST_LOCAL_RANGE, rect->unit, rect->access,
				 rect->address);
	if (rect->address % NPU_TILE_ALIGN || (rect->rows > 1 && rect->pitch % NPU_TILE_ALIGN))
		return tile_fail(tile, NPU_ST_TILE_ALIGN, rect->unit, rect->access,
				 rect->address);
	index = __builtin_ctz(buffer);
	offset = rect->address - tile_buffers[index].base;
	size = tile_buffers[index].size;
	if (tile_rect_span(rect) > size - offset)
		return tile_fail(tile, NPU_ST_LOCAL_RANGE, rect->unit, rect->access,
				 tile_buffers[index].base + size);
	*host = tile_buffer_host(tile, buffer) + offset;
	return NPU_ST_OK;
}

enum npu_status tile_local(struct npu_tile *tile, const struct tile_rect *rect, uint8_t **host)
{
	enum npu_status status = tile_check(tile, rect, host);

	if (!status)
		tile_lazy_touch(tile, *host, tile_rect_span(rect), rect->access != NPU_ACCESS_READ);
	return status;
}

enum npu_status tile_global(struct npu_tile *tile, const struct tile_rect *rect)
{
	enum npu_status status = rect->access == NPU_ACCESS_READ ? NPU_ST_MMU_READ :
								   NPU_ST_MMU_WRITE;
	uint64_t span = tile_rect_span(rect);

	/* One that would wrap has left the address space at its end, if it was in it. */
	if (span > UINT64_MAX - rect->address)
		return tile_fail(tile, status, rect->unit, rect->access,
				 rect->address < NPU_VA_END ? NPU_VA_END : rect->address);
	return NPU_ST_OK;
}

/* Host memory of a rectangle in global memory, or NULL. */
static enum npu_status tile_gm_piece(struct npu_tile *tile, const struct tile_rect *rect,
				     uint8_t **host)
{
	uint64_t fault = rect->address;
	enum npu_status status;

	*host = NULL;
	status = tile->ops->gm_piece(tile->opaque, rect->access, rect->address, rect->pitch,
				     rect->row_bytes, rect->rows, host, &fault);
	return status ? tile_fail(tile, status, rect->unit, rect->access, fault) : NPU_ST_OK;
}

enum npu_status tile_gm_read(struct npu_tile *tile, const struct tile_rect *src, uint8_t *dst,
			     size_t dst_pitch)
{
	struct tile_move move = {
		.dst = dst, .dst_pitch = dst_pitch, .src_pitch = src->pitch,
		.row_bytes = src->row_bytes, .rows = src->rows, .global = true,
	};
	uint64_t fault = src->address;
	enum npu_status status;
	uint8_t *host;

	status = tile_gm_piece(tile, src, &host);
	if (status)
		return status;
	if (host && !tile->eager && src->rows * src->row_bytes >= LATE_BYTES) {
		move.src = host;
		tile_lazy_move(tile, &move);
		return NPU_ST_OK;
	}
	tile_lazy_write(tile, &move);
	if (host) {
		tile_copy_rows(dst, dst_pitch, host, src->pitch, src->row_bytes, src->rows);
		return NPU_ST_OK;
	}
	status = tile->ops->gm_read(tile->opaque, dst, dst_pitch, src->address, src->pitch,
				    src->row_bytes, src->rows, &fault);
	return status ? tile_fail(tile, status, src->unit, src->access, fault) : NPU_ST_OK;
}

enum npu_status tile_gm_target(struct npu_tile *tile, const struct tile_rect *dst,
			       unsigned int align, uint8_t **host)
{
	enum npu_status status;

	*host = NULL;
	if ((dst->address | dst->pitch) % align)
		return NPU_ST_OK;
	status = tile_gm_piece(tile, dst, host);
	if (status || !*host)
		return status;
	tile_lazy_touch(tile, *host, tile_rect_span(dst), true);
	if (tile->kept)
		tile_kept_written(tile->kept, *host, tile_rect_span(dst));
	return NPU_ST_OK;
}

enum npu_status tile_gm_write(struct npu_tile *tile, const struct tile_rect *dst,
			      const uint8_t *src, size_t src_pitch)
{
	uint64_t fault = dst->address;
	enum npu_status status;
	uint8_t *host;

	status = tile_gm_target(tile, dst, 1, &host);
	if (status)
		return status;
	if (host) {
		tile_copy_rows(host, dst->pitch, src, src_pitch, dst->row_bytes, dst->rows);
		return NPU_ST_OK;
	}
	npu_tile_settle(tile);
	if (tile->kept)
		tile_kept_drop(tile->kept);
	status = tile->ops->gm_write(tile->opaque, dst->address, dst->pitch, src, src_pitch,
				     dst->row_bytes, dst->rows, &fault);
	return status ? tile_fail(tile, status, dst->unit, dst->access, fault) : NPU_ST_OK;
}

static enum npu_status tile_flag(struct npu_tile *tile, uint64_t flag, bool set)
{
	uint64_t src = NPU_GET(NPU_FLAG_SRC, flag), dst = NPU_GET(NPU_FLAG_DST, flag);
	uint32_t *count;

	if (flag & ~(NPU_FLAG_SRC | NPU_FLAG_DST | NPU_FLAG_ID) || src >= NPU_PIPE_COUNT ||
	    dst >= NPU_PIPE_COUNT || src == dst)
		return tile_bad_shape(tile, NPU_UNIT_SCALAR, flag);
	count = &tile->flags[src][dst][NPU_GET(NPU_FLAG_ID, flag)];
	if (set) {
		tile->flags_used = true;
		*count += *count < UINT32_MAX;
		return NPU_ST_OK;
	}
	if (!*count)
		return tile_fail(tile, NPU_ST_FLAG_DEADLOCK, NPU_UNIT_SCALAR, NPU_ACCESS_NONE,
				 flag);
	--*count;
	return NPU_ST_OK;
}

static enum npu_status tile_info(struct npu_tile *tile, uint64_t info, uint64_t *value)
{
	switch (info) {
	case NPU_INFO_BLOCK:
		*value = tile->block;
		return NPU_ST_OK;
	case NPU_INFO_BLOCKS:
		*value = tile->blocks;
		return NPU_ST_OK;
	case NPU_INFO_CORE:
		*value = tile->core;
		return NPU_ST_OK;
	case NPU_INFO_CORES:
		*value = tile->cores;
		return NPU_ST_OK;
	case NPU_INFO_TIME:
		*value = tile->ops->timestamp(tile->opaque);
		return NPU_ST_OK;
	case NPU_INFO_LOG:
		*value = tile->log;
		return NPU_ST_OK;
	default:
		return tile_bad_shape(tile, NPU_UNIT_SCALAR, info);
	}
}

static enum npu_status tile_illegal(struct npu_tile *tile, enum npu_unit unit)
{
	return tile_fail(tile, NPU_ST_ILLEGAL_INSN, unit, NPU_ACCESS_NONE, 0);
}

static enum npu_status tile_system(struct npu_tile *tile, unsigned int funct3,
				   const struct tile_operands *op, uint64_t *rd)
{
	switch (funct3) {
	case NPU_SYS_SET_FLAG:
		return tile_flag(tile, op->rs1, true);
	case NPU_SYS_WAIT_FLAG:
		return tile_flag(tile, op->rs1, false);
	case NPU_SYS_BARRIER:
		/*
		 * Instructions take effect in program order: there is nothing to wait for, but
		 * that what has been read from global memory may change from now on.
		 */
		if (op->rs1 >= NPU_PIPE_COUNT && op->rs1 != NPU_PIPE_ALL)
			return tile_bad_shape(tile, NPU_UNIT_SCALAR, op->rs1);
		if (op->rs1 == NPU_PIPE_ALL)
			npu_tile_settle(tile);
		return NPU_ST_OK;
	case NPU_SYS_GETINFO:
		return tile_info(tile, op->rs1, rd);
	case NPU_SYS_TRAP:
		return tile_fail(tile, NPU_ST_KERNEL_TRAP, NPU_UNIT_SCALAR, NPU_ACCESS_NONE,
				 op->rs1);
	default:
		return tile_illegal(tile, NPU_UNIT_SCALAR);
	}
}

enum npu_status npu_tile_exec(struct npu_tile *tile, struct rv64_cpu *cpu,
			      const struct rv64_custom *insn)
{
	const struct tile_operands op = {
		cpu->x[insn->rd], cpu->x[insn->rs1], cpu->x[insn->rs2], cpu->x[insn->rs3],
	};

	if (insn->funct2)
		return tile_illegal(tile, NPU_UNIT_SCALAR);
	switch (insn->major) {
	case 0:
		if (insn->funct3 > NPU_MTE_SET)
			return tile_illegal(tile, NPU_UNIT_MTE);
		return tile_mte(tile, insn->funct3, &op);
	case 1:
		if (insn->funct3 > NPU_CUBE_FIXPIPE)
			return tile_illegal(tile, NPU_UNIT_CUBE);
		return tile_cube(tile, insn->funct3, &op);
	case 2:
		if (insn->funct3 > NPU_VEC_SCALE)
			return tile_illegal(tile, NPU_UNIT_VECTOR);
		return tile_vector(tile, insn->funct3, &op);
	default:
		return tile_system(tile, insn->funct3, &op, &cpu->x[insn->rd]);
	}
}
