/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock for what is as short as a reading of the host's clock: the CPU's time stamp counter. Its
 * rate is not known and may change, and CPUs need not agree on it; so it only says which part of a
 * time that the host's clock has measured something took.
 */
#ifndef NPU_TICKS_H
#define NPU_TICKS_H

#include "npu_internal.h"

static inline uint64_t npu_ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return npu_host_ns();
#endif
}

/* Ticks from @start to @end; none if the thread has moved to a CPU that is behind. */
static inline uint64_t npu_ticks_between(uint64_t start, uint64_t end)
{
	return end > start ? end - start : 0;
}

/* The time that @part took of @ns, in which there were @whole ticks. */
static inline uint64_t npu_ticks_ns(uint64_t part, uint64_t whole, uint64_t ns)
{
	if (part >= whole)
		return part ? ns : 0;
	return (uint64_t)((double)part / (double)whole * (double)ns);
}

#endif /* NPU_TICKS_H */
