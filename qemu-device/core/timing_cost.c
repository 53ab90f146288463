// SPDX-License-Identifier: GPL-2.0-or-later
/* What each tile instruction takes of its pipe: the tables of docs/timing.md. */
#include <npu/npu_mmu.h>

#include "npu_internal.h"
#include "tile_access.h"
#include "timing_pipes.h"

#define CUBE_ROWS 16 /* and columns */
#define CUBE_LATENCY 32
#define VECTOR_LATENCY 16
#define LOCAL_LATENCY 16

static uint64_t div_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

/* Rows are moved in blocks of 32 bytes. */
static uint64_t block_bytes(const struct tile_rect *rect)
{
	return rect->rows * div_up(rect->row_bytes, NPU_TILE_ALIGN) * NPU_TILE_ALIGN;
}

static uint64_t ns_to_cycles(const struct npu_profile *profile, uint64_t ns)
{
	return div_up(ns * profile->mhz, 1000);
}

/*
 * A transfer from or to global memory: what is nearest to it, a port of the core, and behind that
 * L2, or the core's share of HBM. MB/s is bytes a microsecond, and MHz cycles.
 */
static struct npu_cost gm_cost(const struct npu_profile *profile, uint64_t bytes, unsigned int port,
			       unsigned int cores, enum npu_gm gm)
{
	uint64_t busy = div_up(bytes, port);
	uint64_t hbm = div_up(bytes * cores * profile->mhz, profile->hbm_mbps);

	if (gm == NPU_GM_NEAR)
		return (struct npu_cost){ busy, ns_to_cycles(profile, profile->l2_ns), 0 };
	return (struct npu_cost){
		npu_max(busy, hbm),
		ns_to_cycles(profile, profile->hbm_ns),
		hbm,
	};
}

static struct npu_cost move_cost(const struct npu_profile *profile,
				 const struct tile_access *access, unsigned int cores,
				 enum npu_gm gm)
{
	const struct tile_rect *src = &access->rects[0];
	const struct tile_rect *dst = &access->rects[access->count - 1];
	unsigned int width = profile->local_bytes;

	if (src->address >= NPU_VA_START)
		return gm_cost(profile, block_bytes(src), profile->read_bytes, cores, gm);
	if (dst->address >= NPU_VA_START)
		return gm_cost(profile, block_bytes(dst), profile->write_bytes, cores, gm);
	if (tile_buffer_of(dst->address) == TILE_L0A)
		width = profile->l0a_bytes;
	else if (tile_buffer_of(dst->address) == TILE_L0B)
		width = profile->l0b_bytes;
	return (struct npu_cost){ div_up(block_bytes(dst), width), LOCAL_LATENCY, 0 };
}

static struct npu_cost fixpipe_cost(const struct npu_profile *profile,
				    const struct tile_access *access, unsigned int cores,
				    enum npu_gm gm)
{
	const struct tile_rect *src = &access->rects[0], *dst = &access->rects[1];
	struct npu_cost cost = { 0, LOCAL_LATENCY, 0 };

	if (dst->address >= NPU_VA_START)
		cost = gm_cost(profile, block_bytes(dst), profile->write_bytes, cores, gm);
	cost.busy = npu_max(cost.busy, div_up(block_bytes(src), profile->fix_bytes));
	return cost;
}

static struct npu_cost mmad_cost(const struct npu_profile *profile,
				 const struct tile_access *access)
{
	uint64_t tiles = div_up(access->m, CUBE_ROWS) * div_up(access->n, CUBE_ROWS);
	uint64_t steps = div_up(access->k, profile->cube_k[access->dtype]);

	return (struct npu_cost){ tiles * npu_max(steps, 1), CUBE_LATENCY, 0 };
}

/* How many times as long as an addition an operation takes. */
static unsigned int vector_factor(unsigned int opcode)
{
	switch (opcode) {
	case NPU_VEXP:
	case NPU_VLN:
	case NPU_VSQRT:
	case NPU_VRSQRT:
	case NPU_VRECIP:
	case NPU_VDIV:
		return 4;
	case NPU_VTANH:
	case NPU_VERF:
		return 16;
	case NPU_VSUM:
	case NPU_VREDMAX:
	case NPU_VREDMIN:
	case NPU_VARGMAX:
	case NPU_VARGMIN:
	case NPU_VDOT:
	case NPU_VSUMSQ:
		return 2;
	default:
		return 1;
	}
}

/* A conversion is as slow as the wider of its types. */
static unsigned int vector_lanes(const struct npu_profile *profile,
				 const struct tile_access *access, unsigned int opcode)
{
	const struct tile_rect *dst = &access->rects[access->count - 1];
	uint64_t size = tile_dtype_size(access->dtype);

	if (opcode == NPU_VCAST)
		size = npu_max(size, dst->row_bytes / access->n);
	return profile->vector_lanes[__builtin_ctzll(size)];
}

static struct npu_cost vector_cost(const struct npu_profile *profile,
				   const struct tile_access *access, unsigned int opcode)
{
	uint64_t row = div_up(access->n, vector_lanes(profile, access, opcode));

	return (struct npu_cost){ access->m * row * vector_factor(opcode), VECTOR_LATENCY, 0 };
}

struct npu_cost npu_cost(const struct npu_profile *profile, const struct tile_access *access,
			 unsigned int opcode, unsigned int cores, enum npu_gm gm)
{
	if (!access->count)
		return (struct npu_cost){ 0 };
	switch (access->pipe) {
	case NPU_PIPE_M:
		return mmad_cost(profile, access);
	case NPU_PIPE_FIX:
		return fixpipe_cost(profile, access, cores, gm);
	case NPU_PIPE_V:
		return vector_cost(profile, access, opcode);
	default:
		return move_cost(profile, access, cores, gm);
	}
}
