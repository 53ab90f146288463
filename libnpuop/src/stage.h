/* SPDX-License-Identifier: MIT */
/* Operands that a kernel does not take as they are: dense copies of them, in the workspace. */
#ifndef OP_STAGE_H
#define OP_STAGE_H

#include "internal.h"

#define OP_STAGED 8 /* operands of an operator, at most */

/**
 * struct op_stage - the copies of an operator's operands
 * @used: bytes of the workspace, from its begin on
 */
struct op_stage {
	npuop_tensor dense[OP_STAGED];
	uint32_t count;
	uint64_t used;
};

/* op_stage() - put a dense tensor in the place of *@tensor, with its elements if it is @read */
int op_stage(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, bool read);

/*
 * op_stage_rows() - the same, where the elements of the last dimension are no neighbours; *@tensor
 * may be NULL
 */
int op_stage_rows(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, bool read);

/*
 * op_stage_s4() - put S4 whose rows begin with a byte in the place of *@tensor, whose elements are
 * neighbours along @dim
 */
int op_stage_s4(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, uint32_t dim);

/* op_stage_scratch() - the address of @bytes of the workspace behind the copies */
int op_stage_scratch(npuop *ops, const struct op_stage *stage, uint64_t bytes, uint64_t *address);

/* op_unstage() - bring a result from where the kernel has put it to @tensor */
int op_unstage(npuop *ops, const npuop_tensor *staged, const npuop_tensor *tensor);

#endif /* OP_STAGE_H */
