// SPDX-License-Identifier: MIT
/* npuop_gemm() */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gemm.h"
#include "stage.h"

#define DIMS NPU_OP_GEMM_BATCH
#define MOST INT32_MAX /* of m, n and k */

_Static_assert(NPUOP_MAX_RANK - 2 <= DIMS, "a batch has more dimensions than the kernel takes");

/*
 * A matrix of each product as the kernel sees it: rows of neighbours, @ld bytes apart, along its
 * first dimension or, if it is @turned, along its second. One that has neither, or rows that begin
 * in the middle of a byte, is @staged: a copy takes its place.
 */
struct matrix {
	const char *name;
	const npuop_tensor *tensor;
	uint64_t ld;
	bool turned, staged;
	uint64_t stride[DIMS]; /* bytes from product to product, innermost dimension first */
};

struct product {
	npuop *ops;
	struct op_stage *stage;
	npuop_gemm_attr attr;
	struct matrix a, b, c, pre, scale; /* the last of S4's groups */
	uint64_t batch[DIMS];
	uint32_t dims;
	uint64_t m, n, k;
	struct npu_op_gemm_args args;
};

static const uint64_t *extents(const struct matrix *x)
{
	return x->tensor->shape + x->tensor->rank - 2;
}

static uint64_t bytes_of(const struct matrix *x, uint64_t elements)
{
	return npuop_dtype_bytes(x->tensor->dtype, elements);
}

static int take_form(npuop *ops, struct matrix *x, bool turned)
{
	x->turned = turned;
	x->ld = bytes_of(x, x->tensor->stride[x->tensor->rank - 2 + turned]);
	if (extents(x)[turned] > 1 && x->ld > UINT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: rows more than 4 GiB apart",
			       x->name);
	return 0;
}

/* Which way round is it stored? */
static int find_form(npuop *ops, struct matrix *x)
{
	const uint64_t *shape = extents(x), *stride = x->tensor->stride + x->tensor->rank - 2;
	const bool column = shape[1] == 1 && stride[0] == 1;

	if (shape[0] > MOST || shape[1] > MOST)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "%s: a dimension of more than 2^31 - 1", x->name);
	if (stride[1] == 1 && !column)
		return take_form(ops, x, false);
	if (stride[0] == 1)
		return take_form(ops, x, true);
	x->staged = shape[0] > 1 && shape[1] > 1;
	return x->staged ? 0 : take_form(ops, x, shape[1] > 1);
}

static int take_matrix(npuop *ops, struct matrix *x, uint32_t types, bool written)
{
	int err = (written ? op_write : op_read)(ops, x->name, x->tensor, types);

	if (!err && x->tensor->rank < 2)
		err = op_fail(ops, NPURT_ERROR_INVALID, "%s: rank %u, less than 2", x->name,
			      x->tensor->rank);
	return err ? err : find_form(ops, x);
}

static int check_types(struct product *p)
{
	npuop *ops = p->ops;
	const uint32_t half = OP_TYPE(NPUOP_F16) | OP_TYPE(NPUOP_BF16);
	uint32_t b_types, c_types = OP_FLOATS;
	int err = take_matrix(ops, &p->a, OP_FLOATS | OP_TYPE(NPUOP_S8), false);

	if (err)
		return err;
	b_types = OP_TYPE(p->a.tensor->dtype);
	if (b_types & half)
		b_types |= OP_TYPE(NPUOP_S4);
	if (p->a.tensor->dtype == NPUOP_S8)
		c_types |= OP_TYPE(NPUOP_S32) | OP_TYPE(NPUOP_S8);
	err = take_matrix(ops, &p->b, b_types, false);
	return err ? err : take_matrix(ops, &p->c, c_types, true);
}

static int check_extent(npuop *ops, const struct matrix *x, int i, uint64_t want)
{
	const uint64_t is = extents(x)[i];

	if (is == want)
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "%s: %" PRIu64 " %s, not %" PRIu64, x->name, is,
		       i ? "columns" : "rows", want);
}

