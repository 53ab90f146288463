/* SPDX-License-Identifier: MIT */
/* Element by element operations on one or two vectors. */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define AREA 0x8000
#define SLOT (3 * AREA)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

struct areas {
	npu_addr x, y, mask;
};

static int is_binary(uint32_t op)
{
	return op != NPU_ELTWISE_RELU && op != NPU_ELTWISE_SCALE;
}

/* Returns where the result is. */
static npu_addr compute(const struct areas *at, uint32_t op, uint32_t scalar, uint32_t n,
			uint32_t dtype)
{
	switch (op) {
	case NPU_ELTWISE_ADD:
		npu_vadd(at->x, at->x, at->y, n, dtype);
		break;
	case NPU_ELTWISE_SUB:
		npu_vsub(at->x, at->x, at->y, n, dtype);
		break;
	case NPU_ELTWISE_MUL:
		npu_vmul(at->x, at->x, at->y, n, dtype);
		break;
	case NPU_ELTWISE_RELU:
		npu_vrelu(at->x, at->x, n, dtype);
		break;
	case NPU_ELTWISE_RELU_GRAD:
		npu_vcmp_gts(at->mask, at->y, 0, n, dtype);
		npu_vec_mask(at->mask, 0);
		npu_vselects(at->x, at->x, 0, n, dtype);
		break;
	case NPU_ELTWISE_SCALE:
		npu_vmuls(at->x, at->x, scalar, n, dtype);
		break;
	case NPU_ELTWISE_AXPY:
		npu_vmlas(at->y, at->x, scalar, n, dtype);
		return at->y;
	default:
		npu_trap(op);
	}
	return at->x;
}

NPU_ARGS(elementwise, struct npu_eltwise_args, in(x), in(y), out(out), value(count), value(op),
	 value(dtype), value(alpha), value(rsvd));

NPU_KERNEL(elementwise, struct npu_eltwise_args)
{
	const uint32_t op = args->op, dtype = args->dtype, bytes = npu_dtype_bytes(dtype);
	const uint32_t scalar = npu_scalar(args->alpha, dtype), chunk = AREA / bytes;
	const uint64_t x = args->x, y = args->y, out = args->out;
	const struct npu_span mine = npu_split(args->count, chunk / 8, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += chunk, slot = !slot) {
		const uint32_t n = npu_min(chunk, mine.end - i);
		const npu_addr base = NPU_UB_BASE + slot * SLOT;
		const struct areas at = { base, base + AREA, base + 2 * AREA };
		npu_addr result;

		ub_acquire(slot);
		npu_copy(at.x, x + i * bytes, n * bytes);
		if (is_binary(op))
			npu_copy(at.y, y + i * bytes, n * bytes);
		ub_loaded(slot);
		result = compute(&at, op, scalar, n, dtype);
		ub_computed(slot);
		npu_copy(out + i * bytes, result, n * bytes);
		ub_release(slot);
	}
	ub_end();
}
