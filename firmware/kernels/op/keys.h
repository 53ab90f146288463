/* SPDX-License-Identifier: MIT */
/*
 * Keys: integers in the order of floats. NaN comes after infinity, -0 and +0 are the same, and no
 * float has the key KEY_NONE.
 */
#ifndef OP_KEYS_H
#define OP_KEYS_H

#include "npu_kernel.h"

#define KEY_NONE INT32_MIN

/* keys_from_f32() - @count keys of the floats at @x, which change; they may be in their place. */
static inline void keys_from_f32(npu_addr keys, npu_addr x, npu_addr work, uint32_t count)
{
	npu_vec_one_row();
	npu_vadds(x, x, 0, count, NPU_F32);
	npu_vshrs(work, x, 31, count, NPU_S32);
	npu_vands(work, work, INT32_MAX, count, NPU_S32);
	npu_vxor(keys, x, work, count, NPU_S32);
}

#endif /* OP_KEYS_H */
