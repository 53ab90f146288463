// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modelled time: cases worked out by hand from docs/timing.md, peak rates, the roofline, and that
 * times depend on the program alone.
 */
#include "timedprog.h"

#define COUNTER 8 /* a register */

static uint64_t ns(struct th_rig *r, uint64_t cycles)
{
	const uint64_t mhz = r->h->core->timing->profile->mhz;

	return (cycles * 1000 + mhz - 1) / mhz;
}

/*
 * 64 KiB from global memory. The instruction is the fifth, so it starts at 5. The port takes 110
 * bytes a cycle: 65536 / 110 = 596 cycles; HBM, all for one core, 65536 * 1800 / 1600000 = 74.
 * Latency is 500 ns, 900 cycles.
 */
#define COPY_BUSY	596
#define COPY_DONE	(COPY_BUSY + 900)

static void test_copy(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t gm = gm_new(&r);
	struct prog p = { 0 };

	copy(&p, UB, gm, 65536);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + COPY_DONE), "a copy alone");

	/*
	 * 24 of them, of one memory. Each core has a 24th of HBM, 65536 * 24 * 1800 / 1600000 =
	 * 1770 cycles: far it takes 200 + 5 + 1770 + 900 = 2875. Near, with 200 ns to L2, 200 + 5 +
	 * 596 + 360 = 1161. L2 has 23 of 24 bytes: 2875 - (2875 - 1161) * 23 / 24 = 1233.
	 */
	p = (struct prog){ 0 };
	copy(&p, UB, gm, 65536);
	is(blocks_ns(&r, &p, 24), ns(&r, 1233), "24 copies that share memory");

	/* 100 rows of 40 bytes count as 64 each: 6400 / 110 = 59. */
	p = (struct prog){ 0 };
	tile(&p, 0, NPU_MTE_COPY, UB, gm, 100ULL << 32 | 40, 64ULL << 32 | 64);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + 59 + 900), "short rows");

	p = (struct prog){ 0 };
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES), "nothing");
	th_rig_free(&r);
}

/* Five instructions, the cycles of the cube, and 32 until the result is there. */
static void test_mmad(void)
{
	static const struct {
		unsigned int m, n, k, dtype, cycles;
	} cases[] = {
		{ 128, 256, 128, NPU_F16, 8 * 16 * 8 },
		{ 128, 128, 128, NPU_S8, 8 * 8 * 4 },
		{ 64, 64, 64, NPU_F32, 4 * 4 * 16 },
		{ 17, 16, 1, NPU_BF16, 2 * 1 * 1 },
	};
	struct th_rig r = rig_new(0, "910b");
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct prog p = { 0 };

		tile(&p, 1, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		     mmad(cases[i].m, cases[i].n, cases[i].k, cases[i].dtype));
		is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + cases[i].cycles + 32),
		   "a product");
	}
	th_rig_free(&r);
}

/*
 * Rows of elements, 128 of 4 bytes or 256 of less a cycle, times the factor of the operation: ten
 * instructions, the cycles of the vector units, and 16 until the result is there.
 */
static void test_vector(void)
{
	static const struct {
		const char *name;
		unsigned int rows, opcode, dtype, count, cycles;
	} cases[] = {
		{ "VMADD of fp32", 1, NPU_VMADD, NPU_F32, 16384, 128 },
		{ "VMADD of fp16", 1, NPU_VMADD, NPU_F16, 16384, 64 },
		{ "VMADD of int8, odd rows", 5, NPU_VMADD, NPU_S8, 257, 5 * 2 },
		{ "VDOT of fp32", 1, NPU_VDOT, NPU_F32, 16384, 128 * 2 },
		{ "VDOT of bf16", 1, NPU_VDOT, NPU_BF16, 16384, 64 * 2 },
		{ "VDOT of fp32, odd rows", 3, NPU_VDOT, NPU_F32, 1000, 3 * 8 * 2 },
		{ "VARGMAX of int8", 1, NPU_VARGMAX, NPU_S8, 512, 2 * 2 },
		{ "VEXP of fp16", 2, NPU_VEXP, NPU_F16, 300, 2 * 2 * 4 },
		{ "VERF of fp32", 1, NPU_VERF, NPU_F32, 129, 2 * 16 },
	};
	struct th_rig r = rig_new(0, "910b");
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prog p = { 0 };

		tile(&p, 2, NPU_VEC_REPEAT, 4096, cases[i].rows, 4096, 4096);
		tile(&p, 2, NPU_VEC_OP, UB, UB_OTHER, UB_OTHER,
		     vector(cases[i].opcode, cases[i].dtype, cases[i].count));
		is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 10 + cases[i].cycles + 16),
		   cases[i].name);
	}
	th_rig_free(&r);
}

