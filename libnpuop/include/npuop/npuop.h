/* SPDX-License-Identifier: MIT */
/*
 * libnpuop: operators of neural networks on the NPU, on top of libnpurt. See npuop(7).
 *
 * Every function that returns int gives 0 or a negative enum npurt_error; npuop_message() says
 * which argument is at fault. An operator is added to the stream and returns at once; the tensors'
 * memory has to live until it has run. It can be captured into a graph like any launch.
 *
 * Every attribute structure begins with its size, as those of libnpurt do. A pointer to an
 * attribute structure or a tensor may be NULL where the text says so.
 *
 * Results do not depend on how many cores or threads the device has: each element is computed by
 * one block, in an order that is documented with the operator.
 */
#ifndef NPUOP_H
#define NPUOP_H

#include <npurt/npurt.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NPUOP_VERSION_MAJOR 0
#define NPUOP_VERSION_MINOR 1
#define NPUOP_VERSION_PATCH 0

/* The operators of a stream: npuop_create(3). */

typedef struct npuop npuop;

typedef struct npuop_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint64_t workspace_bytes; /* device memory for operators that need some; 0: 16 MiB */
} npuop_attr;

/*
 * npuop_create() - the operators, for use on one stream
 *
 * They share a workspace, so all operators of one handle have to run on that stream, or in graphs
 * that are launched there. A handle is used by one thread at a time; any number may be made.
 */
int npuop_create(npurt_context *context, npurt_stream *stream, const npuop_attr *attr, npuop **ops);
int npuop_destroy(npuop *ops); /* waits for what it has added to the stream */

/* npuop_message() - what was wrong with the last call that failed; "" if none did. */
const char *npuop_message(const npuop *ops);

/* Tensors: npuop_tensor(3). */

enum npuop_dtype { /* those of npu/npu_tile.h, and one that is only stored */
		   NPUOP_F32 = 0,
		   NPUOP_F16 = 1,
		   NPUOP_BF16 = 2,
		   NPUOP_S32 = 3,
		   NPUOP_S8 = 4,
		   NPUOP_U8 = 5,
		   NPUOP_S16 = 6,
		   NPUOP_S4 =
			   16, /* two in a byte along the last dimension, the first in the low half */
};

#define NPUOP_MAX_RANK 6

/*
 * A view of memory. The last dimension is the innermost. A stride is in elements; 0 repeats the
 * same elements, which only operands that are read may do. An extent of 0 makes an empty tensor,
 * which is legal everywhere.
 */
typedef struct npuop_tensor {
	npurt_memory *memory;
	uint64_t offset; /* bytes, a multiple of the element's size */
	uint32_t dtype; /* enum npuop_dtype */
	uint32_t rank; /* 0: one element */
	uint64_t shape[NPUOP_MAX_RANK];
	uint64_t stride[NPUOP_MAX_RANK];
} npuop_tensor;

/* npuop_tensor_dense() - @shape in order, without gaps, from @offset of @memory. */
npuop_tensor npuop_tensor_dense(npurt_memory *memory, uint64_t offset, enum npuop_dtype dtype,
				uint32_t rank, const uint64_t *shape);
/* Views of the same elements; what is out of range gives a tensor that no operator takes. */
npuop_tensor npuop_tensor_transpose(const npuop_tensor *tensor, uint32_t dim0, uint32_t dim1);
npuop_tensor npuop_tensor_slice(const npuop_tensor *tensor, uint32_t dim, uint64_t begin,
				uint64_t count);
/* Of a dense tensor, to as many elements. */
npuop_tensor npuop_tensor_reshape(const npuop_tensor *tensor, uint32_t rank, const uint64_t *shape);
uint64_t npuop_tensor_elements(const npuop_tensor *tensor);
/* npuop_dtype_bytes() - bytes of @elements, which for NPUOP_S4 are even. */
uint64_t npuop_dtype_bytes(enum npuop_dtype dtype, uint64_t elements);

/* Elementwise: npuop_elementwise(3). Floats compute in fp32 and round once to the result. */

enum npuop_unary_op {
	NPUOP_NEG = 0,
	NPUOP_ABS = 1,
	NPUOP_RELU = 2,
	NPUOP_EXP = 3,
	NPUOP_LN = 4,
	NPUOP_SQRT = 5,
	NPUOP_RSQRT = 6,
	NPUOP_RECIP = 7,
	NPUOP_TANH = 8,
	NPUOP_ERF = 9,
	NPUOP_SQUARE = 10,
	NPUOP_SIGMOID = 11,
	NPUOP_SILU = 12, /* x sigmoid(x) */
	NPUOP_GELU = 13, /* x (1 + erf(x / sqrt 2)) / 2 */
	NPUOP_GELU_TANH = 14, /* its approximation by tanh */
};

