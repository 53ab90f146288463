// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves and results are carried out late or never, and nobody can tell: random instructions on two
 * tiles, one of which does all at once, leave the same in all memories. So do operands of MMAD that
 * are kept.
 */
#include "tap.h"
#include "tile_kept.h"
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

/* Rows in UB, or in global memory near others. */
static uint64_t ub(void)
{
	return place(NPU_UB_BASE);
}

static uint64_t gm(void)
{
	return GM_BASE + ref_below(3) * 4096 + 4 * ref_below(4) + ref_below(8) / 7;
}

static struct step copy(uint64_t dst, uint64_t src)
{
	static const unsigned int pitches[] = { 32, 64, 512, 1024 };
	const unsigned int pitch = pitches[ref_below(4)], row = ref_below(2) ? pitch : 32;

	return (struct step) { MTE, NPU_MTE_COPY, dst, src,
			       NPU_PREP(NPU_COPY_ROW_BYTES, row) |
				       NPU_PREP(NPU_COPY_ROWS, 1 + ref_below(5)),
			       NPU_PREP(NPU_COPY_DST_PITCH, pitch) |
				       NPU_PREP(NPU_COPY_SRC_PITCH, pitch) };
}

static struct step repeat(void)
{
	static const unsigned int pitches[] = { 0, 32, 64, 512, 1024 };

	return (struct step) { VECTOR, NPU_VEC_REPEAT, pitches[1 + ref_below(4)], 1 + ref_below(5),
			       pitches[ref_below(5)], pitches[ref_below(5)] };
}

static struct step vector(void)
{
	static const unsigned int counts[] = { 8, 16, 128, 256 };
	static const unsigned int opcodes[] = { NPU_VMOV, NPU_VADD, NPU_VMUL, NPU_VMADD, NPU_VSUM,
						NPU_VFMA };
	const bool scalar = ref_below(4) == 0;
	unsigned int opcode = opcodes[ref_below(6)];
	const uint64_t kind = scalar && opcode != NPU_VMOV && opcode != NPU_VSUM ? NPU_VEC_SCALAR : 0;

	return (struct step) { VECTOR, NPU_VEC_OP, ub(), ub(), kind ? 0x3fc00000 : ub(),
			       vec_config(opcode, NPU_F32, counts[ref_below(4)]) | kind };
}

/* Steps of the vector engine and what goes with it. */
static struct step random_vector_step(void)
{
	const uint64_t rows = ub();

	switch (ref_below(10)) {
	case 0:
	case 1:
		return copy(rows, gm());
	case 2:
	case 3:
		return copy(gm(), rows);
	case 4:
		return repeat();
	case 5:
		return (struct step) { VECTOR, NPU_VEC_MASK, 0, ub(), 32u << ref_below(6), 0 };
	case 6:
		return ref_below(4) ? copy(place(NPU_L1_BASE), rows) : copy(rows, place(NPU_L1_BASE));
	case 7:
		return (struct step) { MTE, NPU_MTE_SET, rows, ref_below(1 << 22), 512, 4 };
	default:
		return vector();
	}
}

#define STORE_STEPS 4

/* Rows come from global memory, something is computed of them, and mostly all of that is stored. */
static void store_result(struct step *steps)
{
	const unsigned int row_bytes = 512u << ref_below(2), rows = 2 + ref_below(4);
	const uint64_t from = gm(), to = ref_below(2) ? gm() : from + 32 * ref_below(3);
	const uint64_t shape = NPU_PREP(NPU_COPY_ROW_BYTES, row_bytes);

	steps[0] = (struct step) { VECTOR, NPU_VEC_REPEAT, row_bytes, rows, row_bytes, row_bytes };
	steps[2] = vector();
	steps[2].rs3 &= ~(uint64_t)NPU_VEC_COUNT;
	steps[2].rs3 |= NPU_PREP(NPU_VEC_COUNT, row_bytes / 4);
	steps[1] = (struct step) { MTE, NPU_MTE_COPY, steps[2].rs1, from,
				   shape | NPU_PREP(NPU_COPY_ROWS, rows),
				   NPU_PREP(NPU_COPY_DST_PITCH, row_bytes) |
					   NPU_PREP(NPU_COPY_SRC_PITCH, row_bytes) };
	steps[3] = (struct step) { MTE, NPU_MTE_COPY, to, steps[2].rd,
				   shape | NPU_PREP(NPU_COPY_ROWS, rows - !ref_below(8)),
				   NPU_PREP(NPU_COPY_DST_PITCH, row_bytes + 64 * ref_below(2)) |
					   NPU_PREP(NPU_COPY_SRC_PITCH, row_bytes) };
}

