// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheduler: semaphores, order, time-outs, sharing, faults of kernels, and the ways to stop.
 */
#include "testhost.h"

static struct th_rig rig_new(unsigned int workers, unsigned int cores)
{
	struct testhost *h = th_new(workers, cores);

	h->now += TH_MS;
	return th_rig_pair(h, 64);
}

static uint64_t endless(struct th_rig *r)
{
	static const uint32_t code[] = { RV_LOOP };

	return th_code(r->s, code, 1);
}

static void test_sem(unsigned int workers, bool system, bool no_map)
{
	struct th_rig r = rig_new(workers, 4);
	uint64_t *sem, va = (system ? th_alloc_ram : th_alloc)(r.s, 0x1000, (void **)&sem);
	struct npu_cmd wait = th_sem(NPU_CMD_SEM_WAIT, va, 3, NPU_SEM_GE);
	struct npu_cmd signal = th_sem(NPU_CMD_SEM_SIGNAL, va, 1, NPU_SEM_ADD);
	struct npu_cmd list[2];
	unsigned int i;

	r.h->no_map = no_map;
	th_submit(r.q, &wait, 1);
	ok(th_wait_state(r.q, NPU_QUEUE_WAITING), "%u workers%s%s: a queue waits", workers,
	   system ? ", system memory" : "", no_map ? ", by DMA" : "");
	for (i = 0; i < 2; i++)
		th_run(r.p, &signal, 1);
	ok(th_wait_state(r.q, NPU_QUEUE_WAITING) && *sem == 2, "2 is not enough");
	th_run(r.p, &signal, 1);
	ok(th_wait(r.q) == NPU_ST_OK && *sem == 3, "3 is");

	signal = th_sem(NPU_CMD_SEM_SIGNAL, va, 2, NPU_SEM_MAX);
	th_run(r.p, &signal, 1);
	ok(*sem == 3, "MAX keeps the greater");
	signal = th_sem(NPU_CMD_SEM_SIGNAL, va, 9, NPU_SEM_MAX);
	th_run(r.p, &signal, 1);
	ok(*sem == 9, "or takes it");
	signal = th_sem(NPU_CMD_SEM_SIGNAL, va, 4, NPU_SEM_SET);
	th_run(r.p, &signal, 1);
	ok(*sem == 4, "SET sets");

	wait = th_sem(NPU_CMD_SEM_WAIT, va, 5, NPU_SEM_EQ);
	th_submit(r.q, &wait, 1);
	th_wait_state(r.q, NPU_QUEUE_WAITING);
	signal = th_store(va, 5, 8);
	th_run(r.p, &signal, 1);
	ok(th_wait(r.q) == NPU_ST_OK, "a plain write wakes, too");

	wait = th_sem(NPU_CMD_SEM_WAIT, va, 5, NPU_SEM_NE);
	th_submit(r.q, &wait, 1);
	th_wait_state(r.q, NPU_QUEUE_WAITING);
	__atomic_store_n(sem, 6, __ATOMIC_RELEASE);
	npu_core_poll(r.h->core);
	ok(th_wait(r.q) == NPU_ST_OK, "so does the host's CPU");

	list[0] = th_sem(NPU_CMD_SEM_WAIT, va, 100, NPU_SEM_EQ);
	list[1] = th_sem(NPU_CMD_SEM_SIGNAL, va + 8, 1, NPU_SEM_SET);
	th_submit(r.q, list, 2);
	th_wait_state(r.q, NPU_QUEUE_WAITING);
	signal = th_copy(va, va + 16, 8);
	sem[2] = 100;
	th_run(r.p, &signal, 1);
	ok(th_wait(r.q) == NPU_ST_OK && sem[1] == 1, "and a copy; then the list goes on");
	th_rig_free(&r);
}

/* To look at a word of the host again and again is to wait. */
static void test_sem_looks(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	uint64_t *sem, va = th_alloc_ram(r.s, 0x1000, (void **)&sem);
	struct npu_cmd list[2] = {
		th_store(r.va, 7, 8), th_sem(NPU_CMD_SEM_WAIT, va, 1, NPU_SEM_EQ),
	};
	struct npu_queue_info info;
	unsigned int i, wrong = 0;

	list[1].timeout_us = 30000000;
	th_submit(r.q, list, 2);
	ok(th_wait_state(r.q, NPU_QUEUE_WAITING), "%u workers: it waits", workers);
	for (i = 0; i < 2000; i++) {
		npu_core_poll(r.h->core);
		npu_queue_query(r.h->core, 1, &info);
		wrong += info.state != NPU_QUEUE_WAITING || info.command != 1 ||
			 info.timeout_us != list[1].timeout_us;
	}
	ok(!wrong, "and while it looks again: %u were told otherwise", wrong);
	__atomic_store_n(sem, 1, __ATOMIC_RELEASE);
	npu_core_poll(r.h->core);
	ok(th_wait(r.q) == NPU_ST_OK && th_wait_state(r.q, NPU_QUEUE_IDLE), "until it goes on");
	th_rig_free(&r);
}

