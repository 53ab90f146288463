// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory transfers between all pairs of memories, to L0 with and without transposition, fills. */
#include "tap.h"
#include "tile_ref.h"
#include "tile_vm.h"

static struct tile_vm vm;

struct memory {
	const char *name;
	uint64_t base;
	uint8_t *host;
	size_t size;
};

static struct memory memories[7];
enum { GM, L1, UB, L0A, L0B, L0C, SMEM };

static void list_memories(void)
{
	struct npu_tile *t = &vm.tile;

	memories[GM] = (struct memory) { "gm", GM_BASE, vm.gm, GM_SIZE };
	memories[L1] = (struct memory) { "l1", NPU_L1_BASE, t->l1, NPU_L1_SIZE };
	memories[UB] = (struct memory) { "ub", NPU_UB_BASE, t->ub, NPU_UB_SIZE };
	memories[L0A] = (struct memory) { "l0a", NPU_L0A_BASE, t->l0a, NPU_L0A_SIZE };
	memories[L0B] = (struct memory) { "l0b", NPU_L0B_BASE, t->l0b, NPU_L0B_SIZE };
	memories[L0C] = (struct memory) { "l0c", NPU_L0C_BASE, t->l0c, NPU_L0C_SIZE };
	memories[SMEM] = (struct memory) { "smem", NPU_SMEM_BASE, t->smem, NPU_SMEM_SIZE };
}

/* Memory after an instruction is what it should be, all of it. */
static bool same(const struct memory *memory, uint8_t *image)
{
	bool equal;

	npu_tile_settle(&vm.tile);
	equal = !memcmp(memory->host, image, memory->size);
	free(image);
	return equal;
}

static uint8_t *image_of(const struct memory *memory)
{
	uint8_t *image = malloc(memory->size);

	memcpy(image, memory->host, memory->size);
	return image;
}

static void randomise(const struct memory *memory)
{
	for (size_t i = 0; i < memory->size; i++)
		memory->host[i] = ref_random();
}

/* A pitch that fits the memory's alignment; sometimes none between rows. */
static uint64_t random_pitch(unsigned int memory, uint64_t row_bytes)
{
	if (memory == GM)
		return row_bytes + ref_below(50);
	return ref_pad(row_bytes) + 32 * ref_below(3);
}

static bool check_copy(const struct memory *dst, const struct memory *src, uint64_t rows,
		       uint64_t row_bytes, uint64_t dst_pitch, uint64_t src_pitch)
{
	const uint64_t dst_at = dst == &memories[GM] ? 13 : 64;
	const uint64_t src_at = src == &memories[GM] ? 7 : 32;
	uint8_t *image = image_of(dst);

	for (uint64_t r = 0; r < rows; r++)
		memcpy(image + dst_at + r * dst_pitch, src->host + src_at + r * src_pitch,
		       row_bytes);
	return !vm_exec(&vm, MTE, NPU_MTE_COPY, dst->base + dst_at, src->base + src_at,
			NPU_PREP(NPU_COPY_ROW_BYTES, row_bytes) | NPU_PREP(NPU_COPY_ROWS, rows),
			NPU_PREP(NPU_COPY_DST_PITCH, dst_pitch) |
				NPU_PREP(NPU_COPY_SRC_PITCH, src_pitch)) &
	       same(dst, image);
}

static void test_copy(void)
{
	static const unsigned int pairs[][2] = {
		{ L1, GM }, { UB, GM }, { GM, L1 }, { GM, UB }, { UB, L1 }, { L1, UB },
	};

	for (unsigned int i = 0; i < REF_COUNT(pairs); i++) {
		const unsigned int to = pairs[i][0], from = pairs[i][1];
		bool pass = true;

		randomise(&memories[from]);
		for (unsigned int n = 0; n < 30 && pass; n++) {
			uint64_t row_bytes = 1 + ref_below(300), rows = 1 + ref_below(30);
			uint64_t src_pitch = n % 5 ? random_pitch(from, row_bytes) : 0;

			pass = check_copy(&memories[to], &memories[from], rows, row_bytes,
					  random_pitch(to, row_bytes), src_pitch);
		}
		/* One row needs no pitch, not even an aligned one. */
		pass = pass && check_copy(&memories[to], &memories[from], 1, 1001, 1, 3);
		ok(pass, "copy from %s to %s", memories[from].name, memories[to].name);
	}
}

