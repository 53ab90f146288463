// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rings, completions and commands.
 */
#include "testhost.h"

static void test_basic(unsigned int workers)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	struct npu_cmd cmds[4];
	uint64_t *a, *b;
	uint64_t va = th_alloc(r.s, 0x4000, (void **)&a);
	uint64_t vb = th_alloc_ram(r.s, 0x4000, (void **)&b);
	unsigned int i;
	bool same = true;

	th_sqe(r.q);
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_OK, "a no-op entry completes");
	ok(r.q->cqe.cookie == 1ULL << 32 && r.q->cqe.queue == 1 && r.q->cqe.sq_head == 1,
	   "its completion says whose it is");

	cmds[0] = th_fill(va, 0x4000, 0x1122334455667788ULL, 8);
	cmds[1] = th_copy(vb, va, 0x4000);
	cmds[2] = th_store(va, 7, 8);
	cmds[3] = th_simple(NPU_CMD_NOP);
	ok(th_run(r.q, cmds, 4) == NPU_ST_OK, "a list completes");
	for (i = 0; i < 0x4000 / 8; i++)
		same &= b[i] == 0x1122334455667788ULL;
	ok(same && a[0] == 7 && a[1] == 0x1122334455667788ULL, "and has done its work");
	ok(r.q->cqe.command == 4, "the completion counts its commands");
	th_rig_free(&r);
}

static void test_kernel(unsigned int workers)
{
	/* args[block] = block + 1 */
	static const uint32_t code[] = {
		RV_SLLI(RV_T0, RV_A1, 3),
		RV_ADD(RV_T0, RV_T0, RV_A0),
		RV_ADDI(RV_T1, RV_A1, 1),
		RV_SD(RV_T1, RV_T0, 0),
		RV_RET,
	};
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	uint64_t *a;
	uint64_t va = th_alloc(r.s, 0x4000, (void **)&a);
	uint64_t entry = th_code(r.s, code, 5);
	struct npu_cmd cmd = th_kernel(entry, va, 100);
	unsigned int i;
	bool same = true;

	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "a kernel of 100 blocks completes");
	for (i = 0; i < 100; i++)
		same &= a[i] == i + 1;
	ok(same && !a[100], "each block has run");
	th_rig_free(&r);
}

/* A ring of four entries, filled to the brim each time, with completions many times around. */
static void test_wrap(unsigned int workers)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	struct th_cq *cq = th_cq_new(r.h, 1, 8, 2);
	struct th_queue *q = th_queue_new(r.s, 2, 4, cq);
	unsigned int i, j, wrong = 0;

	for (i = 0; i < 100; i++) {
		for (j = 0; j < 1 + i % 4; j++)
			th_sqe(q);
		th_ring(q);
		for (j = 0; j < 1 + i % 4; j++) {
			wrong += th_wait(q) != NPU_ST_OK;
			wrong += q->cqe.cookie != (2ULL << 32 | (cq->head - 1));
			wrong += q->cqe.sq_head != cq->head;
		}
	}
	ok(!wrong, "%u workers: rings wrap, in order and each once", workers);
	free(q);
	free(cq);
	th_rig_free(&r);
}

/* Free-running indices pass 2^32. */
static void test_index_wrap(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	unsigned int i, wrong = 0;

	r.h->core->queues[1]->tail = r.h->core->queues[1]->head = r.q->tail = 0xfffffffa;
	for (i = 0; i < 12; i++) {
		th_sqe(r.q);
		th_ring(r.q);
		wrong += th_wait(r.q) != NPU_ST_OK;
	}
	ok(!wrong && r.q->tail == 6, "indices wrap at 2^32");
	th_rig_free(&r);
}

