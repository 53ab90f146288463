// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When kernels and copies would run. Which host thread ran a block, and when, is of no account:
 * what a block took is noted under its number, and cores are given to blocks afterwards.
 */
#include <stdlib.h>

#include "npu_internal.h"

typedef unsigned __int128 u128;

uint64_t npu_cycles_to_ns(const struct npu_profile *profile, uint64_t cycles)
{
	return ((u128)cycles * 1000 + profile->mhz - 1) / profile->mhz;
}

struct npu_booking *npu_booking_new(const struct npu_profile *profile, uint64_t units,
				    uint64_t core_mask, unsigned int max_cores)
{
	struct npu_booking *booking = calloc(1, sizeof(*booking));

	if (!booking)
		return NULL;
	npu_list_init(&booking->node);
	booking->core_mask = core_mask;
	booking->max_cores = max_cores;
	booking->kernel = core_mask;
	booking->units = units;
	if (booking->kernel)
		booking->total = calloc(units, sizeof(*booking->total));
	npu_pages_start(&booking->pages, profile->l2_bytes);
	return booking;
}

void npu_booking_free(struct npu_booking *booking)
{
	npu_pages_free(&booking->pages);
	free(booking->total);
	free(booking);
}

unsigned int npu_booking_cores(const struct npu_booking *booking)
{
	unsigned int cores = __builtin_popcountll(booking->core_mask);

	if (booking->max_cores)
		cores = npu_min(cores, booking->max_cores);
	return npu_min(cores, booking->units);
}

void npu_booking_block(struct npu_booking *booking, uint64_t unit, struct npu_pipes *pipes,
		       uint64_t instret)
{
	unsigned int gm, pipe;

	for (gm = 0; gm < NPU_GM_COUNT; gm++) {
		struct npu_block_time time = npu_pipes_end(pipes, instret, gm);

		if (booking->total)
			booking->total[unit][gm] = time.total;
		for (pipe = 0; pipe < NPU_PIPE_COUNT; pipe++)
			booking->busy[gm][pipe] += time.busy[pipe];
	}
	npu_pages_merge(&booking->pages, npu_pipes_pages(pipes));
}

/* Between the two assumptions, by the share of bytes that L2 had. */
static uint64_t between(const struct npu_booking *booking, uint64_t far, uint64_t near)
{
	uint64_t again = npu_pages_again(&booking->pages);

	if (!again || near >= far)
		return far;
	return far - (uint64_t)((u128)(far - near) * again / booking->pages.bytes);
}

/* The core of @cores that is free first. */
static unsigned int first_free(const uint64_t *core_free, uint64_t cores)
{
	unsigned int best = __builtin_ctzll(cores), i;

	for (; cores; cores &= cores - 1) {
		i = __builtin_ctzll(cores);
		if (core_free[i] < core_free[best])
			best = i;
	}
	return best;
}

/* The cores that are free first, as many as it may use. */
static uint64_t choose_cores(const struct npu_booking *booking, const uint64_t *core_free)
{
	unsigned int n = npu_booking_cores(booking);
	uint64_t left = booking->core_mask, cores = 0, bit;

	for (; n; n--) {
		bit = 1ULL << first_free(core_free, left);
		left &= ~bit;
		cores |= bit;
	}
	return cores;
}

void npu_book_kernel(const struct npu_profile *profile, const struct npu_booking *booking,
		     uint64_t *core_free, struct npu_span *span)
{
	uint64_t ready = booking->at + profile->kernel_ns, cores, ns, i;
	unsigned int core, pipe;

	*span = (struct npu_span){ .end = ready };
	cores = choose_cores(booking, core_free);
	for (i = 0; booking->total && i < booking->units; i++) {
		ns = npu_cycles_to_ns(profile, between(booking, booking->total[i][NPU_GM_FAR],
						       booking->total[i][NPU_GM_NEAR]));
		core = first_free(core_free, cores);
		core_free[core] = npu_max(core_free[core], ready) + ns;
		span->core_ns += ns;
		span->end = npu_max(span->end, core_free[core]);
	}
	for (pipe = 0; pipe < NPU_PIPE_COUNT; pipe++)
		span->busy_ns[pipe] =
			npu_cycles_to_ns(profile, between(booking, booking->busy[NPU_GM_FAR][pipe],
							  booking->busy[NPU_GM_NEAR][pipe]));
}

/* A MB/s is a byte a microsecond. */
static uint64_t move_ns(uint64_t bytes, uint64_t mbps)
{
	return ((u128)bytes * 1000 + mbps - 1) / mbps;
}

uint64_t npu_sdma_ns(const struct npu_profile *profile, const struct npu_traffic *traffic)
{
	uint64_t ns = move_ns(traffic->bytes, profile->sdma_mbps);

	ns = npu_max(ns, move_ns(traffic->hbm, profile->hbm_mbps));
	return profile->sdma_ns + npu_max(ns, move_ns(traffic->bus, profile->link_mbps));
}