/* Two queues hand a token to and fro, as streams that depend on each other do. */
static void test_ping_pong(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	unsigned int i, wrong = 0, rounds = 300;

	for (i = 0; i < rounds; i++) {
		struct npu_cmd a[2] = {
			th_sem(NPU_CMD_SEM_WAIT, r.va, 2 * i, NPU_SEM_GE),
			th_sem(NPU_CMD_SEM_SIGNAL, r.va, 1, NPU_SEM_ADD),
		};
		struct npu_cmd b[2] = {
			th_sem(NPU_CMD_SEM_WAIT, r.va, 2 * i + 1, NPU_SEM_GE),
			th_sem(NPU_CMD_SEM_SIGNAL, r.va, 1, NPU_SEM_ADD),
		};

		th_push(r.q, a, 2);
		th_push(r.p, b, 2);
		if (i % 32 != 31 && i != rounds - 1)
			continue;
		th_ring(r.q);
		th_ring(r.p);
		while (r.cq->head != r.q->tail)
			wrong += th_wait(r.q) != NPU_ST_OK;
		while (r.cq2->head != r.p->tail)
			wrong += th_wait(r.p) != NPU_ST_OK;
	}
	ok(!wrong && r.words[0] == 2 * rounds, "%u workers: queues take turns", workers);
	th_rig_free(&r);
}

static void test_sem_timeout(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd wait = th_sem(NPU_CMD_SEM_WAIT, r.va + 8, 1, NPU_SEM_EQ);

	wait.timeout_us = 20000;
	wait.tag = 42;
	th_submit(r.q, &wait, 1);
	if (!workers) {
		ok(npu_core_poll(r.h->core) <= r.h->now + 20 * TH_MS,
		   "poll tells when to call again");
		r.h->now += 20 * TH_MS;
		npu_core_poll(r.h->core);
	}
	ok(th_wait(r.q) == NPU_ST_TIMEOUT && r.q->fault->address == r.va + 8 &&
	   r.q->fault->tag == 42 && th_wait_state(r.q, NPU_QUEUE_FAULTED),
	   "%u workers: a wait times out", workers);
	th_rig_free(&r);
}

/* @words[i] = i, slowly, then OVERLAP and barriers in one list. */
static void test_overlap(unsigned int workers)
{
	/* for (t0 = 100000; t0; t0--); a0[a1] = 1 */
	static const uint32_t slow[] = {
		RV_LUI(RV_T0, 24), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4),
		RV_SLLI(RV_T1, RV_A1, 3), RV_ADD(RV_T1, RV_T1, RV_A0), RV_ADDI(RV_T0, 0, 1),
		RV_SD(RV_T0, RV_T1, 0), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 8);
	uint64_t code = th_code(r.s, slow, 8);
	struct npu_cmd c[16];
	unsigned int i, wrong = 0, n = 0;

	/* Twelve kernels side by side, more than a queue has slots for. */
	for (i = 0; i < 12; i++) {
		c[n] = th_kernel(code, r.va + 64 * i, 2);
		c[n++].flags = NPU_CMD_F_OVERLAP;
	}
	c[n++] = th_simple(NPU_CMD_BARRIER);
	c[n] = th_copy(r.va + 0x1000, r.va, 0x1000);
	c[n++].flags = NPU_CMD_F_OVERLAP;
	ok(th_run(r.q, c, n) == NPU_ST_OK, "%u workers: overlapping kernels end", workers);
	for (i = 0; i < 12; i++)
		wrong += r.words[0x200 + 8 * i] != 1 || r.words[0x200 + 8 * i + 1] != 1;
	ok(!wrong, "what follows a barrier sees all that was before it");
	ok(r.q->cqe.command == n, "all are counted");

	memset(r.words, 0, 0x2000);
	c[0] = th_kernel(code, r.va, 8);
	c[1] = th_copy(r.va + 0x1000, r.va, 64);
	ok(th_run(r.q, c, 2) == NPU_ST_OK && r.words[0x200] == 1 && r.words[0x207] == 1,
	   "without OVERLAP a command waits");
	th_rig_free(&r);
}

static void test_endless(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd loop = th_kernel(endless(&r), 0, 9);
	struct npu_cmd work[2] = { th_fill(r.va, 64, 5, 8), th_copy(r.va + 64, r.va, 64) };
	static const uint32_t end[] = { RV_ECALL };
	struct npu_cmd small = th_kernel(th_code(r.s, end, 1), 0, 2);
	unsigned int i, wrong = 0;

	th_submit(r.q, &loop, 1);
	for (i = 0; i < 20; i++) {
		wrong += th_run(r.p, work, 2) != NPU_ST_OK;
		wrong += th_run(r.p, &small, 1) != NPU_ST_OK;
	}
	ok(!wrong, "%u workers: beside an endless kernel others go on", workers);
	ok(!workers || th_state(r.q) == NPU_QUEUE_RUNNING, "it runs meanwhile");
	th_queue_free(r.q);
	r.q = th_queue_new(r.s, 1, 64, r.cq);
	loop.timeout_us = 20000;
	r.cq->head = r.h->core->cqs[0].tail;
	ok(th_run(r.q, &loop, 1) == NPU_ST_TIMEOUT && r.q->fault->unit == NPU_UNIT_SCALAR &&
	   r.q->fault->pc == loop.kernel.entry, "with a time-out it ends");
	ok(th_run(r.p, &small, 1) == NPU_ST_OK && npu_busy_cores(r.h->core) == 0,
	   "its cores are free again");
	th_rig_free(&r);
}