static int check_extents(struct product *p)
{
	int err;

	p->m = extents(&p->a)[0];
	p->k = extents(&p->a)[1];
	p->n = extents(&p->b)[1];
	err = check_extent(p->ops, &p->b, 0, p->k);
	if (!err)
		err = check_extent(p->ops, &p->c, 0, p->m);
	return err ? err : check_extent(p->ops, &p->c, 1, p->n);
}

/* Extent of a batch dimension, the innermost first; what is not there is 1. */
static uint64_t batch_extent(const struct matrix *x, uint32_t d)
{
	return d + 2 < x->tensor->rank ? x->tensor->shape[x->tensor->rank - 3 - d] : 1;
}

/* An operand's batch is C's, or repeated. */
static int take_batch(struct product *p, struct matrix *x)
{
	for (uint32_t d = 0; d < DIMS; d++) {
		const uint64_t is = batch_extent(x, d), want = batch_extent(&p->c, d);

		if (is != want && is != 1)
			return op_fail(p->ops, NPURT_ERROR_INVALID,
				       "%s: a batch of %" PRIu64 ", not %" PRIu64 " as c", x->name,
				       is, want);
		x->stride[d] = is > 1 ? bytes_of(x, x->tensor->stride[x->tensor->rank - 3 - d]) : 0;
	}
	return 0;
}

static int check_batches(struct product *p)
{
	int err = take_batch(p, &p->a);

	if (!err)
		err = take_batch(p, &p->b);
	if (!err)
		err = take_batch(p, &p->c);
	for (uint32_t d = 0; !err && d < DIMS; d++) {
		p->batch[d] = batch_extent(&p->c, d);
		if (p->batch[d] > 1 && batch_extent(&p->a, d) == 1 && batch_extent(&p->b, d) == 1)
			err = op_fail(p->ops, NPURT_ERROR_INVALID,
				      "c: a batch of %" PRIu64 ", which neither a nor b has",
				      p->batch[d]);
	}
	return err;
}

static int check_pre(struct product *p)
{
	int err;

	p->pre = (struct matrix){ .name = "pre", .tensor = p->attr.pre };
	if (!p->attr.pre)
		return 0;
	err = take_matrix(p->ops, &p->pre, OP_TYPE(p->c.tensor->dtype), true);
	if (!err)
		err = op_same(p->ops, "pre", p->attr.pre, "c", p->c.tensor);
	if (p->c.staged || p->pre.staged || p->c.turned != p->pre.turned) {
		/* The kernel writes both the same way. */
		p->c.staged |= p->c.turned;
		p->pre.staged |= p->pre.turned;
	}
	return err ? err : take_batch(p, &p->pre);
}

/* A factor for all, or one for each of @count. */
static int check_scale(struct product *p, const char *name, const npuop_tensor *scale,
		       uint64_t count, uint32_t flag, uint64_t *address)
{
	const uint64_t one = 1;
	int err;

	if (!scale)
		return 0;
	if (p->a.tensor->dtype != NPUOP_S8)
		return op_fail(p->ops, NPURT_ERROR_INVALID, "%s: is for integers", name);
	err = op_read(p->ops, name, scale, OP_TYPE(NPUOP_F32));
	if (!err)
		err = op_inner(p->ops, name, scale);
	if (err)
		return err;
	*address = op_address(scale);
	if (scale->rank == 1 && scale->shape[0] == one)
		return 0;
	p->args.out.flags |= flag;
	return op_shape(p->ops, name, scale, 1, &count);
}

/* Those of groups of k of an S4 matrix. */
static int check_group_scales(struct product *p)
{
	const npuop_tensor *scale = p->attr.scale_b;
	const uint64_t group = p->attr.group;
	int err;

	p->scale = (struct matrix){ .name = "scale_b", .tensor = scale };
	if (!group || group % 32 || p->k % group)
		return op_fail(p->ops, NPURT_ERROR_INVALID,
			       "group: %" PRIu64 ", not a multiple of 32 that divides %" PRIu64,
			       group, p->k);
	err = op_read(p->ops, "scale_b", scale, OP_TYPE(NPUOP_F32));
	if (!err && scale->rank < 2)
		err = op_rank(p->ops, "scale_b", scale, 2);
	if (!err)
		err = check_extent(p->ops, &p->scale, 0, p->k / group);
	if (!err)
		err = check_extent(p->ops, &p->scale, 1, p->n);
	if (!err)
		err = take_batch(p, &p->scale);
	if (err)
		return err;
	p->scale.staged = !p->b.turned && !op_has_rows(scale);
	if (p->n > 1 && scale->stride[scale->rank - 1] > UINT32_MAX / sizeof(float))
		return op_fail(p->ops, NPURT_ERROR_UNSUPPORTED,
			       "scale_b: columns more than 4 GiB apart");
	p->args.group = p->attr.group;
	return 0;
}

