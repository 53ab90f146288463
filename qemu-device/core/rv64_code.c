// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache of decoded pages. Two levels: a direct-mapped table by virtual page, dropped with the
 * TLB, in front of a list by host address, which outlives a change of address space.
 */
#include <stdlib.h>
#include <string.h>

#include "rv64_internal.h"

static uint64_t host_word(const uint8_t *host, unsigned int i)
{
	return __atomic_load_n((const uint64_t *)host + i, __ATOMIC_RELAXED);
}

/* Halfwords not yet reached decode themselves; the last one may hold half an instruction. */
static void page_reset(struct rv64_page *page, const uint8_t *host)
{
	const void *decode = rv64_label(RV64_OP_decode, 4);
	unsigned int i;

	page->host = host;
	for (i = 0; i < RV64_PAGE_WORDS; i++)
		page->code.words[i] = host_word(host, i);
	for (i = 0; i < RV64_PAGE_SLOTS; i++)
		page->ops[i].fn = decode;
	page->ops[RV64_PAGE_SLOTS].fn = rv64_label(RV64_OP_page_end, 4);
}

static uint16_t host_halfword(const struct rv64_page *page, unsigned int slot)
{
	return __atomic_load_n((const uint16_t *)page->host + slot, __ATOMIC_RELAXED);
}

/*
 * Before @slot is decoded, with what it may be fused with. A program that has changed memory may
 * see that before it says so; but ops that are one rely on each other, so a page is of one copy.
 */
void rv64_code_renew(struct rv64_page *page, unsigned int slot)
{
	unsigned int end = slot + RV64_PAIR_SLOTS, i;

	for (i = slot; i < end && i < RV64_PAGE_SLOTS; i++) {
		if (host_halfword(page, i) != page->code.halfwords[i]) {
			page_reset(page, page->host);
			return;
		}
	}
}

static void xtlb_forget(struct rv64_cpu *cpu, const struct rv64_page *page)
{
	unsigned int i;

	for (i = 0; i < RV64_XTLB_ENTRIES; i++)
		if (cpu->xtlb[i].page == page)
			cpu->xtlb[i].tag = RV64_TLB_INVALID;
}

/* A page to decode into: a new one while the limit allows, else the least recently used. */
static struct rv64_page *page_get(struct rv64_cpu *cpu)
{
	struct rv64_page *victim = NULL;
	unsigned int i;

	if (cpu->nr_pages < cpu->max_pages) {
		struct rv64_page *page = malloc(sizeof(*page));

		if (page) {
			cpu->pages[cpu->nr_pages++] = page;
			return page;
		}
	}
	for (i = 0; i < cpu->nr_pages; i++)
		if (!victim || cpu->pages[i]->used < victim->used)
			victim = cpu->pages[i];
	if (victim)
		xtlb_forget(cpu, victim);
	return victim;
}

static bool page_changed(const struct rv64_page *page)
{
	unsigned int i;

	for (i = 0; i < RV64_PAGE_WORDS; i++)
		if (page->code.words[i] != host_word(page->host, i))
			return true;
	return false;
}

static struct rv64_page *page_of(struct rv64_cpu *cpu, const uint8_t *host)
{
	struct rv64_page *page;
	unsigned int i;

	for (i = 0; i < cpu->nr_pages; i++) {
		page = cpu->pages[i];
		if (page->host != host)
			continue;
		if (!page->current && page_changed(page))
			page_reset(page, host);
		page->current = true;
		return page;
	}
	page = page_get(cpu);
	if (page) {
		page_reset(page, host);
		page->current = true;
	}
	return page;
}

/**
 * rv64_code_find() - the decoded page of an address
 * @cpu: the hart; cpu->pc is the instruction that a fault is accounted to
 * @pc: address to execute
 * @page: result
 *
 * Return: RV64_NEXT, or how the fetch failed.
 */
enum rv64_status rv64_code_find(struct rv64_cpu *cpu, uint64_t pc, struct rv64_page **page)
{
	struct rv64_xtlb_entry *e = &cpu->xtlb[pc >> RV64_PAGE_SHIFT & (RV64_XTLB_ENTRIES - 1)];
	uint64_t va = pc & RV64_PAGE_MASK;
	unsigned int flags = 0;
	void *host = NULL;
	int ret;

	if (rv64_code_hit(cpu, pc, page))
		return RV64_NEXT;
	ret = cpu->ops->translate(cpu->opaque, pc, RV64_ACCESS_EXEC, &host, &flags);
	if (ret != RV64_XLATE_RAM || !host)
		return rv64_fault(cpu, pc, RV64_ACCESS_EXEC, ret);
	*page = page_of(cpu, host);
	(*page)->used = ++cpu->code_clock;
	if (!(flags & RV64_XLATE_NOCACHE)) {
		e->tag = va;
		e->page = *page;
	}
	return RV64_NEXT;
}

/* The next use of a decoded page looks whether it still is what is there. */
void rv64_code_doubt(struct rv64_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < cpu->nr_pages; i++)
		cpu->pages[i]->current = false;
	for (i = 0; i < RV64_XTLB_ENTRIES; i++)
		cpu->xtlb[i].tag = RV64_TLB_INVALID;
}

/* Forget all decoded pages but keep their memory. */
void rv64_code_drop(struct rv64_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < cpu->nr_pages; i++) {
		cpu->pages[i]->host = NULL;
		cpu->pages[i]->used = 0;
	}
	rv64_code_doubt(cpu);
}

void rv64_code_free(struct rv64_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < cpu->nr_pages; i++)
		free(cpu->pages[i]);
	free(cpu->pages);
	cpu->pages = NULL;
	cpu->nr_pages = 0;
}
