/* SPDX-License-Identifier: MIT */
/* A step of stochastic gradient descent, with momentum and an fp16 copy if asked for. */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define CHUNK 6144
#define AREA (CHUNK * 4)
#define SLOT (4 * AREA)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

/* One chunk's operands in UB. */
struct areas {
	npu_addr w, g, v, w16;
};

/* v = momentum * v + g; w -= rate * v */
static void update(const struct areas *at, int momentum, uint32_t momentum_bits,
		   uint32_t minus_rate, uint32_t n)
{
	if (momentum) {
		npu_vmlas(at->g, at->v, momentum_bits, n, NPU_F32);
		npu_vmov(at->v, at->g, n, NPU_F32);
	}
	npu_vmlas(at->w, at->g, minus_rate, n, NPU_F32);
}

NPU_ARGS(sgd, struct npu_sgd_args, inout(w), in(g), inout(v), out(w16), value(count), value(rate),
	 value(momentum));

NPU_KERNEL(sgd, struct npu_sgd_args)
{
	const uint32_t minus_rate = npu_f32_bits(-args->rate);
	const uint32_t momentum = npu_f32_bits(args->momentum);
	const struct npu_span mine = npu_split(args->count, CHUNK / 8, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += CHUNK, slot = !slot) {
		const uint32_t n = npu_min(CHUNK, mine.end - i), bytes = n * 4;
		const npu_addr base = NPU_UB_BASE + slot * SLOT;
		const struct areas at = {
			base, base + AREA, base + 2 * AREA, base + 3 * AREA
		};

		ub_acquire(slot);
		npu_copy(at.w, args->w + i * 4, bytes);
		npu_copy(at.g, args->g + i * 4, bytes);
		if (args->v)
			npu_copy(at.v, args->v + i * 4, bytes);
		ub_loaded(slot);
		update(&at, args->v != 0, momentum, minus_rate, n);
		if (args->w16)
			npu_vcast(at.w16, at.w, n, NPU_F32, NPU_F16, 0);
		ub_computed(slot);
		npu_copy(args->w + i * 4, at.w, bytes);
		if (args->v)
			npu_copy(args->v + i * 4, at.v, bytes);
		if (args->w16)
			npu_copy(args->w16 + i * 2, at.w16, n * 2);
		ub_release(slot);
	}
	ub_end();
}
