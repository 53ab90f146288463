// SPDX-License-Identifier: MIT
/* Caches in pages, and npuop_cache_append() */
#include <inttypes.h>

#include "cache.h"
#include "rows.h"

int op_check_cache(npuop *ops, const char *name, const npuop_tensor *t, const npuop_tensor *like)
{
	int err;

	if ((err = op_read(ops, name, t, OP_TYPE(like->dtype))) ||
	    (err = op_check_heads(ops, name, t, 1)) || (err = op_inner(ops, name, t)))
		return err;
	return op_shape(ops, name, t, 4,
			(const uint64_t[]){ t->shape[0], t->shape[1], t->shape[2],
					    like->shape[3] });
}

struct npu_op_heads op_new_heads(const npuop_tensor *t)
{
	const npuop_tensor turned = npuop_tensor_transpose(t, 1, 2);

	return op_heads(&turned);
}

struct npu_op_heads op_cache_heads(const npuop_tensor *t)
{
	const uint64_t bytes = npuop_dtype_bytes(t->dtype, 1);

	return (struct npu_op_heads){
		.base = op_address(t),
		.head = t->stride[2] * bytes,
		.position = t->stride[1] * bytes,
	};
}

int op_check_pages(npuop *ops, const npuop_tensor *table, const npuop_tensor *lengths,
		   const npuop_tensor *k_cache, uint64_t batch)
{
	int err;

	if ((err = op_read(ops, "table", table, OP_TYPE(NPUOP_S32))) ||
	    (err = op_rank(ops, "table", table, 2)) ||
	    (err = op_shape(ops, "table", table, 2,
			    (const uint64_t[]){ batch, table->shape[1] })) ||
	    (err = op_read(ops, "lengths", lengths, OP_TYPE(NPUOP_S32))) ||
	    (err = op_shape(ops, "lengths", lengths, 1, &batch)))
		return err;
	if (k_cache->shape[0] > UINT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "k_cache: %" PRIu64 " pages",
			       k_cache->shape[0]);
	if (k_cache->shape[1] && table->shape[1] > NPU_OP_ATTENTION_POSITIONS / k_cache->shape[1])
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "table: %" PRIu64 " pages, of more than %u positions",
			       table->shape[1], NPU_OP_ATTENTION_POSITIONS);
	return 0;
}

int op_stage_pages(npuop *ops, struct op_stage *stage, const npuop_tensor **table,
		   const npuop_tensor **lengths)
{
	int err = op_stage_rows(ops, stage, table, true);

	return err ? err : op_stage_rows(ops, stage, lengths, true);
}

struct npu_op_pages op_pages(const npuop_tensor *table, const npuop_tensor *lengths,
			     const npuop_tensor *k_cache, const npuop_tensor *v_cache)
{
	const uint64_t bytes = npuop_dtype_bytes(k_cache->dtype, 1);

	return (struct npu_op_pages){
		.table = op_address(table),
		.lengths = op_address(lengths),
		.table_pitch = table->stride[0] * 4,
		.k_page = k_cache->stride[0] * bytes,
		.v_page = v_cache->stride[0] * bytes,
		.page_size = (uint32_t)k_cache->shape[1],
		.pages = (uint32_t)k_cache->shape[0],
	};
}

/* k or v of new positions: [batch, positions, heads, dim] */
static int check_new(npuop *ops, const char *name, const npuop_tensor *t,
		     const npuop_tensor *k_cache)
{
	int err;

	if ((err = op_read(ops, name, t, OP_FLOATS)) || (err = op_check_heads(ops, name, t, 1)))
		return err;
	return op_shape(ops, name, t, 4,
			(const uint64_t[]){ t->shape[0], t->shape[1], k_cache->shape[2],
					    k_cache->shape[3] });
}

/* A cache lies over nothing of what is read. */
static int check_apart(npuop *ops, const char *name, const npuop_tensor *cache,
		       const npuop_tensor *const *read)
{
	static const char *const names[] = { "k", "v", "table", "lengths" };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++)
		err = op_apart(ops, name, cache, names[i], read[i]);
	return err;
}

int op_check_append(npuop *ops, const npuop_tensor *k, const npuop_tensor *v,
		    const npuop_tensor *table, const npuop_tensor *lengths,
		    const npuop_tensor *k_cache, const npuop_tensor *v_cache)
{
	const npuop_tensor *const read[] = { k, v, table, lengths };
	int err;

	if ((err = op_write(ops, "k_cache", k_cache, OP_FLOATS)) ||
	    (err = op_check_cache(ops, "k_cache", k_cache, k_cache)) ||
	    (err = op_write(ops, "v_cache", v_cache, OP_TYPE(k_cache->dtype))) ||
	    (err = op_check_cache(ops, "v_cache", v_cache, k_cache)) ||
	    (err = op_same(ops, "v_cache", v_cache, "k_cache", k_cache)) ||
	    (err = check_new(ops, "k", k, k_cache)) || (err = check_new(ops, "v", v, k_cache)) ||
	    (err = op_same(ops, "v", v, "k", k)) ||
	    (err = op_check_pages(ops, table, lengths, k_cache, k->shape[0])) ||
	    (err = op_apart(ops, "k_cache", k_cache, "v_cache", v_cache)) ||
	    (err = check_apart(ops, "k_cache", k_cache, read)) ||
	    (err = check_apart(ops, "v_cache", v_cache, read)))
		return err;
	if (k->dtype != k_cache->dtype || v->dtype != k_cache->dtype)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: its type is not that of the cache",
			       k->dtype != k_cache->dtype ? "k" : "v");
	if (k->shape[3] * npuop_dtype_bytes(k->dtype, 1) > NPU_OP_CACHE_ROW)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "k: dim %" PRIu64, k->shape[3]);
	if (k->shape[0] > UINT32_MAX || k->shape[1] > INT32_MAX || k->shape[2] > UINT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "k: too many positions");
	return 0;
}

int npuop_cache_append(npuop *ops, const npuop_tensor *k, const npuop_tensor *v,
		       const npuop_tensor *table, const npuop_tensor *lengths,
		       const npuop_tensor *k_cache, const npuop_tensor *v_cache)
{
	struct npu_op_cache_append_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	int err = op_check_append(ops, k, v, table, lengths, k_cache, v_cache);

	if (err || !npuop_tensor_elements(k))
		return err;
	if ((err = op_stage_rows(ops, &stage, &k, true)) ||
	    (err = op_stage_rows(ops, &stage, &v, true)) ||
	    (err = op_stage_pages(ops, &stage, &table, &lengths)))
		return err;
	args.k = op_new_heads(k);
	args.v = op_new_heads(v);
	args.k_cache = op_cache_heads(k_cache);
	args.v_cache = op_cache_heads(v_cache);
	args.pages = op_pages(table, lengths, k_cache, v_cache);
	args.batch = (uint32_t)k->shape[0];
	args.heads = (uint32_t)k->shape[2];
	args.positions = (uint32_t)k->shape[1];
	args.capacity = (uint32_t)(table->shape[1] * k_cache->shape[1]);
	args.row_bytes = (uint32_t)(k->shape[3] * npuop_dtype_bytes(k->dtype, 1));
	return op_launch(ops, OP_KERNEL_op_cache_append,
			 op_blocks(ops, k->shape[0] * k->shape[2], 4), &args, sizeof(args));
}
