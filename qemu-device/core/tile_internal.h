/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the tile engines share: operands, their validation, and errors. */
#ifndef TILE_INTERNAL_H
#define TILE_INTERNAL_H

#include <npu/npu_mmu.h>

#include "tile.h"
#include "tile_access.h"
#include "tile_isa.h"

/* Values of the four registers that an instruction names. */
struct tile_operands {
	uint64_t rd, rs1, rs2, rs3;
};

static inline enum npu_status tile_fail(struct npu_tile *tile, enum npu_status status,
					enum npu_unit unit, enum npu_access access,
					uint64_t address)
{
	tile->error = (struct npu_tile_error) {
		.status = status, .unit = unit, .access = access, .address = address,
	};
	return status;
}

static inline enum npu_status tile_bad_shape(struct npu_tile *tile, enum npu_unit unit,
					     uint64_t operand)
{
	return tile_fail(tile, NPU_ST_TILE_SHAPE, unit, NPU_ACCESS_NONE, operand);
}

static inline uint64_t tile_round_up(uint64_t bytes)
{
	return (bytes + NPU_TILE_ALIGN - 1) & ~(uint64_t)(NPU_TILE_ALIGN - 1);
}

/* Rows that do not lie over each other: the bound on the work of a transfer. */
static inline bool tile_rect_dense(const struct tile_rect *rect)
{
	return rect->rows <= 1 || rect->pitch >= rect->row_bytes;
}

static inline bool tile_is_global(uint64_t address)
{
	return address >= NPU_VA_START;
}

/* Bytes from the first to the last, or UINT64_MAX if that is too many to say. */
uint64_t tile_rect_span(const struct tile_rect *rect);
uint8_t *tile_buffer_host(const struct npu_tile *tile, enum tile_buffer buffer);

/* Check a rectangle that is not empty; its host address goes to @host. */
enum npu_status tile_check(struct npu_tile *tile, const struct tile_rect *rect, uint8_t **host);
/* Likewise, and have there what has been left for later, as the rectangle is about to be used. */
enum npu_status tile_local(struct npu_tile *tile, const struct tile_rect *rect, uint8_t **host);
/* Check that one in global memory does not wrap around. */
enum npu_status tile_global(struct npu_tile *tile, const struct tile_rect *rect);
/* Rows of global memory to local memory, now or later; and back. */
enum npu_status tile_gm_read(struct npu_tile *tile, const struct tile_rect *src, uint8_t *dst,
			     size_t dst_pitch);
enum npu_status tile_gm_write(struct npu_tile *tile, const struct tile_rect *dst,
			      const uint8_t *src, size_t src_pitch);
/* Where @dst will be written at once, or NULL; elements have @align bytes. */
enum npu_status tile_gm_target(struct npu_tile *tile, const struct tile_rect *dst,
			       unsigned int align, uint8_t **host);

/*
 * tile_lazy.c: what is to be done before memory is used, and before rows are written all over;
 * a move of what has been checked; where rows are that an instruction reads, with their pitch, if
 * that is aligned to @align.
 */
void tile_lazy_touch(struct npu_tile *tile, const uint8_t *host, uint64_t span, bool write);
void tile_lazy_write(struct npu_tile *tile, const struct tile_move *rows);
void tile_lazy_move(struct npu_tile *tile, const struct tile_move *move);
const uint8_t *tile_lazy_find(struct npu_tile *tile, const uint8_t *host, size_t *pitch,
			      uint64_t row_bytes, uint64_t rows, unsigned int align, bool *global);

/* Rows of a vector operation that are dense are one long row; it saves the start of each. */
void tile_join_rows(struct tile_vec *args, unsigned int operands);

/*
 * Would an element of rows at @src be written, by results that go to @dst at @host, before it is
 * read? Not if each is in the place of its own result.
 */
bool tile_clashes(const uint8_t *src, size_t pitch, size_t row_bytes, const struct tile_rect *dst,
		  const uint8_t *host);

/*
 * tile_defer.c: let an operation with this destination wait, if that is worth it; carry it out; a
 * COPY to global memory of what has been checked, if that is what it waits for, which is *@stored
 * then, else it has been carried out.
 */
bool tile_defer(struct npu_tile *tile, const struct tile_vec *args, unsigned int operands,
		const struct tile_rect *dst);
void tile_defer_run(struct npu_tile *tile);
enum npu_status tile_defer_store(struct npu_tile *tile, const struct tile_rect *dst,
				 const uint8_t *src, size_t src_pitch, bool *stored);

enum npu_status tile_mte(struct npu_tile *tile, unsigned int funct3,
			 const struct tile_operands *op);
enum npu_status tile_cube(struct npu_tile *tile, unsigned int funct3,
			  const struct tile_operands *op);
enum npu_status tile_vector(struct npu_tile *tile, unsigned int funct3,
			    const struct tile_operands *op);

/* What instructions of an engine access, for tile_access_decode(): pipe, sizes and rectangles. */
void tile_mte_access(unsigned int funct3, const struct tile_operands *op,
		     struct tile_access *access);
void tile_cube_access(unsigned int funct3, const struct tile_operands *op,
		      struct tile_access *access);
void tile_vector_access(const struct npu_tile *tile, const struct tile_operands *op,
			struct tile_access *access);

/* For these: one operand more. */
static inline void tile_access_add(struct tile_access *access, const struct tile_rect *rect)
{
	access->rects[access->count++] = *rect;
}

#endif /* TILE_INTERNAL_H */