int npuop_unary(npuop *ops, enum npuop_unary_op op, const npuop_tensor *x, const npuop_tensor *out);
/* @grad_x = @grad times the derivative at @x; for RELU, TANH, SIGMOID, SILU, GELU, GELU_TANH. */
int npuop_unary_backward(npuop *ops, enum npuop_unary_op op, const npuop_tensor *x,
			 const npuop_tensor *grad, const npuop_tensor *grad_x);

enum npuop_binary_op {
	NPUOP_ADD = 0,
	NPUOP_SUB = 1,
	NPUOP_MUL = 2,
	NPUOP_DIV = 3,
	NPUOP_MAX = 4,
	NPUOP_MIN = 5,
	NPUOP_EQ = 6, /* comparisons write 0 or 1 as U8 */
	NPUOP_NE = 7,
	NPUOP_LT = 8,
	NPUOP_LE = 9,
	NPUOP_GT = 10,
	NPUOP_GE = 11,
};

/* Shapes are aligned at their last dimensions; one of 1 is repeated, as in numpy. */
int npuop_binary(npuop *ops, enum npuop_binary_op op, const npuop_tensor *x, const npuop_tensor *y,
		 const npuop_tensor *out);
int npuop_binary_scalar(npuop *ops, enum npuop_binary_op op, const npuop_tensor *x, double y,
			const npuop_tensor *out);
/* @out = @mask (U8) ? @x : @y, repeated as for npuop_binary() */
int npuop_select(npuop *ops, const npuop_tensor *mask, const npuop_tensor *x, const npuop_tensor *y,
		 const npuop_tensor *out);
int npuop_fill(npuop *ops, double value, const npuop_tensor *out);
/* Between any strides and types: transposes, repeats, concatenates, converts as VCAST does. */
int npuop_copy(npuop *ops, const npuop_tensor *x, const npuop_tensor *out);

/* Reductions: npuop_reduce(3). Over the dimensions of which @out has an extent of 1. */

enum npuop_reduce_op {
	NPUOP_REDUCE_SUM = 0,
	NPUOP_REDUCE_MEAN = 1,
	NPUOP_REDUCE_MAX = 2,
	NPUOP_REDUCE_MIN = 3,
	NPUOP_REDUCE_SUMSQ = 4, /* of squares */
	NPUOP_REDUCE_ARGMAX = 5, /* S32, over one dimension: the first of the greatest */
	NPUOP_REDUCE_ARGMIN = 6,
};

int npuop_reduce(npuop *ops, enum npuop_reduce_op op, const npuop_tensor *x,
		 const npuop_tensor *out);

/* Matrix products: npuop_gemm(3). */

enum npuop_activation {
	NPUOP_ACT_NONE = 0,
	NPUOP_ACT_RELU = 1,
	NPUOP_ACT_GELU = 2,
	NPUOP_ACT_GELU_TANH = 3,
	NPUOP_ACT_SILU = 4,
};

#define NPUOP_GEMM_ACCUMULATE (1u << 0) /* add to what C holds; C is F32 */
#define NPUOP_GEMM_RMS_NORM (1u << 1) /* of npuop_rms_norm() of A's rows */

typedef struct npuop_gemm_attr {
	uint32_t size;
	uint32_t flags;
	uint32_t activation; /* enum npuop_activation */
	float scale; /* of the product, before the bias; 0: 1 */
	const npuop_tensor *bias; /* [n] F32 or C's type, or NULL */
	/* Of integer operands: one for all, [1], or one for each row of A, [m], or column of B, [n]. */
	const npuop_tensor *scale_a; /* F32; NULL: 1 */
	const npuop_tensor *scale_b; /* F32; NULL: 1; for S4 [..., k / group, n] */
	uint32_t group; /* of k of an S4 matrix that share a scale, a multiple of 32 */
	uint32_t reserved;
	const npuop_tensor *pre; /* as C: takes the value before the activation, or NULL */
	/* Of NPUOP_GEMM_RMS_NORM. */
	const npuop_tensor *gamma; /* [k] F32 or A's type, or NULL */
	float eps;
	uint32_t reserved2;
} npuop_gemm_attr;

