// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What blocks see of memory that changes while they run, and what is counted of what they do: the
 * engines read memory late, and keep operands of MMAD, but no program can tell.
 */
#include "testprog.h"

/* Of the product that the kernels here compute: operands of this size are kept. */
#define M 64
#define N 128
#define K 64
#define A_BYTES (M * K * 4)
#define B_BYTES (K * N * 4)
#define L1_B (NPU_L1_BASE + A_BYTES)

#define TURNS 7 /* registers */
#define WORD 8
#define AT 9

struct matrices {
	uint64_t a_va, b_va;
	float *a, *b;
};

static void load0(struct prog *p, uint64_t dst, uint64_t src, uint64_t rows, uint64_t cols)
{
	tile(p, 0, NPU_MTE_LOAD0, dst, src,
	     NPU_PREP(NPU_LOAD0_ROWS, rows) | NPU_PREP(NPU_LOAD0_COLS, cols) |
		     NPU_PREP(NPU_LOAD0_SRC_PITCH, cols * 4),
	     NPU_PREP(NPU_LOAD0_DST_PITCH, cols * 4) | NPU_PREP(NPU_LOAD0_DTYPE, NPU_F32));
}

/* A B, of what is in memory now, @times over, to @dst. */
static void product(struct prog *p, const struct matrices *x, unsigned int times, uint64_t dst)
{
	copy(p, NPU_L1_BASE, x->a_va, A_BYTES);
	copy(p, L1_B, x->b_va, B_BYTES);
	load0(p, NPU_L0A_BASE, NPU_L1_BASE, M, K);
	load0(p, NPU_L0B_BASE, L1_B, K, N);
	while (times--)
		tile(p, 1, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		     NPU_PREP(NPU_MMAD_M, M) | NPU_PREP(NPU_MMAD_N, N) |
			     NPU_PREP(NPU_MMAD_K, (uint64_t)K) | NPU_MMAD_INIT);
	tile(p, 1, NPU_CUBE_FIXPIPE, dst, NPU_L0C_BASE,
	     NPU_PREP(NPU_FIXPIPE_ROWS, M) | NPU_PREP(NPU_FIXPIPE_COLS, N) |
		     NPU_PREP(NPU_FIXPIPE_DST_PITCH, N * 4ULL),
	     0);
}

/* All behind the first instruction, which loads TURNS. */
static void repeat(struct prog *p)
{
	emit(p, RV_ADDI(TURNS, TURNS, -1));
	emit(p, RV_BNE(TURNS, 0, -4 * (int)(p->count - 1)));
}

/* Memory that is not code. */
static uint64_t data_new(struct th_rig *r, uint64_t size, void **host)
{
	uint64_t va = th_alloc(r->s, size, host);

	th_map(r->s, va, (uint8_t *)*host - r->h->hbm, size, NPU_PTE_READ | NPU_PTE_WRITE);
	return va;
}

/* A moves the rows of B up by one, the first to the end. Nothing near them is written. */
static struct matrices matrices_new(struct th_rig *r)
{
	struct matrices x;

	x.a_va = data_new(r, A_BYTES, (void **)&x.a);
	x.b_va = data_new(r, B_BYTES, (void **)&x.b);
	th_alloc(r->s, 0x20000, NULL);
	for (unsigned int i = 0; i < M; i++)
		x.a[i * K + (i + 1) % K] = 1;
	for (unsigned int i = 0; i < K * N; i++)
		x.b[i] = i;
	return x;
}

/* Is B's element @i what it was at first in a row @moves further on? */
static bool moved(const struct matrices *x, unsigned int i, unsigned int moves)
{
	return x->b[i] == (i + moves * N) % (K * N);
}

#define MOVES 4001

