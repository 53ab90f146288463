// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transposition on the way to L0. A block is as many source rows as a vector has elements, and 16
 * bytes of each: a lane of a vector takes these from one row. Each lane is transposed by itself,
 * so that a vector becomes a piece of a row of the destination.
 */
#include <string.h>

#include "tile_isa.h"
#include "tile_simd.h"

#define LANE 16 /* bytes */
#define LANES ((unsigned int)sizeof(tile_vi) / LANE)
#define STRIP 64

#if TILE_VL == 16

/* 16 bytes each of rows that are @pitch apart. */
TILE_INLINE tile_vi load_lanes(const uint8_t *src, size_t pitch)
{
	tile_vi v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)src));

	v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(src + pitch)), 1);
	v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(src + 2 * pitch)), 2);
	return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(src + 3 * pitch)), 3);
}

/* The low halves of lanes of two vectors, element by element in turn; and the high halves. */
#define LOW8 _mm512_unpacklo_epi8
#define HIGH8 _mm512_unpackhi_epi8
#define LOW16 _mm512_unpacklo_epi16
#define HIGH16 _mm512_unpackhi_epi16
#define LOW32 _mm512_unpacklo_epi32
#define HIGH32 _mm512_unpackhi_epi32

#elif TILE_VL == 8

TILE_INLINE tile_vi load_lanes(const uint8_t *src, size_t pitch)
{
	return _mm256_loadu2_m128i((const void *)(src + pitch), (const void *)src);
}

#define LOW8 _mm256_unpacklo_epi8
#define HIGH8 _mm256_unpackhi_epi8
#define LOW16 _mm256_unpacklo_epi16
#define HIGH16 _mm256_unpackhi_epi16
#define LOW32 _mm256_unpacklo_epi32
#define HIGH32 _mm256_unpackhi_epi32

#else

TILE_INLINE tile_vi load_lanes(const uint8_t *src, size_t pitch)
{
	(void)pitch;
	return tile_vi_load(src);
}

typedef uint8_t v8 __attribute__((vector_size(LANE)));
typedef uint16_t v16 __attribute__((vector_size(LANE)));
typedef uint32_t v32 __attribute__((vector_size(LANE)));

#ifdef __clang__
#define SHUFFLE(type, a, b, ...) \
	((tile_vi)__builtin_shufflevector((type)(a), (type)(b), __VA_ARGS__))
#else
#define SHUFFLE(type, a, b, ...) \
	((tile_vi)__builtin_shuffle((type)(a), (type)(b), (type) { __VA_ARGS__ }))
#endif

#define LOW8(a, b) SHUFFLE(v8, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH8(a, b) SHUFFLE(v8, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW16(a, b) SHUFFLE(v16, a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) SHUFFLE(v16, a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) SHUFFLE(v32, a, b, 0, 4, 1, 5)
#define HIGH32(a, b) SHUFFLE(v32, a, b, 2, 6, 3, 7)

#endif

/*
 * A step of a transposition by interleaving: vectors i and i + n / 2 go to vectors 2i and 2i + 1.
 * After log2(n) steps, n vectors with n elements in a lane are transposed.
 */
#define STEP(n, out, in, low, high)						\
	do {									\
		for (unsigned int i_ = 0; i_ < (n) / 2; i_++) {			\
			(out)[2 * i_] = low((in)[i_], (in)[i_ + (n) / 2]);	\
			(out)[2 * i_ + 1] = high((in)[i_], (in)[i_ + (n) / 2]);	\
		}								\
	} while (0)

TILE_INLINE void block(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch,
		       unsigned int size)
{
	const unsigned int n = LANE / size;
	tile_vi a[LANE], b[LANE];

	for (unsigned int i = 0; i < n; i++)
		a[i] = load_lanes(src + i * src_pitch, n * src_pitch);
	if (size == 1) {
		STEP(16, b, a, LOW8, HIGH8);
		STEP(16, a, b, LOW8, HIGH8);
		STEP(16, b, a, LOW8, HIGH8);
		STEP(16, a, b, LOW8, HIGH8);
	} else if (size == 2) {
		STEP(8, b, a, LOW16, HIGH16);
		STEP(8, a, b, LOW16, HIGH16);
		STEP(8, b, a, LOW16, HIGH16);
	} else {
		STEP(4, b, a, LOW32, HIGH32);
		STEP(4, a, b, LOW32, HIGH32);
	}
	for (unsigned int i = 0; i < n; i++)
		tile_vi_store(dst + i * dst_pitch, size == 2 ? b[i] : a[i]);
}

/* @row_bytes of @rows rows, where there are less than a block has. */
TILE_INLINE void edge(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch,
		      unsigned int rows, unsigned int row_bytes, unsigned int size)
{
	uint8_t in[LANES * LANE][LANE], out[LANE][LANES * LANE];

	memset(in, 0, LANES * LANE / size * LANE);
	/* A length that is known is not a call. */
	for (unsigned int i = 0; i < rows; i++, src += src_pitch)
		memcpy(in[i], src, row_bytes == LANE ? LANE : row_bytes);
	block(out[0], sizeof(out[0]), in[0], sizeof(in[0]), size);
	for (unsigned int i = 0; i < row_bytes / size; i++)
		memcpy(dst + i * dst_pitch, out[i], rows * size);
}

/* The block at a row and a byte of the source. The last ones lie over those before them. */
TILE_INLINE void block_at(const struct tile_transpose *args, unsigned int row, unsigned int column,
			  unsigned int size)
{
	const unsigned int height = LANES * LANE / size, row_bytes = args->cols * size;
	unsigned int rows = args->rows < height ? args->rows : height;
	unsigned int bytes = row_bytes < LANE ? row_bytes : LANE;
	const uint8_t *src;
	uint8_t *dst;

	row = row < args->rows - rows ? row : args->rows - rows;
	column = column < row_bytes - bytes ? column : row_bytes - bytes;
	src = args->src + row * args->src_pitch + column;
	dst = args->dst + column / size * args->dst_pitch + row * size;
	if (rows == height && bytes == LANE)
		block(dst, args->dst_pitch, src, args->src_pitch, size);
	else if (rows == height / 2 && bytes == LANE)
		edge(dst, args->dst_pitch, src, args->src_pitch, height / 2, LANE, size);
	else
		edge(dst, args->dst_pitch, src, args->src_pitch, rows, bytes, size);
}

/* Down strips of the source of the width of a cache line, which is read and written at once. */
TILE_INLINE void transpose(const struct tile_transpose *args, unsigned int size)
{
	const unsigned int height = LANES * LANE / size, row_bytes = args->cols * size;

	for (unsigned int strip = 0; strip < row_bytes; strip += STRIP) {
		unsigned int end = row_bytes - strip < STRIP ? row_bytes : strip + STRIP;

		for (unsigned int r = 0; r < args->rows; r += height)
			for (unsigned int c = strip; c < end; c += LANE)
				block_at(args, r, c, size);
	}
}

void TILE_NAME(tile_isa_transpose)(const struct tile_transpose *args)
{
	if (args->size == 1)
		transpose(args, 1);
	else if (args->size == 2)
		transpose(args, 2);
	else
		transpose(args, 4);
}