/*
 * npuop_gemm() - C = activation(scale * A B + bias)
 * @attr: NULL for none of it
 * @a: [..., m, k] F32, F16, BF16 or S8; or its transposed, a view with the last strides exchanged
 * @b: [..., k, n] of A's type, likewise; or S4 with A F16 or BF16
 * @c: [..., m, n] F32, F16 or BF16; of S8 also S32 and S8
 *
 * Leading dimensions are batches; one of 1 is repeated. A matrix neither of whose last two strides
 * is 1 passes through the workspace, but one of S4 is refused. Sums are in fp32 (S32 for S8) in
 * ascending order of k.
 */
int npuop_gemm(npuop *ops, const npuop_gemm_attr *attr, const npuop_tensor *a,
	       const npuop_tensor *b, const npuop_tensor *c);

/* Quantisation: npuop_quantize(3). Symmetric, to nearest even, saturated. */

/*
 * npuop_quantize() - @q = x / scale, with @scale = greatest |x| / 127 (7 for S4) of each group
 * @x: [rows, cols] F32, F16 or BF16
 * @q: [rows, cols] S8 or S4
 * @scale: F32: [1]: of all; [rows, 1]: of each row; [1, cols]: of each column;
 *	[rows / group, cols]: of groups of rows
 */
int npuop_quantize(npuop *ops, const npuop_tensor *x, const npuop_tensor *q,
		   const npuop_tensor *scale);
int npuop_dequantize(npuop *ops, const npuop_tensor *q, const npuop_tensor *scale,
		     const npuop_tensor *out);

/* Normalisation over the last dimension: npuop_norm(3). */

/* @log: write the logarithm. */
int npuop_softmax(npuop *ops, const npuop_tensor *x, int log, const npuop_tensor *out);
/* @y: what npuop_softmax() wrote, without @log. */
int npuop_softmax_backward(npuop *ops, const npuop_tensor *y, const npuop_tensor *grad,
			   const npuop_tensor *grad_x);

/*
 * npuop_layer_norm() - (x - mean) * rstd * gamma + beta; rstd = 1 / sqrt(variance + eps)
 * @gamma: [n] or NULL; @beta: likewise
 * @mean: as x without the last dimension, F32, for the backward; NULL: not wanted; @rstd: likewise
 */
int npuop_layer_norm(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
		     const npuop_tensor *beta, float eps, const npuop_tensor *out,
		     const npuop_tensor *mean, const npuop_tensor *rstd);
/* @grad_gamma, @grad_beta: [n] F32, overwritten; NULL: not wanted. */
int npuop_layer_norm_backward(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
			      const npuop_tensor *mean, const npuop_tensor *rstd,
			      const npuop_tensor *grad, const npuop_tensor *grad_x,
			      const npuop_tensor *grad_gamma, const npuop_tensor *grad_beta);
/* x / sqrt(mean of squares + eps) * gamma */
int npuop_rms_norm(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma, float eps,
		   const npuop_tensor *out, const npuop_tensor *rstd);
int npuop_rms_norm_backward(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
			    const npuop_tensor *rstd, const npuop_tensor *grad,
			    const npuop_tensor *grad_x, const npuop_tensor *grad_gamma);

/* Attention: npuop_attention(3). */

#define NPUOP_ROPE_INVERSE (1u << 0) /* turn back, as the backward does */
#define NPUOP_ROPE_INTERLEAVED (1u << 1) /* pairs are neighbours, not halves apart */

/*
 * npuop_rope() - rotary position embedding
 * @x: [batch, sequence, heads, dim], dim even; @out: as x, may be x
 * @position: [batch, sequence] S32; NULL: 0, 1, 2, ...
 * @base: of the frequencies, 10000 usually
 */
int npuop_rope(npuop *ops, const npuop_tensor *x, const npuop_tensor *position, float base,
	       uint32_t flags, const npuop_tensor *out);

#define NPUOP_ATTENTION_CAUSAL (1u << 0) /* query i sees keys up to i + keys - queries */

typedef struct npuop_attention_attr {
	uint32_t size;
	uint32_t flags;
	float scale; /* of the scores; 0: 1 / sqrt(dim) */
	uint32_t reserved;
} npuop_attention_attr;

/*
 * npuop_attention() - softmax(scale * Q K') V, block by block with an online softmax
 * @attr: NULL for none of it
 * @q: [batch, heads, queries, dim] F32, F16 or BF16; dim up to 256
 * @k: [batch, kv heads, keys, dim]; heads are a multiple of kv heads; @v: likewise
 * @out: as q
 * @lse: [batch, heads, queries] F32: logarithm of each row's sum, for the backward; or NULL
 */
