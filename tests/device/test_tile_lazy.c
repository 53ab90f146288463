// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LOAD0 is carried out late or never, and nobody can tell: random instructions on two tiles, one
 * of which settles after each, leave the same in all memories.
 */
#include "tap.h"
#include "tile_ref.h"
#include "tile_vm.h"

#define ROUNDS 400
#define STEPS 60

static struct tile_vm lazy, eager;

struct step {
	unsigned int major, funct3;
	uint64_t rd, rs1, rs2, rs3;
};

/* Few places of few sizes, so that they meet. */
static uint64_t place(uint64_t base)
{
	return base + ref_below(4) * 1024 + ref_below(2) * 32;
}

static uint64_t l0(void)
{
	return place(ref_below(2) ? NPU_L0A_BASE : NPU_L0B_BASE);
}

static struct step random_load0(void)
{
	static const unsigned int pitches[] = { 32, 64, 128 };
	const unsigned int pitch = pitches[ref_below(3)];

	return (struct step) {
		MTE, NPU_MTE_LOAD0, l0(), place(NPU_L1_BASE),
		NPU_PREP(NPU_LOAD0_ROWS, 1 + ref_below(8)) |
			NPU_PREP(NPU_LOAD0_COLS, (1 + ref_below(2)) * pitch / 8) |
			NPU_PREP(NPU_LOAD0_SRC_PITCH, ref_below(5) * 64),
		NPU_PREP(NPU_LOAD0_DST_PITCH, pitch) | NPU_PREP(NPU_LOAD0_DTYPE, NPU_F32) |
			(ref_below(8) ? 0 : NPU_LOAD0_TRANSPOSE),
	};
}

static struct step random_step(void)
{
	static const unsigned int counts[] = { 4, 8, 16, 32 };
	const unsigned int m = 1 + ref_below(8), n = counts[ref_below(4)], k = counts[ref_below(4)];
	const uint64_t l1 = place(NPU_L1_BASE), pitch = 32 * (1 + ref_below(3));

	switch (ref_below(8)) {
	case 0:
		return (struct step) { MTE, NPU_MTE_SET, ref_below(2) ? l1 : l0(),
				       0x3f800000 + ref_below(1 << 22), 32 * (1 + ref_below(20)), 4 };
	case 1:
		return (struct step) { MTE, NPU_MTE_COPY, l1, GM_BASE + 4 * ref_below(5000),
				       NPU_PREP(NPU_COPY_ROW_BYTES, 1 + ref_below(pitch)) |
					       NPU_PREP(NPU_COPY_ROWS, 1 + ref_below(9)),
				       NPU_PREP(NPU_COPY_DST_PITCH, pitch) |
					       NPU_PREP(NPU_COPY_SRC_PITCH, 100) };
	case 2:
		return (struct step) { CUBE, NPU_CUBE_FIXPIPE, l1, NPU_L0C_BASE,
				       NPU_PREP(NPU_FIXPIPE_ROWS, m) |
					       NPU_PREP(NPU_FIXPIPE_COLS, 8) |
					       NPU_PREP(NPU_FIXPIPE_DST_PITCH, pitch), 0 };
	case 3:
	case 4:
		return (struct step) { CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, place(NPU_L0A_BASE),
				       place(NPU_L0B_BASE),
				       mmad_config(m, n, k, NPU_F32, ref_below(2)) };
	default:
		return random_load0();
	}
}

static enum npu_status run(struct tile_vm *vm, const struct step *s)
{
	return vm_exec(vm, s->major, s->funct3, s->rd, s->rs1, s->rs2, s->rs3);
}

static bool same(void)
{
	npu_tile_settle(&lazy.tile);
	return !memcmp(lazy.tile.l1, eager.tile.l1, NPU_L1_SIZE) &&
	       !memcmp(lazy.tile.l0a, eager.tile.l0a, NPU_L0A_SIZE) &&
	       !memcmp(lazy.tile.l0b, eager.tile.l0b, NPU_L0B_SIZE) &&
	       !memcmp(lazy.tile.l0c, eager.tile.l0c, NPU_L0C_SIZE);
}

int main(void)
{
	unsigned int refused = 0;
	bool pass = true;

	vm_init(&lazy);
	vm_init(&eager);
	ref_fill_plain(lazy.gm, GM_SIZE, NPU_F32);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	for (unsigned int round = 0; round < ROUNDS && pass; round++) {
		for (unsigned int i = 0; i < STEPS && pass; i++) {
			const struct step s = random_step();
			const enum npu_status status = run(&lazy, &s);

			pass = status == run(&eager, &s);
			npu_tile_settle(&eager.tile);
			refused += status != NPU_ST_OK;
		}
		pass = pass && same();
		if (!pass)
			printf("# differs in round %u\n", round);
	}
	ok(pass, "late loads show nowhere");
	ok(!refused, "%u instructions have been carried out", ROUNDS * STEPS);
	vm_fini(&lazy);
	vm_fini(&eager);
	return tap_done();
}