static void test_backpressure(unsigned int workers)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	struct th_cq *cq = th_cq_new(r.h, 1, 4, 2);
	struct th_queue *a = th_queue_new(r.s, 2, 16, cq), *b = th_queue_new(r.s, 3, 16, cq);
	unsigned int i, got[4] = { 0 }, wrong = 0;
	struct npu_cqe cqe;

	for (i = 0; i < 8; i++) {
		th_sqe(a);
		th_sqe(b);
	}
	th_ring(a);
	th_ring(b);
	while (th_state(a) != NPU_QUEUE_RUNNING || th_state(b) != NPU_QUEUE_RUNNING ||
	       npu_load(&r.h->events[NPU_CORE_EV_CQE]) < 4)
		;
	ok(th_run(r.q, NULL, 0) == NPU_ST_SQE_INVALID,
	   "%u workers: another ring goes on while one is full", workers);
	ok(npu_load(&r.h->events[NPU_CORE_EV_CQE]) == 5, "a full ring gets no more");
	for (i = 0; i < 16; i++) {
		wrong += th_cq_wait(cq, &cqe, 10000) != NPU_ST_OK;
		wrong += cqe.cookie != ((uint64_t)cqe.queue << 32 | got[cqe.queue & 3]++);
	}
	ok(!wrong && got[2] == 8 && got[3] == 8, "until there is room, then all arrive");
	ok(th_cq_wait(cq, &cqe, 10) == TH_NOTHING, "and none too many");
	th_write(r.h, NPU_DB_CQ_HEAD(1), 1000);
	ok(th_read(r.h, NPU_REG_GUEST_ERRORS) == 1, "a head ahead of the tail is refused");
	free(a);
	free(b);
	free(cq);
	th_rig_free(&r);
}

static void test_bad_tail(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	struct npu_queue_info info;

	th_write(r.h, NPU_DB_SQ_TAIL(1), 17);
	ok(th_wait(r.q) == NPU_ST_SQE_INVALID, "a tail further than the ring is long");
	ok(r.q->fault->status == NPU_ST_SQE_INVALID && r.q->fault->address == 17,
	   "is recorded");
	npu_queue_query(r.h->core, 1, &info);
	ok(info.state == NPU_QUEUE_FAULTED && info.fault == NPU_ST_SQE_INVALID,
	   "and stops the queue");
	r.q->tail = 17;
	th_sqe(r.q);
	th_ring(r.q);
	ok(th_wait(r.q) == TH_NOTHING, "which runs nothing more");
	th_rig_free(&r);
}

