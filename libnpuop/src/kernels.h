/* SPDX-License-Identifier: MIT */
/* The kernels of the module, a line each, by the names that they have there. */
#ifndef OP_KERNELS_H
#define OP_KERNELS_H

/* clang-format off */
#define OP_KERNELS(X) \
	X(op_adam) \
	X(op_attention) \
	X(op_attention_backward) \
	X(op_attention_decode) \
	X(op_cache_append) \
	X(op_column_sum) \
	X(op_column_sums) \
	X(op_conv) \
	X(op_conv_weight) \
	X(op_cross_entropy) \
	X(op_dequantize) \
	X(op_elementwise) \
	X(op_gather) \
	X(op_gemm) \
	X(op_gemm_s4) \
	X(op_gemm_small) \
	X(op_gemm_thin) \
	X(op_norm) \
	X(op_norm_backward) \
	X(op_pool) \
	X(op_pool_backward) \
	X(op_quant_scales) \
	X(op_quantize) \
	X(op_random) \
	X(op_reduce) \
	X(op_rope) \
	X(op_s4_rows) \
	X(op_sample) \
	X(op_scatter_add) \
	X(op_sgd) \
	X(op_softmax) \
	X(op_softmax_backward) \
	X(op_top_k) \
	X(op_transpose)
/* clang-format on */

#endif /* OP_KERNELS_H */
