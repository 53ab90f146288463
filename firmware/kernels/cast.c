/* SPDX-License-Identifier: MIT */
/* Conversion between element types. */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define CHUNK 8192
#define AREA (CHUNK * 4)
#define SLOT (2 * AREA)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

NPU_ARGS(cast, struct npu_cast_args, in(x), out(out), value(count), value(in), value(dtype_out));

NPU_KERNEL(cast, struct npu_cast_args)
{
	const uint32_t in = args->in, out = args->dtype_out;
	const uint32_t in_bytes = npu_dtype_bytes(in), out_bytes = npu_dtype_bytes(out);
	const struct npu_span mine = npu_split(args->count, CHUNK / 4, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += CHUNK, slot = !slot) {
		const uint32_t n = npu_min(CHUNK, mine.end - i);
		const npu_addr x = NPU_UB_BASE + slot * SLOT, y = x + AREA;

		ub_acquire(slot);
		npu_copy(x, args->x + i * in_bytes, n * in_bytes);
		ub_loaded(slot);
		npu_vcast(y, x, n, in, out, 0);
		ub_computed(slot);
		npu_copy(args->out + i * out_bytes, y, n * out_bytes);
		ub_release(slot);
	}
	ub_end();
}
