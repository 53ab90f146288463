// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves and results are carried out late or never, and nobody can tell: random instructions on two
 * tiles, one of which does all at once, leave the same in all memories. So do operands of MMAD that
 * are kept.
 */
#include "tap.h"
#include "tile_isa.h"
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
					       NPU_PREP(NPU_COPY_ROWS, 1 + ref_below(90)),
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
				       NPU_PREP(NPU_COPY_ROWS, 1 + ref_below(12)),
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
	const unsigned int row_bytes = 512u << ref_below(2), rows = 4 + ref_below(8);
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
		/* Something may wait at the end. */
		if (stores)
			pass = pass && both_store(&refused);
		pass = pass && same();
		if (!pass)
			printf("# differs in round %u\n", round);
	}
	lazy.tile.eager = false;
	ok(pass, "late %s show nowhere", what);
	ok(!refused, "%u instructions of them have been carried out", ROUNDS * STEPS);
}

#define KEPT_M 48

static const struct shape {
	unsigned int n, k;
} shapes[] = { { 192, 64 }, { 192, 60 }, { 96, 160 } };

/* A product of matrices in global memory is put or added to L0C. */
static bool multiply(struct tile_vm *vm, uint64_t a, uint64_t b, const struct shape *shape,
		     unsigned int dtype, bool init)
{
	const unsigned int size = tile_dtype_size(dtype), k = shape->k * size, n = shape->n * size;
	const unsigned int k_pitch = (k + NPU_TILE_ALIGN - 1) & ~(NPU_TILE_ALIGN - 1);
	const struct step steps[] = {
		{ MTE, NPU_MTE_COPY, NPU_L1_BASE, a,
		  NPU_PREP(NPU_COPY_ROW_BYTES, k) | NPU_PREP(NPU_COPY_ROWS, KEPT_M),
		  NPU_PREP(NPU_COPY_DST_PITCH, k_pitch) | NPU_PREP(NPU_COPY_SRC_PITCH, k) },
		{ MTE, NPU_MTE_COPY, NPU_L1_BASE + 0x10000, b,
		  NPU_PREP(NPU_COPY_ROW_BYTES, n) | NPU_PREP(NPU_COPY_ROWS, shape->k),
		  NPU_PREP(NPU_COPY_DST_PITCH, n) | NPU_PREP(NPU_COPY_SRC_PITCH, n) },
		{ MTE, NPU_MTE_LOAD0, NPU_L0A_BASE, NPU_L1_BASE,
		  NPU_PREP(NPU_LOAD0_ROWS, KEPT_M) | NPU_PREP(NPU_LOAD0_COLS, shape->k) |
			  NPU_PREP(NPU_LOAD0_SRC_PITCH, k_pitch),
		  NPU_PREP(NPU_LOAD0_DST_PITCH, k_pitch) | NPU_PREP(NPU_LOAD0_DTYPE, dtype) },
		{ MTE, NPU_MTE_LOAD0, NPU_L0B_BASE, NPU_L1_BASE + 0x10000,
		  NPU_PREP(NPU_LOAD0_ROWS, shape->k) | NPU_PREP(NPU_LOAD0_COLS, shape->n) |
			  NPU_PREP(NPU_LOAD0_SRC_PITCH, n),
		  NPU_PREP(NPU_LOAD0_DST_PITCH, n) | NPU_PREP(NPU_LOAD0_DTYPE, dtype) },
		{ CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		  mmad_config(KEPT_M, shape->n, shape->k, dtype, init) },
	};
	bool pass = true;

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		pass = run(vm, &steps[i]) == NPU_ST_OK && pass;
	return pass;
}

/* What else uses sums, or writes what they are of. */
static struct step disturbance(const struct shape *shape, unsigned int dtype)
{
	const struct step steps[] = {
		{ MTE, NPU_MTE_SET, NPU_L0C_BASE, 0x3f800000, 32 * KEPT_M, 4 },
		{ MTE, NPU_MTE_COPY, GM_BASE + ref_below(8) * 0x20000 + 32 * ref_below(200), NPU_UB_BASE,
		  NPU_PREP(NPU_COPY_ROW_BYTES, 32) | NPU_PREP(NPU_COPY_ROWS, 1), 0 },
		{ CUBE, NPU_CUBE_FIXPIPE, ref_below(2) ? NPU_UB_BASE : GM_BASE, NPU_L0C_BASE,
		  NPU_PREP(NPU_FIXPIPE_ROWS, 8) | NPU_PREP(NPU_FIXPIPE_COLS, 8) |
			  NPU_PREP(NPU_FIXPIPE_DST_PITCH, 32),
		  dtype == NPU_S8 ? NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, NPU_S32) |
					    NPU_PREP(NPU_FIXPIPE_DST_DTYPE, NPU_S32) : 0 },
		{ CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		  mmad_config(KEPT_M, shape->n, 0, dtype, true) },
	};

	return steps[ref_below(sizeof(steps) / sizeof(steps[0]))];
}

