// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stopping what does not stop: the task of a queue, and a core that makes no progress.
 */
#include <unistd.h>

#include "testhost.h"

/* The first queue is stopped, the second one is not. */
static struct th_rig rig_new(unsigned int workers)
{
	return th_rig_pair(th_new(workers, 1), 16);
}

/* A kernel that says that it runs, and ends when its second word is not zero any more. */
static struct npu_cmd waiting_kernel(struct th_rig *r, uint64_t args)
{
	static const uint32_t code[] = {
		RV_SD(RV_SP, RV_A0, 0),
		RV_LD(RV_T0, RV_A0, 8),
		0xfe028ee3, /* beqz t0, -4 */
		RV_RET,
	};

	return th_kernel(th_code(r->s, code, 4), args, 1);
}

static void wait_word(uint64_t *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		usleep(100);
}

static struct npu_queue_info query(struct th_rig *r, unsigned int id)
{
	struct npu_queue_info info;

	npu_queue_query(r->h->core, id, &info);
	return info;
}

static void test_stop_idle(unsigned int workers)
{
	struct th_rig r = rig_new(workers);

	ok(npu_queue_stop(r.h->core, 1) == NPU_ST_OK && th_state(r.q) == NPU_QUEUE_IDLE,
	   "%u workers: an idle queue has nothing to stop", workers);
	th_sqe(r.q);
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_OK, "and goes on");
	ok(npu_queue_stop(r.h->core, 50) == NPU_ST_ADMIN_NOENT &&
	   npu_queue_stop(r.h->core, 99999) == NPU_ST_ADMIN_NOENT, "no such queue");
	th_rig_free(&r);
}

static void test_stop_wait(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd list[2] = {
		th_store(r.va + 8, 5, 8), th_sem(NPU_CMD_SEM_WAIT, r.va, 1, NPU_SEM_EQ),
	};
	struct npu_queue_info info;

	list[1].timeout_us = 77000000;
	list[1].tag = 0x7a9;
	th_submit(r.q, list, 2);
	ok(th_wait_state(r.q, NPU_QUEUE_WAITING), "%u workers: a queue waits", workers);
	info = query(&r, 1);
	ok(info.command == 1 && info.timeout_us == 77000000 && !info.cores, "for its command");
	npu_queue_stop(r.h->core, 1);
	npu_sync_run(r.h->core);
	ok(th_wait(r.q) == NPU_ST_TIMEOUT && r.words[1] == 5, "stopped, the wait times out");
	ok(r.q->fault->command == 1 && r.q->fault->address == r.va && r.q->fault->tag == 0x7a9,
	   "the record tells which");
	ok(th_wait_state(r.q, NPU_QUEUE_FAULTED) && npu_queue_stop(r.h->core, 1) == NPU_ST_OK,
	   "a queue that has stopped can be stopped");
	th_sqe(r.p);
	th_ring(r.p);
	ok(th_wait(r.p) == NPU_ST_OK, "the other is not touched");
	th_rig_free(&r);
}

static void test_stop_suspended(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd cmd = th_sem(NPU_CMD_SEM_WAIT, r.va, 1, NPU_SEM_EQ);

	th_submit(r.q, &cmd, 1);
	th_wait_state(r.q, NPU_QUEUE_WAITING);
	npu_queue_suspend(r.h->core, 1);
	npu_sync_run(r.h->core);
	ok(th_wait_state(r.q, NPU_QUEUE_SUSPENDED), "%u workers: suspended in an entry", workers);
	npu_queue_stop(r.h->core, 1);
	npu_sync_run(r.h->core);
	ok(th_wait(r.q) == NPU_ST_TIMEOUT, "it can be stopped");
	th_rig_free(&r);
}

