/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tile engines of an AI core: memory transfer, cube, vector and fixpipe, with the core's local
 * memory and its flags. Instructions and their encodings are those of npu/npu_tile.h; results are
 * those of docs/numerics.md, bit for bit, on every host.
 *
 * A tile is used by one thread at a time, which must be in the default floating-point environment
 * (round to nearest, no flush to zero). The host's sticky exception flags are clobbered.
 */
#ifndef TILE_H
#define TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_status.h>
#include <npu/npu_tile.h>

#include "rv64.h"

struct tile_isa;
struct tile_kept;
struct tile_scratch;

/**
 * struct npu_tile_ops - what the tile engines need of the core around them
 * @gm_read: copy @rows rows of @row_bytes from virtual address @va, @src_pitch apart, to @dst;
 *	NPU_ST_OK, or why not, with the address in @fault_addr
 * @gm_write: likewise to virtual address @va; rows are written in ascending order
 * @timestamp: value of NPU_INFO_TIME
 * @gm_piece: host memory of rows that lie in one piece, for an @access that the caller carries out
 *	by itself, before npu_tile_settle() returns; *@host is NULL if it has to be gm_read() or
 *	gm_write() instead
 *
 * Rows are not empty, and from the first byte to the last a transfer does not wrap around 2^64;
 * nothing else is known of the addresses.
 */
struct npu_tile_ops {
	enum npu_status (*gm_read)(void *opaque, void *dst, size_t dst_pitch, uint64_t va,
				   uint64_t src_pitch, size_t row_bytes, size_t rows,
				   uint64_t *fault_addr);
	enum npu_status (*gm_write)(void *opaque, uint64_t va, uint64_t dst_pitch, const void *src,
				    size_t src_pitch, size_t row_bytes, size_t rows,
				    uint64_t *fault_addr);
	uint64_t (*timestamp)(void *opaque);
	enum npu_status (*gm_piece)(void *opaque, enum npu_access access, uint64_t va,
				    uint64_t pitch, size_t row_bytes, size_t rows, uint8_t **host,
				    uint64_t *fault_addr);
};

/**
 * struct npu_tile_error - details of the last instruction that failed
 * @status: what npu_tile_exec() returned
 * @unit: which engine refused it
 * @access: kind of the access to @address, NPU_ACCESS_NONE if the fault is not in an address
 * @address: what was accessed; the refused operand for NPU_ST_TILE_SHAPE, the flag for
 *	NPU_ST_FLAG_DEADLOCK, the kernel's code for NPU_ST_KERNEL_TRAP
 */
struct npu_tile_error {
	enum npu_status status;
	enum npu_unit unit;
	enum npu_access access;
	uint64_t address;
};

/* All local buffers, in bytes. */
#define TILE_MEMORY_SIZE (NPU_SMEM_SIZE + NPU_UB_SIZE + NPU_L1_SIZE + NPU_L0A_SIZE + \
			  NPU_L0B_SIZE + NPU_L0C_SIZE)
#define TILE_MOVES 16

/* Where moves are from and to. */
enum tile_place {
	TILE_AT_GM,
	TILE_AT_UB,
	TILE_AT_L1,
	TILE_AT_OTHERS,
	TILE_PLACES
};

/* Rows that have been moved to local memory for the program, but not yet in fact. */
struct tile_move {
	uint8_t *dst;
	const uint8_t *src;
	size_t dst_pitch, src_pitch, row_bytes, rows;
	bool global; /* @src is */
};

/**
 * struct npu_tile - the tile engines of one core
 * @smem: scalar memory, NPU_SMEM_SIZE bytes; a page-aligned host address, as are the next five
 * @ub: unified buffer, NPU_UB_SIZE bytes, up to date after npu_tile_settle()
 * @l1: NPU_L1_SIZE bytes, likewise
 * @l0a: NPU_L0A_SIZE bytes, likewise
 * @l0b: NPU_L0B_SIZE bytes, likewise
 * @l0c: NPU_L0C_SIZE bytes
 * @error: valid after npu_tile_exec() has failed
 * @kept: operands of MMAD that may come again, or NULL
 * @aware: the program can know what others do: see npu_tile_share()
 * @eager: moves from global memory are carried out at once
 */
struct npu_tile {
	uint8_t *smem, *ub, *l1, *l0a, *l0b, *l0c;
	struct npu_tile_error error;
	struct tile_kept *kept;
	bool aware, eager;