/* Ticks of the engines as if the counter had gone back by far after them, in a slice of nothing. */
static void test_engine_time(void)
{
	struct th_rig r = rig_new(1, 1);
	uint32_t end = RV_ECALL;
	struct npu_cmd cmd = th_kernel(th_code(r.s, &end, 1), 0, 1);
	struct npu_counters n;

	r.h->core->aicores[0].cube_ticks = 1ULL << 60;
	r.h->core->aicores[0].vector_ticks = 1ULL << 60;
	th_run(r.q, &cmd, 1);
	npu_counters_read(r.h->core, &n);
	ok(n.cube_ns && n.cube_ns + n.vector_ns <= n.aicore_ns,
	   "engines are busy for no longer than their core");
	th_rig_free(&r);
}

/* Time-outs: the command's, else the entry's, else the queue's. */
static void test_timeout_source(void)
{
	struct th_rig r = rig_new(0, 4);
	struct npu_queue_config cfg = { .entries = 4, .context = 1, .timeout_us = 3000 };
	struct npu_cmd loop = th_kernel(endless(&r), 0, 1);
	struct th_queue *q = th_queue_cfg(r.h, 7, cfg, r.cq);
	struct npu_counters n;

	q->lists = r.q->lists;
	ok(th_run(q, &loop, 1) == NPU_ST_TIMEOUT, "the queue's time-out");
	npu_counters_read(r.h->core, &n);
	ok(n.aicore_ns >= 3000000 && n.aicore_ns < 4000000, "in sync mode 1 ns an instruction");
	th_queue_free(q);
	q = th_queue_cfg(r.h, 7, cfg, r.cq);
	q->lists = r.q->lists;
	th_push(q, &loop, 1);
	q->ring[0].timeout_us = 1000;
	th_ring(q);
	ok(th_wait(q) == NPU_ST_TIMEOUT && q->cqe.aicore_us >= 1000 && q->cqe.aicore_us < 1500,
	   "the entry's, with the time in the completion");
	th_queue_free(q);
	q = th_queue_cfg(r.h, 7, cfg, r.cq);
	q->lists = r.q->lists;
	loop.timeout_us = 200;
	ok(th_run(q, &loop, 1) == NPU_ST_TIMEOUT && q->cqe.aicore_us < 500, "the command's");
	loop.timeout_us = 0;
	ok(th_run(r.q, &loop, 1) == NPU_ST_TIMEOUT, "sync mode ends an endless kernel anyway");
	free(q);
	th_rig_free(&r);
}

/* A copy without end, too, ends. */
static void test_copy_timeout(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd c = th_copy(r.va, r.va + 4096, 4096);

	c.copy.rows = 1ULL << 40;
	c.timeout_us = 50000;
	th_submit(r.q, &c, 1);
	ok(th_run(r.p, NULL, 0) == NPU_ST_SQE_INVALID, "%u workers: beside an endless copy",
	   workers);
	ok(th_wait(r.q) == NPU_ST_TIMEOUT && r.q->fault->unit == NPU_UNIT_SDMA,
	   "which times out");
	th_rig_free(&r);
}

