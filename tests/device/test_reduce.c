// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * REDUCE: each type and operation against plain C, wherever the memory is, and what it refuses.
 */
#include <math.h>

#include "testhost.h"
#include "tile_ref.h"

#define MAX_BYTES	(3u << 20)

static struct npu_cmd reduce(uint64_t dst, uint64_t src, uint64_t bytes, uint32_t type, uint32_t op)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_REDUCE,
		.reduce = { .dst = dst, .src = src, .bytes = bytes, .type = type, .op = op },
	};
}

static float want_float(uint32_t op, float a, float b)
{
	if (op == NPU_REDUCE_ADD)
		return ref_canonical(a + b);
	if (isnan(a) || isnan(b))
		return ref_float(0x7fc00000);
	if (a == b) /* +0 is the greater one */
		return (op == NPU_REDUCE_MAX) == !!signbit(a) ? b : a;
	return (op == NPU_REDUCE_MAX) == (a > b) ? a : b;
}

static uint32_t want(unsigned int type, uint32_t op, uint32_t a, uint32_t b)
{
	int64_t x = ref_int(type, a), y = ref_int(type, b);

	if (ref_is_float(type))
		return ref_from_f32(type, want_float(op, ref_f32(type, a), ref_f32(type, b)));
	if (op == NPU_REDUCE_ADD)
		return a + b;
	return (op == NPU_REDUCE_MAX) == (x > y) ? a : b;
}

static bool right(const uint8_t *dst, const uint8_t *old, const uint8_t *src, uint64_t bytes,
		  unsigned int type, uint32_t op)
{
	unsigned int size = ref_size[type];
	uint64_t i;

	for (i = 0; i < bytes; i += size) {
		uint32_t w = want(type, op, ref_raw(type, old + i), ref_raw(type, src + i));

		if (memcmp(dst + i, &w, size)) {
			printf("# %s op %u at %llu: %x op %x is %x, not %x\n", ref_names[type], op,
			       (unsigned long long)i, ref_raw(type, old + i),
			       ref_raw(type, src + i), ref_raw(type, dst + i), w);
			return false;
		}
	}
	return true;
}

/* From and to either memory, with neighbours that stay as they are. */
static void test_values(unsigned int workers, bool dst_system, bool src_system, uint64_t bytes)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	uint8_t *dst, *src, *old = malloc(MAX_BYTES + 64);
	uint64_t vd = (dst_system ? th_alloc_ram : th_alloc)(r.s, MAX_BYTES + 64, (void **)&dst);
	uint64_t vs = (src_system ? th_alloc_ram : th_alloc)(r.s, MAX_BYTES + 64, (void **)&src);
	unsigned int type, op, wrong = 0;

	for (type = 0; type < NPU_DTYPE_COUNT; type++) {
		for (op = 0; op <= NPU_REDUCE_MAX; op++) {
			struct npu_cmd c = reduce(vd + 4, vs + 8, bytes, type, op);

			ref_fill(dst, bytes + 64, type);
			ref_fill(src, bytes + 64, type);
			memcpy(old, dst, bytes + 64);
			wrong += th_run(r.q, &c, 1) != NPU_ST_OK;
			wrong += !right(dst + 4, old + 4, src + 8, bytes, type, op);
			wrong += memcmp(dst, old, 4) || memcmp(dst + 4 + bytes, old + 4 + bytes, 60);
		}
	}
	ok(!wrong, "%u workers: %llu bytes of all types, %s memory to %s", workers,
	   (unsigned long long)bytes, src_system ? "system" : "device",
	   dst_system ? "system" : "device");
	free(old);
	th_rig_free(&r);
}

static void test_itself(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	int32_t *words;
	uint64_t va = th_alloc(r.s, 0x2000, (void **)&words);
	struct npu_cmd c = reduce(va, va, 0x2000, NPU_S32, NPU_REDUCE_ADD);
	struct npu_counters n;
	unsigned int i, wrong = 0;

	for (i = 0; i < 0x800; i++)
		words[i] = i;
	ok(th_run(r.q, &c, 1) == NPU_ST_OK, "source and destination may be the same");
	for (i = 0; i < 0x800; i++)
		wrong += words[i] != (int32_t)(2 * i);
	npu_counters_read(r.h->core, &n);
	ok(!wrong && n.hbm_read >= 0x4000 && n.hbm_write >= 0x2000 && n.sdma_ns,
	   "its time and its bytes are counted");
	c.reduce.bytes = 0;
	ok(th_run(r.q, &c, 1) == NPU_ST_OK && words[1] == 2, "no bytes are nothing to do");
	th_rig_free(&r);
}

/* Destinations are read and written. */
static void test_rights(void)
{
	static const struct {
		uint64_t dst, src;
		enum npu_status want;
	} cases[] = {
		{ TH_RWX, NPU_PTE_READ, NPU_ST_OK },
		{ NPU_PTE_READ, NPU_PTE_READ, NPU_ST_MMU_WRITE },
		{ NPU_PTE_WRITE, NPU_PTE_READ, NPU_ST_MMU_READ },
		{ TH_RWX, NPU_PTE_WRITE, NPU_ST_MMU_READ },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct th_rig r = th_rig_new(th_new(0, 4), 16);
		uint64_t vd = 0x200000000ULL, vs = 0x300000000ULL;
		struct npu_cmd c = reduce(vd, vs, 4096, NPU_F32, NPU_REDUCE_ADD);

		th_map(r.s, vd, th_hbm(r.h, 4096, 4096), 4096, cases[i].dst);
		th_map(r.s, vs, th_hbm(r.h, 4096, 4096), 4096, cases[i].src);
		ok(th_run(r.q, &c, 1) == cases[i].want &&
		   (!i || (r.q->fault->unit == NPU_UNIT_SDMA &&
			   r.q->fault->address == (i == 3 ? vs : vd))),
		   "rights %u", i);
		th_rig_free(&r);
	}
}

static void test_timeout(unsigned int workers)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	struct npu_cmd c = reduce(0x200000000ULL, 0x200000000ULL, 1 << 30, NPU_U8,
				  NPU_REDUCE_MAX);

	/* A gigabyte without memory behind it. */
	*th_pte(r.s, 0x200000000ULL, 2) = NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_SPARSE |
					  NPU_PTE_READ | NPU_PTE_WRITE;
	c.timeout_us = 1000;
	ok(th_run(r.q, &c, 1) == NPU_ST_TIMEOUT && r.q->fault->unit == NPU_UNIT_SDMA,
	   "%u workers: a long one times out", workers);
	th_rig_free(&r);
}

int main(void)
{
	unsigned int workers, i;

	for (workers = 0; workers <= 2; workers++)
		for (i = 0; i < 4; i++)
			test_values(workers, i & 1, i & 2, workers == 1 ? 2500 : 70000);
	test_values(0, false, false, MAX_BYTES);
	test_values(2, false, true, MAX_BYTES);
	test_itself();
	test_rights();
	for (workers = 0; workers <= 2; workers++)
		test_timeout(workers);
	return tap_done();
}