static bool check_load0(unsigned int to, unsigned int dtype, bool transpose)
{
	const struct memory *dst = &memories[to], *src = &memories[L1];
	const unsigned int size = ref_size[dtype];
	const uint64_t rows = ref_below(2) ? 1u << ref_below(7) : 1 + ref_below(70);
	const uint64_t cols = 1 + ref_below(70);
	const uint64_t src_pitch = random_pitch(L1, cols * size);
	const uint64_t dst_pitch = random_pitch(to, (transpose ? rows : cols) * size);
	uint8_t *image = image_of(dst);

	for (uint64_t r = 0; r < rows; r++)
		for (uint64_t c = 0; c < cols; c++)
			memcpy(image + (transpose ? c : r) * dst_pitch +
				       (transpose ? r : c) * size,
			       src->host + 96 + r * src_pitch + c * size, size);
	return !vm_exec(&vm, MTE, NPU_MTE_LOAD0, dst->base, src->base + 96,
			NPU_PREP(NPU_LOAD0_ROWS, rows) | NPU_PREP(NPU_LOAD0_COLS, cols) |
				NPU_PREP(NPU_LOAD0_SRC_PITCH, src_pitch),
			NPU_PREP(NPU_LOAD0_DST_PITCH, dst_pitch) |
				NPU_PREP(NPU_LOAD0_DTYPE, dtype) |
				(transpose ? NPU_LOAD0_TRANSPOSE : 0)) &
	       same(dst, image);
}

static void test_load0(void)
{
	randomise(&memories[L1]);
	for (unsigned int dtype = 0; dtype < NPU_DTYPE_COUNT; dtype++) {
		bool plain = true, transposed = true;

		for (unsigned int n = 0; n < 20; n++) {
			plain &= check_load0(n & 1 ? L0A : L0B, dtype, false);
			transposed &= check_load0(n & 1 ? L0A : L0B, dtype, true);
		}
		ok(plain, "%s: load0 %s", npu_tile_isa_name(&vm.tile), ref_names[dtype]);
		ok(transposed, "%s: load0 transposed %s", npu_tile_isa_name(&vm.tile),
		   ref_names[dtype]);
	}
}

static void test_set(void)
{
	const uint64_t pattern = 0x8877665544332211ULL;

	for (unsigned int i = L1; i <= SMEM; i++) {
		const struct memory *memory = &memories[i];
		bool pass = true;

		for (uint64_t size = 1; size <= 8; size *= 2) {
			uint64_t bytes = size * (1 + ref_below(1000));
			uint8_t *image = image_of(memory);

			for (uint64_t b = 0; b < bytes; b++)
				image[160 + b] = pattern >> (8 * (b % size));
			pass &= !vm_exec(&vm, MTE, NPU_MTE_SET, memory->base + 160, pattern, bytes,
					 size) & same(memory, image);
		}
		ok(pass, "set in %s", memory->name);
	}
}

static void test_clear(void)
{
	bool zero = true;

	npu_tile_clear(&vm.tile);
	for (unsigned int i = L1; i <= SMEM; i++)
		for (size_t b = 0; b < memories[i].size; b++)
			zero &= !memories[i].host[b];
	ok(zero, "clear leaves nothing in local memory");
}

int main(void)
{
	vm_init(&vm);
	list_memories();
	test_copy();
	for (unsigned int isa = 0; isa < REF_COUNT(vm_isas); isa++)
		if (vm_use_isa(&vm, vm_isas[isa]))
			test_load0();
	test_set();
	test_clear();
	vm_fini(&vm);
	return tap_done();
}
