/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of strict mode share: events, and what a pipe knows of them. */
#ifndef STRICT_INTERNAL_H
#define STRICT_INTERNAL_H

#include <npu/npu_mmu.h>

#include "strict.h"
#include "tile_access.h"

/*
 * An access: its pipe, the pipe's epoch, and where its instruction lies from the kernel's entry
 * on. Epochs begin with 1, so that 0 is none. A pipe's epoch ends when it tells others how far it
 * has come; the last one never ends, which can only hide something.
 */
#define EVENT_PIPE NPU_MASK(63, 61)
#define EVENT_EPOCH NPU_MASK(60, 32)
#define EVENT_PC NPU_MASK(31, 0)
#define EPOCH_MAX ((1u << 29) - 1)

/* How far a pipe has seen each pipe, itself included: the epoch. */
typedef uint32_t strict_clock[NPU_PIPE_COUNT];

static inline bool strict_same_epoch(uint64_t a, uint64_t b)
{
	return !((a ^ b) & (EVENT_PIPE | EVENT_EPOCH));
}

/* Does someone with this @clock come after @event? */
static inline bool strict_seen(const uint32_t *clock, enum npu_pipe pipe, uint64_t event)
{
	enum npu_pipe other = NPU_GET(EVENT_PIPE, event);

	return other == pipe || NPU_GET(EVENT_EPOCH, event) <= clock[other];
}

/* One access of rows, of which the checkers take one after the other. */
struct strict_access {
	enum npu_pipe pipe;
	enum npu_access access;
	const uint32_t *clock; /* of @pipe */
	uint64_t event;
	uint32_t block;
};

/* Where an access meets another one, or what nobody has written. */
struct strict_clash {
	enum npu_status status;
	uint64_t address, bytes;
	uint64_t event; /* the other one, 0: none */
	enum npu_access access;
	uint32_t block;
};

/* strict_local.c: the local buffers of a core, but SMEM, which only S uses. */
struct strict_local;

struct strict_local *strict_local_new(void);
void strict_local_free(struct strict_local *local);
void strict_local_start(struct strict_local *local);
/* Look at rows that are not empty, and remember them if @record. False: there is a @clash. */
bool strict_local_access(struct strict_local *local, const struct strict_access *access,
			 const struct tile_rect *rect, bool record, struct strict_clash *clash);

/* Has S done the same to this part of UB in this epoch? Then all has been looked at. */
bool strict_local_again(const struct strict_local *local, uint64_t address, uint64_t bytes,
			uint64_t event, bool write);

/* strict_global.c: likewise, what the blocks of a task write. */
/* Has none of the pages from @first to @last been written? A hint, if others are at it. */
bool strict_global_untouched(const struct strict_task *task, uint64_t first, uint64_t last);
bool strict_global_access(struct strict_task *task, const struct strict_access *access,
			  const struct tile_rect *rect, struct strict_clash *clash);

#endif /* STRICT_INTERNAL_H */
