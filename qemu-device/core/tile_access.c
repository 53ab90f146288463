// SPDX-License-Identifier: GPL-2.0-or-later
/* What tile instructions access: each engine knows it of its own. */
#include "tile_internal.h"

void tile_access_decode(const struct npu_tile *tile, const struct rv64_cpu *cpu,
			const struct rv64_custom *insn, struct tile_access *access)
{
	const struct tile_operands op = {
		cpu->x[insn->rd], cpu->x[insn->rs1], cpu->x[insn->rs2], cpu->x[insn->rs3],
	};

	access->pipe = NPU_PIPE_S;
	access->count = 0;
	access->k = 1;
	switch (insn->major) {
	case 0:
		tile_mte_access(insn->funct3, &op, access);
		break;
	case 1:
		tile_cube_access(insn->funct3, &op, access);
		break;
	case 2:
		if (insn->funct3 == NPU_VEC_OP)
			tile_vector_access(tile, &op, access);
		break;
	}
}