static void test_bad_sqe(void)
{
	static const struct {
		struct npu_sqe sqe;
		const char *what;
	} bad[] = {
		{ { .opcode = 2 }, "opcode" },
		{ { .opcode = 255 }, "opcode 255" },
		{ { .flags = 1 }, "flag" },
		{ { .rsvd0 = 1 }, "rsvd0" },
		{ { .rsvd = { [7] = 1 } }, "rsvd" },
		{ { .count = 1 }, "count of a no-op" },
		{ { .list = 64 }, "list of a no-op" },
		{ { .first = 1 }, "first of a no-op" },
		{ { .opcode = NPU_SQE_EXEC, .list = NPU_VA_START }, "empty list" },
		{ { .opcode = NPU_SQE_EXEC, .count = 1, .list = NPU_VA_START + 32 },
		  "misaligned list" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct th_rig r = th_rig_new(th_new(0, 4), 16);
		struct npu_sqe *sqe = th_sqe(r.q);

		*sqe = bad[i].sqe;
		sqe->cookie = 0x1234;
		th_ring(r.q);
		ok(th_wait(r.q) == NPU_ST_SQE_INVALID && r.q->cqe.cookie == 0x1234 &&
		   r.q->fault->cookie == 0x1234, "bad entry: %s", bad[i].what);
		th_rig_free(&r);
	}
}

static void test_bad_cmd(void)
{
	const struct {
		struct npu_cmd cmd;
		const char *what;
	} bad[] = {
		{ { .opcode = NPU_CMD_COUNT }, "opcode" },
		{ { .flags = 2 }, "flag" },
		{ { .rsvd = 1 }, "rsvd" },
		{ { .raw = { 0, 0, 0, 0, 0, 1 } }, "payload of a no-op" },
		{ { .opcode = NPU_CMD_BARRIER, .raw = { 1 } }, "payload of a barrier" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 0 } }, "no blocks" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 65536 } }, "too many blocks" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 1, .entry = 1 } },
		  "odd entry" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 1, .rsvd = 1 } },
		  "rsvd of a kernel" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 1, .log = 32 } },
		  "misaligned log" },
		{ { .opcode = NPU_CMD_KERNEL, .kernel = { .blocks = 1, .strict = 8 } },
		  "misaligned strict" },
		{ { .opcode = NPU_CMD_COPY, .copy = { .dst = ~0ULL, .row_bytes = 2, .rows = 1 } },
		  "copy around the end" },
		{ { .opcode = NPU_CMD_COPY, .copy = { .row_bytes = 2, .rows = 3,
		    .src_pitch = 1ULL << 63 } }, "pitch around the end" },
		{ { .opcode = NPU_CMD_COPY, .copy = { .row_bytes = ~0ULL, .rows = 1 } },
		  "copy of everything" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 3 } }, "pattern of 3" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 0 } }, "pattern of 0" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 4, .dst = 2 } },
		  "misaligned fill" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 4, .row_bytes = 6,
		    .rows = 1 } }, "fill of half a pattern" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 8, .row_bytes = 8,
		    .rows = 2, .dst_pitch = 12 } }, "misaligned fill pitch" },
		{ { .opcode = NPU_CMD_FILL, .fill = { .pattern_bytes = 1, .rsvd = 1 } },
		  "rsvd of a fill" },
		{ { .opcode = NPU_CMD_SEM_WAIT, .sem = { .op = 3 } }, "condition" },
		{ { .opcode = NPU_CMD_SEM_WAIT, .sem = { .address = 4 } }, "misaligned wait" },
		{ { .opcode = NPU_CMD_SEM_SIGNAL, .sem = { .op = 3 } }, "operation" },
		{ { .opcode = NPU_CMD_SEM_SIGNAL, .sem = { .address = 4 } }, "misaligned signal" },
		{ { .opcode = NPU_CMD_SEM_SIGNAL, .sem = { .rsvd = { [6] = 1 } } },
		  "rsvd of a signal" },
		{ { .opcode = NPU_CMD_WRITE, .write = { .bytes = 2 } }, "write of 2 bytes" },
		{ { .opcode = NPU_CMD_WRITE, .write = { .bytes = 8, .address = 4 } },
		  "misaligned write" },
		{ { .opcode = NPU_CMD_WRITE, .write = { .bytes = 8, .rsvd = { 1 } } },
		  "rsvd of a write" },
		{ { .opcode = NPU_CMD_TIMESTAMP, .write = { .bytes = 4 } }, "short time" },
		{ { .opcode = NPU_CMD_TIMESTAMP, .write = { .bytes = 8, .value = 1 } },
		  "value of a time" },
		{ { .opcode = NPU_CMD_BRANCH }, "branch to itself" },
		{ { .opcode = NPU_CMD_BRANCH, .branch = { .offset = 1, .op = 3 } },
		  "condition of a branch" },
		{ { .opcode = NPU_CMD_BRANCH, .branch = { .offset = 1, .address = 4 } },
		  "misaligned branch" },
		{ { .opcode = NPU_CMD_BRANCH, .branch = { .offset = 1, .rsvd = { [5] = 1 } } },
		  "rsvd of a branch" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .type = NPU_DTYPE_COUNT } },
		  "type of a reduction" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .op = 3 } },
		  "operation of a reduction" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .dst = 2 } }, "misaligned reduction" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .src = 1, .type = NPU_F16 } },
		  "misaligned source of a reduction" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .bytes = 6 } },
		  "reduction of half an element" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .dst = ~3ULL, .bytes = 8 } },
		  "reduction around the end" },
		{ { .opcode = NPU_CMD_REDUCE, .reduce = { .rsvd = { 0, 1 } } },
		  "rsvd of a reduction" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct th_rig r = th_rig_new(th_new(0, 4), 16);
		struct npu_cmd cmds[3] = { { .opcode = NPU_CMD_NOP }, bad[i].cmd };

		cmds[1].tag = 0xfeed;
		ok(th_run(r.q, cmds, 3) == NPU_ST_CMD_INVALID && r.q->cqe.command == 1 &&
		   r.q->fault->command == 1 && r.q->fault->tag == 0xfeed &&
		   r.q->fault->unit == NPU_UNIT_SCHED, "bad command: %s", bad[i].what);
		th_rig_free(&r);
	}
}

static void test_engine(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	struct npu_queue_config cfg = { .entries = 4, .context = 1, .engine = NPU_ENGINE_COPY };
	struct th_queue *q = th_queue_cfg(r.h, 9, cfg, r.cq);
	struct npu_cmd cmd = th_kernel(NPU_VA_START, 0, 1);

	q->lists = r.q->lists;
	ok(th_run(q, &cmd, 1) == NPU_ST_ENGINE, "a copy queue runs no kernel");
	free(q);
	th_rig_free(&r);
}