/*
 * Pipes that wait: 16384 sums of fp32, 128 a cycle, take 128 cycles and 16 until they are there.
 */
#define SUM_BUSY 128
#define SUM_DONE (SUM_BUSY + 16)

static void sum(struct prog *p, uint64_t at)
{
	tile(p, 2, NPU_VEC_OP, at, at, at, vector(NPU_VADD, NPU_F32, 16384));
}

static void test_flags(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t gm = gm_new(&r);
	struct prog p = { 0 };
	unsigned int i;

	copy(&p, UB, gm, 65536);
	sum(&p, UB_OTHER);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + COPY_DONE),
	   "a sum beside a copy costs nothing");

	p = (struct prog){ 0 };
	copy(&p, UB, gm, 65536);
	set(&p, NPU_PIPE_MTE2, NPU_PIPE_V, 0);
	wait(&p, NPU_PIPE_MTE2, NPU_PIPE_V, 0);
	sum(&p, UB);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + COPY_DONE + SUM_DONE),
	   "one that waits comes after it");

	/* The scalar unit waits, then takes 11 cycles for as many instructions, ecall being one. */
	p = (struct prog){ 0 };
	copy(&p, UB, gm, 65536);
	set(&p, NPU_PIPE_MTE2, NPU_PIPE_S, 0);
	wait(&p, NPU_PIPE_MTE2, NPU_PIPE_S, 0);
	for (i = 0; i < 10; i++)
		emit(&p, RV_NOP);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + COPY_DONE + 11), "S waits");

	/* A barrier of all is the scalar unit's, too. The sum is the fifth after it. */
	p = (struct prog){ 0 };
	copy(&p, UB, gm, 65536);
	tile(&p, 3, NPU_SYS_BARRIER, 0, NPU_PIPE_ALL, 0, 0);
	sum(&p, UB);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + COPY_DONE + 5 + SUM_DONE),
	   "a barrier of all");

	/*
	 * One of a pipe is for that pipe: what comes next waits for the latency, too. Half the bytes
	 * are in L2, whose latency is 540 cycles less: so that is saved of one of two.
	 */
	p = (struct prog){ 0 };
	copy(&p, UB, gm, 65536);
	tile(&p, 3, NPU_SYS_BARRIER, 0, NPU_PIPE_MTE2, 0, 0);
	copy(&p, UB, gm, 65536);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + 2 * COPY_DONE - 540),
	   "a barrier of a pipe");
	th_rig_free(&r);
}

/* @buffers of 64 KiB are loaded and summed up in turn, @rounds times. */
static void pipeline(struct prog *p, uint64_t gm, unsigned int buffers, unsigned int rounds)
{
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		const uint64_t at = UB + i % buffers * 65536;

		if (i >= buffers)
			wait(p, NPU_PIPE_V, NPU_PIPE_MTE2, i % buffers);
		copy(p, at, gm + i * 65536, 65536);
		set(p, NPU_PIPE_MTE2, NPU_PIPE_V, i % buffers);
		wait(p, NPU_PIPE_MTE2, NPU_PIPE_V, i % buffers);
		sum(p, at);
		set(p, NPU_PIPE_V, NPU_PIPE_MTE2, i % buffers);
	}
}

/*
 * With one buffer a load starts when the sum of the one before is there: 1496 + 144 cycles each.
 *
 * With two it starts when the pipe is free, 596 cycles after the one before, but not before the sum
 * of the last but one is there: loads at 5, 601, 1645, 2241, ... two in 1640 cycles. The eighth
 * starts at 601 + 3 * 1640 = 5521, and its sum is there 1640 cycles later.
 */
