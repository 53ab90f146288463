// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Branches: loops and conditions in a list, where they may lead, and the ways out of a loop
 * without end.
 */
#include "testhost.h"

static struct th_rig rig_new(unsigned int workers)
{
	return th_rig_pair(th_new(workers, 4), 64);
}

static struct npu_cmd branch(uint64_t address, uint64_t value, uint32_t op, int32_t offset)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_BRANCH,
		.branch = { .address = address, .value = value, .op = op, .offset = offset },
	};
}

static struct npu_cmd add(uint64_t address, uint64_t value)
{
	return th_sem(NPU_CMD_SEM_SIGNAL, address, value, NPU_SEM_ADD);
}

/* A loop over more commands than are fetched at a time, around another one. */
static void test_loops(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd c[64];
	struct npu_queue_info info;
	unsigned int n = 0, i;

	c[n++] = th_store(r.va, 0, 8);
	c[n++] = th_store(r.va + 8, 0, 8); /* the inner count, each round of the outer */
	for (i = 0; i < 40; i++)
		c[n++] = add(r.va + 16, 1);
	c[n++] = add(r.va + 8, 1);
	c[n] = branch(r.va + 8, 5, NPU_SEM_NE, 2 - (int)n);
	n++;
	c[n++] = add(r.va, 1);
	c[n] = branch(r.va, 3, NPU_SEM_NE, 1 - (int)n);
	n++;
	c[n++] = th_store(r.va + 24, 77, 8);
	ok(th_run(r.q, c, n) == NPU_ST_OK && r.words[0] == 3 && r.words[1] == 5 &&
	   r.words[2] == 3 * 5 * 40 && r.words[3] == 77, "%u workers: loops go round", workers);
	npu_queue_query(r.h->core, 1, &info);
	ok(r.q->cqe.command == n && info.tasks == n, "what lies behind is counted once");
	th_rig_free(&r);
}

/* Each condition, taken and not, forward. */
static void test_conditions(void)
{
	static const struct {
		uint64_t memory, value;
		uint32_t op;
		bool taken;
	} cases[] = {
		{ 4, 5, NPU_SEM_GE, false }, { 5, 5, NPU_SEM_GE, true },
		{ ~0ULL, 5, NPU_SEM_GE, true }, { 5, 5, NPU_SEM_EQ, true },
		{ 6, 5, NPU_SEM_EQ, false }, { 6, 5, NPU_SEM_NE, true },
		{ 5, 5, NPU_SEM_NE, false },
	};
	struct th_rig r = rig_new(0);
	unsigned int i, wrong = 0;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct npu_cmd c[3] = {
			branch(r.va, cases[i].value, cases[i].op, 2),
			th_store(r.va + 8, 1, 8),
			th_simple(NPU_CMD_NOP),
		};

		r.words[0] = cases[i].memory;
		r.words[1] = 0;
		wrong += th_run(r.q, c, 3) != NPU_ST_OK || r.words[1] == cases[i].taken;
	}
	ok(!wrong, "conditions hold as those of a wait");
	th_rig_free(&r);
}

/* What runs beside it has ended when a branch looks at memory, whatever its flags. */
static void test_waits(unsigned int workers)
{
	/* for (t0 = 100000; t0; t0--); *a0 = 1 */
	static const uint32_t slow[] = {
		RV_LUI(RV_T0, 24), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4),
		RV_ADDI(RV_T0, 0, 1), RV_SD(RV_T0, RV_A0, 0), RV_ECALL,
	};
	struct th_rig r = rig_new(workers);
	struct npu_cmd c[3] = {
		th_kernel(th_code(r.s, slow, 6), r.va, 1),
		branch(r.va, 1, NPU_SEM_EQ, 2),
		th_store(r.va + 8, 1, 8),
	};

	c[1].flags = NPU_CMD_F_OVERLAP;
	ok(th_run(r.q, c, 3) == NPU_ST_OK && r.words[0] == 1 && !r.words[1],
	   "%u workers: a branch sees what was before it", workers);
	th_rig_free(&r);
}