static void test_copy_2d(unsigned int workers, uint64_t row_bytes, uint64_t rows,
			 uint64_t dst_pitch, uint64_t src_pitch)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	uint8_t *src, *dst, *want;
	uint64_t size = (rows - 1) * npu_max(dst_pitch, src_pitch) + row_bytes, i;
	uint64_t vs = th_alloc_ram(r.s, size, (void **)&src);
	uint64_t vd = th_alloc(r.s, size, (void **)&dst);
	struct npu_cmd cmd = th_copy(vd, vs, row_bytes);

	want = calloc(1, size);
	for (i = 0; i < size; i++)
		src[i] = i * 13 + i / 251;
	for (i = 0; i < rows; i++)
		memcpy(want + i * dst_pitch, src + i * src_pitch, row_bytes);
	cmd.copy.rows = rows;
	cmd.copy.dst_pitch = dst_pitch;
	cmd.copy.src_pitch = src_pitch;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && !memcmp(dst, want, size),
	   "%u workers: copy of %llu rows of %llu", workers, (unsigned long long)rows,
	   (unsigned long long)row_bytes);
	free(want);
	th_rig_free(&r);
}

static void test_fill(unsigned int workers, uint64_t row_bytes, uint64_t rows, uint64_t pitch,
		      unsigned int n, bool system)
{
	struct th_rig r = th_rig_new(th_new(workers, 4), 16);
	uint64_t size = (rows - 1) * pitch + row_bytes + 64, i, wrong = 0;
	uint64_t pattern = 0x8877665544332211ULL;
	uint8_t *dst;
	uint64_t va = (system ? th_alloc_ram : th_alloc)(r.s, size, (void **)&dst);
	struct npu_cmd cmd = th_fill(va + n, row_bytes, pattern, n);

	memset(dst, 0xee, size);
	cmd.fill.rows = rows;
	cmd.fill.dst_pitch = pitch;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "%u workers: fill with %u bytes", workers, n);
	for (i = 0; i < size; i++) {
		uint64_t at = i - n;
		bool in = i >= n && at / pitch < rows && at % pitch < row_bytes;

		wrong += dst[i] != (in ? (uint8_t)(pattern >> at % pitch % n * 8) : 0xee);
	}
	ok(!wrong, "fills what it should, and nothing else");
	th_rig_free(&r);
}

static void test_bus_errors(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	uint64_t *a, bus;
	uint64_t va = th_alloc_ram(r.s, 0x3000, (void **)&a);
	uint64_t vh = th_alloc(r.s, 0x3000, NULL);
	struct npu_cmd cmd = th_copy(vh, va, 0x3000);

	bus = TH_RAM_BASE + ((uint8_t *)a - r.h->ram);
	th_dead(r.h, bus + 0x1000, bus + 0x2000);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_BUS && r.q->fault->access == NPU_ACCESS_READ &&
	   r.q->fault->unit == NPU_UNIT_SDMA && r.q->fault->address - va < 0x3000,
	   "the bus fails a copy");
	th_rig_free(&r);

	r = th_rig_new(th_new(0, 4), 16);
	th_sqe(r.q);
	th_dead(r.h, TH_RAM_BASE + ((uint8_t *)r.q->ring - r.h->ram),
		TH_RAM_BASE + ((uint8_t *)r.q->ring - r.h->ram) + 64);
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_BUS, "the ring is not there");
	th_rig_free(&r);

	r = th_rig_new(th_new(0, 4), 16);
	th_dead(r.h, TH_RAM_BASE + ((uint8_t *)r.cq->ring - r.h->ram),
		TH_RAM_BASE + ((uint8_t *)r.cq->ring - r.h->ram) + 64);
	th_sqe(r.q);
	th_ring(r.q);
	ok(th_wait(r.q) == TH_NOTHING && th_state(r.q) == NPU_QUEUE_FAULTED,
	   "the completion ring is not there");
	th_rig_free(&r);

	r = th_rig_new(th_new(0, 4), 16);
	th_sqe(r.q)->opcode = 77;
	th_dead(r.h, TH_RAM_BASE + ((uint8_t *)r.q->fault - r.h->ram),
		TH_RAM_BASE + ((uint8_t *)r.q->fault - r.h->ram) + 64);
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_SQE_INVALID, "without a status block the completion comes");
	th_rig_free(&r);
}