int npuop_attention(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
		    const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *out,
		    const npuop_tensor *lse);
int npuop_attention_backward(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			     const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *out,
			     const npuop_tensor *lse, const npuop_tensor *grad,
			     const npuop_tensor *grad_q, const npuop_tensor *grad_k,
			     const npuop_tensor *grad_v);

/*
 * npuop_attention_paged() - attention over a cache in pages
 * @q: [batch, heads, queries, dim], the last of a sequence's positions
 * @k_cache: [pages, page size, kv heads, dim]; @v_cache: likewise
 * @table: [batch, pages of a sequence] S32: its pages in order
 * @lengths: [batch] S32: keys of each sequence, those of @q included
 * @out: as q
 *
 * A page or length that is out of range ends the task with an error.
 */
int npuop_attention_paged(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			  const npuop_tensor *k_cache, const npuop_tensor *v_cache,
			  const npuop_tensor *table, const npuop_tensor *lengths,
			  const npuop_tensor *out);
/*
 * npuop_cache_append() - put keys and values of new positions into their pages
 * @k: [batch, positions, kv heads, dim]; @v: likewise
 * @lengths: [batch] S32: of each sequence with them
 */
int npuop_cache_append(npuop *ops, const npuop_tensor *k, const npuop_tensor *v,
		       const npuop_tensor *table, const npuop_tensor *lengths,
		       const npuop_tensor *k_cache, const npuop_tensor *v_cache);
/*
 * npuop_attention_decode() - npuop_rope(), npuop_cache_append() and npuop_attention_paged() of one
 * new position of each sequence
 * @q: [batch, heads, 1, dim]; dim is a multiple of 16, and heads at most 32 kv heads
 * @k: [batch, 1, kv heads, dim]; @v: likewise
 * @rope: [positions, dim] F32: of each position the cosines of dim / 2 angles, then their sines;
 *	of as many positions as the table has pages for. NULL: nothing turns.
 * @lengths: [batch] S32: of each sequence with the new position; of length 0: zeros
 */
int npuop_attention_decode(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			   const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *rope,
			   const npuop_tensor *table, const npuop_tensor *lengths,
			   const npuop_tensor *k_cache, const npuop_tensor *v_cache,
			   const npuop_tensor *out);

/* Tables: npuop_gather(3). An index that is out of range ends the task with an error. */

/* @table [rows, cols], @index [...] S32, @out [..., cols] */
int npuop_embedding(npuop *ops, const npuop_tensor *table, const npuop_tensor *index,
		    const npuop_tensor *out);
/* @grad_table (F32) is overwritten; rows add up in ascending order of positions. */
int npuop_embedding_backward(npuop *ops, const npuop_tensor *index, const npuop_tensor *grad,
			     const npuop_tensor *grad_table);
/* @out = the slices of @x along @dim that @index [n] S32 names */
int npuop_gather(npuop *ops, const npuop_tensor *x, uint32_t dim, const npuop_tensor *index,
		 const npuop_tensor *out);

/* Convolution: npuop_conv(3). Images are [batch, height, width, channels]. */

typedef struct npuop_conv_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint32_t stride[2], pad[2], dilation[2]; /* height, width; a stride or dilation of 0: 1 */
	uint32_t activation; /* enum npuop_activation */
	uint32_t reserved;
	const npuop_tensor *bias; /* [out channels] F32 or out's type, or NULL */
} npuop_conv_attr;

/* @weight: [kernel height, kernel width, channels, out channels] of x's type */
int npuop_conv2d(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *x,
		 const npuop_tensor *weight, const npuop_tensor *out);
int npuop_conv2d_backward_input(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *grad,
				const npuop_tensor *weight, const npuop_tensor *grad_x);
/* @grad_weight: F32; @grad_bias: [out channels] F32, or NULL */
int npuop_conv2d_backward_weight(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *x,
				 const npuop_tensor *grad, const npuop_tensor *grad_weight,
				 const npuop_tensor *grad_bias);

enum npuop_pool_op {
	NPUOP_POOL_MAX = 0,
	NPUOP_POOL_MEAN = 1, /* of the elements that are in the image */
};

typedef struct npuop_pool_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint32_t window[2], stride[2], pad[2]; /* a stride of 0: the window */
} npuop_pool_attr;

