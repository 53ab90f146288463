// SPDX-License-Identifier: GPL-2.0-or-later
/* MMAD and FIXPIPE against plain loops, at every CPU level of the host. */
#include "tap.h"
#include "tile_ref.h"
#include "tile_vm.h"

static struct tile_vm vm;
static uint8_t expected[NPU_L0C_SIZE];

/* L0A and L0B by value, in the rows that they have there. */
static float a_values[NPU_L0A_SIZE], b_values[NPU_L0B_SIZE];

static void decode(float *values, const uint8_t *memory, size_t bytes, unsigned int dtype)
{
	for (size_t i = 0; i < bytes / ref_size[dtype]; i++)
		values[i] = ref_f32(dtype, ref_raw(dtype, memory + i * ref_size[dtype]));
}

static uint32_t mmad_s8(const uint8_t *a, const uint8_t *b, size_t b_pitch, unsigned int k,
			uint32_t c)
{
	for (unsigned int i = 0; i < k; i++)
		c += (uint32_t)((int8_t)a[i] * (int8_t)b[i * b_pitch]);
	return c;
}

static uint32_t mmad_float(const float *a, const float *b, size_t b_pitch, unsigned int k,
			   uint32_t c)
{
	float sum = ref_float(c);

	for (unsigned int i = 0; i < k; i++)
		sum = fmaf(a[i], b[i * b_pitch], sum);
	return ref_bits(ref_canonical(sum));
}

static bool check_mmad(unsigned int dtype, unsigned int m, unsigned int n, unsigned int k,
		       bool init)
{
	const unsigned int size = ref_size[dtype];
	const size_t a_pitch = ref_pad(k * size), b_pitch = ref_pad(n * size);
	const size_t c_pitch = ref_pad(n * 4);
	uint32_t c;

	memcpy(expected, vm.tile.l0c, sizeof(expected));
	if (dtype != NPU_S8) {
		decode(a_values, vm.tile.l0a, m * a_pitch, dtype);
		decode(b_values, vm.tile.l0b, k * b_pitch, dtype);
	}
	for (unsigned int i = 0; i < m; i++) {
		for (unsigned int j = 0; j < n; j++) {
			uint8_t *to = expected + i * c_pitch + j * 4;

			memcpy(&c, to, 4);
			c = init ? 0 : c;
			if (dtype == NPU_S8)
				c = mmad_s8(vm.tile.l0a + i * a_pitch, vm.tile.l0b + j, b_pitch,
					    k, c);
			else
				c = mmad_float(a_values + i * a_pitch / size, b_values + j,
					       b_pitch / size, k, c);
			memcpy(to, &c, 4);
		}
	}
	if (vm_exec(&vm, CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		    mmad_config(m, n, k, dtype, init))) {
		printf("# m %u n %u k %u refused: %d\n", m, n, k, vm.tile.error.status);
		return false;
	}
	if (!memcmp(expected, vm.tile.l0c, sizeof(expected)))
		return true;
	printf("# m %u n %u k %u init %d differs\n", m, n, k, init);
	return false;
}

/* Plain numbers, or with infinities, NaNs and denormals among them. */
static void fill_l0(unsigned int dtype, bool edges)
{
	if (edges || dtype == NPU_S8) {
		ref_fill(vm.tile.l0c, NPU_L0C_SIZE, dtype == NPU_S8 ? NPU_S32 : NPU_F32);
		ref_fill(vm.tile.l0a, NPU_L0A_SIZE, dtype);
		ref_fill(vm.tile.l0b, NPU_L0B_SIZE, dtype);
		return;
	}
	ref_fill_plain(vm.tile.l0c, NPU_L0C_SIZE, NPU_F32);
	ref_fill_plain(vm.tile.l0a, NPU_L0A_SIZE, dtype);
	ref_fill_plain(vm.tile.l0b, NPU_L0B_SIZE, dtype);
}

static void test_mmad(unsigned int dtype)
{
	static const unsigned int shapes[][3] = {
		{ 1, 1, 1 }, { 16, 16, 16 }, { 128, 64, 128 }, { 131, 5, 9 }, { 9, 33, 129 },
		{ 64, 64, 64 }, { 3, 100, 2 }, { 40, 24, 257 }, { 2, 3, 1000 },
		{ 61, 16, 67 }, { 1, 300, 40 }, { 2, 131, 33 }, { 4, 250, 50 }, { 8, 40, 270 },
		{ 64, 64, 67 }, { 20, 32, 3 },
	};
	bool pass = true;

	for (unsigned int i = 0; i < 2 * REF_COUNT(shapes) && pass; i++) {
		const unsigned int *s = shapes[i / 2];

		fill_l0(dtype, i % 2);
		pass = check_mmad(dtype, s[0], s[1], s[2], ref_random() & 1);
	}
	for (unsigned int i = 0; i < 40 && pass; i++) {
		fill_l0(dtype, i % 4 == 0);
		pass = check_mmad(dtype, 1 + ref_below(20), 1 + ref_below(70), 1 + ref_below(40),
				  ref_random() & 1);
	}
	/* More than is converted at a time. */
	if (dtype == NPU_S8) {
		fill_l0(dtype, false);
		pass = pass && check_mmad(dtype, 14, 35, 1023, false) &&
		       check_mmad(dtype, 13, 32, 2046, true);
	}
	ok(pass, "%s: mmad %s", npu_tile_isa_name(&vm.tile), ref_names[dtype]);
}

