/* SPDX-License-Identifier: MIT */
/* Convolutions as products of matrices, of which one is made of patches of images. */
#include "gemm_output.h"
#include "patches.h"

/* load() of an operand with a row for each pixel: of m, or of k if it is transposed. */
static void load_patches(const struct gemm_operand *op, npu_addr dst, const struct gemm_part *part)
{
	if (op->k_rows)
		patches_load(op->source, dst, op->l1_pitch, part->k0, part->kt, part->at,
			     part->extent);
	else
		patches_load(op->source, dst, op->l1_pitch, part->at, part->extent, part->k0,
			     part->kt);
}

static struct gemm_operand patches_operand(const struct npu_op_patches *patches, uint32_t k_rows)
{
	return (struct gemm_operand){
		.k_rows = k_rows,
		.pipe = NPU_PIPE_MTE2,
		.load = load_patches,
		.source = patches,
	};
}

/* The weights of the taps below each other, or beside each other if they are transposed. */
static void load_weights(const struct gemm_operand *op, npu_addr dst, const struct gemm_part *part)
{
	const struct npu_op_conv_args *args = op->source;
	const struct npu_op_patches *p = &args->patches;
	const uint32_t bytes = npu_dtype_bytes(p->dtype);
	struct patch_tap tap;

	if (p->channels != p->tap_channels)
		npu_fill(dst, 0, (op->k_rows ? part->kt : part->extent) * op->l1_pitch, 8);
	for (uint32_t k = 0; k < part->kt; k += tap.columns) {
		npu_addr src = args->weight;

		tap = patch_tap_at(p, part->k0 + k, part->k0 + part->kt);
		if (!tap.count)
			continue;
		src += tap.row * args->tap_stride[0] + tap.col * args->tap_stride[1];
		if (op->k_rows)
			npu_copy_2d(dst + k * op->l1_pitch,
				    src + tap.first * args->ld + part->at * bytes,
				    part->extent * bytes, tap.count, op->l1_pitch, args->ld);
		else
			npu_copy_2d(dst + k * bytes, src + part->at * args->ld + tap.first * bytes,
				    tap.count * bytes, part->extent, op->l1_pitch, args->ld);
	}
}

/* Columns of the matrix of patches. */
static uint32_t patch_columns(const struct npu_op_patches *patches)
{
	return patches->taps[0] * patches->taps[1] * patches->tap_channels;
}

NPU_ARGS(op_conv, struct npu_op_conv_args, in(patches.image), in(weight), out(out.c), value(m),
	 value(n));

NPU_KERNEL(op_conv, struct npu_op_conv_args)
{
	struct output out = output_of(&args->out, NPU_F32, OUTPUT_AREA_MAX);
	struct gemm g = {
		.a = patches_operand(&args->patches, 0),
		.b = { .k_rows = args->out.flags & NPU_OP_GEMM_K_ROWS_B,
		       .pipe = NPU_PIPE_MTE2,
		       .load = load_weights,
		       .source = args },
		.batches = 1,
		.m = args->m,
		.n = args->n,
		.k = patch_columns(&args->patches),
		.tile_m = args->tile_m,
		.tile_n = args->tile_n,
		.in = args->patches.dtype,
		.store = output_store,
		.context = &out,
	};

	gemm_plan(&g);
	output_begin(&out);
	gemm_run(&g, npu_split(gemm_tiles(&g), 1, block, blocks));
	output_end(&out);
}

/* Rows of padding have no place in memory. */
static void store_weights(const struct gemm *g, const struct gemm_tile *t, npu_addr l0c)
{
	const struct npu_op_conv_weight_args *args = g->context;
	const uint32_t pitch = npu_align(t->nt * 4);
	struct patch_tap tap;

	for (uint32_t i = 0; i < t->mt; i += tap.columns) {
		npu_addr c = args->c + t->n0 * 4;

		tap = patch_tap_at(&args->patches, t->m0 + i, t->m0 + t->mt);
		c += tap.row * args->tap_stride[0] + tap.col * args->tap_stride[1];
		npu_fixpipe(c + tap.first * args->ldc, l0c + i * pitch, tap.count, t->nt, args->ldc,
			    NPU_F32, NPU_F32, 0, 0);
	}
}

NPU_ARGS(op_conv_weight, struct npu_op_conv_weight_args, in(patches.image), in(b), out(c), value(n),
	 value(k));

NPU_KERNEL(op_conv_weight, struct npu_op_conv_weight_args)
{
	struct gemm g = {
		.a = patches_operand(&args->patches, 1),
		.b = { .base = args->b, .pitch = args->ldb, .k_rows = 1, .pipe = NPU_PIPE_MTE2 },
		.batches = 1,
		.m = patch_columns(&args->patches),
		.n = args->n,
		.k = args->k,
		.tile_m = args->tile_m,
		.tile_n = args->tile_n,
		.in = args->patches.dtype,
		.store = store_weights,
		.context = (void *)args,
	};

	gemm_plan(&g);
	gemm_run(&g, npu_split(gemm_tiles(&g), 1, block, blocks));
}

/* load() of a row of ones. */
static void load_ones(const struct gemm_operand *op, npu_addr dst, const struct gemm_part *part)
{
	static const uint32_t ones[] = {
		[NPU_F32] = 0x3f800000, [NPU_F16] = 0x3c00, [NPU_BF16] = 0x3f80
	};
	const struct npu_op_column_sums_args *args = op->source;
	const uint32_t bytes = npu_dtype_bytes(args->dtype);

	npu_fill(dst, ones[args->dtype], part->kt * bytes, bytes);
}

static void store_sums(const struct gemm *g, const struct gemm_tile *t, npu_addr l0c)
{
	const struct npu_op_column_sums_args *args = g->context;

	npu_fixpipe(args->out + t->n0 * 4, l0c, 1, t->nt, 0, NPU_F32, NPU_F32, 0, 0);
}

NPU_ARGS(op_column_sums, struct npu_op_column_sums_args, in(x), out(out), value(rows), value(cols),
	 value(dtype));

/* A product with a row of ones. */
NPU_KERNEL(op_column_sums, struct npu_op_column_sums_args)
{
	struct gemm g = {
		.a = { .pipe = NPU_PIPE_MTE2, .load = load_ones, .source = args },
		.b = { .base = args->x, .pitch = args->ld, .k_rows = 1, .pipe = NPU_PIPE_MTE2 },
		.batches = 1,
		.m = 1,
		.n = args->cols,
		.k = args->rows,
		.tile_m = 1,
		.tile_n = args->tile_n,
		.in = args->dtype,
		.store = store_sums,
		.context = (void *)args,
	};

	gemm_plan(&g);
	gemm_run(&g, npu_split(gemm_tiles(&g), 1, block, blocks));
}
