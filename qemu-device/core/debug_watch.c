// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watchpoints. While a debugger has some, AI cores have callbacks around their own ones that look
 * at accesses before they are made, those of scalar code in the pages concerned; the core that
 * meets one stops, and makes the access with nobody looking.
 */
#include "npu_internal.h"
#include "tile_access.h"

/* The end of a watchpoint, or the last address there is: none goes round. */
static uint64_t last_of(const struct npu_debug_watchpoint *w)
{
	return w->addr + (w->len - 1);
}

bool npu_debug_set_watchpoint(struct npu_debug_watchpoints *w, enum gdb_watch kind, uint64_t addr,
			      uint64_t len, bool set)
{
	const struct npu_debug_watchpoint new = { addr, len, kind };
	unsigned int i = 0;

	if (!len || last_of(&new) < addr)
		return false;
	while (i < w->count && (w->list[i].addr != addr || w->list[i].len != len ||
				w->list[i].kind != kind))
		i++;
	if (i < w->count && !set) {
		w->list[i] = w->list[w->count - 1];
		npu_store(&w->count, w->count - 1);
	}
	if (i < w->count || !set)
		return true;
	if (i == NPU_DEBUG_WATCHPOINTS)
		return false;
	w->list[i] = new;
	npu_store(&w->count, i + 1);
	return true;
}

bool npu_debug_watches_page(const struct npu_debug_watchpoints *w, uint64_t addr)
{
	uint64_t page = addr & RV64_PAGE_MASK;
	unsigned int i;

	for (i = 0; i < npu_load(&w->count); i++)
		if (w->list[i].addr <= page + (RV64_PAGE_SIZE - 1) && last_of(&w->list[i]) >= page)
			return true;
	return false;
}

/* The first byte of @w in @rect, in the order of rows; false if there is none. */
static bool find_byte(const struct npu_debug_watchpoint *w, const struct tile_rect *rect,
		      uint64_t *address)
{
	uint64_t rows = rect->pitch ? rect->rows : npu_min(rect->rows, 1), row = 0, start;

	if (!rect->row_bytes || !rows)
		return false;
	if (rect->pitch && w->addr > rect->address)
		row = npu_min((w->addr - rect->address) / rect->pitch, rows - 1);
	start = rect->address + row * rect->pitch;
	if (w->addr > start && w->addr - start >= rect->row_bytes) {
		if (row == rows - 1)
			return false;
		start += rect->pitch;
	}
	*address = npu_max(w->addr, start);
	return *address <= last_of(w);
}

/* Is an access one that @w is for? */
static bool concerns(const struct npu_debug_watchpoint *w, bool reads, bool writes)
{
	return (reads && w->kind != GDB_WATCH_WRITE) || (writes && w->kind != GDB_WATCH_READ);
}

static bool find_rect(const struct npu_debug_watchpoints *w, const struct tile_rect *rect,
		      bool reads, bool writes, struct npu_debug_hit *hit)
{
	unsigned int i;

	for (i = 0; i < npu_load(&w->count); i++) {
		if (!concerns(&w->list[i], reads, writes) ||
		    !find_byte(&w->list[i], rect, &hit->address))
			continue;
		hit->watch = w->list[i].kind;
		return true;
	}
	return false;
}

bool npu_debug_find_watchpoint(const struct npu_debug_watchpoints *w,
			       const struct rv64_watch *access, struct npu_debug_hit *hit)
{
	const struct tile_rect rect = {
		.address = access->addr, .row_bytes = access->size, .rows = 1,
	};
	bool writes = access->access == RV64_ACCESS_WRITE;

	return find_rect(w, &rect, !writes || access->atomic, writes, hit);
}

static const struct npu_debug_watchpoints *watchpoints(const struct npu_aicore *ac)
{
	return &ac->core->debug->watchpoints[NPU_DEBUG_CORES];
}

static int translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
		     unsigned int *flags)
{
	const struct npu_aicore *ac = opaque;

	if (access != RV64_ACCESS_EXEC && npu_debug_watches_page(watchpoints(ac), addr))
		*flags |= RV64_XLATE_WATCH;
	return ac->ops->translate(opaque, addr, access, page, flags);
}

static int watch(void *opaque, const struct rv64_watch *access)
{
	struct npu_aicore *ac = opaque;

	if (!ac->dbg.passes && npu_debug_find_watchpoint(watchpoints(ac), access, &ac->dbg.hit))
		return RV64_WATCH_STOP;
	return ac->ops->watch ? ac->ops->watch(opaque, access) : 0;
}

static bool insn_hits(struct npu_aicore *ac, const struct rv64_cpu *cpu,
		      const struct rv64_custom *insn)
{
	struct tile_access list;
	unsigned int i;

	tile_access_decode(&ac->tile, cpu, insn, &list);
	for (i = 0; i < list.count; i++) {
		bool writes = list.rects[i].access == NPU_ACCESS_WRITE;

		if (find_rect(watchpoints(ac), &list.rects[i], !writes, writes, &ac->dbg.hit))
			return true;
	}
	return false;
}

static int custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct npu_aicore *ac = opaque;

	if (!ac->dbg.passes && insn_hits(ac, cpu, insn))
		return RV64_WATCH_STOP;
	return ac->ops->custom(opaque, cpu, insn);
}

void npu_debug_choose_ops(struct npu_aicore *ac)
{
	const struct rv64_ops *ops = ac->ops;

	if (npu_load(&watchpoints(ac)->count)) {
		ac->watch_ops = *ops;
		ac->watch_ops.translate = translate;
		ac->watch_ops.custom = custom;
		ac->watch_ops.watch = watch;
		ops = &ac->watch_ops;
	}
	if (ac->cpu.ops == ops)
		return;
	ac->cpu.ops = ops;
	rv64_tlb_flush(&ac->cpu);
}
