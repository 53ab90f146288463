// SPDX-License-Identifier: MIT
#include "stage.h"

#define ALIGN 64 /* bytes */

int op_stage(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, bool read)
{
	const npuop_tensor *view = *tensor;
	npuop_tensor *t = &stage->dense[stage->count++];
	uint64_t bytes = npuop_dtype_bytes(view->dtype, npuop_tensor_elements(view)), address;
	int err;

	*t = npuop_tensor_dense(ops->workspace, stage->used, view->dtype, view->rank, view->shape);
	*tensor = t;
	stage->used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
	err = op_workspace(ops, stage->used, &address);
	return err || !read ? err : npuop_copy(ops, view, t);
}

int op_stage_rows(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, bool read)
{
	return !*tensor || op_has_rows(*tensor) ? 0 : op_stage(ops, stage, tensor, read);
}

int op_stage_scratch(npuop *ops, const struct op_stage *stage, uint64_t bytes, uint64_t *address)
{
	int err = op_workspace(ops, stage->used + bytes, address);

	*address += stage->used;
	return err;
}

int op_unstage(npuop *ops, const npuop_tensor *staged, const npuop_tensor *tensor)
{
	return staged == tensor ? 0 : npuop_copy(ops, staged, tensor);
}