static void test_kernel_faults(unsigned int workers)
{
	static const struct {
		uint32_t code[4];
		enum npu_status status;
		enum npu_unit unit;
		enum npu_access access;
		uint64_t address;
		unsigned int insn;
		const char *what;
	} cases[] = {
		{ { RV_NOP, 0 }, NPU_ST_ILLEGAL_INSN, NPU_UNIT_SCALAR, NPU_ACCESS_NONE, 0, 1,
		  "illegal instruction" },
		{ { RV_EBREAK }, NPU_ST_KERNEL_TRAP, NPU_UNIT_SCALAR, NPU_ACCESS_NONE, 0, 0,
		  "ebreak" },
		{ { RV_LD(RV_T0, 0, 0) }, NPU_ST_MMU_READ, NPU_UNIT_SCALAR, NPU_ACCESS_READ, 0,
		  0, "null load" },
		{ { RV_NOP, RV_SD(0, 0, 8) }, NPU_ST_MMU_WRITE, NPU_UNIT_SCALAR,
		  NPU_ACCESS_WRITE, 8, 1, "null store" },
		{ { RV_LUI(RV_T0, NPU_L1_BASE >> 12), RV_LD(RV_T1, RV_T0, 16) },
		  NPU_ST_LOCAL_RANGE, NPU_UNIT_SCALAR, NPU_ACCESS_READ, NPU_L1_BASE + 16, 1,
		  "load from L1" },
		{ { RV_ADDI(RV_T0, RV_A0, 4), RV_AMOADD_D(0, 0, RV_T0) }, NPU_ST_MISALIGNED,
		  NPU_UNIT_SCALAR, NPU_ACCESS_WRITE, 4, 1, "misaligned atomic" },
		{ { RV_ADDI(RV_T0, 0, 0x77), RV_CUSTOM(3, NPU_SYS_TRAP, 0, RV_T0, 0, 0) },
		  NPU_ST_KERNEL_TRAP, NPU_UNIT_SCALAR, NPU_ACCESS_NONE, 0x77, 1, "trap" },
		{ { RV_CUSTOM(0, 7, 0, 0, 0, 0) }, NPU_ST_ILLEGAL_INSN, NPU_UNIT_MTE,
		  NPU_ACCESS_NONE, RV_CUSTOM(0, 7, 0, 0, 0, 0), 0, "undefined tile instruction" },
		{ { RV_ADDI(RV_T0, 0, 8), 0x00028067 /* jr t0 */ }, NPU_ST_MMU_EXEC,
		  NPU_UNIT_SCALAR, NPU_ACCESS_EXEC, 8, 1, "jump off the code" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct th_rig r = rig_new(workers, 4);
		uint64_t entry = th_code(r.s, cases[i].code, 4);
		struct npu_cmd cmd = th_kernel(entry, 0, 1);
		const struct npu_fault *f = r.q->fault;
		uint64_t pc = entry + 4 * cases[i].insn;

		cmd.tag = 0xabcdef;
		if (cases[i].status == NPU_ST_MMU_EXEC)
			pc = 8;
		ok(th_run(r.q, &cmd, 1) == cases[i].status, "kernel: %s", cases[i].what);
		ok(f->status == cases[i].status && f->unit == cases[i].unit &&
		   f->access == cases[i].access && f->address == cases[i].address &&
		   f->pc == pc && f->queue == 1 && f->context == 1 && !f->block &&
		   f->tag == 0xabcdef && f->cookie == r.q->cqe.cookie && f->timestamp,
		   "with status %u unit %u access %u address %llx pc +%lld", f->status, f->unit,
		   f->access, (unsigned long long)f->address, (long long)(f->pc - entry));
		th_rig_free(&r);
	}
}

/* Blocks with their own core: who they are, and where. */
static void test_cores(unsigned int workers)
{
	/* a0[block] = getinfo(core) + 1 */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, NPU_INFO_CORE), RV_CUSTOM(3, NPU_SYS_GETINFO, RV_T1, RV_T0, 0, 0),
		RV_ADDI(RV_T1, RV_T1, 1), RV_SLLI(RV_T0, RV_A1, 3), RV_ADD(RV_T0, RV_T0, RV_A0),
		RV_SD(RV_T1, RV_T0, 0), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 24);
	struct npu_queue_config cfg = { .entries = 4, .context = 1, .core_mask = 0x30 };
	struct th_queue *q = th_queue_cfg(r.h, 7, cfg, r.cq);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 7), r.va, 500);
	unsigned int i, wrong = 0;

	q->lists = r.q->lists;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "%u workers: 500 blocks", workers);
	for (i = 0; i < 500; i++)
		wrong += r.words[i] < 1 || r.words[i] > 24;
	ok(!wrong && !r.words[500], "each has run on a core");
	memset(r.words, 0, 0x2000);
	ok(th_run(q, &cmd, 1) == NPU_ST_OK, "a queue that may use cores 4 and 5");
	for (i = 0; i < 500; i++)
		wrong += r.words[i] != 5 && r.words[i] != 6;
	ok(!wrong, "uses no others");
	cmd.kernel.max_cores = 1;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "one core at a time will do as well");
	free(q);
	th_rig_free(&r);
}

/* Blocks that wait for each other all run, whatever the number of workers. */
static void test_block_barrier(unsigned int workers)
{
	/* amoadd(a0, 1); while (*a0 != a2) ; */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_LD(RV_T0, RV_A0, 0),
		RV_BNE(RV_T0, RV_A2, -4), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 8);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 5), r.va, 8);

	cmd.timeout_us = 10000000;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && r.words[0] == 8,
	   "%u workers: blocks meet each other", workers);
	th_rig_free(&r);
}

/* Likewise where some that are done at once make the others look short. */
static void test_short_blocks(unsigned int workers)
{
	/* amoadd(a0, 1); if (a1 >= 8) while (*a0 != a2) ; */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_SRLI(RV_T0, RV_A1, 3),
		RV_BNE(RV_T0, 0, 8), RV_ECALL, RV_LD(RV_T0, RV_A0, 0), RV_BNE(RV_T0, RV_A2, -4),
		RV_ECALL,
	};
	/* a0[a1] += 1, and block 70 fails. */
	static const uint32_t trap[] = {
		RV_ADDI(RV_T0, RV_A1, -70), RV_BNE(RV_T0, 0, 8), RV_EBREAK,
		RV_SLLI(RV_T0, RV_A1, 3), RV_ADD(RV_A0, RV_A0, RV_T0), RV_ADDI(RV_T0, 0, 1),
		RV_AMOADD_D(0, RV_T0, RV_A0), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 24);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 8), r.va, 24);
	unsigned int i, twice = 0;

	cmd.timeout_us = 10000000;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && r.words[0] == 24,
	   "%u workers: blocks meet each other behind short ones", workers);
	r.words[0] = 0;
	cmd = th_kernel(th_code(r.s, trap, 8), r.va, 100);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_KERNEL_TRAP && r.q->fault->block == 70,
	   "block 70 fails");
	for (i = 0; i < 100; i++)
		twice += r.words[i] > 1;
	ok(!twice && !r.words[70], "none has run twice");
	th_rig_free(&r);
}

/*
 * A kernel whose blocks were short is launched again, and they wait for each other; so do two
 * launches of one block each that overlap.
 */