static void test_double_buffer(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t gm = gm_new(&r);
	struct prog p = { 0 };

	pipeline(&p, gm, 1, 8);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5 + 8 * (COPY_DONE + SUM_DONE)),
	   "one buffer");
	p = (struct prog){ 0 };
	pipeline(&p, gm, 2, 8);
	is(blocks_ns(&r, &p, 1), ns(&r, BLOCK_CYCLES + 5521 + COPY_DONE + SUM_DONE),
	   "two buffers");
	th_rig_free(&r);
}

static struct prog product(void)
{
	struct prog p = { 0 };

	tile(&p, 1, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
	     mmad(128, 256, 128, NPU_F16));
	return p;
}

#define PRODUCT_CYCLES (BLOCK_CYCLES + 5 + 1024 + 32)

static void test_blocks(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	struct prog p = product();
	struct npu_cmd list[4], cmd = kernel(&r, &p, 3);
	struct npu_counters n;

	cmd.kernel.max_cores = 2;
	is(time_of(&r, &cmd), KERNEL_NS + 2 * ns(&r, PRODUCT_CYCLES), "3 blocks on 2 cores");
	npu_counters_read(r.h->core, &n);
	is(n.aicore_ns, 3 * ns(&r, PRODUCT_CYCLES), "what cores were busy");
	is(n.cube_ns, ns(&r, 3 * 1024), "and their cubes");
	cmd.kernel.max_cores = 0;
	is(time_of(&r, &cmd), KERNEL_NS + ns(&r, PRODUCT_CYCLES), "3 blocks on 3 cores");

	/* The second of two beside each other comes a command later, to the 12 other cores. */
	list[0] = stamp(&r, 0);
	list[1] = list[2] = cmd;
	list[1].kernel.blocks = list[2].kernel.blocks = 12;
	list[2].flags = NPU_CMD_F_OVERLAP;
	list[3] = stamp(&r, 1);
	th_run(r.q, list, 4);
	is(r.words[1] - r.words[0], 3 * COMMAND_NS + KERNEL_NS + ns(&r, PRODUCT_CYCLES),
	   "two kernels beside each other");
	list[2].flags = 0;
	th_run(r.q, list, 4);
	is(r.words[1] - r.words[0], 3 * COMMAND_NS + 2 * (KERNEL_NS + ns(&r, PRODUCT_CYCLES)),
	   "and one after the other");
	th_rig_free(&r);
}

/* 2^20 bytes at 200 GB/s are 5243 ns; of host memory, at 31.508 GB/s, 33280. */
static void test_sdma(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t gm = gm_new(&r);
	uint64_t host = th_alloc_ram(r.s, 0x200000, NULL);
	struct npu_cmd cmd = th_copy(gm, gm + 0x400000, 0x100000);

	is(time_of(&r, &cmd), SDMA_NS + 5243, "a copy of HBM");
	cmd = th_copy(gm, host, 0x100000);
	is(time_of(&r, &cmd), SDMA_NS + 33280, "a copy from host memory");
	cmd = th_copy(gm, gm + 0x400000, 0x400000);
	is(time_of(&r, &cmd), SDMA_NS + 20972, "a copy in parts");
	cmd = th_fill(gm, 8, 1, 8);
	is(time_of(&r, &cmd), SDMA_NS + 1, "8 bytes");
	th_rig_free(&r);
}

/* A queue that waits goes on at the time of the signal, and takes a command for the stamp. */
static void test_sem(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t sem = r.va + 0x800;
	struct prog prog = product();
	struct npu_cmd list[] = {
		stamp(&r, 0), kernel(&r, &prog, 1), stamp(&r, 1),
		th_sem(NPU_CMD_SEM_SIGNAL, sem, 1, NPU_SEM_ADD),
		th_sem(NPU_CMD_SEM_SIGNAL, sem, 2, NPU_SEM_SET),
	};
	struct npu_cmd other[] = {
		th_sem(NPU_CMD_SEM_WAIT, sem, 1, NPU_SEM_GE), stamp(&r, 2),
		th_sem(NPU_CMD_SEM_WAIT, sem, 2, NPU_SEM_EQ), stamp(&r, 3),
	};

	th_submit(r.p, other, 4);
	th_wait_state(r.p, NPU_QUEUE_WAITING);
	ok(th_run(r.q, list, 5) == NPU_ST_OK && th_wait(r.p) == NPU_ST_OK, "queues wait");
	is(r.words[2] - r.words[1], 2 * COMMAND_NS, "a signal by ADD");
	/* The wait itself is a command; by then the second signal is there. */
	is(r.words[3] - r.words[2], 2 * COMMAND_NS, "a signal by SET");
	th_rig_free(&r);
}

