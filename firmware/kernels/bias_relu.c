/* SPDX-License-Identifier: MIT */
/* Bias of a layer: added to each row, with ReLU if asked for; its gradient, sums of columns. */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define AREA 0x8000 /* bytes of a row's part, of the bias, of the sums */
#define SLOT 0x14000
#define SLOTS_BASE (NPU_UB_BASE + AREA)
_Static_assert(AREA + UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

/* A matrix's columns from c to c + width. */
struct columns {
	uint32_t c, width; /* elements */
	uint32_t bytes; /* of an element */
	uint32_t pitch; /* of a row in UB */
};

static struct columns columns_at(uint32_t c, uint32_t end, uint32_t bytes)
{
	const uint32_t width = npu_min(AREA / bytes, end - c);

	return (struct columns){ c, width, bytes, npu_align(width * bytes) };
}

static uint32_t rows_per_slot(const struct columns *cols)
{
	return npu_min(SLOT / cols->pitch, 1024);
}

/* The rows of one block, all of the same columns. */
static void add_bias(const struct npu_bias_args *args, const struct columns *cols,
		     struct npu_span rows)
{
	const uint32_t most = rows_per_slot(cols), row_bytes = cols->width * cols->bytes;
	const uint64_t ldx = (uint64_t)args->ldx * cols->bytes;
	const uint64_t ldout = (uint64_t)args->ldout * cols->bytes;
	const uint64_t x = args->x + cols->c * cols->bytes;
	const uint64_t out = args->out + cols->c * cols->bytes;
	unsigned int slot = 0;

	ub_begin();
	npu_copy(NPU_UB_BASE, args->bias + cols->c * cols->bytes, row_bytes);
	for (uint64_t r = rows.begin; r < rows.end; r += most, slot = !slot) {
		const uint32_t n = npu_min(most, rows.end - r);
		const npu_addr at = SLOTS_BASE + slot * SLOT;

		ub_acquire(slot);
		npu_copy_2d(at, x + r * ldx, row_bytes, n, cols->pitch, ldx);
		ub_loaded(slot);
		npu_vec_rows(n, cols->pitch, cols->pitch, 0);
		npu_vadd(at, at, NPU_UB_BASE, cols->width, args->dtype);
		if (args->flags & NPU_BIAS_RELU)
			npu_vrelu(at, at, cols->width, args->dtype);
		ub_computed(slot);
		npu_copy_2d(out + r * ldout, at, row_bytes, n, ldout, cols->pitch);
		ub_release(slot);
	}
	ub_end();
}

NPU_ARGS(bias_relu, struct npu_bias_args, in(x), in(bias), out(out), value(rows), value(cols),
	 value(ldx), value(ldout), value(dtype), value(flags));

NPU_KERNEL(bias_relu, struct npu_bias_args)
{
	const struct npu_span rows = npu_split(args->rows, 1, block, blocks);
	const uint32_t bytes = npu_dtype_bytes(args->dtype);

	for (uint32_t c = 0; c < args->cols;) {
		const struct columns cols = columns_at(c, args->cols, bytes);

		add_bias(args, &cols, rows);
		c += cols.width;
	}
}

static void sum_columns(const struct npu_bias_grad_args *args, const struct columns *cols)
{
	const uint32_t most = rows_per_slot(cols), row_bytes = cols->width * cols->bytes;
	const uint64_t ldx = (uint64_t)args->ldx * cols->bytes;
	const uint64_t x = args->x + cols->c * cols->bytes;
	unsigned int slot = 0;

	ub_begin();
	npu_vec_one_row();
	npu_vdup(NPU_UB_BASE, 0, cols->width, args->dtype);
	for (uint64_t r = 0; r < args->rows; r += most, slot = !slot) {
		const uint32_t n = npu_min(most, args->rows - r);
		const npu_addr at = SLOTS_BASE + slot * SLOT;

		ub_acquire(slot);
		npu_copy_2d(at, x + r * ldx, row_bytes, n, cols->pitch, ldx);
		ub_loaded(slot);
		npu_vec_rows(n, 0, 0, cols->pitch);
		npu_vadd(NPU_UB_BASE, NPU_UB_BASE, at, cols->width, args->dtype);
		ub_computed(slot);
		ub_release(slot);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy(args->out + cols->c * cols->bytes, NPU_UB_BASE, row_bytes);
	ub_end();
	/* The sums are stored before the next columns' overwrite them. */
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

NPU_ARGS(bias_grad, struct npu_bias_grad_args, in(x), out(out), value(rows), value(cols),
	 value(ldx), value(dtype));

NPU_KERNEL(bias_grad, struct npu_bias_grad_args)
{
	const struct npu_span mine = npu_split(args->cols, 64, block, blocks);
	const uint32_t bytes = npu_dtype_bytes(args->dtype);

	for (uint32_t c = mine.begin; c < mine.end;) {
		const struct columns cols = columns_at(c, mine.end, bytes);

		sum_columns(args, &cols);
		c += cols.width;
	}
}
