// SPDX-License-Identifier: MIT
#include <npu_op_s4_rows.h>

#include "rows.h"
#include "stage.h"

#define LEAST 16 /* rows that are worth a block */

/* The rows of a tensor by elements: as those of bytes are. */
static npuop_tensor by_elements(const npuop_tensor *t)
{
	npuop_tensor rows = *t;

	rows.dtype = NPUOP_S8;
	return rows;
}

int op_stage_s4(npuop *ops, struct op_stage *stage, const npuop_tensor **tensor, uint32_t dim)
{
	const uint32_t last = (*tensor)->rank - 1;
	const npuop_tensor view = npuop_tensor_transpose(*tensor, dim, last);
	npuop_tensor even = view, *t = &stage->dense[stage->count], from, to;
	const npuop_tensor *staged = &even;
	struct npu_op_s4_rows_args args = { .cols = view.shape[last] };
	int err;

	even.shape[last] += even.shape[last] % 2;
	err = op_stage(ops, stage, &staged, false);
	if (err)
		return err;
	from = by_elements(&view);
	to = by_elements(t);
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { &from, &args.x }, { &to, &args.out } }, 2);
	t->shape[last] = view.shape[last];
	*t = npuop_tensor_transpose(t, dim, last);
	*tensor = t;
	return op_launch(ops, OP_KERNEL_op_s4_rows, op_blocks(ops, args.outer.rows, LEAST), &args,
			 sizeof(args));
}