static void test_once_short(unsigned int workers)
{
	/* amoadd(a0, 1); if (a0[1]) while (*a0 != a0[2]) ; */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_LD(RV_T0, RV_A0, 8),
		RV_BNE(RV_T0, 0, 8), RV_ECALL, RV_LD(RV_T1, RV_A0, 16), RV_LD(RV_T0, RV_A0, 0),
		RV_BNE(RV_T0, RV_T1, -4), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 24);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 9), r.va, 8), list[2];
	unsigned int i, wrong = 0;

	cmd.timeout_us = 10000000;
	for (i = 0; i < 20; i++)
		wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
	ok(!wrong && r.words[0] == 160, "%u workers: short blocks", workers);
	r.words[0] = 0;
	r.words[1] = 1;
	r.words[2] = 8;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && r.words[0] == 8, "meet each other now");
	r.words[1] = 0;
	for (i = 0; i < 20; i++)
		wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
	r.words[0] = 0;
	r.words[1] = 1;
	r.words[2] = 2;
	cmd.kernel.blocks = 1;
	list[0] = cmd;
	list[1] = cmd;
	list[1].flags = NPU_CMD_F_OVERLAP;
	ok(!wrong && th_run(r.q, list, 2) == NPU_ST_OK && r.words[0] == 2,
	   "and so do two of one block");
	th_rig_free(&r);
}

/* Each block waits for the one before it, for which there has to be a core. */
static void test_block_chain(unsigned int workers)
{
	/* while (*a0 != a1) ; for (t0 = 1000; --t0; ) ; amoadd(a0, 1); */
	static const uint32_t code[] = {
		RV_LD(RV_T0, RV_A0, 0), RV_BNE(RV_T0, RV_A1, -4), RV_ADDI(RV_T0, 0, 1000),
		RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4), RV_ADDI(RV_T0, 0, 1),
		RV_AMOADD_D(0, RV_T0, RV_A0), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 1);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 8), r.va, 16);
	unsigned int i, wrong = 0;

	cmd.timeout_us = 10000000;
	for (i = 0; i < 200 && !wrong; i++) {
		r.words[0] = 0;
		wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK || r.words[0] != 16;
	}
	ok(!wrong, "%u workers: blocks in a chain have one core", workers);
	th_rig_free(&r);
}

/* How two workers share the blocks of a kernel: each has a core, and neighbours. */
static void test_neighbours(void)
{
	/* a0[block] = getinfo(core); for (t0 = 4096; --t0; ) ; */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, NPU_INFO_CORE), RV_CUSTOM(3, NPU_SYS_GETINFO, RV_T1, RV_T0, 0, 0),
		RV_SLLI(RV_T0, RV_A1, 3), RV_ADD(RV_T0, RV_T0, RV_A0), RV_SD(RV_T1, RV_T0, 0),
		RV_LUI(RV_T0, 1), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4), RV_ECALL,
	};
	struct th_rig r = rig_new(2, 24);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 9), r.va, 24);
	uint64_t end = th_now_ns() + 20 * 1000000000ULL;
	unsigned int i, there, shared = 0, apart = 0, wrong = 0;

	/* One may do most of them alone, and always does where there is one CPU for both. */
	while (shared < 100 && th_now_ns() < end) {
		wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
		for (i = 0, there = 0; i < 24; i++)
			there += r.words[i] != r.words[0];
		if (there < 8 || there > 16)
			continue;
		shared++;
		for (i = 1; i < 8 && r.words[i] == r.words[0] && r.words[12 + i] == r.words[12];)
			i++;
		apart += i == 8 && r.words[0] != r.words[12];
	}
	ok((shared < 100 || 2 * apart >= shared) && !wrong,
	   "2 workers: each takes neighbours, on one core");
	th_rig_free(&r);
}

static void wait_asleep(struct npu_core *core, unsigned int workers)
{
	unsigned int asleep;

	do {
		sched_yield();
		pthread_mutex_lock(&core->lock);
		asleep = core->sched.sleepers;
		pthread_mutex_unlock(&core->lock);
	} while (asleep < workers);
}

/*
 * Blocks that were short, @loops each, and wait for each other now: idle workers come to them while
 * the first still runs, and not only when it has to make room.
 */
static void test_no_longer_short(unsigned int workers, unsigned int loops)
{
	/*
	 * for (t0 = a0[1]; --t0; )
	 *	;
	 * amoadd(a0, 1);
	 * for (t0 = a0[2]; --t0; )
	 *	if (*a0 == a0[3])
	 *		return;
	 * a0[4] = a0[3];
	 */
	static const uint32_t code[] = {
		RV_LD(RV_T0, RV_A0, 8), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4),
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_LD(RV_T0, RV_A0, 16),
		RV_LD(RV_T1, RV_A0, 24), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, 12),
		RV_SD(RV_T1, RV_A0, 32), RV_ECALL, RV_LD(RV_A2, RV_A0, 0),
		RV_BNE(RV_A2, RV_T1, -20), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 24);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 14), r.va, workers);
	unsigned int tries, i, wrong = 0;
	bool met = false;

	r.words[1] = loops;
	for (tries = 0; tries < 100 && !met; tries++) {
		r.words[2] = 1;
		r.words[3] = 0;
		for (i = 0; i < 4; i++)
			wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
		wait_asleep(r.h->core, workers);
		r.words[0] = 0;
		r.words[2] = 2000000;
		r.words[3] = workers;
		r.words[4] = 0;
		wrong += th_run(r.q, &cmd, 1) != NPU_ST_OK;
		met = !r.words[4];
	}
	ok(met && !wrong, "%u workers: all run blocks that were of %u loops", workers, loops);
	th_rig_free(&r);
}