/* k = 0 is an empty sum. */
static void test_mmad_empty(void)
{
	bool pass;

	fill_l0(NPU_F32, false);
	memcpy(expected, vm.tile.l0c, sizeof(expected));
	pass = !vm_exec(&vm, CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
			mmad_config(5, 3, 0, NPU_F32, false)) &&
	       !memcmp(expected, vm.tile.l0c, sizeof(expected));
	for (unsigned int i = 0; i < 5; i++)
		memset(expected + i * 32, 0, 3 * 4);
	pass = pass && !vm_exec(&vm, CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
				mmad_config(5, 3, 0, NPU_F32, true));
	ok(pass && !memcmp(expected, vm.tile.l0c, sizeof(expected)), "mmad with k of zero");
}

static uint32_t fixpipe_element(uint32_t bits, unsigned int src, unsigned int dst, bool relu,
				float scale)
{
	float x = src == NPU_F32 ? ref_float(bits) : (float)(int32_t)bits * scale;

	if (dst == NPU_S32)
		return relu && (int32_t)bits < 0 ? 0 : bits;
	if (relu && !isnan(x) && !(x > 0))
		x = 0;
	if (dst == NPU_S8)
		return ref_saturate(NPU_S8, nearbyint(x));
	return ref_from_f32(dst, x);
}

/* Rows of global memory: apart, aligned or not, or over each other: then the last one is seen. */
static size_t gm_pitch(size_t row_bytes, unsigned int size)
{
	switch (ref_below(4)) {
	case 0:
		return ref_below(row_bytes);
	case 1:
		return ref_below(row_bytes) / size * size;
	case 2:
		return row_bytes + ref_below(3) * size;
	default:
		return row_bytes + ref_below(9);
	}
}

/* A scale of one, as of kernels that do without, is for integers of which some fit into S8. */
static float random_scale(unsigned int src, unsigned int dst)
{
	if (src != NPU_S32 || dst == NPU_S32)
		return 0;
	if (ref_below(2))
		return ref_float(ref_element(NPU_F32));
	for (unsigned int i = 0; i < NPU_L0C_SIZE / 4; i += 1 + ref_below(3))
		((int32_t *)vm.tile.l0c)[i] = (int32_t)ref_below(400) - 200;
	return 1;
}

static bool check_fixpipe(unsigned int src, unsigned int dst, bool relu, bool to_gm)
{
	const unsigned int rows = 1 + ref_below(20), cols = 1 + ref_below(600);
	const unsigned int size = ref_size[dst], at = to_gm ? ref_below(2) * 3 : 0;
	const size_t row_bytes = cols * size;
	const size_t pitch = to_gm ? gm_pitch(row_bytes, size) : ref_pad(row_bytes) + 32;
	uint8_t *out = to_gm ? vm.gm + at : vm.tile.l1;
	const size_t out_bytes = (rows - 1) * pitch + row_bytes + 64;
	uint8_t *image = malloc(out_bytes);
	float scale;
	bool pass;

	ref_fill(vm.tile.l0c, NPU_L0C_SIZE, src);
	scale = random_scale(src, dst);
	memcpy(image, out, out_bytes);
	for (unsigned int i = 0; i < rows; i++) {
		for (unsigned int j = 0; j < cols; j++) {
			uint32_t x = ref_raw(src, vm.tile.l0c + i * ref_pad(cols * 4) + j * 4);

			x = fixpipe_element(x, src, dst, relu, scale);
			memcpy(image + i * pitch + j * size, &x, size);
		}
	}
	pass = !vm_exec(&vm, CUBE, NPU_CUBE_FIXPIPE, to_gm ? GM_BASE + at : NPU_L1_BASE,
			NPU_L0C_BASE,
			NPU_PREP(NPU_FIXPIPE_ROWS, rows) | NPU_PREP(NPU_FIXPIPE_COLS, cols) |
				NPU_PREP(NPU_FIXPIPE_DST_PITCH, pitch),
			NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, src) |
				NPU_PREP(NPU_FIXPIPE_DST_DTYPE, dst) |
				(relu ? NPU_FIXPIPE_RELU : 0) |
				NPU_PREP(NPU_FIXPIPE_SCALE, ref_bits(scale))) &&
	       !memcmp(image, out, out_bytes);
	if (!pass)
		printf("# rows %u cols %u at %u pitch %zu scale %a status %d\n", rows, cols, at,
		       pitch, scale, vm.tile.error.status);
	free(image);
	return pass;
}

static void test_fixpipe(void)
{
	static const unsigned int types[][2] = {
		{ NPU_F32, NPU_F32 }, { NPU_F32, NPU_F16 }, { NPU_F32, NPU_BF16 },
		{ NPU_S32, NPU_S32 }, { NPU_S32, NPU_F32 }, { NPU_S32, NPU_F16 },
		{ NPU_S32, NPU_S8 },
	};

	for (unsigned int t = 0; t < REF_COUNT(types); t++) {
		bool pass = true;

		for (unsigned int i = 0; i < 32 && pass; i++)
			pass = check_fixpipe(types[t][0], types[t][1], i & 1, i & 2);
		ok(pass, "%s: fixpipe %s to %s", npu_tile_isa_name(&vm.tile),
		   ref_names[types[t][0]], ref_names[types[t][1]]);
	}
}

int main(void)
{
	static const unsigned int dtypes[] = { NPU_F32, NPU_F16, NPU_BF16, NPU_S8 };

	vm_init(&vm);
	for (unsigned int isa = 0; isa < REF_COUNT(vm_isas); isa++) {
		if (!vm_use_isa(&vm, vm_isas[isa]))
			continue;
		for (unsigned int i = 0; i < REF_COUNT(dtypes); i++)
			test_mmad(dtypes[i]);
		test_mmad_empty();
		test_fixpipe();
	}
	vm_fini(&vm);
	return tap_done();
}
