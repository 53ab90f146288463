/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Modelled time of queues and of what they run: docs/timing.md explains the model. All of it is
 * booked in the order of the commands, so that times depend on the program alone.
 *
 * core->timing is NULL if time is not modelled.
 */
#ifndef TIMING_H
#define TIMING_H

#include "timing_pipes.h"

#define NPU_MARK_BUCKETS	64
#define NPU_MARKS		32

/**
 * struct npu_mark - a write of a semaphore
 * @key: of the memory, as of struct npu_sem_place
 * @value: what it holds since
 * @at: modelled time
 * @pending: the value is about to be known
 */
struct npu_mark {
	uint64_t key, value, at;
	bool pending;
};

/**
 * struct npu_marks - the last ones of a part of the memory, as a ring
 * @count: how many there ever were
 */
struct npu_marks {
	struct npu_mark ring[NPU_MARKS];
	unsigned int count;
};

/**
 * struct npu_timing - modelled time of the device, in ns as the timestamp
 * @profile: what it is modelled after
 * @now: the latest time that anything got to
 * @busy: queues that are not idle
 * @idle_since: host's clock when the last of them became so
 * @core_free: when a core has done what is booked on it
 * @sdma_free: likewise SDMA
 * @marks: by key
 *
 * All under core->lock.
 */
struct npu_timing {
	const struct npu_profile *profile;
	uint64_t now;
	unsigned int busy;
	uint64_t idle_since;
	uint64_t core_free[NPU_MAX_CORES];
	uint64_t sdma_free;
	struct npu_marks marks[NPU_MARK_BUCKETS];
};

/**
 * struct npu_traffic - what SDMA has moved
 * @bytes: as the command counts them
 * @hbm: bytes read from and written to HBM
 * @bus: from and to host memory
 */
struct npu_traffic {
	uint64_t bytes, hbm, bus;
};

/**
 * struct npu_booking - a task that is to be booked when it and those before it have ended
 * @node: on queue->clock.bookings, in the order of the commands
 * @at: when the queue gave it out
 * @kernel: it is one, else a copy, fill or reduction
 * @ended: what follows is complete
 * @core_mask: cores that it may use
 * @max_cores: how many of them
 * @units: number of blocks
 * @total: what each took, in cycles, under each assumption; NULL if there was no memory for it
 * @busy: sums over the blocks
 * @pages: likewise
 * @traffic: of SDMA (atomic)
 */
struct npu_booking {
	struct npu_list node;
	uint64_t at;
	bool kernel;
	bool ended;
	uint64_t core_mask;
	unsigned int max_cores;
	uint64_t units;
	uint64_t (*total)[NPU_GM_COUNT];
	uint64_t busy[NPU_GM_COUNT][NPU_PIPE_COUNT];
	struct npu_pages pages;
	struct npu_traffic traffic;
};

/**
 * struct npu_span - where a kernel was booked
 * @end: when it ends
 * @core_ns: what its cores did, summed
 * @busy_ns: likewise their pipes
 */
struct npu_span {
	uint64_t end;
	uint64_t core_ns;
	uint64_t busy_ns[NPU_PIPE_COUNT];
};

/**
 * struct npu_queue_clock - modelled time of a queue, in ns
 * @busy: it is not idle
 * @issue: when the scheduler can take its next command
 * @done: when all that it has given out ends, but for what is on @bookings
 * @bookings: tasks that are not booked yet
 */
struct npu_queue_clock {
	bool busy;
	uint64_t issue, done;
	struct npu_list bookings;
};

/* timing_task.c */
uint64_t npu_cycles_to_ns(const struct npu_profile *profile, uint64_t cycles);
struct npu_booking *npu_booking_new(const struct npu_profile *profile, uint64_t units,
				    uint64_t core_mask, unsigned int max_cores);
void npu_booking_free(struct npu_booking *booking);
/* Cores that the HBM is shared by while it runs. */
unsigned int npu_booking_cores(const struct npu_booking *booking);
/* Block @unit has ended on @pipes. */
void npu_booking_block(struct npu_booking *booking, uint64_t unit, struct npu_pipes *pipes,
		       uint64_t instret);
/* A kernel, whose blocks go to the cores in their order, each to the one that is free first. */
void npu_book_kernel(const struct npu_profile *profile, const struct npu_booking *booking,
		     uint64_t *core_free, struct npu_span *span);
/* How long SDMA takes, in ns. */
uint64_t npu_sdma_ns(const struct npu_profile *profile, const struct npu_traffic *traffic);

#endif /* TIMING_H */