/* Rows of 4 bits begin with a byte, or are staged. */
static int check_s4(struct product *p)
{
	const npuop_tensor *b = p->b.tensor;
	bool whole =
		extents(&p->b)[p->b.turned] <= 1 || b->stride[b->rank - 2 + p->b.turned] % 2 == 0;

	for (uint32_t i = 0; i + 2 < b->rank; i++)
		whole &= b->shape[i] <= 1 || b->stride[i] % 2 == 0;
	if (p->b.staged)
		return op_fail(p->ops, NPURT_ERROR_UNSUPPORTED,
			       "b: neither of the last two strides of S4 is 1");
	p->b.staged = !whole;
	if (p->attr.scale_a)
		return op_fail(p->ops, NPURT_ERROR_INVALID, "scale_a: is for integers");
	return check_group_scales(p);
}

/* S32 results are the sums. */
static int check_sums(struct product *p)
{
	const npuop_gemm_attr *attr = &p->attr;

	if (p->c.tensor->dtype != NPUOP_S32)
		return 0;
	if (attr->bias || attr->scale_a || attr->scale_b || attr->pre || p->args.out.scale != 1 ||
	    attr->activation > NPUOP_ACT_RELU)
		return op_fail(p->ops, NPURT_ERROR_UNSUPPORTED,
			       "c: S32 takes sums as they are, or with RELU");
	return 0;
}

static int check_attr(struct product *p)
{
	struct npu_op_output *out = &p->args.out;
	const npuop_gemm_attr *attr = &p->attr;
	int err = op_activation(p->ops, attr->activation);

	out->activation = attr->activation;
	out->scale = attr->scale == 0 ? 1 : attr->scale;
	if (attr->flags & NPUOP_GEMM_ACCUMULATE)
		out->flags |= NPU_OP_GEMM_ACCUMULATE;
	if (!err && attr->flags & NPUOP_GEMM_ACCUMULATE && p->c.tensor->dtype != NPUOP_F32)
		err = op_fail(p->ops, NPURT_ERROR_UNSUPPORTED, "c: is not F32, and accumulates");
	if (!err)
		err = op_bias(p->ops, attr->bias, p->n, p->c.tensor->dtype, out);
	if (!err && p->b.tensor->dtype == NPUOP_S4)
		return check_s4(p);
	if (!err && attr->group)
		err = op_fail(p->ops, NPURT_ERROR_INVALID, "group: is for S4");
	if (!err)
		err = check_scale(p, "scale_a", attr->scale_a, p->m, NPU_OP_GEMM_SCALES_M,
				  &out->scale_m);
	if (!err)
		err = check_scale(p, "scale_b", attr->scale_b, p->n, NPU_OP_GEMM_SCALES_N,
				  &out->scale_n);
	return err ? err : check_sums(p);
}

/* What is written lies over nothing else. */
static int check_apart(struct product *p)
{
	const struct {
		const char *name;
		const npuop_tensor *tensor;
	} read[] = { { "a", p->a.tensor },
		     { "b", p->b.tensor },
		     { "bias", p->attr.bias },
		     { "scale_a", p->attr.scale_a },
		     { "scale_b", p->attr.scale_b } };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(read) / sizeof(read[0]); i++) {
		if (!read[i].tensor)
			continue;
		err = op_apart(p->ops, "c", p->c.tensor, read[i].name, read[i].tensor);
		if (!err && p->attr.pre)
			err = op_apart(p->ops, "pre", p->attr.pre, read[i].name, read[i].tensor);
	}
	if (!err && p->attr.pre)
		err = op_apart(p->ops, "pre", p->attr.pre, "c", p->c.tensor);
	return err;
}

