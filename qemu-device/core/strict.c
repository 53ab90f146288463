// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict mode of a core. Vector clocks: each pipe counts what it has done, and knows how far it
 * has seen the others. A flag carries what the pipe that sets it knows to the one that waits. What
 * the scalar unit has waited for is known to all that it issues afterwards; its own stores are not,
 * they need a flag.
 */
#include <stdlib.h>
#include <string.h>

#include "strict_internal.h"

#define PIPES NPU_PIPE_COUNT
#define IDS 16
#define PENDING 8 /* sets of one flag that wait for their wait, and are told apart */

/* What a flag carries, for as many sets as nobody has waited for. */
struct flag {
	uint32_t pc; /* of the last set, from the entry on */
	strict_clock pending[PENDING]; /* oldest first; the last one stands for all from there */
};

struct strict {
	struct strict_block block;
	struct strict_local *local;
	strict_clock clock[PIPES];
	uint32_t counts[PIPES][PIPES][IDS]; /* sets that nobody has waited for */
	struct flag flags[PIPES][PIPES][IDS];
	struct npu_strict finding;
};

struct strict *strict_new(void)
{
	struct strict *strict = calloc(1, sizeof(*strict));

	if (!strict)
		return NULL;
	strict->local = strict_local_new();
	if (!strict->local) {
		free(strict);
		return NULL;
	}
	return strict;
}

void strict_free(struct strict *strict)
{
	if (!strict)
		return;
	strict_local_free(strict->local);
	free(strict);
}

const struct npu_strict *strict_finding(const struct strict *strict)
{
	return &strict->finding;
}

void strict_start(struct strict *strict, const struct strict_block *block)
{
	strict->block = *block;
	strict_local_start(strict->local);
	memset(strict->clock, 0, sizeof(strict->clock));
	for (int pipe = 0; pipe < PIPES; pipe++)
		strict->clock[pipe][pipe] = 1;
	memset(strict->counts, 0, sizeof(strict->counts));
	memset(&strict->finding, 0, sizeof(strict->finding));
}

static uint64_t event_pc(const struct strict *strict, uint64_t event)
{
	return strict->block.entry + (int32_t)NPU_GET(EVENT_PC, event);
}

static void merge(uint32_t *to, const uint32_t *from)
{
	for (int i = 0; i < PIPES; i++)
		if (to[i] < from[i])
			to[i] = from[i];
}

/* What S has waited for is known to what it issues now. */
static void issue(struct strict *strict, enum npu_pipe pipe)
{
	uint32_t *clock = strict->clock[pipe], stores = clock[NPU_PIPE_S];

	merge(clock, strict->clock[NPU_PIPE_S]);
	if (pipe != NPU_PIPE_S)
		clock[NPU_PIPE_S] = stores;
}

/* Others know how far @pipe has come: from here on it is something else. */
static void next_epoch(struct strict *strict, enum npu_pipe pipe)
{
	if (strict->clock[pipe][pipe] < EPOCH_MAX)
		strict->clock[pipe][pipe]++;
}

static struct flag *find_flag(struct strict *strict, uint64_t operand, uint32_t **count)
{
	enum npu_pipe src = NPU_GET(NPU_FLAG_SRC, operand), dst = NPU_GET(NPU_FLAG_DST, operand);
	unsigned int id = NPU_GET(NPU_FLAG_ID, operand);

	*count = &strict->counts[src][dst][id];
	return &strict->flags[src][dst][id];
}

static void set_flag(struct strict *strict, uint64_t operand, uint64_t pc)
{
	enum npu_pipe src = NPU_GET(NPU_FLAG_SRC, operand);
	uint32_t *count;
	struct flag *flag = find_flag(strict, operand, &count);
	unsigned int last = *count < PENDING ? *count : PENDING - 1;

	issue(strict, src);
	memcpy(flag->pending[last], strict->clock[src], sizeof(strict_clock));
	flag->pc = pc - strict->block.entry;
	*count += *count < UINT32_MAX;
	next_epoch(strict, src);
}

static void wait_flag(struct strict *strict, uint64_t operand)
{
	uint32_t *count;
	struct flag *flag = find_flag(strict, operand, &count);

	if (!*count)
		return;
	merge(strict->clock[NPU_GET(NPU_FLAG_DST, operand)], flag->pending[0]);
	if ((*count)-- <= PENDING)
		memmove(flag->pending[0], flag->pending[1], (PENDING - 1) * sizeof(strict_clock));
}

