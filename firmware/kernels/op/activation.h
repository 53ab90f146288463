/* SPDX-License-Identifier: MIT */
/* Activation functions of layers, in fp32 in UB: npuop_gemm(3) has their formulas. */
#ifndef OP_ACTIVATION_H
#define OP_ACTIVATION_H

#include "gelu.h"
#include "npu_kernel.h"
#include "npu_op_gemm.h"

static inline void activate_gelu(npu_addr y, npu_addr x, uint32_t count)
{
	npu_vmuls(y, x, npu_f32_bits(ROOT_HALF), count, NPU_F32);
	npu_verf(y, y, count, NPU_F32);
	npu_vadds(y, y, npu_f32_bits(1), count, NPU_F32);
	npu_vmuls(y, y, npu_f32_bits(0.5f), count, NPU_F32); /* first: 2 x may be infinite */
	npu_vmul(y, y, x, count, NPU_F32);
}

static inline void activate_gelu_tanh(npu_addr y, npu_addr x, uint32_t count)
{
	npu_vmul(y, x, x, count, NPU_F32);
	npu_vmuls(y, y, npu_f32_bits(TANH_3), count, NPU_F32);
	npu_vadds(y, y, npu_f32_bits(TANH_1), count, NPU_F32);
	npu_vmul(y, y, x, count, NPU_F32);
	npu_vtanh(y, y, count, NPU_F32);
	npu_vadds(y, y, npu_f32_bits(1), count, NPU_F32);
	npu_vmuls(y, y, npu_f32_bits(0.5f), count, NPU_F32); /* first: 2 x may be infinite */
	npu_vmul(y, y, x, count, NPU_F32);
}

static inline void activate_silu(npu_addr y, npu_addr x, uint32_t count)
{
	npu_vneg(y, x, count, NPU_F32);
	npu_vexp(y, y, count, NPU_F32);
	npu_vadds(y, y, npu_f32_bits(1), count, NPU_F32);
	npu_vdiv(y, x, y, count, NPU_F32);
}

/*
 * activate() - y = activation(x), rows as npu_vec_rows() has set them, with the same pitch for
 * all; @y and @x are not the same
 */
static inline void activate(uint32_t activation, npu_addr y, npu_addr x, uint32_t count)
{
	switch (activation) {
	case NPU_OP_ACT_RELU:
		npu_vrelu(y, x, count, NPU_F32);
		break;
	case NPU_OP_ACT_GELU:
		activate_gelu(y, x, count);
		break;
	case NPU_OP_ACT_GELU_TANH:
		activate_gelu_tanh(y, x, count);
		break;
	case NPU_OP_ACT_SILU:
		activate_silu(y, x, count);
		break;
	}
}

#endif /* OP_ACTIVATION_H */
