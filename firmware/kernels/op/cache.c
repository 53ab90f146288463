/* SPDX-License-Identifier: MIT */
/* New positions of keys and values into a cache in pages. */
#include "npu_kernel.h"
#include "attention.h"

#define SLOT (NPU_UB_SIZE / UB_SLOTS)
#define V_AT (SLOT / 2)
_Static_assert(NPU_OP_CACHE_ROW <= V_AT, "a row does not fit");

/* Rows of a sequence's head: as many new positions as lie in one page. */
struct run {
	uint32_t batch, head;
	uint32_t position; /* the first, of the new ones */
	uint32_t page, slot, rows;
};

static void move(const struct npu_op_cache_append_args *args, const struct run *run,
		 unsigned int slot)
{
	const npu_addr k = NPU_UB_BASE + slot * SLOT, v = k + V_AT;
	const uint32_t bytes = args->row_bytes, pitch = npu_align(bytes);
	const uint64_t k_from = run->batch * args->k.batch + run->head * args->k.head +
				run->position * args->k.position;
	const uint64_t v_from = run->batch * args->v.batch + run->head * args->v.head +
				run->position * args->v.position;
	const uint64_t k_to = run->page * args->pages.k_page + run->head * args->k_cache.head +
			      run->slot * args->k_cache.position;
	const uint64_t v_to = run->page * args->pages.v_page + run->head * args->v_cache.head +
			      run->slot * args->v_cache.position;

	ub_acquire(slot);
	npu_copy_2d(k, args->k.base + k_from, bytes, run->rows, pitch, args->k.position);
	npu_copy_2d(v, args->v.base + v_from, bytes, run->rows, pitch, args->v.position);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_MTE3);
	npu_copy_2d(args->k_cache.base + k_to, k, bytes, run->rows, args->k_cache.position, pitch);
	npu_copy_2d(args->v_cache.base + v_to, v, bytes, run->rows, args->v_cache.position, pitch);
	ub_release(slot);
}

/* The new positions of a head; the ring's next slot is returned. */
static unsigned int append(const struct npu_op_cache_append_args *args, uint32_t batch,
			   uint32_t head, unsigned int slot)
{
	const struct npu_op_pages *pages = &args->pages;
	const uint32_t length = attn_length(pages, batch, args->capacity);
	const uint32_t most = V_AT / npu_align(args->row_bytes);
	struct run run = { .batch = batch, .head = head };

	if (length < args->positions)
		run.position = args->positions - length;
	for (; run.position < args->positions; run.position += run.rows, slot = !slot) {
		const uint32_t to = length - args->positions + run.position;

		run.page = attn_page(pages, batch, to);
		run.slot = to % pages->page_size;
		run.rows = npu_min(npu_min(pages->page_size - run.slot, most),
				   args->positions - run.position);
		move(args, &run, slot);
	}
	return slot;
}

NPU_ARGS(op_cache_append, struct npu_op_cache_append_args, in(k.base), in(v.base),
	 inout(k_cache.base), inout(v_cache.base), in(pages.table), in(pages.lengths));

NPU_KERNEL(op_cache_append, struct npu_op_cache_append_args)
{
	const struct npu_span mine =
		npu_split((uint64_t)args->batch * args->heads, 1, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++)
		slot = append(args, i / args->heads, i % args->heads, slot);
	ub_end();
}