/* A queue is stopped, or destroyed, while its only block never ends; its list has more to do. */
static void test_endless_block(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd list[2] = { th_kernel(endless(&r), 0, 1), th_store(r.va, 1, 8) };

	th_submit(r.p, list, 2);
	ok(th_wait_state(r.p, NPU_QUEUE_RUNNING), "%u workers: a block without end", workers);
	ok(th_run(r.q, &list[1], 1) == NPU_ST_OK && r.words[0] == 1, "others go on beside it");
	r.words[0] = 0;
	npu_queue_stop(r.h->core, 2);
	ok(th_wait(r.p) == NPU_ST_TIMEOUT && !r.words[0], "its queue is stopped");
	th_rig_free(&r);
}

static void test_suspend(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd list[2] = {
		th_sem(NPU_CMD_SEM_WAIT, r.va, 1, NPU_SEM_EQ), th_store(r.va + 8, 7, 8),
	};
	uint32_t ret;

	ok(npu_queue_suspend(r.h->core, 1) == NPU_ST_OK && th_state(r.q) == NPU_QUEUE_SUSPENDED,
	   "%u workers: an idle queue is suspended", workers);
	th_submit(r.q, list, 2);
	ok(th_cq_wait(r.cq, &r.q->cqe, 20) == TH_NOTHING &&
	   th_state(r.q) == NPU_QUEUE_SUSPENDED, "a doorbell does not wake it");
	npu_queue_resume(r.h->core, 1);
	npu_sync_run(r.h->core);
	ok(th_wait_state(r.q, NPU_QUEUE_WAITING), "resumed, it works");
	ret = npu_queue_suspend(r.h->core, 1);
	if (ret == NPU_MCU_BUSY && !workers)
		npu_sync_run(r.h->core);
	ok(th_wait_state(r.q, NPU_QUEUE_SUSPENDED), "a waiting queue is suspended");
	__atomic_store_n(&r.words[0], 1, __ATOMIC_RELEASE);
	npu_core_poll(r.h->core);
	ok(th_cq_wait(r.cq, &r.q->cqe, 20) == TH_NOTHING && !r.words[1],
	   "and does not see the semaphore");
	npu_queue_resume(r.h->core, 1);
	npu_sync_run(r.h->core);
	ok(th_wait(r.q) == NPU_ST_OK && r.words[1] == 7, "until it is resumed");
	th_rig_free(&r);
}

static void test_destroy(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	uint64_t loop = endless(&r);
	struct npu_cmd kernel = th_kernel(loop, 0, 3);
	struct npu_cmd wait = th_sem(NPU_CMD_SEM_WAIT, r.va, 1, NPU_SEM_EQ);
	struct npu_cmd copy = th_copy(r.va, r.va + 4096, 4096);
	struct npu_cmd list[2] = { kernel, wait };
	struct npu_cmd *what[] = { &kernel, &wait, &copy };
	unsigned int i, wrong = 0;

	copy.copy.rows = 1ULL << 40;
	for (i = 0; i < 30; i++) {
		struct th_queue *q = th_queue_new(r.s, 100 + i, 8, r.cq);

		th_submit(q, what[i % 3], 1);
		if (i % 2)
			while (th_state(q) == NPU_QUEUE_IDLE)
				;
		th_queue_free(q);
		r.h->hbm_next -= 0x100000;
	}
	ok(th_cq_wait(r.cq, &r.q->cqe, 10) == TH_NOTHING && !npu_busy_cores(r.h->core),
	   "%u workers: destroyed with work in flight, queues complete nothing", workers);

	list[0].flags = NPU_CMD_F_OVERLAP;
	list[1].flags = NPU_CMD_F_OVERLAP;
	th_submit(r.q, list, 2);
	wrong += !th_wait_state(r.q, NPU_QUEUE_WAITING);
	while (!npu_busy_cores(r.h->core))
		;
	wrong += npu_queue_destroy(r.h->core, 1) != NPU_MCU_BUSY;
	wrong += !th_wait_state(r.q, NPU_QUEUE_NONE);
	ok(!wrong, "so does one that waits beside its kernels");
	kernel.timeout_us = 1000;
	ok(th_run(r.p, &kernel, 1) == NPU_ST_TIMEOUT, "others are as before");
	th_rig_free(&r);
}

