/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tile instruction does with memory, and which pipe does it: for those who watch a core,
 * as strict mode does. Operands are as the engines see them when they execute it.
 */
#ifndef TILE_ACCESS_H
#define TILE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <npu/npu_status.h>
#include <npu/npu_tile.h>

#include "rv64.h"

struct npu_tile;

/* Local buffers, as bits: an operand has to be in one of a set of them. */
enum tile_buffer {
	TILE_SMEM = 1 << 0,
	TILE_UB = 1 << 1,
	TILE_L1 = 1 << 2,
	TILE_L0A = 1 << 3,
	TILE_L0B = 1 << 4,
	TILE_L0C = 1 << 5,
	TILE_ANY = (1 << 6) - 1,
};

/**
 * struct tile_rect - an operand in memory: @rows rows of @row_bytes, @pitch bytes apart
 * @unit: engine that accesses it
 * @access: NPU_ACCESS_READ or NPU_ACCESS_WRITE
 * @buffers: set of enum tile_buffer that it may be in, unless it is in global memory
 */
struct tile_rect {
	enum npu_unit unit;
	enum npu_access access;
	unsigned int buffers;
	uint64_t address, pitch, row_bytes, rows;
};

#define TILE_ACCESS_RECTS 6 /* sources, mask or addend, shift, factor, and what is written */

/**
 * struct tile_access - what one instruction does
 * @pipe: that runs it; NPU_PIPE_S for synchronisation, system, VEC_REPEAT, VEC_MASK and VEC_SCALE
 * @dtype: element type of the sources
 * @m: rows: of C, of what MTE_LOAD0 reads, of a vector operation; 1 for MTE_SET
 * @n: elements of such a row; bytes for MTE_COPY and MTE_SET
 * @k: length of MMAD's sums, 1 otherwise
 * @count: number of @rects; 0 if nothing is accessed
 * @rects: reads first, in the order of the operands; then what is written
 */
struct tile_access {
	enum npu_pipe pipe;
	unsigned int dtype;
	uint64_t m, n, k;
	unsigned int count;
	struct tile_rect rects[TILE_ACCESS_RECTS];
};

/**
 * tile_access_decode() - what an instruction accesses
 * @tile: its tile, with the state that vector operations use
 * @cpu: with the operands in its registers
 * @insn: the instruction, whose operands are the same before and after npu_tile_exec()
 * @access: the result
 *
 * If npu_tile_exec() accepts the instruction the rectangles are valid, within their buffers, and
 * do not wrap around. If it refuses it they are what was asked for, unchecked.
 */
void tile_access_decode(const struct npu_tile *tile, const struct rv64_cpu *cpu,
			const struct rv64_custom *insn, struct tile_access *access);

/* tile_buffer_of() - the buffer that holds a local address, or 0. */
enum tile_buffer tile_buffer_of(uint64_t address);
/* tile_local_host() - host address of one that is in a buffer. */
const uint8_t *tile_local_host(const struct npu_tile *tile, uint64_t address);

#endif /* TILE_ACCESS_H */
