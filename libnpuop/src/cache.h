/* SPDX-License-Identifier: MIT */
/* Heads in tensors, and caches of keys and values in pages. */
#ifndef OP_CACHE_H
#define OP_CACHE_H

#include <npu_op_attention.h>

#include "stage.h"

/* op_heads() - of a tensor [batch, heads, positions, ...] */
struct npu_op_heads op_heads(const npuop_tensor *t);

/* op_check_heads() - has it rank 4, and positions, dimension @position, for a copy to step over? */
int op_check_heads(npuop *ops, const char *name, const npuop_tensor *t, uint32_t position);

/* op_new_heads() - of new positions, [batch, positions, heads, dim] */
struct npu_op_heads op_new_heads(const npuop_tensor *t);

/* op_cache_heads() - of a cache [pages, page size, heads, dim] */
struct npu_op_heads op_cache_heads(const npuop_tensor *t);

/*
 * op_check_cache() - is it a cache of the type and dim of @like, [.., .., .., dim], which has rows,
 * as it is too large to be staged?
 */
int op_check_cache(npuop *ops, const char *name, const npuop_tensor *t, const npuop_tensor *like);

/* op_check_pages() - are these the table and the lengths of @batch sequences in a cache? */
int op_check_pages(npuop *ops, const npuop_tensor *table, const npuop_tensor *lengths,
		   const npuop_tensor *k_cache, uint64_t batch);

/* op_stage_pages() - put dense ones in the place of a table and lengths that have no rows */
int op_stage_pages(npuop *ops, struct op_stage *stage, const npuop_tensor **table,
		   const npuop_tensor **lengths);

/* op_check_append() - may k and v, [batch, positions, heads, dim], go into caches? */
int op_check_append(npuop *ops, const npuop_tensor *k, const npuop_tensor *v,
		    const npuop_tensor *table, const npuop_tensor *lengths,
		    const npuop_tensor *k_cache, const npuop_tensor *v_cache);

struct npu_op_pages op_pages(const npuop_tensor *table, const npuop_tensor *lengths,
			     const npuop_tensor *k_cache, const npuop_tensor *v_cache);

#endif /* OP_CACHE_H */
