// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System DMA: elements combined with those that are there. The vector engine's loops do it, so
 * the numerics are theirs.
 */
#include "npu_internal.h"

#define HALF_BOUNCE	(NPU_BOUNCE_SIZE / 2)

static const unsigned int operations[] = {
	[NPU_REDUCE_ADD] = NPU_VADD,
	[NPU_REDUCE_MIN] = NPU_VMIN,
	[NPU_REDUCE_MAX] = NPU_VMAX,
};

/* The three ways in which memory is used. */
struct reduce_cursors {
	struct npu_cursor src, old, dst;
};

/* By way of the bounce buffer, wherever the memory is. */
static bool reduce_bounced(struct npu_worker *worker, const struct npu_view *view,
			   const struct npu_cmd_reduce *r, struct reduce_cursors *at,
			   uint64_t offset, uint64_t n, struct npu_error *error)
{
	uint8_t *src = worker->bounce, *dst = src + HALF_BOUNCE;

	if (!npu_cursor_read(worker, view, &at->src, r->src + offset, src, n, n, error) ||
	    !npu_cursor_read(worker, view, &at->old, r->dst + offset, dst, n, n, error))
		return false;
	npu_tile_combine(operations[r->op], r->type, dst, src, n / tile_dtype_size(r->type));
	return npu_cursor_write(worker, view, &at->dst, r->dst + offset, dst, n, n, error);
}

/* Where both are in HBM, in place: how many bytes of @len that were, none if it cannot be done. */
static uint64_t reduce_in_place(struct npu_worker *worker, const struct npu_cmd_reduce *r,
				const struct npu_run *dst, const struct npu_run *src, uint64_t len)
{
	unsigned int size = tile_dtype_size(r->type);
	uint64_t n = npu_min(len, npu_min(dst->len, src->len)) / size * size;

	if (!n || !dst->host || !src->host)
		return 0;
	npu_tile_combine(operations[r->op], r->type, dst->host, src->host, n / size);
	npu_count(&worker->count.hbm_read, 2 * n);
	npu_count(&worker->count.hbm_write, n);
	return n;
}

/* @bytes from @offset on, a part of what the command says. */
bool npu_reduce_part(struct npu_worker *worker, const struct npu_view *view,
		     const struct npu_cmd_reduce *r, uint64_t offset, uint64_t bytes,
		     struct npu_error *error)
{
	struct reduce_cursors at = {
		.src = { .access = NPU_ACCESS_READ },
		.old = { .access = NPU_ACCESS_READ },
		.dst = { .access = NPU_ACCESS_WRITE },
	};
	struct npu_run src, old, dst;
	uint64_t n;

	for (; bytes; offset += n, bytes -= n) {
		if (!npu_cursor_seek(worker, view, &at.src, r->src + offset, bytes, &src, error) ||
		    !npu_cursor_seek(worker, view, &at.old, r->dst + offset, bytes, &old, error) ||
		    !npu_cursor_seek(worker, view, &at.dst, r->dst + offset, bytes, &dst, error))
			return false;
		n = reduce_in_place(worker, r, &dst, &src, npu_min(bytes, old.len));
		if (n)
			continue;
		n = npu_min(bytes, HALF_BOUNCE);
		if (!reduce_bounced(worker, view, r, &at, offset, n, error))
			return false;
	}
	return true;
}
