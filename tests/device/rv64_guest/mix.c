// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What bench_rv64 runs: scalar integer work of several kinds. Each part returns a checksum, and
 * the run ends with ecall, a0 holding their sum.
 */
#include <stdint.h>

#define NR_SORT		2048
#define NR_SIEVE	32768
#define NR_BYTES	16384
#define DIM		24

static uint32_t words[NR_SORT];
static uint8_t bytes[NR_BYTES];
static uint8_t sieve[NR_SIEVE];
static int32_t ma[DIM][DIM], mb[DIM][DIM], mc[DIM][DIM];
static uint32_t crc_table[256];

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static uint32_t part_crc(void)
{
	uint32_t crc = ~0u, c;
	int i, k;

	for (i = 0; i < 256; i++) {
		for (c = i, k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		crc_table[i] = c;
	}
	for (i = 0; i < NR_BYTES; i++)
		crc = crc_table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static void sift(uint32_t *v, int root, int n)
{
	for (int child; (child = 2 * root + 1) < n; root = child) {
		uint32_t t = v[root];

		if (child + 1 < n && v[child] < v[child + 1])
			child++;
		if (t >= v[child])
			return;
		v[root] = v[child];
		v[child] = t;
	}
}

static uint32_t part_sort(void)
{
	uint32_t sum = 0;

	for (int i = NR_SORT / 2 - 1; i >= 0; i--)
		sift(words, i, NR_SORT);
	for (int n = NR_SORT - 1; n > 0; n--) {
		uint32_t t = words[0];

		words[0] = words[n];
		words[n] = t;
		sift(words, 0, n);
	}
	for (int i = 1; i < NR_SORT; i++)
		sum += (words[i] >= words[i - 1]) + words[i] * i;
	return sum;
}

static uint32_t part_sieve(void)
{
	uint32_t count = 0;

	for (int i = 2; i < NR_SIEVE; i++)
		sieve[i] = 1;
	for (int i = 2; i < NR_SIEVE; i++) {
		if (!sieve[i])
			continue;
		count++;
		for (int k = 2 * i; k < NR_SIEVE; k += i)
			sieve[k] = 0;
	}
	return count;
}

static uint32_t part_matrix(void)
{
	uint32_t sum = 0;

	for (int i = 0; i < DIM; i++) {
		for (int j = 0; j < DIM; j++) {
			int32_t acc = 0;

			for (int k = 0; k < DIM; k++)
				acc += ma[i][k] * mb[k][j];
			mc[i][j] = acc;
			sum ^= acc;
		}
	}
	return sum;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	return b ? gcd(b, a % b) : a;
}

static uint32_t part_calls(uint32_t *state)
{
	uint32_t sum = 0;

	for (int i = 0; i < 300; i++) {
		uint32_t a = next_random(state), b = next_random(state) | 1;

		sum += gcd(a, b);
	}
	return sum;
}

uint64_t run(uint32_t rounds)
{
	uint32_t state = 1;
	uint64_t sum = 0;

	while (rounds--) {
		for (int i = 0; i < NR_SORT; i++)
			words[i] = next_random(&state);
		for (int i = 0; i < NR_BYTES; i++)
			bytes[i] = next_random(&state);
		for (int i = 0; i < DIM * DIM; i++) {
			((int32_t *)ma)[i] = next_random(&state) & 0xff;
			((int32_t *)mb)[i] = next_random(&state) & 0xff;
		}
		sum += part_crc();
		sum += part_sort();
		sum += part_sieve();
		sum += part_matrix();
		sum += part_calls(&state);
	}
	return sum;
}