/* What a queue writes nobody sees before its time. */
static void test_clock(unsigned int workers)
{
	struct th_rig r = rig_new(workers, "310b");
	struct prog p = product();
	struct npu_cmd cmd = kernel(&r, &p, 1000);
	uint64_t first;

	time_of(&r, &cmd);
	first = r.words[1];
	ok(npu_core_mmio_read(r.h->core, NPU_REG_TIMESTAMP_LO, 8) >= first,
	   "%u workers: the device's clock is not behind", workers);
	time_of(&r, &cmd);
	ok(r.words[0] == first + COMMAND_NS, "an idle queue goes on where it was");
	if (!workers) {
		r.h->now += 2000 * TH_MS;
		time_of(&r, &cmd);
		ok(r.words[0] > first + 2000 * TH_MS, "but not after a second");
	}
	th_rig_free(&r);
}

/* Emit a loop of @rounds over what was emitted from @start on. */
static void loop(struct prog *p, unsigned int start)
{
	emit(p, RV_ADDI(COUNTER, COUNTER, -1));
	emit(p, RV_BNE(COUNTER, 0, 4 * ((int)start - (int)p->count)));
}

/* How many operations a second are reached, from what twice the work takes more. */
static double rate(struct th_rig *r, const struct prog *p, double work)
{
	const unsigned int cores = r->h->cfg.cores;
	struct prog twice = *p, once = *p;
	uint64_t more;

	twice.values[0] *= 2;
	more = blocks_ns(r, &twice, cores) - blocks_ns(r, &once, cores);
	return work * cores * 1e9 / more;
}

static bool within(double got, double want, double share)
{
	return got > want * (1 - share) && got < want * (1 + share);
}

#define ROUNDS 8
#define CUBE_ROUNDS 100

static double cube_rate(struct th_rig *r, unsigned int dtype)
{
	struct prog p = { 0 };
	unsigned int start;

	load(&p, COUNTER, CUBE_ROUNDS);
	operands(&p, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE, mmad(64, 64, 64, dtype));
	start = p.count;
	again(&p, 1, NPU_CUBE_MMAD);
	loop(&p, start);
	return rate(r, &p, 2.0 * 64 * 64 * 64 * CUBE_ROUNDS);
}

static double vector_rate(struct th_rig *r)
{
	struct prog p = { 0 };
	unsigned int start;

	load(&p, COUNTER, ROUNDS);
	operands(&p, UB, UB, UB_OTHER, vector(NPU_VADD, NPU_F16, 16384));
	start = p.count;
	again(&p, 2, NPU_VEC_OP);
	loop(&p, start);
	return rate(r, &p, 16384.0 * ROUNDS);
}

/* Have @reg start at @address, a MiB further for each block. */
static void block_address(struct prog *p, unsigned int reg, uint64_t address)
{
	load(p, reg, address);
	emit(p, RV_SLLI(RV_T0, RV_A1, 20));
	emit(p, RV_ADD(reg, reg, RV_T0));
}

/* Each core copies memory of its own, read and written at once; bytes of both count. */
static double copy_rate(struct th_rig *r)
{
	const uint64_t gm = gm_new(r);
	struct prog p = { 0 };
	unsigned int start;

	load(&p, COUNTER, ROUNDS);
	load(&p, PROG_OPERANDS, UB);
	load(&p, PROG_OPERANDS + 2, 1ULL << 32 | 65536);
	load(&p, RV_T1, 65536);
	block_address(&p, PROG_OPERANDS + 1, gm);
	block_address(&p, PROG_OPERANDS + 4, gm + (32 << 20));
	start = p.count;
	emit(&p, RV_CUSTOM(0, NPU_MTE_COPY, PROG_OPERANDS, PROG_OPERANDS + 1, PROG_OPERANDS + 2, 0));
	emit(&p, RV_CUSTOM(0, NPU_MTE_COPY, PROG_OPERANDS + 4, PROG_OPERANDS, PROG_OPERANDS + 2, 0));
	emit(&p, RV_ADD(PROG_OPERANDS + 1, PROG_OPERANDS + 1, RV_T1));
	emit(&p, RV_ADD(PROG_OPERANDS + 4, PROG_OPERANDS + 4, RV_T1));
	loop(&p, start);
	return rate(r, &p, 2.0 * 65536 * ROUNDS);
}