int npuop_pool2d(npuop *ops, enum npuop_pool_op op, const npuop_pool_attr *attr,
		 const npuop_tensor *x, const npuop_tensor *out);
/* Of MAX, the first of the greatest elements gets the gradient. */
int npuop_pool2d_backward(npuop *ops, enum npuop_pool_op op, const npuop_pool_attr *attr,
			  const npuop_tensor *x, const npuop_tensor *grad,
			  const npuop_tensor *grad_x);

/* Losses: npuop_cross_entropy(3). */

/*
 * npuop_cross_entropy() - loss[i] = logsumexp(logits[i]) - logits[i][labels[i]]
 * @logits: [rows, classes]
 * @labels: [rows] S32; a negative one is left out: no loss, no gradient
 * @loss: [rows] F32, or NULL
 * @grad_scale: of @grad = (softmax(logits) - onehot) * grad_scale
 * @grad: as logits, may be logits; or NULL
 */
int npuop_cross_entropy(npuop *ops, const npuop_tensor *logits, const npuop_tensor *labels,
			const npuop_tensor *loss, float grad_scale, const npuop_tensor *grad);

/* Optimisers: npuop_adam(3). */

typedef struct npuop_sgd_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	float rate, momentum, weight_decay;
	float grad_scale; /* 0: 1 */
	const npuop_tensor *control; /* see npuop_adam_attr */
	const npuop_tensor *copy; /* as the parameter, F16 or BF16: takes its new value; or NULL */
} npuop_sgd_attr;

/*
 * npuop_sgd() - velocity = momentum * velocity + grad; param -= rate * velocity
 * @grad: any float type; the others are F32
 * @velocity: as @param; may be NULL without momentum
 */
int npuop_sgd(npuop *ops, const npuop_sgd_attr *attr, const npuop_tensor *grad,
	      const npuop_tensor *param, const npuop_tensor *velocity);

#define NPUOP_ADAM_DECOUPLED (1u << 0) /* AdamW */

typedef struct npuop_adam_attr {
	uint32_t size;
	uint32_t flags;
	float rate, beta1, beta2, eps, weight_decay;
	float grad_scale; /* 0: 1 */
	uint64_t step; /* from 1 */
	/*
	 * F32 [4] in device memory, or NULL: rate, 1 / (1 - beta1^step), 1 / (1 - beta2^step) and
	 * the gradient's scale, in place of the members: they change while a graph stays.
	 */
	const npuop_tensor *control;
	const npuop_tensor *copy; /* as for npuop_sgd() */
} npuop_adam_attr;

int npuop_adam(npuop *ops, const npuop_adam_attr *attr, const npuop_tensor *grad,
	       const npuop_tensor *param, const npuop_tensor *moment1, const npuop_tensor *moment2);

/*
 * Random numbers: npuop_random(3). Philox4x32-10 by seed, counter and the element's index.
 * Tensors that are not dense pass through the workspace.
 */

typedef struct npuop_random_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint64_t seed;
	uint64_t counter; /* numbers of a seed that differ in it have nothing in common */
	const npuop_tensor *control; /* S32 [1] in device memory, added to @counter; or NULL */
} npuop_random_attr;

/* Uniform in [low, high), F32, F16 or BF16. */
int npuop_random_uniform(npuop *ops, const npuop_random_attr *attr, float low, float high,
			 const npuop_tensor *out);
int npuop_random_normal(npuop *ops, const npuop_random_attr *attr, float mean, float deviation,
			const npuop_tensor *out);
/* Each element is 0 with probability @p, else x / (1 - p); the backward is the same of the gradient. */
int npuop_dropout(npuop *ops, const npuop_random_attr *attr, float p, const npuop_tensor *x,
		  const npuop_tensor *out);

/* Choice: npuop_sample(3). */

/* The @k greatest of the last dimension, in descending order; of equals the first one first. */
int npuop_top_k(npuop *ops, const npuop_tensor *x, const npuop_tensor *values,
		const npuop_tensor *index);

typedef struct npuop_sample_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	float temperature; /* 0: the greatest */
	float top_p; /* 0: 1 */
	uint32_t top_k; /* 0: all */
	uint32_t reserved;
	npuop_random_attr random;
} npuop_sample_attr;

/* @logits: [rows, classes]; @index: [rows] S32 */
int npuop_sample(npuop *ops, const npuop_sample_attr *attr, const npuop_tensor *logits,
		 const npuop_tensor *index);

#ifdef __cplusplus
}
#endif

#endif /* NPUOP_H */
