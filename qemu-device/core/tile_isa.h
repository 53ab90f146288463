/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loops of the tile engines. The tile_isa_*.c files are compiled once for each CPU level, with
 * TILE_ISA defined to its name, and give a table of functions; the same C gives the same bits at
 * each. Arguments have been checked.
 */
#ifndef TILE_ISA_H
#define TILE_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_tile.h>

/*
 * Blocking of MMAD: rows of A and steps of k that are converted at a time. A step is an element, or
 * some of S8.
 */
#define TILE_MC 128
#define TILE_KC 256
/* Rows of converted A are at most this many floats apart. */
#define TILE_LDA (TILE_KC + 16)
#define TILE_NR_MAX 32
#define TILE_LINE 64 /* bytes, of the host's cache */

struct tile_scratch;

/*
 * An operand in the form that the kernels of MMAD take, which is kept. It is @full before it is
 * used.
 */
struct tile_form {
	float *data;
	bool full;
};

/* Pitches are in bytes; a form that is not kept is NULL. */
struct tile_mmad {
	uint8_t *c;
	const uint8_t *a, *b;
	size_t a_pitch, b_pitch, c_pitch;
	unsigned int m, n, k, dtype;
	bool init;
	struct tile_scratch *scratch;
	struct tile_form *a_form, *b_form;
};

/* Elements of k of a row of A's form, and its pitch: not a power of two, for the cache's sake. */
static inline size_t tile_form_pitch(unsigned int steps)
{
	return (steps < TILE_KC ? (steps + 15) / 16 * 16 : TILE_KC) + 16;
}

/* Floats that forms take at most: with as many steps as elements of k, and a word more a row. */
static inline size_t tile_form_a(unsigned int m, unsigned int k)
{
	return m * ((k + TILE_KC - 1) / TILE_KC) * (tile_form_pitch(k) + 1);
}

static inline size_t tile_form_b(unsigned int n, unsigned int k)
{
	return (size_t)k * ((n + TILE_NR_MAX - 1) / TILE_NR_MAX * TILE_NR_MAX);
}

struct tile_fixpipe {
	uint8_t *dst;
	const uint8_t *src;
	size_t dst_pitch, src_pitch;
	unsigned int rows, cols, src_dtype, dst_dtype;
	bool relu, far; /* far: dst is in memory, not in a buffer of the core's */
	float scale;
};

struct tile_transpose {
	uint8_t *dst;
	const uint8_t *src;
	size_t dst_pitch, src_pitch;
	unsigned int rows, cols, size;
};

/*
 * The mask is also the addend of NPU_VFMA, and of NPU_VMLA and NPU_VMADD what is at dst. With
 * src1_element, src1 is one element for a row instead of a row. With scaled, an element x of src0
 * is (x - shift) * factor; they are those of a row, at shifts and factors unless NULL.
 */
struct tile_vec {
	unsigned int opcode, dtype, dst_dtype, count, rows;
	uint8_t *dst;
	const uint8_t *src0, *src1, *mask, *shifts, *factors;
	size_t dst_pitch, src0_pitch, src1_pitch, mask_pitch, scale_pitch;
	bool src1_element, trunc, scaled;
	float shift, factor;
};

/* A vector operation that waits, see tile_defer.c; @element is what src1 has for all rows. */
struct tile_waiting {
	struct tile_vec args;
	unsigned int operands;
	uint64_t row_bytes;
	uint32_t element;
};

struct tile_scratch {
	union {
		struct {
			float a[TILE_MC * TILE_LDA];
			float b[TILE_KC * TILE_NR_MAX];
			int32_t bias[TILE_MC];
		};
		uint8_t out[NPU_L0C_SIZE]; /* of FIXPIPE to global memory */
	};
	struct tile_waiting waiting;
} __attribute__((aligned(64)));

struct tile_isa {
	const char *name;
	/* Write forms that are not full. */
	void (*form)(const struct tile_mmad *args);
	void (*mmad)(const struct tile_mmad *args);
	void (*fixpipe)(const struct tile_fixpipe *args);
	void (*transpose)(const struct tile_transpose *args);
	void (*vector)(const struct tile_vec *args);
};

extern const struct tile_isa tile_isa_v1;
#ifdef __x86_64__
extern const struct tile_isa tile_isa_v3;
extern const struct tile_isa tile_isa_v4;
extern const struct tile_isa tile_isa_vnni;
#endif

/* Inside the tile_isa_*.c files: the name of this level's instance of a function. */
#ifdef TILE_ISA
#define TILE_PASTE2(name, isa) name##_##isa
#define TILE_PASTE(name, isa) TILE_PASTE2(name, isa)
#define TILE_NAME(name) TILE_PASTE(name, TILE_ISA)
#define TILE_STRING2(isa) #isa
#define TILE_STRING(isa) TILE_STRING2(isa)
#define TILE_ISA_STRING TILE_STRING(TILE_ISA)

/*
 * What is written comes from memory first, unless it has been asked for so many rows before; to
 * ask for it to write (PREFETCHW) gains no more.
 */
#define TILE_WRITE_AHEAD 4

static inline void tile_ask_ahead(const void *dst, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += TILE_LINE)
		__builtin_prefetch((const char *)dst + i, 0, 3);
}

void TILE_NAME(tile_isa_form)(const struct tile_mmad *args);
void TILE_NAME(tile_isa_mmad)(const struct tile_mmad *args);
/*
 * The product of rows m to m + rows of A (at most TILE_THIN), of which @depth columns from k on
 * are converted in the scratch memory, and B, which is of floats. Returns the number of columns
 * of C that are done: whole panels.
 */
unsigned int TILE_NAME(tile_isa_thin)(const struct tile_mmad *args, unsigned int m,
				      unsigned int rows, unsigned int k, unsigned int depth);
void TILE_NAME(tile_isa_fixpipe)(const struct tile_fixpipe *args);
void TILE_NAME(tile_isa_transpose)(const struct tile_transpose *args);
void TILE_NAME(tile_isa_vector)(const struct tile_vec *args);

/* A row of a vector operation; the families are a file each. */
typedef void (*tile_row_fn)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			    const uint8_t *src1, const uint8_t *mask);

void TILE_NAME(tile_row_float)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			       const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_int)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			     const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_compare)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				 const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_select)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_cast)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			      const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_reduce)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				const uint8_t *src1, const uint8_t *mask);
void TILE_NAME(tile_row_dot)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			     const uint8_t *src1, const uint8_t *mask);
#endif

#endif /* TILE_ISA_H */