/* The published figures: see docs/timing.md. */
static const struct peak {
	const char *profile;
	double f16, s8, vector, hbm;
} peaks[] = {
	{ "310b", 10e12, 20e12, 128 * 1.221e9, 51.2e9 },
	{ "910", 256e12, 512e12, 32 * 128 * 0.977e9, 1.2e12 },
	{ "910b", 354e12, 708e12, 48 * 128 * 1.8e9, 1.6e12 },
	{ "910c", 376e12, 752e12, 50 * 128 * 1.85e9, 1.6e12 },
};

static void test_peak(const struct peak *peak)
{
	struct th_rig r = rig_new(0, peak->profile);
	double f16 = cube_rate(&r, NPU_F16), s8 = cube_rate(&r, NPU_S8);
	double f32 = cube_rate(&r, NPU_F32), v = vector_rate(&r), hbm = copy_rate(&r);

	ok(within(f16, peak->f16, 0.01), "%s: %.1f TFLOPS of fp16", peak->profile, f16 * 1e-12);
	ok(within(s8, peak->s8, 0.01) && within(s8, 2 * f16, 0.001), "%.1f TOPS of int8",
	   s8 * 1e-12);
	ok(within(f32, f16 / 4, 0.001), "%.1f TFLOPS of fp32", f32 * 1e-12);
	ok(within(v, peak->vector, 0.01), "%.2f T sums of fp16 a second", v * 1e-12);
	ok(within(hbm, peak->hbm, 0.01), "%.1f GB/s of HBM", hbm * 1e-9);
	th_rig_free(&r);
}

/* Load 32 KiB, then multiply @products times: 16 operations a byte for each. */
static double intense_rate(struct th_rig *r, uint64_t gm, unsigned int products)
{
	struct prog p = { 0 };
	unsigned int start, i;

	load(&p, COUNTER, ROUNDS);
	load(&p, PROG_OPERANDS + 4, NPU_L1_BASE);
	load(&p, PROG_OPERANDS + 5, 1ULL << 32 | 32768);
	load(&p, RV_T1, 32768);
	load(&p, 9, NPU_PIPE_MTE2 | NPU_PIPE_M << 4);
	block_address(&p, PROG_OPERANDS + 6, gm);
	operands(&p, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE, mmad(64, 64, 64, NPU_F16));
	start = p.count;
	emit(&p, RV_CUSTOM(0, NPU_MTE_COPY, PROG_OPERANDS + 4, PROG_OPERANDS + 6, PROG_OPERANDS + 5, 0));
	emit(&p, RV_CUSTOM(3, NPU_SYS_SET_FLAG, 0, 9, 0, 0));
	emit(&p, RV_CUSTOM(3, NPU_SYS_WAIT_FLAG, 0, 9, 0, 0));
	for (i = 0; i < products; i++)
		again(&p, 1, NPU_CUBE_MMAD);
	emit(&p, RV_ADD(PROG_OPERANDS + 6, PROG_OPERANDS + 6, RV_T1));
	loop(&p, start);
	return rate(r, &p, 2.0 * 64 * 64 * 64 * products * ROUNDS);
}

/* min(peak, intensity * bandwidth), within 2 % */
static void test_roofline(const struct peak *peak)
{
	static const unsigned int products[] = { 1, 4, 10, 12, 16, 24, 40 };
	struct th_rig r = rig_new(0, peak->profile);
	const struct npu_profile *profile = r.h->core->timing->profile;
	const uint64_t gm = gm_new(&r);
	const double top = 8192.0 * profile->cores * profile->mhz * 1e6;
	unsigned int i;

	for (i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
		double roof = npu_min(top, 16.0 * products[i] * peak->hbm);
		double got = intense_rate(&r, gm, products[i]);

		ok(within(got, roof, 0.02), "%s: %u operations a byte: %.1f of %.1f TFLOPS",
		   peak->profile, 16 * products[i], got * 1e-12, roof * 1e-12);
	}
	th_rig_free(&r);
}

