// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Global memory: a context's virtual addresses, in HBM or on the bus.
 */
#include <string.h>

#include "npu_internal.h"

int npu_dma_read(struct npu_core *core, uint64_t addr, void *buf, size_t len)
{
	if (npu_inject(core, NPU_INJECT_DMA_ERROR, NPU_INJECT_BY_QUEUE))
		return -1;
	return core->ops->dma_read(core->host, addr, buf, len);
}

int npu_dma_write(struct npu_core *core, uint64_t addr, const void *buf, size_t len)
{
	if (npu_inject(core, NPU_INJECT_DMA_ERROR, NPU_INJECT_BY_QUEUE))
		return -1;
	return core->ops->dma_write(core->host, addr, buf, len);
}

bool npu_bus_error(struct npu_error *error, enum npu_access access, uint64_t va)
{
	error->status = NPU_ST_BUS;
	error->access = access;
	error->address = va;
	return false;
}

/* Memory at @va for up to @max bytes, from the last translation if that reaches so far. */
bool npu_cursor_seek(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *cursor, uint64_t va, uint64_t max, struct npu_run *run,
		     struct npu_error *error)
{
	uint64_t skip = va - cursor->va;

	if (skip >= cursor->run.len) {
		if (!npu_translate(worker, view, va, max, cursor->access, &cursor->run, error)) {
			cursor->run.len = 0;
			return false;
		}
		cursor->va = va;
		skip = 0;
	}
	run->phys = cursor->run.phys + skip;
	run->host = cursor->run.host ? cursor->run.host + skip : NULL;
	run->len = cursor->run.len - skip;
	run->sparse = cursor->run.sparse;
	return true;
}

/* Read at @cursor; @ahead bytes from @va on are likely to be wanted. */
bool npu_cursor_read(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *cursor, uint64_t va, void *buf, uint64_t len,
		     uint64_t ahead, struct npu_error *error)
{
	uint8_t *dst = buf;
	struct npu_run run;
	uint64_t n;

	for (; len; va += n, dst += n, len -= n, ahead -= n) {
		if (!npu_cursor_seek(worker, view, cursor, va, ahead, &run, error))
			return false;
		n = npu_min(run.len, len);
		if (run.host) {
			memcpy(dst, run.host, n);
			npu_count(&worker->count.hbm_read, n);
		} else if (run.sparse) {
			memset(dst, 0, n);
		} else if (npu_dma_read(worker->core, run.phys, dst, n)) {
			return npu_bus_error(error, NPU_ACCESS_READ, va);
		} else {
			npu_count(&worker->count.bus, n);
		}
	}
	return true;
}

bool npu_cursor_write(struct npu_worker *worker, const struct npu_view *view,
		      struct npu_cursor *cursor, uint64_t va, const void *buf, uint64_t len,
		      uint64_t ahead, struct npu_error *error)
{
	const uint8_t *src = buf;
	struct npu_run run;
	uint64_t n;

	for (; len; va += n, src += n, len -= n, ahead -= n) {
		if (!npu_cursor_seek(worker, view, cursor, va, ahead, &run, error))
			return false;
		n = npu_min(run.len, len);
		if (run.host) {
			memcpy(run.host, src, n);
			npu_count(&worker->count.hbm_write, n);
		} else if (!run.sparse && npu_dma_write(worker->core, run.phys, src, n)) {
			return npu_bus_error(error, NPU_ACCESS_WRITE, va);
		} else if (!run.sparse) {
			npu_count(&worker->count.bus, n);
		}
	}
	return true;
}

bool npu_gm_read(struct npu_worker *worker, const struct npu_view *view, uint64_t va, void *buf,
		 uint64_t len, struct npu_error *error)
{
	struct npu_cursor cursor = { .access = NPU_ACCESS_READ };

	return npu_cursor_read(worker, view, &cursor, va, buf, len, len, error);
}

bool npu_gm_write(struct npu_worker *worker, const struct npu_view *view, uint64_t va,
		  const void *buf, uint64_t len, struct npu_error *error)
{
	struct npu_cursor cursor = { .access = NPU_ACCESS_WRITE };

	return npu_cursor_write(worker, view, &cursor, va, buf, len, len, error);
}

/*
 * A 64-bit word for atomic access, host memory or NULL if it can only be had by DMA. The
 * caller gives *@map back to npu_word_put().
 */
uint64_t *npu_word_get(struct npu_core *core, const struct npu_run *run, bool write, void **map)
{
	size_t len = sizeof(uint64_t);

	*map = NULL;
	if (run->host)
		return (uint64_t *)run->host;
	if (!core->ops->dma_map || npu_inject_armed(core, NPU_INJECT_DMA_ERROR))
		return NULL;
	*map = core->ops->dma_map(core->host, run->phys, &len, write);
	if (!*map)
		return NULL;
	if (len >= sizeof(uint64_t) && !((uintptr_t)*map & (sizeof(uint64_t) - 1)))
		return *map;
	core->ops->dma_unmap(core->host, *map, len, write, 0);
	*map = NULL;
	return NULL;
}

void npu_word_put(struct npu_core *core, void *map, bool write)
{
	if (map)
		core->ops->dma_unmap(core->host, map, sizeof(uint64_t), write,
				     write ? sizeof(uint64_t) : 0);
}