/* Reset and pause with everything going on; no guest memory is touched when they return. */
static void test_reset(unsigned int workers, bool by_register)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd loop = th_kernel(endless(&r), 0, 4);
	struct npu_cmd copy, wait = th_sem(NPU_CMD_SEM_WAIT, r.va, 1, NPU_SEM_EQ);
	uint64_t bus = th_alloc_ram(r.s, 0x10000, NULL);
	struct th_queue *w = th_queue_new(r.s, 3, 8, r.cq);
	unsigned long dmas;
	unsigned int i;

	copy = th_copy(r.va + 4096, bus, 4096);
	copy.copy.rows = 1ULL << 40;
	th_submit(r.q, &loop, 1);
	th_submit(r.p, &copy, 1);
	th_submit(w, &wait, 1);
	th_wait_state(w, NPU_QUEUE_WAITING);

	npu_core_pause(r.h->core);
	dmas = npu_load(&r.h->dmas);
	for (i = 0; i < 100; i++)
		th_read(r.h, NPU_REG_TIMESTAMP_LO);
	ok(npu_load(&r.h->dmas) == dmas && !npu_load(&r.h->mapped),
	   "%u workers: paused, the device leaves memory alone", workers);
	npu_core_resume(r.h->core);
	ok(th_wait_dma(r.h, dmas), "resumed, it goes on");
	npu_core_drop_mappings(r.h->core);

	if (by_register) {
		th_write(r.h, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
		while (th_read(r.h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING)
			;
	} else {
		npu_core_reset(r.h->core);
	}
	dmas = npu_load(&r.h->dmas);
	ok(th_read(r.h, NPU_REG_RESET_COUNT) == 1 && th_state(w) == NPU_QUEUE_NONE &&
	   !npu_busy_cores(r.h->core), "reset %sleaves nothing",
	   by_register ? "by register " : "");
	th_write(r.h, NPU_DB_SQ_TAIL(1), 1);
	ok(npu_load(&r.h->dmas) == dmas && th_read(r.h, NPU_REG_GUEST_ERRORS) == 1,
	   "and no memory is touched any more");
	free(w);

	/* And it can be used again. */
	npu_ctx_set(r.h->core, 1, r.s->root);
	free(r.cq);
	r.cq = th_cq_new(r.h, 0, 64, 1);
	w = th_queue_new(r.s, 1, 8, r.cq);
	copy.copy.rows = 1;
	ok(th_run(w, &copy, 1) == NPU_ST_OK, "after it the device works");
	free(w);
	th_rig_free(&r);
}

static void test_moderation(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_cmd nop = th_simple(NPU_CMD_NOP);
	unsigned int i;

	npu_store(&r.h->frozen, th_now_ns());
	th_write(r.h, NPU_REG_IRQ_MODERATION(1), NPU_PREP(NPU_IRQ_MODERATION_USECS, 60000) |
		 NPU_PREP(NPU_IRQ_MODERATION_COUNT, 4));
	for (i = 0; i < 3; i++) {
		th_submit(r.q, &nop, 1);
		th_wait_state(r.q, NPU_QUEUE_IDLE);
	}
	ok(npu_load(&r.h->raised[1]) == 0, "%u workers: three completions are held back",
	   workers);
	th_submit(r.q, &nop, 1);
	th_wait_state(r.q, NPU_QUEUE_IDLE);
	npu_core_pause(r.h->core);
	ok(npu_load(&r.h->raised[1]) == 1, "the fourth signals all");
	npu_store(&r.h->frozen, 0);
	npu_core_resume(r.h->core);
	th_submit(r.q, &nop, 1);
	th_wait_state(r.q, NPU_QUEUE_IDLE);
	if (!workers) {
		ok(npu_core_poll(r.h->core) == r.h->now + 60 * TH_MS, "poll knows when");
		r.h->now += 60 * TH_MS;
		npu_core_poll(r.h->core);
	}
	pthread_mutex_lock(&r.h->lock);
	while (r.h->raised[1] == 1)
		pthread_cond_wait(&r.h->irq, &r.h->lock);
	ok(r.h->raised[1] == 2, "a single one is signalled after a time");
	pthread_mutex_unlock(&r.h->lock);
	th_submit(r.q, &nop, 1);
	th_wait_state(r.q, NPU_QUEUE_IDLE);
	npu_core_pause(r.h->core);
	npu_core_resume(r.h->core);
	th_write(r.h, NPU_REG_IRQ_MODERATION(1), 0);
	ok(npu_load(&r.h->raised[1]) == 3, "or when moderation is taken away");
	th_rig_free(&r);
}

/* The higher priority runs first: with one worker its list overtakes the other's entries. */
static void test_priority(void)
{
	struct th_rig r = rig_new(1, 4);
	struct npu_queue_config cfg = { .entries = 8, .context = 1 };
	struct npu_cmd log[2] = { th_sem(NPU_CMD_SEM_SIGNAL, r.va, 1, NPU_SEM_ADD) };
	struct th_queue *q[NPU_PRIORITY_COUNT];
	unsigned int i, wrong = 0;

	for (i = 0; i < NPU_PRIORITY_COUNT; i++) {
		cfg.priority = i;
		q[i] = th_queue_cfg(r.h, 10 + i, cfg, r.cq);
		q[i]->lists = th_alloc(r.s, 0x100000, NULL);
		/* Remember how many were before. */
		log[0] = th_copy(r.va + 64 + 8 * i, r.va, 8);
		log[1] = th_sem(NPU_CMD_SEM_SIGNAL, r.va, 1, NPU_SEM_ADD);
		th_push(q[i], log, 2);
	}
	npu_core_pause(r.h->core);
	for (i = 0; i < NPU_PRIORITY_COUNT; i++)
		th_ring(q[i]);
	r.h->core->workers[0].picks = 0;
	npu_core_resume(r.h->core);
	for (i = 0; i < NPU_PRIORITY_COUNT; i++)
		th_cq_wait(r.cq, &r.q->cqe, 10000);
	for (i = 0; i < NPU_PRIORITY_COUNT; i++) {
		wrong += r.words[8 + i] != NPU_PRIORITY_COUNT - 1 - i;
		free(q[i]);
	}
	ok(!wrong, "ready queues run by priority");
	th_rig_free(&r);
}

static void test_many_queues(unsigned int workers)
{
	struct th_rig r = rig_new(workers, 4);
	struct npu_queue_config cfg = { .entries = 2, .context = 1 };
	struct th_cq *cq = th_cq_new(r.h, 3, 4096, 3);
	static struct th_queue *q[2000];
	struct npu_cmd cmd = th_sem(NPU_CMD_SEM_SIGNAL, r.va, 1, NPU_SEM_ADD);
	struct npu_cqe cqe;
	unsigned int i, wrong = 0;

	for (i = 0; i < 2000; i++) {
		q[i] = th_queue_cfg(r.h, 48 + i, cfg, cq);
		q[i]->lists = r.q->lists;
		th_submit(q[i], &cmd, 1);
	}
	for (i = 0; i < 2000; i++)
		wrong += th_cq_wait(cq, &cqe, 20000) != NPU_ST_OK;
	ok(!wrong && r.words[0] == 2000, "%u workers: 2000 queues", workers);
	for (i = 0; i < 2000; i++)
		th_queue_free(q[i]);
	ok(npu_cq_destroy(r.h->core, 3) == NPU_ST_OK, "come and go");
	free(cq);
	th_rig_free(&r);
}

/* Code and data in system memory, mapped or not. */
static void test_system_memory(unsigned int workers)
{
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_SD(RV_A1, RV_A0, 8),
		RV_LD(RV_T1, RV_A0, 8), RV_SD(RV_T1, RV_A0, 16), RV_ECALL,
	};
	struct th_rig r = rig_new(workers, 4);
	uint64_t *data, *text;
	uint64_t va = th_alloc_ram(r.s, 0x1000, (void **)&data);
	uint64_t entry = th_alloc_ram(r.s, 0x1000, (void **)&text);
	struct npu_cmd cmd = th_kernel(entry, va, 9);

	memcpy(text, code, sizeof(code));
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && data[0] == 9, "%u workers: a kernel on the bus",
	   workers);
	ok(!npu_load(&r.h->mapped), "keeps no mapping");
	r.h->no_map = true;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_BUS && r.q->fault->access == NPU_ACCESS_EXEC,
	   "cannot be where the host has no memory");
	memcpy(r.words, code, sizeof(code));
	memcpy((char *)r.words, &(uint32_t[]){ RV_NOP, RV_NOP }, 8);
	cmd = th_kernel(r.va, va, 1);
	data[2] = 1;
	ok(th_run(r.p, &cmd, 1) == NPU_ST_OK && data[2] == 0, "but its data can");
	memcpy(r.words, code, sizeof(code));
	ok(th_run(r.p, &cmd, 1) == NPU_ST_BUS && r.p->fault->access == NPU_ACCESS_WRITE &&
	   r.p->fault->address == va, "though not atomics on them");
	th_rig_free(&r);
}

