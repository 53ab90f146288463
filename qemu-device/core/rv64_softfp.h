/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact IEEE 754 arithmetic in integers, in all rounding modes, with RISC-V's conventions:
 * canonical NaN, tininess after rounding, saturating conversions. Flags are added to *@flags.
 */
#ifndef RV64_SOFTFP_H
#define RV64_SOFTFP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct rv64_fmt - an interchange format
 * @frac: bits of the fraction
 * @emax: largest exponent; also the bias
 * @nan: the canonical NaN
 * @sign: the sign bit
 */
struct rv64_fmt {
	int frac;
	int emax;
	uint64_t nan;
	uint64_t sign;
};

extern const struct rv64_fmt rv64_fmt_s, rv64_fmt_d;

uint64_t rv64_soft_add(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags);
uint64_t rv64_soft_mul(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags);
uint64_t rv64_soft_div(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags);
uint64_t rv64_soft_sqrt(const struct rv64_fmt *fmt, uint64_t a, unsigned int rm, uint32_t *flags);
uint64_t rv64_soft_fma(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, uint64_t c,
		       unsigned int rm, uint32_t *flags);
uint64_t rv64_soft_convert(const struct rv64_fmt *from, const struct rv64_fmt *to, uint64_t a,
			   unsigned int rm, uint32_t *flags);
uint64_t rv64_soft_to_int(const struct rv64_fmt *fmt, uint64_t a, bool is_signed,
			  unsigned int width, unsigned int rm, uint32_t *flags);
uint64_t rv64_soft_from_int(const struct rv64_fmt *fmt, uint64_t a, bool is_signed,
			    unsigned int rm, uint32_t *flags);

bool rv64_soft_is_nan(const struct rv64_fmt *fmt, uint64_t a);
bool rv64_soft_is_snan(const struct rv64_fmt *fmt, uint64_t a);

#endif /* RV64_SOFTFP_H */