static void test_bounds(void)
{
	static const struct {
		int32_t offset;
		bool good;
	} cases[] = {
		{ 2, true }, { 3, false }, { 1, true }, { -1, true }, { -2, false },
		{ INT32_MAX, false }, { INT32_MIN, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct th_rig r = rig_new(0);
		/* Not taken. */
		struct npu_cmd c[3] = {
			th_simple(NPU_CMD_NOP),
			branch(r.va, 1, NPU_SEM_EQ, cases[i].offset),
			th_simple(NPU_CMD_NOP),
		};
		uint32_t status;

		c[1].tag = 5;
		status = th_run(r.q, c, 3);
		ok(cases[i].good ? status == NPU_ST_OK :
		   status == NPU_ST_CMD_INVALID && r.q->fault->command == 1 &&
		   r.q->fault->tag == 5 && r.q->fault->address == r.q->lists + 64,
		   "offset %d from 1 of 3", cases[i].offset);
		th_rig_free(&r);
	}
}

static void test_fault(void)
{
	struct th_rig r = rig_new(0);
	struct npu_cmd c = branch(8, 1, NPU_SEM_EQ, 1);

	ok(th_run(r.q, &c, 1) == NPU_ST_MMU_READ && r.q->fault->address == 8,
	   "the word has to be there");
	th_rig_free(&r);
}

/* Without end: beside others, until its time is up. */
static void test_timeout(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd c[2] = { add(r.va, 1), branch(r.va, 0, NPU_SEM_NE, -1) };
	struct npu_cmd other = th_fill(r.va + 64, 64, 5, 8);
	struct npu_queue_info info;
	unsigned int i, wrong = 0;

	/* Long enough for a look at it on a busy host; nobody waits so long in sync mode. */
	c[1].timeout_us = workers ? 2000000 : 100000;
	c[1].tag = 42;
	th_submit(r.q, c, 2);
	while (workers && npu_load(&r.words[0]) < 3)
		;
	npu_queue_query(r.h->core, 1, &info);
	ok(!workers || (info.state == NPU_QUEUE_RUNNING && info.tasks < 2 &&
			info.timeout_us == 2000000),
	   "%u workers: it runs, does not come further, and says how long it may take",
	   workers);
	for (i = 0; workers && i < 20; i++)
		wrong += th_run(r.p, &other, 1) != NPU_ST_OK;
	ok(!wrong, "beside an endless loop others go on");
	ok(th_wait(r.q) == NPU_ST_TIMEOUT && r.q->fault->address == r.va &&
	   r.q->fault->command == 1 && r.q->fault->tag == 42 && r.words[0] > 10,
	   "it times out after some rounds");
	th_rig_free(&r);
}

/* In sync mode nobody could stop it. */
static void test_sync_cap(void)
{
	struct th_rig r = rig_new(0);
	struct npu_cmd c[2] = { th_simple(NPU_CMD_NOP), branch(r.va, 1, NPU_SEM_NE, -1) };

	r.h->core->sync_cap_ns = 10 * TH_MS;
	ok(th_run(r.q, c, 2) == NPU_ST_TIMEOUT, "sync mode ends it without a time-out");
	th_rig_free(&r);
}

static bool wait_gone(struct th_rig *r, struct th_queue *q)
{
	return th_wait_state(q, NPU_QUEUE_NONE) && npu_busy_cores(r->h->core) == 0;
}

static void endless(struct th_rig *r)
{
	struct npu_cmd c[2] = { add(r->va, 1), branch(r->va, 0, NPU_SEM_NE, -1) };

	th_submit(r->q, c, 2);
	while (!npu_load(&r->words[0]))
		;
}

static void test_ways_out(unsigned int workers)
{
	struct th_rig r = rig_new(workers);

	endless(&r);
	npu_queue_stop(r.h->core, 1);
	ok(th_wait(r.q) == NPU_ST_TIMEOUT, "%u workers: a stop ends a loop", workers);
	th_rig_free(&r);

	r = rig_new(workers);
	endless(&r);
	npu_queue_destroy(r.h->core, 1);
	ok(wait_gone(&r, r.q), "so does a destroy");
	th_rig_free(&r);

	r = rig_new(workers);
	endless(&r);
	npu_reset_request(r.h->core);
	while (th_read(r.h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING)
		;
	ok(th_state(r.q) == NPU_QUEUE_NONE, "so does a reset");
	th_rig_free(&r);
}

/* Left in the midst, and entered again: by a resume, or by an entry that says where. */
static void test_suspend(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd c[3] = {
		add(r.va, 1), branch(r.va + 8, 0, NPU_SEM_EQ, -1), th_store(r.va + 16, 9, 8),
	};
	struct npu_queue_info info;
	struct npu_sqe *sqe;
	uint64_t rounds;

	th_submit(r.q, c, 3);
	while (!npu_load(&r.words[0]))
		;
	npu_queue_suspend(r.h->core, 1);
	ok(th_wait_state(r.q, NPU_QUEUE_SUSPENDED), "%u workers: a loop is suspended", workers);
	rounds = r.words[0];
	npu_queue_query(r.h->core, 1, &info);
	ok(info.tasks < 2, "at a command of its list");
	npu_queue_resume(r.h->core, 1);
	while (npu_load(&r.words[0]) == rounds)
		;
	npu_store(&r.words[1], 1);
	ok(th_wait(r.q) == NPU_ST_OK && r.words[2] == 9 && r.q->cqe.command == 3,
	   "resumed, it goes on, and ends");

	rounds = r.words[0];
	r.words[1] = 0;
	c[1].branch.op = NPU_SEM_GE;
	c[1].branch.address = r.va;
	c[1].branch.value = rounds + 1;
	c[1].branch.offset = 1;
	th_push(r.q, c, 3);
	sqe = &r.q->ring[(r.q->tail - 1) % r.q->entries];
	sqe->first = 1;
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_OK && r.words[0] == rounds && r.q->cqe.command == 3,
	   "an entry begins where it says");
	npu_queue_query(r.h->core, 1, &info);
	ok(info.tasks == 6, "what it leaves out counts as done");
	th_push(r.q, c, 3);
	r.q->ring[(r.q->tail - 1) % r.q->entries].first = 3;
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_OK, "also at its end");
	th_push(r.q, c, 3);
	r.q->ring[(r.q->tail - 1) % r.q->entries].first = 4;
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_SQE_INVALID, "but not beyond");
	th_rig_free(&r);
}

int main(void)
{
	unsigned int workers;

	for (workers = 0; workers <= 2; workers++) {
		test_loops(workers);
		test_waits(workers);
		test_timeout(workers);
	}
	for (workers = 1; workers <= 2; workers++) {
		test_ways_out(workers);
		test_suspend(workers);
	}
	test_conditions();
	test_bounds();
	test_fault();
	test_sync_cap();
	return tap_done();
}
