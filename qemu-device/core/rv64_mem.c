// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory accesses that miss the software TLB: first touch of a page, misaligned, or MMIO.
 */
#include <string.h>

#include "rv64_internal.h"

void rv64_tlb_drop(struct rv64_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < RV64_TLB_ENTRIES; i++) {
		cpu->rtlb[i].tag = RV64_TLB_INVALID;
		cpu->wtlb[i].tag = RV64_TLB_INVALID;
	}
	for (i = 0; i < RV64_WATCHED_ENTRIES; i++) {
		cpu->watched[RV64_ACCESS_READ][i].tag = RV64_TLB_INVALID;
		cpu->watched[RV64_ACCESS_WRITE][i].tag = RV64_TLB_INVALID;
	}
	for (i = 0; i < RV64_XTLB_ENTRIES; i++)
		cpu->xtlb[i].tag = RV64_TLB_INVALID;
}

/* What else is in the place of the page is forgotten with it. */
void rv64_tlb_forget(struct rv64_cpu *cpu, uint64_t addr)
{
	const uint64_t page = addr >> RV64_PAGE_SHIFT;
	const unsigned int watched = page & (RV64_WATCHED_ENTRIES - 1);

	cpu->rtlb[page & (RV64_TLB_ENTRIES - 1)].tag = RV64_TLB_INVALID;
	cpu->wtlb[page & (RV64_TLB_ENTRIES - 1)].tag = RV64_TLB_INVALID;
	cpu->watched[RV64_ACCESS_READ][watched].tag = RV64_TLB_INVALID;
	cpu->watched[RV64_ACCESS_WRITE][watched].tag = RV64_TLB_INVALID;
	cpu->xtlb[page & (RV64_XTLB_ENTRIES - 1)].tag = RV64_TLB_INVALID;
}

/* Where @addr is in host memory; fills the TLB. RV64_XLATE_RAM, RV64_XLATE_MMIO or a fault. */
static int translate(struct rv64_cpu *cpu, uint64_t addr, enum rv64_access access, uint8_t **host)
{
	struct rv64_tlb_entry *tlb = access == RV64_ACCESS_READ ? cpu->rtlb : cpu->wtlb;
	struct rv64_tlb_entry *e = &tlb[addr >> RV64_PAGE_SHIFT & (RV64_TLB_ENTRIES - 1)];
	struct rv64_tlb_entry *watched = &cpu->watched[access][addr >> RV64_PAGE_SHIFT &
							       (RV64_WATCHED_ENTRIES - 1)];
	uint64_t va = addr & RV64_PAGE_MASK;
	unsigned int flags = 0;
	void *page = NULL;
	int ret;

	if (watched->tag == va)
		e = watched;
	if (e->tag != va) {
		ret = cpu->ops->translate(cpu->opaque, addr, access, &page, &flags);
		if (ret != RV64_XLATE_RAM)
			return ret;
		if (flags & RV64_XLATE_WATCH)
			e = watched;
		if (!(flags & RV64_XLATE_NOCACHE)) {
			e->tag = va;
			e->page = page;
		}
	} else {
		page = e->page;
	}
	*host = (uint8_t *)page + (addr - va);
	return RV64_XLATE_RAM;
}

/* Tell of an access; @host is NULL for MMIO. */
static enum rv64_status watch(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
			      enum rv64_access access, bool atomic, const void *host)
{
	int ret;

	if (!cpu->ops->watch)
		return RV64_NEXT;
	ret = cpu->ops->watch(cpu->opaque, &(struct rv64_watch) {
		.addr = addr, .size = size, .access = access, .atomic = atomic, .host = host,
	});
	if (ret == RV64_WATCH_STOP)
		return rv64_stopped(cpu, RV64_STOP_WATCH, addr, 0);
	return ret ? rv64_fault(cpu, addr, access, ret) : RV64_NEXT;
}

static void ram_read(const uint8_t *host, unsigned int size, uint64_t *val)
{
	unsigned int i;

	switch ((uintptr_t)host & (size - 1) ? 0 : size) {
	case 2:
		*val = __atomic_load_n((const uint16_t *)host, __ATOMIC_RELAXED);
		return;
	case 4:
		*val = __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
		return;
	case 8:
		*val = __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
		return;
	}
	*val = 0;
	for (i = 0; i < size; i++)
		*val |= (uint64_t)__atomic_load_n(host + i, __ATOMIC_RELAXED) << (8 * i);
}

static void ram_write(uint8_t *host, unsigned int size, uint64_t val)
{
	unsigned int i;

	switch ((uintptr_t)host & (size - 1) ? 0 : size) {
	case 2:
		__atomic_store_n((uint16_t *)host, val, __ATOMIC_RELAXED);
		return;
	case 4:
		__atomic_store_n((uint32_t *)host, val, __ATOMIC_RELAXED);
		return;
	case 8:
		__atomic_store_n((uint64_t *)host, val, __ATOMIC_RELAXED);
		return;
	}
	for (i = 0; i < size; i++)
		__atomic_store_n(host + i, val >> (8 * i), __ATOMIC_RELAXED);
}