static enum npu_status run(struct tile_vm *vm, const struct step *s)
{
	return vm_exec(vm, s->major, s->funct3, s->rd, s->rs1, s->rs2, s->rs3);
}

static bool same(void)
{
	npu_tile_settle(&lazy.tile);
	npu_tile_settle(&eager.tile);
	return !memcmp(lazy.tile.l1, eager.tile.l1, NPU_L1_SIZE) &&
	       !memcmp(lazy.tile.l0a, eager.tile.l0a, NPU_L0A_SIZE) &&
	       !memcmp(lazy.tile.l0b, eager.tile.l0b, NPU_L0B_SIZE) &&
	       !memcmp(lazy.tile.l0c, eager.tile.l0c, NPU_L0C_SIZE) &&
	       !memcmp(lazy.tile.ub, eager.tile.ub, NPU_UB_SIZE) &&
	       !memcmp(lazy.gm, eager.gm, GM_SIZE);
}

/* Both tiles do it, and come to the same end. */
static bool both(const struct step *s, unsigned int *refused)
{
	const enum npu_status status = run(&lazy, s);
	const bool pass = status == run(&eager, s);

	npu_tile_settle(&eager.tile);
	*refused += status != NPU_ST_OK;
	return pass;
}

static bool both_store(unsigned int *refused)
{
	const unsigned int count = STORE_STEPS - (ref_below(4) == 0);
	struct step steps[STORE_STEPS];
	bool pass = true;

	store_result(steps);
	for (unsigned int i = 0; i < count && pass; i++)
		pass = both(&steps[i], refused);
	return pass;
}

static void test_random(struct step (*next)(void), bool stores, const char *what)
{
	unsigned int refused = 0;
	bool pass = true;

	for (unsigned int round = 0; round < ROUNDS && pass; round++) {
		lazy.tile.eager = ref_below(8) == 0;
		for (unsigned int i = 0; i < STEPS && pass; i++) {
			const struct step s = next();

			pass = stores && ref_below(6) == 0 ? both_store(&refused) : both(&s, &refused);
			if (ref_below(150) == 0)
				npu_tile_share(&lazy.tile, ref_below(2) ? NPU_UB_BASE : GM_BASE, true);
		}
		pass = pass && same();
		if (!pass)
			printf("# differs in round %u\n", round);
	}
	lazy.tile.eager = false;
	ok(pass, "late %s show nowhere", what);
	ok(!refused, "%u instructions of them have been carried out", ROUNDS * STEPS);
}

#define KEPT_M 48
#define KEPT_N 96
#define KEPT_K 160

/* A product of matrices in global memory, to L0C. */
static bool multiply(struct tile_vm *vm, uint64_t a, uint64_t b, unsigned int dtype)
{
	const unsigned int size = tile_dtype_size(dtype), k = KEPT_K * size, n = KEPT_N * size;
	const struct step steps[] = {
		{ MTE, NPU_MTE_COPY, NPU_L1_BASE, a,
		  NPU_PREP(NPU_COPY_ROW_BYTES, k) | NPU_PREP(NPU_COPY_ROWS, KEPT_M),
		  NPU_PREP(NPU_COPY_DST_PITCH, k) | NPU_PREP(NPU_COPY_SRC_PITCH, k) },
		{ MTE, NPU_MTE_COPY, NPU_L1_BASE + 0x10000, b,
		  NPU_PREP(NPU_COPY_ROW_BYTES, n) | NPU_PREP(NPU_COPY_ROWS, KEPT_K),
		  NPU_PREP(NPU_COPY_DST_PITCH, n) | NPU_PREP(NPU_COPY_SRC_PITCH, n) },
		{ MTE, NPU_MTE_LOAD0, NPU_L0A_BASE, NPU_L1_BASE,
		  NPU_PREP(NPU_LOAD0_ROWS, KEPT_M) | NPU_PREP(NPU_LOAD0_COLS, KEPT_K) |
			  NPU_PREP(NPU_LOAD0_SRC_PITCH, k),
		  NPU_PREP(NPU_LOAD0_DST_PITCH, k) | NPU_PREP(NPU_LOAD0_DTYPE, dtype) },
		{ MTE, NPU_MTE_LOAD0, NPU_L0B_BASE, NPU_L1_BASE + 0x10000,
		  NPU_PREP(NPU_LOAD0_ROWS, KEPT_K) | NPU_PREP(NPU_LOAD0_COLS, KEPT_N) |
			  NPU_PREP(NPU_LOAD0_SRC_PITCH, n),
		  NPU_PREP(NPU_LOAD0_DST_PITCH, n) | NPU_PREP(NPU_LOAD0_DTYPE, dtype) },
		{ CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		  mmad_config(KEPT_M, KEPT_N, KEPT_K, dtype, true) },
	};
	bool pass = true;

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		pass = run(vm, &steps[i]) == NPU_ST_OK && pass;
	return pass;
}

