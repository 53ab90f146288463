/* SPDX-License-Identifier: MIT */
/* A step of stochastic gradient descent, with momentum and an fp16 copy if asked for. */
#include "npu_typed.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define CHUNK 6144
#define SLOT (4 * CHUNK * 4)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

/* One chunk's operands in UB. */
struct areas {
	npu_ub_f32 w, g, v;
	npu_ub_f16 w16;
};

static struct areas lay_out(unsigned int slot)
{
	struct areas at = { .w = { NPU_UB_BASE + slot * SLOT } };

	at.g = (npu_ub_f32)NPU_AFTER(at.w, CHUNK);
	at.v = (npu_ub_f32)NPU_AFTER(at.g, CHUNK);
	at.w16 = (npu_ub_f16)NPU_AFTER(at.v, CHUNK);
	return at;
}

/* v = momentum * v + g; w -= rate * v */
static void update(const struct areas *at, const struct npu_sgd_args *args, uint32_t n)
{
	if (args->v) {
		npu_tvmlas(at->g, at->v, args->momentum, n);
		npu_tvmov(at->v, at->g, n);
	}
	npu_tvmlas(at->w, at->g, -args->rate, n);
}

NPU_ARGS(sgd, struct npu_sgd_args, inout(w), in(g), inout(v), out(w16), value(count), value(rate),
	 value(momentum));

NPU_KERNEL(sgd, struct npu_sgd_args)
{
	const npu_gm_f32 w = { args->w }, g = { args->g }, v = { args->v };
	const npu_gm_f16 w16 = { args->w16 };
	const struct npu_span mine = npu_split(args->count, CHUNK / 8, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += CHUNK, slot = !slot) {
		const uint32_t n = npu_min(CHUNK, mine.end - i);
		const struct areas at = lay_out(slot);

		ub_acquire(slot);
		npu_tload(at.w, npu_at(w, i), n);
		npu_tload(at.g, npu_at(g, i), n);
		if (args->v)
			npu_tload(at.v, npu_at(v, i), n);
		ub_loaded(slot);
		update(&at, args, n);
		if (args->w16)
			npu_tvcast(at.w16, at.w, n, 0);
		ub_computed(slot);
		npu_tstore(npu_at(w, i), at.w, n);
		if (args->v)
			npu_tstore(npu_at(v, i), at.v, n);
		if (args->w16)
			npu_tstore(npu_at(w16, i), at.w16, n);
		ub_release(slot);
	}
	ub_end();
}