/* Kernels of blocks of different length beside copies: times of the list's stamps. */
static void mixture(unsigned int workers, uint64_t *times)
{
	struct th_rig r = rig_new(workers, "910b");
	const uint64_t gm = gm_new(&r);
	struct npu_cmd list[16];
	struct prog p = { 0 };
	unsigned int start, n = 0, i;

	emit(&p, RV_ADDI(COUNTER, RV_A1, 1));
	operands(&p, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE, mmad(16, 16, 64, NPU_F16));
	start = p.count;
	again(&p, 1, NPU_CUBE_MMAD);
	loop(&p, start);
	copy(&p, UB, gm + (40 << 20), 4096);
	list[n++] = stamp(&r, 0);
	list[n++] = kernel(&r, &p, 100);
	for (i = 0; i < 4; i++) {
		list[n++] = th_copy(gm + (i << 22), gm + (32 << 20), 3 << 20);
		list[n++] = kernel(&r, &(struct prog){ .count = 0 }, 7 + i);
		list[n - 1].kernel.blocks = 7 + i;
		list[n - 1].flags = list[n - 2].flags = NPU_CMD_F_OVERLAP;
	}
	list[n++] = stamp(&r, 1);
	list[n++] = list[1];
	list[n++] = stamp(&r, 2);
	times[0] = times[1] = times[2] = 0;
	if (th_run(r.q, list, n) == NPU_ST_OK)
		for (i = 0; i < 3; i++)
			times[i] = r.words[i] - r.words[0];
	th_rig_free(&r);
}

static void test_same(void)
{
	uint64_t want[3], got[3];
	unsigned int workers, i;

	mixture(0, want);
	ok(want[1] && want[2] > want[1], "a mixture takes its time");
	for (workers = 1; workers <= 4; workers++) {
		for (i = 0; i < 5; i++) {
			mixture(workers, got);
			if (memcmp(got, want, sizeof(got)))
				break;
		}
		ok(i == 5, "and the same one with %u workers", workers);
	}
}

static int no_dma(void *host, uint64_t addr, void *buf, size_t len)
{
	(void)host, (void)addr, (void)buf, (void)len;
	return -1;
}

static int no_dma_write(void *host, uint64_t addr, const void *buf, size_t len)
{
	(void)host, (void)addr, (void)buf, (void)len;
	return -1;
}

static void no_raise(void *host, unsigned int vector)
{
	(void)host, (void)vector;
}

static uint64_t no_clock(void *host)
{
	(void)host;
	return 0;
}

static void test_property(void)
{
	static const struct npu_host_ops ops = {
		.dma_read = no_dma, .dma_write = no_dma_write, .raise = no_raise,
		.clock_ns = no_clock,
	};
	struct th_rig r = rig_new(0, "910");
	struct npu_core_config cfg = r.h->cfg;
	const char *error = "";
	struct npu_core *other;

	ok(th_read(r.h, NPU_REG_FEATURES) & NPU_FEATURE_TIMING &&
	   th_read(r.h, NPU_REG_PROFILE) == NPU_PROFILE_910 &&
	   th_read(r.h, NPU_REG_CORE_CLOCK_MHZ) == 977 && th_read(r.h, NPU_REG_NUM_CORES) == 32,
	   "registers tell the profile");
	cfg.timing = "950";
	other = npu_core_new(&cfg, &ops, NULL, &error);
	ok(!other && strstr(error, "timing") && strstr(error, "910b"), "another is refused: %s",
	   error);
	th_rig_free(&r);

	r.h = th_new(0, 4);
	ok(!(th_read(r.h, NPU_REG_FEATURES) & NPU_FEATURE_TIMING) && !r.h->core->timing,
	   "none by default");
	th_free(r.h);
}

int main(void)
{
	unsigned int workers, i;

	for (workers = 0; workers <= 2; workers += 2) {
		test_copy(workers);
		test_flags(workers);
		test_double_buffer(workers);
		test_blocks(workers);
		test_sdma(workers);
		test_sem(workers);
		test_clock(workers);
	}
	test_mmad();
	test_vector();
	for (i = 0; i < sizeof(peaks) / sizeof(peaks[0]); i++) {
		test_peak(&peaks[i]);
		test_roofline(&peaks[i]);
	}
	test_same();
	test_property();
	return tap_done();
}