static bool same_product(unsigned int a, unsigned int b, unsigned int dtype)
{
	const uint64_t at = GM_BASE + a * 0x20000, bt = GM_BASE + 0x80000 + b * 0x20000;

	return multiply(&lazy, at, bt, dtype) && multiply(&eager, at, bt, dtype) &&
	       !memcmp(lazy.tile.l0c, eager.tile.l0c, KEPT_M * KEPT_N * 4);
}

/* Matrices come again and again; now and then the program writes into one. */
static void test_kept(const char *isa, unsigned int dtype, const char *name)
{
	const struct step write = {
		MTE, NPU_MTE_COPY, 0, NPU_UB_BASE,
		NPU_PREP(NPU_COPY_ROW_BYTES, 32) | NPU_PREP(NPU_COPY_ROWS, 1), 0,
	};
	struct tile_kept *kept = tile_kept_new();
	unsigned int refused = 0;
	struct step s = write;
	bool pass = kept;

	ref_fill_plain(lazy.gm, GM_SIZE, dtype);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	lazy.tile.aware = false;
	lazy.tile.kept = kept;
	for (unsigned int i = 0; i < 60 && pass; i++) {
		pass = same_product(ref_below(3), ref_below(3), dtype);
		s.rd = GM_BASE + ref_below(8) * 0x20000 + 32 * ref_below(200);
		if (ref_below(4) == 0)
			pass = pass && both(&s, &refused);
	}
	lazy.tile.kept = NULL;
	tile_kept_free(kept);
	ok(pass && !refused, "%s: operands of %s that are kept", isa, name);
}

/* Whoever may know of a change sees it. */
static void test_aware(void)
{
	struct tile_kept *kept = tile_kept_new();
	bool pass = kept;

	ref_fill_plain(lazy.gm, GM_SIZE, NPU_F32);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	lazy.tile.kept = kept;
	for (unsigned int i = 0; i < 4; i++)
		pass = pass && same_product(0, 0, NPU_F32);
	lazy.gm[2] ^= 0x40;
	eager.gm[2] ^= 0x40;
	npu_tile_share(&lazy.tile, GM_BASE, false);
	ok(pass && same_product(0, 0, NPU_F32), "a core that loads by itself sees what has changed");
	lazy.tile.aware = false;
	lazy.tile.kept = NULL;
	tile_kept_free(kept);
}

int main(void)
{
	static const struct {
		unsigned int dtype;
		const char *name;
	} types[] = { { NPU_F32, "F32" }, { NPU_F16, "F16" }, { NPU_BF16, "BF16" }, { NPU_S8, "S8" } };

	vm_init(&lazy);
	vm_init(&eager);
	eager.tile.eager = true;
	ref_fill_plain(lazy.gm, GM_SIZE, NPU_F32);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	test_random(random_step, false, "loads");
	test_random(random_vector_step, true, "operands and results of vectors");
	for (unsigned int i = 0; i < sizeof(vm_isas) / sizeof(vm_isas[0]); i++) {
		if (!vm_use_isa(&lazy, vm_isas[i]) || !vm_use_isa(&eager, vm_isas[i]))
			continue;
		for (unsigned int t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			test_kept(vm_isas[i], types[t].dtype, types[t].name);
	}
	test_aware();
	vm_fini(&lazy);
	vm_fini(&eager);
	return tap_done();
}