/* A transposed C is the product of the transposed the other way round. */
static void turn(struct product *p)
{
	const uint32_t by_m = NPU_OP_GEMM_SCALES_M, by_n = NPU_OP_GEMM_SCALES_N;
	struct npu_op_output *out = &p->args.out;
	const uint32_t flags = out->flags & ~(by_m | by_n);
	const struct matrix a = p->a;
	const uint64_t m = p->m, scale_m = out->scale_m;

	p->a = p->b;
	p->b = a;
	p->a.turned = !p->a.turned;
	p->b.turned = !p->b.turned;
	p->m = p->n;
	p->n = m;
	out->scale_m = out->scale_n;
	out->scale_n = scale_m;
	out->flags = flags | (out->flags & by_m ? by_n : 0) | (out->flags & by_n ? by_m : 0) |
		     NPU_OP_GEMM_BIAS_M;
	if (p->a.tensor->dtype == NPUOP_S4)
		out->flags |= NPU_OP_GEMM_S4_A;
}

/* Does a matrix go on as it does inside dimension @d when that is left? */
static bool goes_on(const struct matrix *x, uint32_t d, uint32_t inner, uint64_t extent)
{
	return x->stride[d] == x->stride[inner] * extent;
}

/* Dimensions of a batch that are one for all matrices become one. */
static void join_batches(struct product *p)
{
	struct matrix *const x[] = { &p->a, &p->b, &p->c, &p->pre, &p->scale };
	uint32_t n = 0;

	for (uint32_t d = 0; d < DIMS; d++) {
		bool joins = n > 0;

		if (p->batch[d] == 1)
			continue;
		for (size_t i = 0; i < sizeof(x) / sizeof(x[0]) && joins; i++)
			joins = goes_on(x[i], d, n - 1, p->batch[n - 1]);
		if (joins) {
			p->batch[n - 1] *= p->batch[d];
			continue;
		}
		for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
			x[i]->stride[n] = x[i]->stride[d];
		p->batch[n++] = p->batch[d];
	}
	p->dims = n;
	for (; n < DIMS; n++)
		p->batch[n] = 1;
}

/*
 * Products with one B, whose rows of A and C go on from one to the next, are one product. Single
 * rows may be further apart than those of one.
 */
static void join_rows(struct product *p)
{
	const uint32_t by_row = NPU_OP_GEMM_SCALES_M | NPU_OP_GEMM_BIAS_M;

	if (p->dims != 1 || p->b.stride[0] || p->scale.stride[0] || p->a.turned ||
	    p->args.out.flags & by_row || p->a.stride[0] != p->m * p->a.ld ||
	    p->c.stride[0] != p->m * p->c.ld || p->pre.stride[0] != p->m * p->pre.ld ||
	    p->m * p->batch[0] > MOST || (p->a.ld | p->c.ld | p->pre.ld) > UINT32_MAX)
		return;
	p->m *= p->batch[0];
	p->batch[0] = 1;
	p->dims = 0;
}

static bool is_s4(const struct product *p)
{
	return p->a.tensor->dtype == NPUOP_S4 || p->b.tensor->dtype == NPUOP_S4;
}