	/* private */
	const struct npu_tile_ops *ops;
	void *opaque;
	const struct tile_isa *isa;
	uint8_t *memory;
	struct tile_scratch *scratch;
	uint32_t block, blocks, core, cores;
	uint64_t log;
	uint64_t rows, dst_pitch, src0_pitch, src1_pitch;
	uint64_t mask, mask_pitch;
	uint64_t scale_shift, scale_factor, scale_pitch;
	struct tile_move moves[TILE_MOVES];
	unsigned int moves_pending; /* bits */
	unsigned int moves_at[TILE_PLACES]; /* of moves from or to there, pending or not */
	unsigned int next_move; /* that is carried out if there is no room for another */
	bool flags_used, waits;
	uint32_t flags[NPU_PIPE_COUNT][NPU_PIPE_COUNT][16];
};

/**
 * npu_tile_init() - allocate local memory, zeroed, and choose code for the host's CPU
 * @tile: content is overwritten
 * @ops: must outlive the tile
 * @opaque: first argument of the callbacks
 *
 * Return: 0, or -ENOMEM.
 */
int npu_tile_init(struct npu_tile *tile, const struct npu_tile_ops *ops, void *opaque);

/* npu_tile_fini() - free what npu_tile_init() allocated. */
void npu_tile_fini(struct npu_tile *tile);

/**
 * npu_tile_start() - reset flags, repeat and mask state for a block of a kernel
 * @tile: the tile
 * @block: index of the block
 * @blocks: number of blocks
 * @core: index of the core that runs it; may differ from call to call
 * @cores: number of cores
 * @log: value of NPU_INFO_LOG
 *
 * Local memory is left as it is: see npu_tile_clear().
 */
void npu_tile_start(struct npu_tile *tile, uint32_t block, uint32_t blocks, uint32_t core,
		    uint32_t cores, uint64_t log);

/* npu_tile_clear() - zero all local memory, so that nothing passes from context to context. */
void npu_tile_clear(struct npu_tile *tile);

/* npu_tile_waits() - is a vector operation left for the next instruction to carry out? */
static inline bool npu_tile_waits(const struct npu_tile *tile)
{
	return tile->waits;
}

/* npu_tile_settle() - move to local memory what is there for instructions only. */
void npu_tile_settle(struct npu_tile *tile);

/**
 * npu_tile_share() - the scalar unit gets at memory by itself, from now on
 * @tile: the tile
 * @address: of what it accesses, from page to page
 * @write: it stores
 *
 * Moves to UB, and from what it may write or tell others that they can write, have been carried
 * out when this returns, and are carried out at once from then on: until the caller, when the
 * scalar unit has no such access any more, resets @tile->aware and @tile->eager.
 */
void npu_tile_share(struct npu_tile *tile, uint64_t address, bool write);

/* npu_tile_forget() - such moves are not carried out: nobody will read what they move. */
void npu_tile_forget(struct npu_tile *tile);

/**
 * npu_tile_exec() - execute one instruction of the custom-0..3 opcodes
 * @tile: the tile
 * @cpu: its scalar unit; cpu->x holds the operands, GETINFO writes it
 * @insn: the instruction
 *
 * The work of one instruction is bounded by the sizes of the local buffers. An instruction that
 * is refused has had no effect; one that faults in global memory may have done part of its work.
 *
 * Return: NPU_ST_OK, or why not, with details in @tile->error.
 */
enum npu_status npu_tile_exec(struct npu_tile *tile, struct rv64_cpu *cpu,
			      const struct rv64_custom *insn);

/**
 * npu_tile_set_isa() - use the code of another CPU level than the one chosen; for tests
 * @tile: the tile
 * @name: "v1", "v3" or "v4", after the x86-64 levels; "v1" is portable C; "vnni" is v4 with
 *	AVX512_VNNI
 *
 * Return: false if it is not built in, or the host's CPU cannot run it.
 */
bool npu_tile_set_isa(struct npu_tile *tile, const char *name);

/**
 * npu_tile_combine() - dst = dst op src, as an elementwise operation of the vector engine
 * @opcode: NPU_VADD, NPU_VMIN or NPU_VMAX
 * @dtype: element type
 * @dst: elements; the same as @src or apart from it
 * @src: likewise
 * @count: of elements
 */
void npu_tile_combine(unsigned int opcode, unsigned int dtype, void *dst, const void *src,
		      size_t count);

/* tile_dtype_size() - bytes of an element; 0 for a type that there is not. */
unsigned int tile_dtype_size(uint64_t dtype);

/* npu_tile_isa_name() - the level in use. */
const char *npu_tile_isa_name(const struct npu_tile *tile);

#endif /* TILE_H */