static void test_stop_kernel(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd cmd = waiting_kernel(&r, r.va);
	struct npu_queue_info info;

	th_submit(r.q, &cmd, 1);
	wait_word(&r.words[0]);
	info = query(&r, 1);
	ok(info.state == NPU_QUEUE_RUNNING && info.cores == 1 && info.timeout_us == UINT32_MAX &&
	   info.pc - cmd.kernel.entry < 16, "%u workers: what a queue is at", workers);
	npu_queue_stop(r.h->core, 1);
	ok(th_wait(r.q) == NPU_ST_TIMEOUT, "its kernel is stopped");
	ok(r.q->fault->unit == NPU_UNIT_SCALAR && r.q->fault->core == 0 &&
	   r.q->fault->pc - cmd.kernel.entry < 16, "the record tells where it was");
	th_rig_free(&r);
}

/* Two queues share a core that hangs: that of one is reset, the other goes on as if nothing were. */
static void test_hang(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd mine = waiting_kernel(&r, r.va), other = waiting_kernel(&r, r.va + 64);

	th_submit(r.q, &mine, 1);
	th_submit(r.p, &other, 1);
	wait_word(&r.words[0]);
	wait_word(&r.words[8]);
	npu_core_hang(r.h->core, 1);
	ok(npu_queue_stop(r.h->core, 1) == NPU_MCU_BUSY, "%u workers: a core hangs", workers);
	__atomic_store_n(&r.words[9], 1, __ATOMIC_RELEASE);
	ok(th_cq_wait(r.cq, &r.q->cqe, 50) == TH_NOTHING, "what runs there cannot be stopped");
	ok(npu_queue_stop(r.h->core, 1) == NPU_ST_ADMIN_BUSY, "not twice either");
	ok(npu_queue_destroy(r.h->core, 1) == NPU_MCU_BUSY &&
	   th_state(r.q) == NPU_QUEUE_RUNNING && query(&r, 1).cores == 1, "nor destroyed");
	ok(npu_aicore_reset(r.h->core, 1, 1) == NPU_ST_ADMIN_INVALID &&
	   npu_aicore_reset(r.h->core, 0, 50) == NPU_ST_ADMIN_NOENT, "no such core, no such queue");
	ok(npu_aicore_reset(r.h->core, 0, 1) == NPU_ST_OK, "the core is reset");
	ok(th_wait_state(r.q, NPU_QUEUE_NONE), "and its queue gone");
	ok(th_wait(r.p) == NPU_ST_OK, "the other queue's kernel ends well");
	th_rig_free(&r);
}

static void test_core_lost(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd cmd = waiting_kernel(&r, r.va);

	th_submit(r.q, &cmd, 1);
	wait_word(&r.words[0]);
	npu_aicore_reset(r.h->core, 0, 1);
	ok(th_wait(r.q) == NPU_ST_CORE_LOST, "%u workers: a core is lost under a kernel", workers);
	ok(r.q->fault->pc - cmd.kernel.entry < 16, "the record tells where it was");
	__atomic_store_n(&r.words[9], 1, __ATOMIC_RELEASE);
	cmd = waiting_kernel(&r, r.va + 64);
	ok(th_run(r.p, &cmd, 1) == NPU_ST_OK, "it works for others");
	th_rig_free(&r);
}

static void test_device_reset(unsigned int workers)
{
	struct th_rig r = rig_new(workers);
	struct npu_cmd cmd = waiting_kernel(&r, r.va);

	npu_core_hang(r.h->core, 1);
	th_submit(r.q, &cmd, 1);
	npu_core_reset(r.h->core);
	ok(!r.h->core->hung_cores && th_state(r.q) == NPU_QUEUE_NONE,
	   "%u workers: a reset of the device mends a core that hangs", workers);
	th_rig_free(&r);
}

int main(void)
{
	unsigned int workers;

	for (workers = 0; workers <= 3; workers++) {
		test_stop_idle(workers);
		test_stop_wait(workers);
		test_stop_suspended(workers);
	}
	for (workers = 1; workers <= 3; workers++) {
		test_stop_kernel(workers);
		test_hang(workers);
		test_core_lost(workers);
		test_device_reset(workers);
	}
	return tap_done();
}
