/* SPDX-License-Identifier: MIT */
/*
 * Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", 2011. One counter gives four words; equal counters, equal words.
 *
 * The key is a seed. The counter's low half numbers the blocks of four words, its high half is
 * the caller's. philox_vector.h makes the same words on the vector engine.
 */
#ifndef OP_PHILOX_H
#define OP_PHILOX_H

#include <stdint.h>

#define PHILOX_ROUNDS 10
#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u

/*
 * Words of a stream of numbers, as the vector engine leaves them: each group of 4 LANES numbers
 * takes the first words of LANES blocks, then their second ones, and so on.
 */
#define PHILOX_LANES 2048
#define PHILOX_GROUP (4 * PHILOX_LANES)

struct philox {
	uint32_t word[4];
};

static inline struct philox philox(uint64_t seed, uint64_t high, uint64_t low)
{
	uint32_t c0 = low, c1 = low >> 32, c2 = high, c3 = high >> 32;
	uint32_t k0 = seed, k1 = seed >> 32;

	for (int i = 0; i < PHILOX_ROUNDS; i++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
		const uint64_t a = (uint64_t)PHILOX_M0 * c0, b = (uint64_t)PHILOX_M1 * c2;

		c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
		c1 = b;
		c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
		c3 = a;
	}
	return (struct philox){ { c0, c1, c2, c3 } };
}

/* philox_number() - word @index of the stream of numbers */
static inline uint32_t philox_number(uint64_t seed, uint64_t high, uint64_t index)
{
	const uint64_t group = index / PHILOX_GROUP, in_group = index % PHILOX_GROUP;
	const uint64_t block = group * PHILOX_LANES + in_group % PHILOX_LANES;

	return philox(seed, high, block).word[in_group / PHILOX_LANES];
}

#endif /* OP_PHILOX_H */
