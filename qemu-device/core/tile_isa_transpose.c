// SPDX-License-Identifier: GPL-2.0-or-later
/* Transposition on the way to L0: square blocks in registers, edges element by element. */
#include <string.h>

#include "tile_isa.h"
#include "tile_math.h"

typedef uint8_t v8 __attribute__((vector_size(16)));
typedef uint16_t v16 __attribute__((vector_size(16)));
typedef uint32_t v32 __attribute__((vector_size(16)));

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (__typeof__(a)) { __VA_ARGS__ })
#endif

/* Interleave the low and the high halves of two vectors. */
#define LOW8(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH8(a, b) SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW16(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define HIGH32(a, b) SHUFFLE(a, b, 2, 6, 3, 7)

/*
 * A step of a transposition by interleaving: rows i and i + n / 2 go to rows 2i and 2i + 1.
 * After log2(n) steps, n rows of n elements are transposed.
 */
#define STEP(n, out, in, low, high)						\
	do {									\
		for (unsigned int i_ = 0; i_ < (n) / 2; i_++) {			\
			(out)[2 * i_] = low((in)[i_], (in)[i_ + (n) / 2]);	\
			(out)[2 * i_ + 1] = high((in)[i_], (in)[i_ + (n) / 2]);	\
		}								\
	} while (0)

TILE_INLINE void block8(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch)
{
	v8 a[16], b[16];

	for (unsigned int i = 0; i < 16; i++)
		memcpy(&a[i], src + i * src_pitch, sizeof(a[i]));
	STEP(16, b, a, LOW8, HIGH8);
	STEP(16, a, b, LOW8, HIGH8);
	STEP(16, b, a, LOW8, HIGH8);
	STEP(16, a, b, LOW8, HIGH8);
	for (unsigned int i = 0; i < 16; i++)
		memcpy(dst + i * dst_pitch, &a[i], sizeof(a[i]));
}

TILE_INLINE void block16(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch)
{
	v16 a[8], b[8];

	for (unsigned int i = 0; i < 8; i++)
		memcpy(&a[i], src + i * src_pitch, sizeof(a[i]));
	STEP(8, b, a, LOW16, HIGH16);
	STEP(8, a, b, LOW16, HIGH16);
	STEP(8, b, a, LOW16, HIGH16);
	for (unsigned int i = 0; i < 8; i++)
		memcpy(dst + i * dst_pitch, &b[i], sizeof(b[i]));
}

TILE_INLINE void block32(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch)
{
	v32 a[4], b[4];

	for (unsigned int i = 0; i < 4; i++)
		memcpy(&a[i], src + i * src_pitch, sizeof(a[i]));
	STEP(4, b, a, LOW32, HIGH32);
	STEP(4, a, b, LOW32, HIGH32);
	for (unsigned int i = 0; i < 4; i++)
		memcpy(dst + i * dst_pitch, &a[i], sizeof(a[i]));
}

/* Source rows row to rows, columns col to cols. */
static void edge(const struct tile_transpose *args, unsigned int row, unsigned int rows,
		 unsigned int col, unsigned int cols)
{
	for (unsigned int c = col; c < cols; c++) {
		const uint8_t *src = args->src + c * args->size;
		uint8_t *dst = args->dst + c * args->dst_pitch;

		for (unsigned int r = row; r < rows; r++)
			memcpy(dst + r * args->size, src + r * args->src_pitch, args->size);
	}
}

void TILE_NAME(tile_isa_transpose)(const struct tile_transpose *args)
{
	const unsigned int side = 16 / args->size;
	unsigned int rows = args->rows - args->rows % side, cols = args->cols - args->cols % side;

	for (unsigned int c = 0; c < cols; c += side) {
		for (unsigned int r = 0; r < rows; r += side) {
			const uint8_t *src = args->src + r * args->src_pitch + c * args->size;
			uint8_t *dst = args->dst + c * args->dst_pitch + r * args->size;

			if (args->size == 1)
				block8(dst, args->dst_pitch, src, args->src_pitch);
			else if (args->size == 2)
				block16(dst, args->dst_pitch, src, args->src_pitch);
			else
				block32(dst, args->dst_pitch, src, args->src_pitch);
		}
	}
	edge(args, rows, args->rows, 0, args->cols);
	edge(args, 0, rows, cols, args->cols);
}
