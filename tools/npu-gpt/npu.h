/* SPDX-License-Identifier: MIT */
/* The model on the NPU: what its files share. */
#ifndef NPU_GPT_H
#define NPU_GPT_H

#include <npuop/npuop.h>

#include "gpt.h"

#define NPU_PAGE 16 /* positions of a page of the cache */

/* Device memory; that of layers has a part for each of them. */
enum npu_buffer {
	BUF_VALUES,
	BUF_GRADS,
	BUF_MOMENT1,
	BUF_MOMENT2,
	BUF_TOKENS, /* S32, rows */
	BUF_LABELS,
	BUF_X, /* layers + 1 */
	BUF_RSTD1, /* of layers, then of the end */
	BUF_NORM1,
	BUF_QKV,
	BUF_ATTENTION,
	BUF_LSE,
	BUF_MIDDLE,
	BUF_RSTD2,
	BUF_NORM2,
	BUF_UP,
	BUF_GELU,
	BUF_LOGITS,
	BUF_LOSSES, /* of each row, then their mean */
	BUF_GRAD_X,
	BUF_GRAD_NORM,
	BUF_GRAD_QKV,
	BUF_GRAD_ATTENTION,
	BUF_GRAD_UP,
	BUF_CONTROL, /* of AdamW: with the decay, and without */
	BUF_COUNT
};

/**
 * struct npu_gpt - the model on one NPU
 * @rows: positions that the buffers hold
 * @batch: sequences of a step of training
 * @error: the first one; nothing is done after it
 * @step: a step of training; NULL until the first
 */
struct npu_gpt {
	const struct gpt_params *params;
	uint32_t batch, rows;
	int error;
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npuop *ops;
	npurt_memory *memory[BUF_COUNT];
	npurt_graph_exec *step;
};

/* Keeps the first error and says what it is; true if there has been none. */
bool npu_check(struct npu_gpt *gpt, int error, const char *what);
/* A call that is left out after an error. */
#define NPU_DO(gpt, call) npu_check(gpt, (gpt)->error ? 0 : (call), #call)

/* Tensors of floats in a buffer, from @offset floats on. */
npuop_tensor npu_vector(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
			uint64_t count);
npuop_tensor npu_matrix(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
			uint64_t rows, uint64_t cols);
/* [sequences, heads, positions, head dim] of rows of @pitch floats */
npuop_tensor npu_heads(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
		       uint64_t sequences, uint64_t positions, uint64_t pitch);

/* A matrix or a gain of a layer, in the parameters or the gradients. */
npuop_tensor npu_weight(const struct npu_gpt *gpt, enum npu_buffer buffer, uint32_t layer,
			enum gpt_matrix which);
npuop_tensor npu_gain(const struct npu_gpt *gpt, enum npu_buffer buffer, uint32_t layer,
		      enum gpt_vector which);

void npu_upload_numbers(struct npu_gpt *gpt, enum npu_buffer buffer, const int32_t *numbers,
			uint32_t count);
/* What was captured on the stream becomes @exec. */
void npu_end_capture(struct npu_gpt *gpt, npurt_graph_exec **exec);

#endif /* NPU_GPT_H */