/* The sum of some products, of which now and then one is put over the others. */
static bool same_products(const struct shape *shape, unsigned int count, unsigned int dtype)
{
	unsigned int refused = 0;
	bool pass = true;

	for (unsigned int i = 0; i < count; i++) {
		const uint64_t a = GM_BASE + ref_below(3) * 0x20000;
		const uint64_t b = GM_BASE + 0x80000 + ref_below(3) * 0x20000;
		const bool init = i == 0 || ref_below(8) == 0;

		const struct step s = disturbance(shape, dtype);

		pass = pass && multiply(&lazy, a, b, shape, dtype, init) &&
		       multiply(&eager, a, b, shape, dtype, init);
		if (ref_below(4) == 0)
			pass = pass && both(&s, &refused) && !refused;
	}
	return pass && same();
}

/* Matrices come again and again, in part changed by the program. */
static void test_kept(const char *isa, unsigned int dtype, const char *name)
{
	struct tile_kept *kept = tile_kept_new();
	bool pass = kept;

	ref_fill_plain(lazy.gm, GM_SIZE, dtype);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	lazy.tile.aware = false;
	lazy.tile.kept = kept;
	for (unsigned int i = 0; i < 60 && pass; i++)
		pass = same_products(&shapes[ref_below(3)], 1 + ref_below(5), dtype);
	lazy.tile.kept = NULL;
	tile_kept_free(kept);
	ok(pass, "%s: operands of %s that are kept", isa, name);
}

/* Whoever may know of a change sees it. */
static void test_aware(void)
{
	struct tile_kept *kept = tile_kept_new();
	bool pass = kept;

	ref_fill_plain(lazy.gm, GM_SIZE, NPU_F32);
	memcpy(eager.gm, lazy.gm, GM_SIZE);
	lazy.tile.kept = kept;
	for (unsigned int i = 0; i < 20; i++)
		pass = pass && same_products(&shapes[0], 2, NPU_F32);
	for (unsigned int i = 0; i < 3; i++) {
		lazy.gm[i * 0x20000 + 2] ^= 0x40;
		eager.gm[i * 0x20000 + 2] ^= 0x40;
	}
	npu_tile_share(&lazy.tile, GM_BASE, false);
	ok(pass && same_products(&shapes[0], 1, NPU_F32),
	   "a core that loads by itself sees what has changed");
	lazy.tile.aware = false;
	lazy.tile.kept = NULL;
	tile_kept_free(kept);
}

#define FORM_FLOATS 70000
#define FORMS 300 /* more than there is room for */

/* Of what has been found last nothing is overwritten, and what is full is as it was filled. */
static void test_ring(void)
{
	struct tile_kept *kept = tile_kept_new();
	static uint8_t src[FORMS];
	unsigned int full = 0;
	bool pass = kept;

	for (unsigned int i = 0; i < 4000 && pass; i++) {
		struct tile_form *form[3];
		unsigned int n[3];

		for (unsigned int j = 0; j < 3; j++) {
			struct tile_kept_key key = { .rows = 1, .row_bytes = 1 };

			n[j] = ref_below(2) ? i % FORMS : ref_below(FORMS);
			key.src = src + n[j];
			form[j] = tile_kept_find(kept, &key, FORM_FLOATS);
			if (!form[j])
				continue;
			full += form[j]->full;
			for (unsigned int at = 0; at < FORM_FLOATS; at += FORM_FLOATS - 1) {
				pass = pass && (!form[j]->full || form[j]->data[at] == n[j]);
				form[j]->data[at] = n[j];
			}
			form[j]->full = true;
		}
		for (unsigned int j = 0; j < 3 && pass; j++)
			pass = !form[j] || (form[j]->data[0] == n[j] &&
					    form[j]->data[FORM_FLOATS - 1] == n[j]);
	}
	tile_kept_free(kept);
	ok(pass && full, "what is kept stays as it is, or is gone");
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
	test_ring();
	vm_fini(&lazy);
	vm_fini(&eager);
	return tap_done();
}