/* All but what depends on the kernel. */
static void fill_args(struct product *p)
{
	struct npu_op_gemm_args *args = &p->args;

	args->a = op_address(p->a.tensor);
	args->b = op_address(p->b.tensor);
	args->scale_s4 = op_address(p->scale.tensor);
	if (p->scale.tensor) {
		const uint64_t *stride = p->scale.tensor->stride + p->scale.tensor->rank - 2;

		args->scale_row = stride[0] * sizeof(float);
		args->scale_col = stride[1] * sizeof(float);
	}
	args->lda = p->a.ld;
	args->ldb = p->b.ld;
	args->out.c = op_address(p->c.tensor);
	args->out.pre = op_address(p->pre.tensor);
	args->out.ldc = p->c.ld;
	args->out.ld_pre = p->pre.ld;
	args->out.dtype = p->c.tensor->dtype;
	args->out.flags |=
		(p->a.turned ? NPU_OP_GEMM_K_ROWS_A : 0) | (p->b.turned ? 0 : NPU_OP_GEMM_K_ROWS_B);
	args->m = (uint32_t)p->m;
	args->n = (uint32_t)p->n;
	args->k = (uint32_t)p->k;
	args->in = (p->a.tensor->dtype == NPUOP_S4 ? p->b : p->a).tensor->dtype;
	for (uint32_t d = 0; d < DIMS; d++) {
		args->batch[d] = p->batch[d];
		args->a_stride[d] = p->a.stride[d];
		args->b_stride[d] = p->b.stride[d];
		args->scale_stride[d] = p->scale.stride[d];
		args->c_stride[d] = p->c.stride[d];
		args->pre_stride[d] = p->pre.stride[d];
	}
}

static int launch_tiles(struct product *p)
{
	struct npu_op_gemm_args *args = &p->args;
	struct npu_op_gemm_small_args small;
	uint64_t batches = 1, tiles;
	double flop;

	for (uint32_t d = 0; d < DIMS; d++)
		batches *= args->batch[d];
	tiles = op_tiles(p->ops, batches, args->m, args->n, &args->tile_m, &args->tile_n);
	flop = 2.0 * args->tile_m * args->tile_n * p->k;
	if (!is_s4(p) && op_gemm_small(args, &small))
		return op_launch(p->ops, OP_KERNEL_op_gemm_small,
				 op_tile_blocks(p->ops, (tiles + small.turn - 1) / small.turn,
						flop * small.turn),
				 &small, sizeof(small));
	return op_launch(p->ops, is_s4(p) ? OP_KERNEL_op_gemm_s4 : OP_KERNEL_op_gemm,
			 op_tile_blocks(p->ops, tiles, flop), args, sizeof(*args));
}

static int launch_thin(struct product *p, bool normalizes)
{
	const struct npu_op_gemm_thin_args args = {
		.gemm = p->args,
		.gamma = normalizes ? op_address(p->attr.gamma) : 0,
		.eps = p->attr.eps,
		.flags = normalizes ? NPU_OP_GEMM_THIN_NORM : 0,
	};

	return op_gemm_thin(p->ops, &args);
}

/* gamma, and what it is for. */
static int check_norm(struct product *p)
{
	const npuop_tensor *a = p->a.tensor, *gamma = p->attr.gamma;
	int err;

	if (!(p->attr.flags & NPUOP_GEMM_RMS_NORM))
		return gamma ? op_fail(p->ops, NPURT_ERROR_INVALID,
				       "gamma: is for NPUOP_GEMM_RMS_NORM")
			     : 0;
	if (a->dtype == NPUOP_S8)
		return op_fail(p->ops, NPURT_ERROR_UNSUPPORTED, "a: S8 is not normalised");
	if (!gamma)
		return 0;
	if ((err = op_read(p->ops, "gamma", gamma, OP_TYPE(a->dtype) | OP_TYPE(NPUOP_F32))) ||
	    (err = op_shape(p->ops, "gamma", gamma, 1, &p->k)) ||
	    (err = op_inner(p->ops, "gamma", gamma)) ||
	    (err = op_apart(p->ops, "c", p->c.tensor, "gamma", gamma)))
		return err;
	return p->attr.pre ? op_apart(p->ops, "pre", p->attr.pre, "gamma", gamma) : 0;
}

/* Does the kernel of few rows normalise those of A? */
static bool normalizes(const struct product *p, const npuop_tensor *a)
{
	const npuop_tensor *gamma = p->attr.gamma;

	return p->a.tensor == a && a->dtype == NPUOP_F32 && (!gamma || gamma->dtype == NPUOP_F32) &&
	       op_gemm_norm_fits(p->m, p->k);
}

static int run(npuop *ops, struct op_stage *stage, const npuop_gemm_attr *attr,
	       const npuop_tensor *a, const npuop_tensor *b, const npuop_tensor *c);

/*
 * The workspace gets the normalised rows, all other operands stay. The norm may use its begin as
 * well, for nothing but these rows: it comes before all other copies.
 */
