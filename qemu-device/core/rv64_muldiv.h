/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The M extension where C leaves a case undefined: division by zero gives all ones and the
 * dividend, overflow gives the dividend and zero.
 */
#ifndef RV64_MULDIV_H
#define RV64_MULDIV_H

#include <stdint.h>

static inline uint64_t rv64_mulh(uint64_t a, uint64_t b)
{
	return (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64);
}

static inline uint64_t rv64_mulhsu(uint64_t a, uint64_t b)
{
	return (uint64_t)((__int128)(int64_t)a * (__int128)b >> 64);
}

static inline uint64_t rv64_mulhu(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 64);
}

static inline uint64_t rv64_div(uint64_t a, uint64_t b)
{
	if (!b)
		return ~0ull;
	if (b == ~0ull)
		return -a;
	return (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t rv64_rem(uint64_t a, uint64_t b)
{
	if (!b)
		return a;
	if (b == ~0ull)
		return 0;
	return (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint64_t rv64_divw(uint64_t a, uint64_t b)
{
	if (!(uint32_t)b)
		return ~0ull;
	if ((uint32_t)b == ~0u)
		return (uint64_t)(int32_t)-(uint32_t)a;
	return (uint64_t)((int32_t)a / (int32_t)b);
}

static inline uint64_t rv64_remw(uint64_t a, uint64_t b)
{
	if (!(uint32_t)b)
		return (uint64_t)(int32_t)a;
	if ((uint32_t)b == ~0u)
		return 0;
	return (uint64_t)((int32_t)a % (int32_t)b);
}

static inline uint64_t rv64_divuw(uint64_t a, uint64_t b)
{
	if (!(uint32_t)b)
		return ~0ull;
	return (uint64_t)(int32_t)((uint32_t)a / (uint32_t)b);
}

static inline uint64_t rv64_remuw(uint64_t a, uint64_t b)
{
	if (!(uint32_t)b)
		return (uint64_t)(int32_t)a;
	return (uint64_t)(int32_t)((uint32_t)a % (uint32_t)b);
}

#endif /* RV64_MULDIV_H */