/* A copy changes code that has run before. */
static void test_code_change(unsigned int workers)
{
	static const uint32_t code[] = { RV_ADDI(RV_T0, 0, 1), RV_SD(RV_T0, RV_A0, 0), RV_ECALL };
	static const uint32_t other[] = { RV_ADDI(RV_T0, 0, 2), RV_SD(RV_T0, RV_A0, 8), RV_ECALL };
	struct th_rig r = rig_new(workers, 1);
	uint64_t a = th_code(r.s, code, 3), b = th_code(r.s, other, 3);
	struct npu_cmd list[3] = { th_kernel(a, r.va, 1), th_copy(a, b, 12), th_kernel(a, r.va, 1) };

	ok(th_run(r.q, list, 3) == NPU_ST_OK && r.words[0] == 1 && r.words[1] == 2,
	   "%u workers: code that a copy brings is run", workers);
	th_rig_free(&r);
}

int main(int argc, char **argv)
{
	unsigned int workers, first = argc > 1 ? atoi(argv[1]) : 0;

	for (workers = first; workers <= 2; workers++) {
		test_sem(workers, false, false);
		test_sem(workers, true, false);
		test_sem(workers, true, true);
		test_sem_looks(workers);
		test_ping_pong(workers);
		test_sem_timeout(workers);
		test_overlap(workers);
		test_endless(workers);
		test_copy_timeout(workers);
		test_kernel_faults(workers);
		test_cores(workers);
		test_block_barrier(workers);
		test_block_chain(workers);
		test_short_blocks(workers);
		test_once_short(workers);
		test_suspend(workers);
		test_moderation(workers);
		test_many_queues(workers);
		test_system_memory(workers);
		test_code_change(workers);
	}
	for (workers = 1; workers <= 3; workers++) {
		test_endless_block(workers);
		test_destroy(workers);
		test_reset(workers, false);
		test_reset(workers, true);
	}
	test_neighbours();
	test_no_longer_short(2, 1000);
	test_no_longer_short(3, 1);
	test_engine_time();
	test_timeout_source();
	test_priority();
	return tap_done();
}