/* A block multiplies what it has written itself, on whatever worker it is then. */
static void test_workers(void)
{
	struct th_rig r = th_rig_pair(th_new(2, 1), 64);
	struct matrices x = matrices_new(&r);
	struct prog p = { 0 };
	unsigned int wrong = 0;
	struct npu_cmd cmd;

	load(&p, TURNS, MOVES);
	product(&p, &x, 3, x.b_va);
	repeat(&p);
	cmd = kernel(&r, &p, 1);
	th_submit(r.q, &cmd, 1);
	do {
		npu_core_pause(r.h->core);
		npu_core_resume(r.h->core);
	} while (th_cq_wait(r.cq, &r.q->cqe, 1) == TH_NOTHING);
	for (unsigned int i = 0; i < K * N; i++)
		wrong += !moved(&x, i, MOVES);
	ok(r.q->cqe.status == NPU_ST_OK && !wrong,
	   "a block that is interrupted reads what it has written: %u elements are wrong", wrong);
	th_rig_free(&r);
}

static void wait_for(const float *word, float value)
{
	uint64_t end = th_now_ns() + 10000 * TH_MS;
	float now;

	do
		__atomic_load(word, &now, __ATOMIC_ACQUIRE);
	while (now != value && th_now_ns() < end);
}

/* A block looks at a word until B has changed; that is then seen. */
static void told(struct th_rig *r, uint64_t word_va, uint64_t *word, const char *where)
{
	struct matrices x = matrices_new(r);
	struct prog p = { 0 };
	unsigned int wrong;
	struct npu_cmd cmd;
	uint64_t out_va;
	float *out;

	out_va = data_new(r, B_BYTES, (void **)&out);
	product(&p, &x, 3, out_va);
	load(&p, AT, word_va);
	emit(&p, RV_LD(WORD, AT, 0));
	emit(&p, RV_BNE(WORD, 0, 8));
	emit(&p, RV_BNE(AT, 0, -8)); /* always */
	product(&p, &x, 1, out_va);
	cmd = kernel(r, &p, 1);
	th_submit(r->q, &cmd, 1);
	wait_for(&out[M * N - 1], N - 1);
	for (unsigned int i = 0; i < K * N; i++)
		x.b[i] = -1;
	npu_store_release(word, 1);
	wrong = th_wait(r->q) != NPU_ST_OK;
	for (unsigned int i = 0; i < M * N; i++)
		wrong += out[i] != -1;
	ok(!wrong, "who is told by %s sees what has changed", where);
}

static void test_told(void)
{
	static const uint32_t look[] = { RV_LD(WORD, RV_A0, 0), RV_ECALL };
	struct th_rig r = th_rig_pair(th_new(1, 1), 64);
	uint64_t *word, va = data_new(&r, NPU_PAGE_SIZE, (void **)&word);
	struct npu_cmd cmd;

	told(&r, va, word, "a word");
	va = th_alloc(r.s, NPU_PAGE_SIZE, (void **)&word);
	told(&r, va, word, "a word that could be code");
	va = data_new(&r, NPU_PAGE_SIZE, (void **)&word);
	cmd = th_kernel(th_code(r.s, look, 2), va, 1);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "a kernel has arguments");
	told(&r, va, word, "a word in what were arguments");
	th_rig_free(&r);
}

#define ROW 4096

static void vector(struct prog *p, unsigned int opcode, uint64_t dst, uint64_t src,
		   uint32_t count)
{
	tile(p, 2, NPU_VEC_OP, dst, src, src,
	     NPU_PREP(NPU_VEC_OPCODE, (uint64_t)opcode) | NPU_PREP(NPU_VEC_COUNT, count));
}

/* A result goes over its own source, a little further on. */
static void test_bytes(void)
{
	struct th_rig r = th_rig_pair(th_new(0, 1), 64);
	struct prog p = { 0 };
	struct npu_counters before, after;
	struct npu_cmd cmd;
	float *x = (float *)r.words;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < ROW / 4; i++)
		x[i] = i;
	copy(&p, NPU_UB_BASE, r.va, ROW);
	vector(&p, NPU_VADD, NPU_UB_BASE + ROW, NPU_UB_BASE, ROW / 4);
	copy(&p, r.va + 64, NPU_UB_BASE + ROW, ROW);
	cmd = kernel(&r, &p, 1);
	npu_counters_read(r.h->core, &before);
	wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
	npu_counters_read(r.h->core, &after);
	for (unsigned int i = 0; i < ROW / 4; i++)
		wrong += x[16 + i] != 2 * i;
	ok(!wrong, "results go over their source");
	ok(after.hbm_write - before.hbm_write == ROW, "and are counted once");
	th_rig_free(&r);
}

