// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles of products for the cycle model. */
#include <stddef.h>
#include <string.h>

#include <npu/npu_regs.h>

#include "timing_profile.h"

#define CUBE(k_f16)	{ \
	[NPU_F16] = (k_f16), [NPU_BF16] = (k_f16), [NPU_S8] = 2 * (k_f16), [NPU_F32] = (k_f16) / 4 \
}
/* A vector unit is 256 bytes wide, but for bytes, of which it takes as many as of halves. */
#define VECTOR(units)	{ 128 * (units), 128 * (units), 64 * (units) }
#define MIB		(1ULL << 20)

/* What all profiles have: of a core, and what commands cost. */
#define COMMON \
	.cube_k = CUBE(16), .l0a_bytes = 512, .l0b_bytes = 256, .local_bytes = 128, \
	.queue_depth = 32, .block_cycles = 200, \
	.command_ns = 50, .kernel_ns = 2000, .sdma_ns = 1000
/* The 910B, and the dies of the 910C, which have more cores and a higher clock. */
#define COMMON_910B \
	COMMON, .vector_lanes = VECTOR(2), .fix_bytes = 128, .read_bytes = 110, .write_bytes = 86, \
	.l2_bytes = 192 * MIB, .l2_ns = 200, .hbm_ns = 500, .hbm_mhz = 1600, \
	.hbm_mbps = 1600000, .sdma_mbps = 200000, .link_mbps = 31508

static const struct npu_profile profiles[] = {
	{
		.name = "310b", .id = NPU_PROFILE_310B, .cores = 1, .mhz = 1221,
		COMMON, .vector_lanes = VECTOR(1), .fix_bytes = 128,
		.read_bytes = 128, .write_bytes = 64,
		.l2_bytes = 8 * MIB, .l2_ns = 150, .hbm_ns = 400, .hbm_mhz = 2133,
		.hbm_mbps = 51200, .sdma_mbps = 20000, .link_mbps = 3938,
	},
	{
		.name = "910", .id = NPU_PROFILE_910, .cores = 32, .mhz = 977,
		COMMON, .vector_lanes = VECTOR(1), .fix_bytes = 256,
		.read_bytes = 128, .write_bytes = 64,
		.l2_bytes = 32 * MIB, .l2_ns = 200, .hbm_ns = 500, .hbm_mhz = 1200,
		.hbm_mbps = 1200000, .sdma_mbps = 100000, .link_mbps = 31508,
	},
	{
		.name = "910b", .id = NPU_PROFILE_910B, .cores = 24, .mhz = 1800,
		COMMON_910B,
	},
	{
		.name = "910c", .id = NPU_PROFILE_910C, .cores = 25, .mhz = 1850,
		COMMON_910B,
	},
};

const struct npu_profile *npu_profile_find(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}