/* How many of @size bytes at @addr are in its page. */
static unsigned int in_page(uint64_t addr, unsigned int size)
{
	unsigned int left = RV64_PAGE_SIZE - (addr & ~RV64_PAGE_MASK);

	return left < size ? left : size;
}

/* Byte @i of an access whose first @head bytes are in one page and the rest in another. */
static uint8_t *crossing(uint8_t *host[2], unsigned int head, unsigned int i)
{
	return i < head ? host[0] + i : host[1] + (i - head);
}

static enum rv64_status mmio_load(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
				  uint64_t *val)
{
	int ret;

	if (addr & (size - 1))
		return rv64_misaligned(cpu, addr, RV64_ACCESS_READ);
	*val = 0;
	ret = cpu->ops->mmio_read ? cpu->ops->mmio_read(cpu->opaque, addr, size, val) : -1;
	return ret ? rv64_fault(cpu, addr, RV64_ACCESS_READ, ret) : RV64_NEXT;
}

static enum rv64_status mmio_store(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
				   uint64_t val)
{
	int ret;

	if (addr & (size - 1))
		return rv64_misaligned(cpu, addr, RV64_ACCESS_WRITE);
	if (size < 8)
		val &= (1ull << 8 * size) - 1;
	ret = cpu->ops->mmio_write ? cpu->ops->mmio_write(cpu->opaque, addr, size, val) : -1;
	return ret ? rv64_fault(cpu, addr, RV64_ACCESS_WRITE, ret) : RV64_NEXT;
}

/* Both parts of an access; each is in one page, the second may be empty. */
static enum rv64_status locate(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
			       enum rv64_access access, uint8_t *host[2], bool *mmio)
{
	unsigned int head = in_page(addr, size), i;

	*mmio = false;
	for (i = 0; i < 2; i++) {
		uint64_t part = addr + (i ? head : 0);
		enum rv64_status st;
		int ret;

		if (i && head == size)
			break;
		ret = translate(cpu, part, access, &host[i]);
		if (ret == RV64_XLATE_MMIO && !i && head == size)
			*mmio = true;
		else if (ret == RV64_XLATE_MMIO)
			return rv64_misaligned(cpu, addr, access);
		else if (ret)
			return rv64_fault(cpu, part, access, ret);
		st = watch(cpu, part, i ? size - head : head, access, false,
			   *mmio ? NULL : host[i]);
		if (st)
			return st;
	}
	return RV64_NEXT;
}

/**
 * rv64_load() - any load
 * @cpu: the hart; cpu->pc is exact
 * @addr: address, of any alignment
 * @size: 1, 2, 4 or 8
 * @val: result, zero-extended
 */
enum rv64_status rv64_load(struct rv64_cpu *cpu, uint64_t addr, unsigned int size, uint64_t *val)
{
	unsigned int head = in_page(addr, size), i;
	enum rv64_status st;
	uint8_t *host[2];
	bool mmio;

	st = locate(cpu, addr, size, RV64_ACCESS_READ, host, &mmio);
	if (st)
		return st;
	if (mmio)
		return mmio_load(cpu, addr, size, val);
	if (head == size) {
		ram_read(host[0], size, val);
		return RV64_NEXT;
	}
	*val = 0;
	for (i = 0; i < size; i++)
		*val |= (uint64_t)__atomic_load_n(crossing(host, head, i), __ATOMIC_RELAXED)
			<< (8 * i);
	return RV64_NEXT;
}

/**
 * rv64_store() - any store; one that faults changes nothing
 * @cpu: the hart; cpu->pc is exact
 * @addr: address, of any alignment
 * @size: 1, 2, 4 or 8
 * @val: value; upper bits are ignored
 */
enum rv64_status rv64_store(struct rv64_cpu *cpu, uint64_t addr, unsigned int size, uint64_t val)
{
	unsigned int head = in_page(addr, size), i;
	enum rv64_status st;
	uint8_t *host[2];
	bool mmio;

	st = locate(cpu, addr, size, RV64_ACCESS_WRITE, host, &mmio);
	if (st)
		return st;
	if (mmio)
		return mmio_store(cpu, addr, size, val);
	if (head == size) {
		ram_write(host[0], size, val);
		return RV64_NEXT;
	}
	for (i = 0; i < size; i++)
		__atomic_store_n(crossing(host, head, i), val >> (8 * i), __ATOMIC_RELAXED);
	return RV64_NEXT;
}

/**
 * rv64_atomic_page() - host address of the operand of an atomic
 * @cpu: the hart; cpu->pc is exact
 * @addr: address
 * @size: 4 or 8
 * @access: RV64_ACCESS_READ for lr, else RV64_ACCESS_WRITE
 * @host: result
 */
enum rv64_status rv64_atomic_page(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
				  enum rv64_access access, void **host)
{
	uint8_t *p;
	int ret;

	if (addr & (size - 1))
		return rv64_misaligned(cpu, addr, access);
	ret = translate(cpu, addr, access, &p);
	if (ret)
		return rv64_fault(cpu, addr, access, ret);
	if (cpu->sink && p == cpu->sink + (addr & ~RV64_PAGE_MASK))
		memset(p, 0, size);
	*host = p;
	return watch(cpu, addr, size, access, true, p);
}
