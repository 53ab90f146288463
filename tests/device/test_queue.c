// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rings, completions and commands.
 */
#include "testhost.h"

struct rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q;
};

static struct rig rig_new(unsigned int workers)
{
	struct rig r;

	r.h = th_new(workers, 4);
	r.s = th_space_new(r.h, 1);
	r.cq = th_cq_new(r.h, 0, 64, 1);
	r.q = th_queue_new(r.s, 1, 16, r.cq);
	return r;
}

static void rig_free(struct rig *r)
{
	th_free(r->h);
	free(r->q);
	free(r->cq);
	free(r->s);
}

static void test_basic(unsigned int workers)
{
	struct rig r = rig_new(workers);
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
	rig_free(&r);
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
	struct rig r = rig_new(workers);
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
	rig_free(&r);
}

int main(void)
{
	unsigned int workers;

	for (workers = 0; workers <= 2; workers++) {
		test_basic(workers);
		test_kernel(workers);
	}
	return tap_done();
}
