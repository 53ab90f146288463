/* SPDX-License-Identifier: MIT */
/* Tensors as rows: the last dimension, and all before it. */
#ifndef OP_ROWS_H
#define OP_ROWS_H

#include <npu_op_rows.h>

#include "internal.h"

/* struct op_rows_operand - a tensor, or NULL, whose rows a kernel takes, and where it is told */
struct op_rows_operand {
	const npuop_tensor *tensor;
	struct npu_op_rows *rows;
};

/* op_rows_cols() - the length of the rows; a tensor of rank 0 has one of 1. */
uint64_t op_rows_cols(const npuop_tensor *tensor);

/*
 * op_rows() - the dimensions before the last of the first operand, joined as far as the strides of
 * all allow it
 * @outer: filled in, as are the operands' rows
 *
 * All operands have these dimensions in common; whether they have one more does not matter.
 */
void op_rows(struct npu_op_outer *outer, const struct op_rows_operand *operands, size_t count);

/* op_rows_blocks() - blocks for rows of @cols elements, about @least elements a block. */
uint32_t op_rows_blocks(const npuop *ops, uint64_t rows, uint64_t cols, uint64_t least);

/* op_rows_check_cols() - may rows be as long as those of @tensor? */
int op_rows_check_cols(npuop *ops, const char *name, const npuop_tensor *tensor);

/* op_in_place() - are two tensors the same view, or do they not share a byte? */
int op_in_place(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
		const npuop_tensor *other);

/* op_vector() - is a tensor one dense row of @count elements? */
int op_vector(npuop *ops, const char *name, const npuop_tensor *tensor, uint64_t count);

#endif /* OP_ROWS_H */
