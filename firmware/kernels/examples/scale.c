/* SPDX-License-Identifier: MIT */
/* out = factor * x, in two slots of UB: one loads while the other is worked on. */
#include "npu_ring.h"
#include "npu_typed.h"
#include "examples.h"

#define CHUNK 16384 /* elements: 64 KiB a slot */

NPU_ARGS(scale, struct scale_args, in(x), out(out), value(count), value(factor), value(rsvd));

NPU_KERNEL(scale, struct scale_args)
{
	static const struct npu_ring ring = NPU_RING_UB(0, 2);
	const struct npu_span mine = npu_split(args->count, CHUNK / 4, block, blocks);
	const npu_gm_f32 from = { args->x }, to = { args->out };
	const npu_ub_f32 ub = { NPU_UB_BASE };
	unsigned int slot = 0;

	npu_ring_begin(&ring);
	for (uint64_t at = mine.begin; at < mine.end; at += CHUNK) {
		const uint32_t n = npu_min(CHUNK, mine.end - at);
		const npu_ub_f32 x = npu_at(ub, slot * CHUNK);

		npu_ring_acquire(&ring, slot);
		npu_tload(x, npu_at(from, at), n);
		npu_ring_filled(&ring, slot);
		npu_tvmuls(x, x, args->factor, n);
		npu_ring_worked(&ring, slot);
		npu_tstore(npu_at(to, at), x, n);
		npu_ring_release(&ring, slot);
		slot = npu_ring_next(&ring, slot);
	}
	npu_ring_end(&ring);
}