static void barrier(struct strict *strict, uint64_t pipe)
{
	strict_clock all = { 0 };

	if (pipe != NPU_PIPE_ALL)
		return;
	for (int i = 0; i < PIPES; i++)
		merge(all, strict->clock[i]);
	for (int i = 0; i < PIPES; i++) {
		merge(strict->clock[i], all);
		next_epoch(strict, i);
	}
}

static void synchronise(struct strict *strict, const struct rv64_cpu *cpu,
			const struct rv64_custom *insn)
{
	uint64_t operand = cpu->x[insn->rs1];

	switch (insn->funct3) {
	case NPU_SYS_SET_FLAG:
		set_flag(strict, operand, cpu->pc);
		break;
	case NPU_SYS_WAIT_FLAG:
		wait_flag(strict, operand);
		break;
	case NPU_SYS_BARRIER:
		barrier(strict, operand);
		break;
	}
}

static bool found(struct strict *strict, const struct strict_access *access,
		  const struct strict_clash *clash)
{
	strict->finding = (struct npu_strict) {
		.status = clash->status, .pipe = access->pipe, .access = access->access,
		.block = strict->block.block, .pc = event_pc(strict, access->event),
		.address = clash->address, .bytes = clash->bytes,
	};
	if (!clash->event)
		return false;
	strict->finding.other_pipe = NPU_GET(EVENT_PIPE, clash->event);
	strict->finding.other_access = clash->access;
	strict->finding.other_block = clash->block;
	strict->finding.other_pc = event_pc(strict, clash->event);
	return false;
}

static uint64_t make_event(const struct strict *strict, enum npu_pipe pipe, uint32_t pc)
{
	return NPU_PREP(EVENT_PIPE, pipe) | NPU_PREP(EVENT_EPOCH, strict->clock[pipe][pipe]) |
	       NPU_PREP(EVENT_PC, pc);
}

static struct strict_access make_access(const struct strict *strict, enum npu_pipe pipe,
					uint64_t pc)
{
	return (struct strict_access) {
		.pipe = pipe, .clock = strict->clock[pipe], .block = strict->block.block,
		.event = make_event(strict, pipe, pc - strict->block.entry),
	};
}

static bool access_rect(struct strict *strict, const struct strict_access *access,
			const struct tile_rect *rect, bool record)
{
	struct strict_clash clash = { .block = strict->block.block };
	bool ok = true;

	if (rect->address < NPU_VA_START)
		ok = strict_local_access(strict->local, access, rect, record, &clash);
	else if (strict->block.task)
		ok = strict_global_access(strict->block.task, access, rect, &clash);
	return ok || found(strict, access, &clash);
}

/* Where the canary is in words at @data, or @count. */
static size_t find_canary(const uint8_t *data, size_t count, uint64_t canary)
{
	uint64_t words[4];
	size_t i = 0;

	for (; count - i >= 4; i += 4) {
		memcpy(words, data + i * 8, sizeof(words));
		if ((words[0] == canary) | (words[1] == canary) | (words[2] == canary) |
		    (words[3] == canary))
			break;
	}
	for (; i < count; i++) {
		memcpy(words, data + i * 8, sizeof(words[0]));
		if (words[0] == canary)
			break;
	}
	return i;
}

/* @bytes of @data have been read at @address. */
static bool check_canary(struct strict *strict, const struct strict_access *access,
			 uint64_t address, const uint8_t *data, uint64_t bytes)
{
	struct strict_clash clash = { .status = NPU_ST_STRICT_UNINIT };
	uint64_t skip = -address & 7, count, at;

	if (bytes < skip + 8)
		return true;
	count = (bytes - skip) / 8;
	at = find_canary(data + skip, count, strict->block.canary);
	if (at == count)
		return true;
	clash.address = address + skip + at * 8;
	clash.bytes = 8;
	return found(strict, access, &clash);
}

/* What an instruction has copied from global memory is in its destination. */
static bool check_copied(struct strict *strict, const struct npu_tile *tile,
			 const struct strict_access *access, const struct tile_rect *src,
			 const struct tile_rect *dst)
{
	const uint8_t *data = tile_local_host(tile, dst->address);

	for (uint64_t row = 0; row < src->rows; row++)
		if (!check_canary(strict, access, src->address + row * src->pitch,
				  data + row * dst->pitch, src->row_bytes))
			return false;
	return true;
}

/* Is it what the instruction writes, too? Then there is nothing to remember of its being read. */
static bool same_rows(const struct tile_rect *a, const struct tile_rect *b)
{
	return a != b && a->address == b->address && a->row_bytes == b->row_bytes &&
	       a->pitch == b->pitch;
}