/* Of a kernel that does little else than to compute, and stores that. */
static bool vector_is_busy(struct th_rig *r, const struct npu_cmd *cmd)
{
	struct npu_counters before, after;

	npu_counters_read(r->h->core, &before);
	th_run(r->q, cmd, 1);
	npu_counters_read(r->h->core, &after);
	return 4 * (after.vector_ns - before.vector_ns) > after.aicore_ns - before.aicore_ns;
}

static void test_vector_time(void)
{
	const uint32_t bytes = 0x10000;
	struct th_rig r = th_rig_pair(th_new(1, 1), 64);
	struct prog p = { 0 };
	struct npu_cmd cmd;
	bool busy = false;

	load(&p, TURNS, 100);
	vector(&p, NPU_VTANH, NPU_UB_BASE + bytes, NPU_UB_BASE, bytes / 4);
	copy(&p, r.va, NPU_UB_BASE + bytes, bytes);
	repeat(&p);
	cmd = kernel(&r, &p, 1);
	/* The worker may be kept from its CPU at any time. */
	for (unsigned int i = 0; i < 10 && !busy; i++)
		busy = vector_is_busy(&r, &cmd);
	ok(busy, "the vector engine is busy while what it has left for later is done");
	th_rig_free(&r);
}

/* Is @answer in what the device says to a packet of @data? */
static bool debugger(struct testhost *h, const char *data, const char *answer)
{
	const uint64_t end = th_now_ns() + 10000 * TH_MS;
	char *out = h->debug_out[NPU_DEBUG_CORES], packet[64];
	uint8_t sum = 0;

	for (const char *c = data; *c; c++)
		sum += *c;
	snprintf(packet, sizeof(packet), "$%s#%02x", data, sum);
	h->debug_len[NPU_DEBUG_CORES] = 0;
	npu_core_debug_input(h->core, NPU_DEBUG_CORES, packet, strlen(packet));
	do {
		npu_core_debug_poll(h->core, NPU_DEBUG_CORES);
		out[h->debug_len[NPU_DEBUG_CORES]] = '\0';
	} while (!strstr(out, answer) && th_now_ns() < end);
	return strstr(out, answer);
}

/* A debugger comes, writes into B, and leaves. */
static void test_debugger(void)
{
	struct th_rig r = th_rig_pair(th_new(1, 1), 64);
	struct matrices x = matrices_new(&r);
	struct prog p = { 0 };
	struct npu_cmd cmd;
	uint64_t out_va;
	char write[64];
	float *out;
	bool pass;

	out_va = data_new(&r, B_BYTES, (void **)&out);
	load(&p, TURNS, ~0ULL);
	product(&p, &x, 3, out_va);
	repeat(&p);
	cmd = kernel(&r, &p, 1);
	th_submit(r.q, &cmd, 1);
	wait_for(&out[M * N - 1], N - 1);
	npu_core_debug_open(r.h->core, NPU_DEBUG_CORES);
	/* -1, as it is in memory */
	snprintf(write, sizeof(write), "M%llx,4:000080bf", (unsigned long long)x.b_va);
	pass = debugger(r.h, "?", "$T") && debugger(r.h, write, "OK") && debugger(r.h, "D", "OK");
	for (unsigned int i = 0; i < 8; i++) {
		npu_store((uint32_t *)&out[M * N - 1], 0);
		wait_for(&out[M * N - 1], N - 1);
	}
	ok(pass && out[(M - 1) * N] == -1, "what a debugger has written is seen when it has left");
	npu_core_debug_close(r.h->core, NPU_DEBUG_CORES);
	th_queue_free(r.q);
	r.q = NULL;
	th_rig_free(&r);
}

int main(void)
{
	test_told();
	test_bytes();
	test_vector_time();
	test_debugger();
	test_workers();
	return tap_done();
}