static int normalize_first(struct product *p, const npuop_tensor *a, const npuop_tensor *b,
			   const npuop_tensor *c)
{
	const npuop_tensor *rows = a;
	npuop_gemm_attr rest = p->attr;
	int err = op_stage(p->ops, p->stage, &rows, false);

	rest.flags &= ~NPUOP_GEMM_RMS_NORM;
	rest.gamma = NULL;
	if (!err)
		err = npuop_rms_norm(p->ops, a, p->attr.gamma, p->attr.eps, rows, NULL);
	return err ? err : run(p->ops, p->stage, &rest, rows, b, c);
}

static int launch(struct product *p, const npuop_tensor *a, const npuop_tensor *b,
		  const npuop_tensor *c)
{
	const bool norm = p->attr.flags & NPUOP_GEMM_RMS_NORM;
	const bool thin = !is_s4(p) && op_gemm_is_thin(&p->args);

	if (norm && !(thin && normalizes(p, a)))
		return normalize_first(p, a, b, c);
	return thin ? launch_thin(p, norm) : launch_tiles(p);
}

static int check(struct product *p)
{
	int err = check_types(p);

	if (!err)
		err = check_extents(p);
	if (!err)
		err = check_batches(p);
	if (!err)
		err = check_attr(p);
	if (!err)
		err = check_norm(p);
	if (!err)
		err = check_pre(p);
	return err ? err : check_apart(p);
}

static bool any_staged(const struct product *p)
{
	return p->a.staged || p->b.staged || p->c.staged || p->pre.staged || p->scale.staged;
}

static int stage_matrix(struct product *p, struct matrix *x, bool read)
{
	const bool s4 = x->staged && x->tensor->dtype == NPUOP_S4;
	int err;

	if (!x->staged)
		return 0;
	if (s4)
		err = op_stage_s4(p->ops, p->stage, &x->tensor, x->tensor->rank - 1 - x->turned);
	else
		err = op_stage(p->ops, p->stage, &x->tensor, read);
	if (!err)
		err = take_form(p->ops, x, s4 && x->turned);
	return err ? err : take_batch(p, x);
}

static int stage_all(struct product *p)
{
	int err;

	if ((err = stage_matrix(p, &p->a, true)) || (err = stage_matrix(p, &p->b, true)) ||
	    (err = stage_matrix(p, &p->c, p->attr.flags & NPUOP_GEMM_ACCUMULATE)) ||
	    (err = stage_matrix(p, &p->pre, false)))
		return err;
	return stage_matrix(p, &p->scale, true);
}

static int run(npuop *ops, struct op_stage *stage, const npuop_gemm_attr *attr,
	       const npuop_tensor *a, const npuop_tensor *b, const npuop_tensor *c)
{
	struct product p = {
		.ops = ops,
		.stage = stage,
		.a = { .name = "a", .tensor = a },
		.b = { .name = "b", .tensor = b },
		.c = { .name = "c", .tensor = c },
	};
	int err = op_take(ops, "npuop_gemm_attr", NPUOP_GEMM_ACCUMULATE | NPUOP_GEMM_RMS_NORM,
			  &p.attr, sizeof(p.attr), attr);

	if (!err)
		err = check(&p);
	if (err || !npuop_tensor_elements(c))
		return err;
	if (any_staged(&p) && p.attr.flags & NPUOP_GEMM_RMS_NORM)
		return normalize_first(&p, a, b, c);
	err = stage_all(&p);
	if (err)
		return err;
	if (p.c.turned)
		turn(&p);
	join_batches(&p);
	join_rows(&p);
	fill_args(&p);
	if ((err = launch(&p, a, b, c)) || (err = op_unstage(ops, p.c.tensor, c)))
		return err;
	return op_unstage(ops, p.pre.tensor, p.attr.pre);
}

int npuop_gemm(npuop *ops, const npuop_gemm_attr *attr, const npuop_tensor *a,
	       const npuop_tensor *b, const npuop_tensor *c)
{
	struct op_stage stage = { .count = 0 };

	return run(ops, &stage, attr, a, b, c);
}