bool strict_insn(struct strict *strict, const struct npu_tile *tile, const struct rv64_cpu *cpu,
		 const struct rv64_custom *insn)
{
	const struct tile_rect *dst;
	struct strict_access access;
	struct tile_access list;

	if (insn->major == 3) {
		synchronise(strict, cpu, insn);
		return true;
	}
	tile_access_decode(tile, cpu, insn, &list);
	if (!list.count)
		return true;
	issue(strict, list.pipe);
	access = make_access(strict, list.pipe, cpu->pc);
	dst = &list.rects[list.count - 1];
	for (unsigned int i = 0; i < list.count; i++) {
		const struct tile_rect *rect = &list.rects[i];

		access.access = rect->access;
		if (!access_rect(strict, &access, rect, !same_rows(rect, dst)))
			return false;
		if (rect->access == NPU_ACCESS_READ && rect->address >= NPU_VA_START &&
		    strict->block.canary && !check_copied(strict, tile, &access, rect, dst))
			return false;
	}
	return true;
}

void strict_refused(struct strict *strict, const struct npu_tile *tile,
		    const struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct tile_access list;

	tile_access_decode(tile, cpu, insn, &list);
	strict->finding = (struct npu_strict) {
		.status = tile->error.status, .pipe = list.pipe, .access = tile->error.access,
		.block = strict->block.block, .pc = cpu->pc, .address = tile->error.address,
	};
}

/* An aligned word that others may write at the same time. */
static uint64_t load_word(const void *host)
{
	return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
}

/* The words of which something is read. They are in the same page, so they are there. */
static bool check_words(struct strict *strict, const struct strict_access *access,
			const struct rv64_watch *watch)
{
	unsigned int skip = watch->addr & 7, count = skip + watch->size > 8 ? 2 : 1, i;
	uint64_t words[2];

	for (i = 0; i < count; i++)
		words[i] = load_word((const uint8_t *)watch->host - skip + i * 8);
	return check_canary(strict, access, watch->addr - skip, (const uint8_t *)words, count * 8);
}

/* A shorter way for what most scalar accesses are: like one before, or a load of some input. */
static bool nothing_new(const struct strict *strict, const struct rv64_watch *watch)
{
	uint64_t last = watch->addr + watch->size - 1;

	if (watch->atomic)
		return false;
	if (watch->addr < NPU_VA_START)
		return strict_local_again(strict->local, watch->addr, watch->size,
					  make_event(strict, NPU_PIPE_S, 0),
					  watch->access == RV64_ACCESS_WRITE);
	if (watch->access == RV64_ACCESS_WRITE || !watch->host || (watch->addr ^ last) & ~7ULL)
		return false;
	return load_word((const uint8_t *)watch->host - (watch->addr & 7)) !=
		       strict->block.canary &&
	       (!strict->block.task ||
		strict_global_untouched(strict->block.task, watch->addr, last));
}

bool strict_scalar(struct strict *strict, uint64_t pc, const struct rv64_watch *watch)
{
	const struct tile_rect rect = { .address = watch->addr, .row_bytes = watch->size,
					.rows = 1 };
	struct strict_access access;
	bool global = watch->addr >= NPU_VA_START;

	if (nothing_new(strict, watch))
		return true;
	access = make_access(strict, NPU_PIPE_S, pc);
	if (watch->access == RV64_ACCESS_READ || watch->atomic) {
		access.access = NPU_ACCESS_READ;
		if (!(global && watch->atomic) && !access_rect(strict, &access, &rect, true))
			return false;
		if (global && strict->block.canary && watch->host &&
		    !check_words(strict, &access, watch))
			return false;
	}
	/* Blocks may meet in atomics. */
	if (watch->access == RV64_ACCESS_WRITE && !(global && watch->atomic)) {
		access.access = NPU_ACCESS_WRITE;
		return access_rect(strict, &access, &rect, true);
	}
	return true;
}

static void found_set(struct strict *strict, enum npu_pipe src, enum npu_pipe dst, unsigned int id)
{
	strict->finding = (struct npu_strict) {
		.status = NPU_ST_STRICT_FLAG, .pipe = src, .other_pipe = dst,
		.block = strict->block.block,
		.pc = strict->block.entry + (int32_t)strict->flags[src][dst][id].pc,
		.address = NPU_PREP(NPU_FLAG_SRC, src) | NPU_PREP(NPU_FLAG_DST, dst) |
			   NPU_PREP(NPU_FLAG_ID, id),
	};
}

bool strict_end(struct strict *strict)
{
	for (int src = 0; src < PIPES; src++) {
		for (int dst = 0; dst < PIPES; dst++) {
			for (int id = 0; id < IDS; id++) {
				if (!strict->counts[src][dst][id])
					continue;
				found_set(strict, src, dst, id);
				return false;
			}
		}
	}
	return true;
}
