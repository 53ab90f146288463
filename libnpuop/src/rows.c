// SPDX-License-Identifier: MIT
/* Tensors as rows, for kernels that take them so. */
#include <inttypes.h>
#include <string.h>

#include "rows.h"

uint64_t op_rows_cols(const npuop_tensor *tensor)
{
	return tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
}

static uint64_t stride_bytes(const npuop_tensor *t, uint32_t dim)
{
	return t->stride[dim] * npuop_dtype_bytes(t->dtype, 1);
}

/* May dimension @dim be the continuation of the last one that was taken, for all operands? */
static bool continues(const struct npu_op_outer *outer, const struct op_rows_operand *operands,
		      size_t count, uint32_t taken, uint32_t dim)
{
	for (size_t i = 0; i < count; i++)
		if (operands[i].tensor &&
		    stride_bytes(operands[i].tensor, dim) !=
			    operands[i].rows->stride[taken - 1] * outer->shape[taken - 1])
			return false;
	return true;
}

void op_rows(struct npu_op_outer *outer, const struct op_rows_operand *operands, size_t count)
{
	const npuop_tensor *first = operands[0].tensor;
	uint32_t taken = 0;

	*outer = (struct npu_op_outer){ .rows = 1, .shape = { 1, 1, 1, 1, 1 } };
	for (size_t i = 0; i < count; i++)
		*operands[i].rows = (struct npu_op_rows){ .base = op_address(operands[i].tensor) };
	for (uint32_t dim = first->rank ? first->rank - 1 : 0; dim--;) {
		const uint64_t extent = first->shape[dim];

		outer->rows *= extent;
		if (extent == 1)
			continue;
		if (taken && continues(outer, operands, count, taken, dim)) {
			outer->shape[taken - 1] *= extent;
			continue;
		}
		outer->shape[taken] = extent;
		for (size_t i = 0; i < count; i++)
			if (operands[i].tensor)
				operands[i].rows->stride[taken] =
					stride_bytes(operands[i].tensor, dim);
		taken++;
	}
}

uint32_t op_rows_blocks(const npuop *ops, uint64_t rows, uint64_t cols, uint64_t least)
{
	return op_blocks(ops, rows, cols < least ? least / cols : 1);
}

int op_rows_check_cols(npuop *ops, const char *name, const npuop_tensor *tensor)
{
	if (op_rows_cols(tensor) <= UINT32_MAX)
		return 0;
	return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: rows of %" PRIu64 " elements", name,
		       op_rows_cols(tensor));
}

static bool same_view(const npuop_tensor *a, const npuop_tensor *b)
{
	if (op_address(a) != op_address(b) || a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (uint32_t i = 0; i < a->rank; i++)
		if (a->shape[i] != b->shape[i] || (a->shape[i] > 1 && a->stride[i] != b->stride[i]))
			return false;
	return true;
}

int op_in_place(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
		const npuop_tensor *other)
{
	return same_view(tensor, other) ? 0 : op_apart(ops, name, tensor, other_name, other);
}

int op_vector(npuop *ops, const char *name, const npuop_tensor *tensor, uint64_t count)
{
	int err = op_shape(ops, name, tensor, 1, &count);

	return err ? err : op_dense(ops, name, tensor);
}
