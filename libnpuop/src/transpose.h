/* SPDX-License-Identifier: MIT */
/* Tensors whose rows are elsewhere than those of the result. */
#ifndef OP_TRANSPOSE_H
#define OP_TRANSPOSE_H

#include "internal.h"

/*
 * op_transpose() - copy @x, repeated, to @out by the kernel for transposes, both checked
 *
 * Returns false, and does nothing, where that is not the way: rows are the same, or none of one
 * of them has neighbours. Else the launch's result is in @err.
 */
bool op_transpose(npuop *ops, const npuop_tensor *x, const npuop_tensor *out, int *err);

/*
 * op_turn() - a copy of @x in the workspace behind @used bytes, with rows as in @out
 *
 * Returns false, and makes none, where that is not needed, would not fit or not help.
 */
bool op_turn(npuop *ops, const npuop_tensor *out, const npuop_tensor *x, uint64_t *used,
	     npuop_tensor *turned, int *err);

#endif /* OP_TRANSPOSE_H */
