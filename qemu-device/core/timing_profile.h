/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cycle model knows of a product: docs/timing.md has the figures, and where they are from. */
#ifndef TIMING_PROFILE_H
#define TIMING_PROFILE_H

#include <stdint.h>

#include <npu/npu_tile.h>

/**
 * struct npu_profile - a product
 * @name: as the host chooses it
 * @id: NPU_PROFILE_*
 * @cores: AI cores; each has one cube
 * @mhz: their clock
 * @cube_k: by element type, how much of k a cube does in a cycle for 16 rows and 16 columns; 0: not
 *	a type of the cube's
 * @vector_lanes: elements that a core's vector units do in a cycle, by log2 of the element's bytes
 * @l0a_bytes: bytes a cycle, from L1 to L0A
 * @l0b_bytes: from L1 to L0B
 * @local_bytes: between L1 and UB, and of a fill
 * @fix_bytes: of L0C that fixpipe takes
 * @read_bytes: from global memory, what a core's port takes
 * @write_bytes: to global memory
 * @queue_depth: instructions of a pipe that wait for their turn
 * @block_cycles: before a core begins with a block
 * @l2_bytes: of the L2 cache
 * @l2_ns: latency of what is found there
 * @hbm_ns: latency of what is not
 * @hbm_mhz: HBM clock
 * @hbm_mbps: HBM bandwidth in MB/s, which all have a share in
 * @sdma_mbps: what SDMA moves, in MB/s
 * @link_mbps: to and from host memory
 * @command_ns: for the scheduler to take a command of a list
 * @kernel_ns: from there to the first block of a kernel
 * @sdma_ns: from there to the first byte of a copy, fill or reduction
 */
struct npu_profile {
	const char *name;
	uint32_t id;
	unsigned int cores, mhz;
	unsigned int cube_k[NPU_DTYPE_COUNT];
	unsigned int vector_lanes[3];
	unsigned int l0a_bytes, l0b_bytes, local_bytes, fix_bytes, read_bytes, write_bytes;
	unsigned int queue_depth, block_cycles;
	uint64_t l2_bytes;
	unsigned int l2_ns, hbm_ns, hbm_mhz;
	uint64_t hbm_mbps, sdma_mbps, link_mbps;
	unsigned int command_ns, kernel_ns, sdma_ns;
};

/* npu_profile_find() - the profile of this name, NULL if there is none. */
const struct npu_profile *npu_profile_find(const char *name);

#endif /* TIMING_PROFILE_H */
