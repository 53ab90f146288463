/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a result of the host's floating point may be taken as it is.
 *
 * A result that is rounded to nearest, neither special nor near the ends of the exponent range,
 * can raise NX and nothing else. So it stands if NX is already accrued, or if the host's sticky
 * inexact flag is still clear. That flag is a filter and no more: where it is set, whoever set it,
 * the exact path decides.
 */
#ifndef RV64_HOSTFP_H
#define RV64_HOSTFP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#else
#include <fenv.h>
#endif

#include "rv64.h"

#define RV64_BOX		0xffffffff00000000ull

enum rv64_rm {
	RV64_RNE,
	RV64_RTZ,
	RV64_RDN,
	RV64_RUP,
	RV64_RMM,
	RV64_RM_DYN = 7,
};

static inline float rv64_to_float(uint64_t bits)
{
	uint32_t b = (uint32_t)bits;
	float v;

	memcpy(&v, &b, sizeof(v));
	return v;
}

static inline double rv64_to_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint64_t rv64_from_float(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline uint64_t rv64_from_double(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* Did everything up to the computation of @result leave the host's inexact flag clear? */
static inline bool rv64_host_exact(uint64_t result)
{
	/* The operation must be done before the flag is looked at. */
	__asm__ volatile("" : : "r"(result) : "memory");
#ifdef __SSE2__
	return !(_mm_getcsr() & _MM_EXCEPT_INEXACT);
#else
	return !fetestexcept(FE_INEXACT);
#endif
}

static inline void rv64_host_clear_exact(void)
{
#ifdef __SSE2__
	_mm_setcsr(_mm_getcsr() & ~_MM_EXCEPT_MASK);
#else
	feclearexcept(FE_ALL_EXCEPT);
#endif
}

/* Exponents from 2 to the largest finite one: no overflow, no underflow, not special. */
static inline bool rv64_plain32(uint64_t bits)
{
	return (uint32_t)((bits >> 23 & 0xff) - 2) < 253;
}

static inline bool rv64_plain64(uint64_t bits)
{
	return (uint32_t)((bits >> 52 & 0x7ff) - 2) < 2045;
}

static inline bool rv64_nx_settled(const struct rv64_cpu *cpu, uint64_t result)
{
	return (cpu->fcsr & RV64_FFLAG_NX) || rv64_host_exact(result);
}

static inline unsigned int rv64_rounding(const struct rv64_cpu *cpu, unsigned int rm)
{
	return rm == RV64_RM_DYN ? cpu->fcsr >> RV64_FRM_SHIFT : rm;
}

#endif /* RV64_HOSTFP_H */