static void test_objects(void)
{
	struct th_rig r = th_rig_new(th_new(0, 4), 16);
	struct npu_core *core = r.h->core;
	struct npu_queue_config good = {
		.base = TH_RAM_BASE, .status_block = TH_RAM_BASE, .entries = 16, .context = 1,
	}, c;

#define BAD(field, value, status) \
	(c = good, c.field = (value), npu_queue_create(core, 50, &c) == (status))
	ok(BAD(base, 64, NPU_ST_ADMIN_INVALID), "queue: misaligned ring");
	ok(BAD(status_block, 32, NPU_ST_ADMIN_INVALID), "queue: misaligned status block");
	ok(BAD(core_mask, 0x10, NPU_ST_ADMIN_INVALID), "queue: core that is not there");
	ok(BAD(entries, 1, NPU_ST_ADMIN_INVALID), "queue: too few entries");
	ok(BAD(entries, 24, NPU_ST_ADMIN_INVALID), "queue: not a power of two");
	ok(BAD(entries, 4096, NPU_ST_ADMIN_INVALID), "queue: too many entries");
	ok(BAD(context, NPU_MAX_CONTEXTS, NPU_ST_ADMIN_INVALID), "queue: impossible context");
	ok(BAD(context, 7, NPU_ST_ADMIN_NOENT), "queue: context that is not set");
	ok(BAD(cq, 255, NPU_ST_ADMIN_INVALID), "queue: impossible completion ring");
	ok(BAD(cq, 7, NPU_ST_ADMIN_NOENT), "queue: ring that is not there");
	ok(BAD(priority, 4, NPU_ST_ADMIN_INVALID), "queue: priority");
	ok(BAD(engine, 2, NPU_ST_ADMIN_INVALID), "queue: engine");
#undef BAD
	ok(npu_queue_create(core, NPU_MAX_QUEUES, &good) == NPU_ST_ADMIN_INVALID, "queue: id");
	ok(npu_queue_create(core, 1, &good) == NPU_ST_ADMIN_BUSY, "queue: exists");
	ok(npu_queue_destroy(core, 50) == NPU_ST_ADMIN_NOENT &&
	   npu_queue_suspend(core, 50) == NPU_ST_ADMIN_NOENT &&
	   npu_queue_resume(core, 50) == NPU_ST_ADMIN_NOENT, "queue: does not exist");
	ok(npu_cq_create(core, 0, TH_RAM_BASE, 16, 1) == NPU_ST_ADMIN_BUSY, "ring: exists");
	ok(npu_cq_create(core, 255, TH_RAM_BASE, 16, 1) == NPU_ST_ADMIN_INVALID, "ring: id");
	ok(npu_cq_create(core, 9, TH_RAM_BASE + 8, 16, 1) == NPU_ST_ADMIN_INVALID,
	   "ring: misaligned");
	ok(npu_cq_create(core, 9, TH_RAM_BASE, 17, 1) == NPU_ST_ADMIN_INVALID, "ring: entries");
	ok(npu_cq_create(core, 9, TH_RAM_BASE, 16, 0) == NPU_ST_ADMIN_INVALID &&
	   npu_cq_create(core, 9, TH_RAM_BASE, 16, 16) == NPU_ST_ADMIN_INVALID, "ring: vector");
	ok(npu_cq_destroy(core, 0) == NPU_ST_ADMIN_BUSY, "ring: in use");
	ok(npu_cq_destroy(core, 9) == NPU_ST_ADMIN_NOENT, "ring: does not exist");
	ok(npu_queue_destroy(core, 1) == NPU_ST_OK && npu_cq_destroy(core, 0) == NPU_ST_OK &&
	   npu_ctx_clear(core, 1) == NPU_ST_OK, "all can be taken down again");
	th_rig_free(&r);
}

int main(void)
{
	unsigned int workers;

	for (workers = 0; workers <= 2; workers++) {
		test_basic(workers);
		test_kernel(workers);
		test_wrap(workers);
		test_backpressure(workers);
		test_copy_2d(workers, 1, 3000, 3, 2);
		test_copy_2d(workers, 1000, 5000, 1024, 1001);
		test_copy_2d(workers, (1 << 20) + 77, 5, 1 << 21, (1 << 20) + 100);
		test_copy_2d(workers, 9 << 20, 1, 0, 0);
		test_fill(workers, 5, 300, 9, 1, false);
		test_fill(workers, 6, 300, 10, 2, false);
		test_fill(workers, 12, 3, 16, 4, true);
		test_fill(workers, 3 << 20, 1, 4 << 20, 8, false);
		test_fill(workers, 3 << 20, 1, 4 << 20, 8, true);
	}
	test_index_wrap();
	test_bad_tail();
	test_bad_sqe();
	test_bad_cmd();
	test_engine();
	test_bus_errors();
	test_objects();
	return tap_done();
}
