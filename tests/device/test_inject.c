// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on command: each happens as often as was asked for, to whom it was meant for, and the
 * device works after it as far as the fault lets it.
 */
#include "mcu.h"
#include "testhost.h"

#define SIZE 0x2000

struct rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q, *other;
	uint64_t va, to;
	uint64_t *data, *copy;
};

static struct rig rig_new(unsigned int workers)
{
	struct rig r;

	r.h = th_new(workers, 4);
	r.s = th_space_new(r.h, 1);
	r.cq = th_cq_new(r.h, 0, 64, 1);
	r.q = th_queue_new(r.s, 1, 16, r.cq);
	r.other = th_queue_new(r.s, 2, 16, r.cq);
	r.va = th_alloc(r.s, SIZE, (void **)&r.data);
	r.to = th_alloc(r.s, SIZE, (void **)&r.copy);
	return r;
}

static void rig_free(struct rig *r)
{
	th_free(r->h);
	free(r->q);
	free(r->other);
	free(r->cq);
	free(r->s);
}

static void inject(struct rig *r, enum npu_inject fault, uint64_t times, uint32_t target)
{
	npu_core_inject(r->h->core, fault, times, target);
}

static bool struck(struct rig *r, enum npu_inject fault, uint64_t times)
{
	return npu_core_injected(r->h->core, fault) == times &&
	       npu_core_inject_left(r->h->core, fault) == 0;
}

static uint32_t run_nop(struct th_queue *q)
{
	struct npu_cmd nop = th_simple(NPU_CMD_NOP);

	return th_run(q, &nop, 1);
}

static uint64_t ras(struct rig *r, enum npu_ras kind)
{
	return npu_load(&r->h->core->mcu->ras[kind]);
}

static void test_names(void)
{
	unsigned int i, j, bad = 0;

	for (i = 0; i < NPU_INJECT_COUNT; i++)
		for (j = 0; j <= i; j++)
			bad += !npu_core_inject_name(i) ||
			       (j < i && !strcmp(npu_core_inject_name(i),
						 npu_core_inject_name(j)));
	ok(!bad && !npu_core_inject_name(NPU_INJECT_COUNT), "each fault has a name of its own");
}

static void test_irq(void)
{
	struct rig r = rig_new(0);
	unsigned int *raised = &r.h->raised[1];

	inject(&r, NPU_INJECT_IRQ_LOST, 2, 1);
	run_nop(r.q);
	run_nop(r.q);
	ok(!*raised && struck(&r, NPU_INJECT_IRQ_LOST, 2), "two messages are lost");
	run_nop(r.q);
	ok(*raised == 1, "the third is sent");
	inject(&r, NPU_INJECT_IRQ_LOST, 1, 2);
	run_nop(r.q);
	ok(*raised == 2 && npu_core_inject_left(r.h->core, NPU_INJECT_IRQ_LOST) == 1,
	   "another vector's is none of it");
	ok(npu_load(&r.h->events[NPU_CORE_EV_INJECT]) == 2, "each is an event");
	rig_free(&r);
}

static void test_doorbell(void)
{
	struct rig r = rig_new(0);

	inject(&r, NPU_INJECT_DOORBELL_LOST, 1, 1);
	ok(run_nop(r.other) == NPU_ST_OK, "the doorbell of another queue rings");
	ok(run_nop(r.q) == TH_NOTHING && struck(&r, NPU_INJECT_DOORBELL_LOST, 1),
	   "a doorbell is lost");
	th_ring(r.q);
	ok(th_wait(r.q) == NPU_ST_OK, "rung again, it is heard");
	rig_free(&r);
}

static void test_lost_completion(void)
{
	struct rig r = rig_new(0);

	inject(&r, NPU_INJECT_CQE_LOST, 1, 1);
	ok(run_nop(r.q) == TH_NOTHING && struck(&r, NPU_INJECT_CQE_LOST, 1),
	   "a completion is lost");
	ok(run_nop(r.other) == NPU_ST_OK, "the ring goes on for others");
	ok(run_nop(r.q) == NPU_ST_OK && r.q->cqe.cookie == (1ULL << 32 | 1) &&
	   r.q->cqe.sq_head == 2, "and for the queue, which has gone past it");
	rig_free(&r);
}

static void test_bad_completions(void)
{
	struct rig r = rig_new(0);

	inject(&r, NPU_INJECT_CQE_TWICE, 1, NPU_INJECT_ANY);
	ok(run_nop(r.q) == NPU_ST_OK && th_wait(r.q) == NPU_ST_OK && r.q->cqe.cookie == 1ULL << 32,
	   "a completion comes twice");
	inject(&r, NPU_INJECT_CQE_COOKIE, 1, 1);
	run_nop(r.q);
	ok(r.q->cqe.cookie == ~(1ULL << 32 | 1), "wrong cookie");
	inject(&r, NPU_INJECT_CQE_QUEUE, 1, 1);
	run_nop(r.q);
	ok(r.q->cqe.queue >= NPU_MAX_QUEUES, "queue that there is not: %u", r.q->cqe.queue);
	inject(&r, NPU_INJECT_CQE_HEAD, 1, 1);
	run_nop(r.q);
	ok(r.q->cqe.sq_head != 4, "wrong head");
	inject(&r, NPU_INJECT_CQE_STATUS, 1, 1);
	ok(run_nop(r.q) >= NPU_ST_COUNT, "status that there is not");
	inject(&r, NPU_INJECT_CQE_PHASE, 1, 1);
	ok(run_nop(r.q) == TH_NOTHING, "a completion of the pass before is none");
	ok(struck(&r, NPU_INJECT_CQE_TWICE, 1) && struck(&r, NPU_INJECT_CQE_COOKIE, 1) &&
	   struck(&r, NPU_INJECT_CQE_QUEUE, 1) && struck(&r, NPU_INJECT_CQE_HEAD, 1) &&
	   struck(&r, NPU_INJECT_CQE_STATUS, 1) && struck(&r, NPU_INJECT_CQE_PHASE, 1),
	   "each once");
	rig_free(&r);
}

static void test_mmu(unsigned int workers)
{
	struct rig r = rig_new(workers);
	struct npu_cmd cmd = th_copy(r.to, r.va, SIZE);

	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "%u workers: a copy", workers);
	inject(&r, NPU_INJECT_MMU_FAULT, 1, 2);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "another context's faults are none of it");
	inject(&r, NPU_INJECT_MMU_FAULT, 1, 1);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_MMU_READ && struck(&r, NPU_INJECT_MMU_FAULT, 1),
	   "a translation fails");
	ok(r.q->fault->unit == NPU_UNIT_SCHED && r.q->fault->address, "and that is recorded");
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "the next does not");
	rig_free(&r);
}

static void test_hbm_errors(void)
{
	struct rig r = rig_new(0);
	struct npu_cmd cmd = th_copy(r.to, r.va, SIZE);

	r.data[1] = 7;
	inject(&r, NPU_INJECT_HBM_CE, 1, NPU_INJECT_ANY);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && r.copy[1] == 7 && ras(&r, NPU_RAS_HBM_CE) == 1,
	   "an error is corrected, and counted");
	inject(&r, NPU_INJECT_HBM_UE, 1, NPU_INJECT_ANY);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_HBM_ECC && r.q->fault->access == NPU_ACCESS_READ &&
	   ras(&r, NPU_RAS_HBM_UE) == 1 && struck(&r, NPU_INJECT_HBM_UE, 1),
	   "one is not");
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "the queue alone is stopped");
	rig_free(&r);
}

static void test_poison(unsigned int workers)
{
	static const uint32_t load[] = { RV_LD(RV_T0, RV_A0, 0), RV_RET };
	static const uint32_t store[] = { RV_SD(RV_A0, RV_A0, 0), RV_RET };
	struct rig r = rig_new(workers);
	uint64_t at = (uint8_t *)r.data - r.h->hbm + 0x1100, entry = th_code(r.s, load, 2);
	uint64_t writer = th_code(r.s, store, 2);
	struct th_queue *q = th_queue_new(r.s, 3, 16, r.cq);
	struct npu_cmd cmd = th_kernel(entry, r.va + 0x1100, 1);

	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "%u workers: a kernel reads memory", workers);
	npu_core_poison(r.h->core, at, 0x40);
	ok(th_run(r.other, &cmd, 1) == NPU_ST_HBM_ECC &&
	   r.other->fault->address == r.va + 0x1100 && r.other->fault->unit == NPU_UNIT_SCALAR,
	   "which is poisoned");
	cmd = th_copy(r.to, r.va, 0x1100);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "what lies before it can be read");
	cmd = th_kernel(entry, r.va + 0x1140, 1);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK, "and what lies behind it");
	cmd = th_kernel(writer, r.va + 0x1100, 1);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_OK && r.data[0x1100 / 8] == r.va + 0x1100,
	   "it can be written");
	cmd = th_copy(r.to, r.va, SIZE);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_HBM_ECC && r.q->fault->address == r.va + 0x1100 &&
	   r.q->fault->unit == NPU_UNIT_SDMA, "a copy stops there");
	ok(ras(&r, NPU_RAS_HBM_UE) == 2 &&
	   npu_core_injected(r.h->core, NPU_INJECT_HBM_POISON) == 2, "both are counted");
	npu_core_poison(r.h->core, 0, 0);
	ok(th_run(q, &cmd, 1) == NPU_ST_OK, "good memory again");
	free(q);
	rig_free(&r);
}

static void test_core_lost(unsigned int workers)
{
	static const uint32_t code[] = { RV_RET };
	struct rig r = rig_new(workers);
	uint64_t entry = th_code(r.s, code, 1);
	struct npu_cmd cmd = th_kernel(entry, 0, 64);
	struct th_queue *only;

	inject(&r, NPU_INJECT_CORE_LOST, 1, 0);
	cmd.kernel.blocks = 1;
	ok(th_run(r.q, &cmd, 1) == NPU_ST_CORE_LOST && r.q->fault->core == 0,
	   "%u workers: core 0 is lost", workers);
	ok(ras(&r, NPU_RAS_CORE_LOST) == 1 && struck(&r, NPU_INJECT_CORE_LOST, 1),
	   "and counted");
	cmd.kernel.blocks = 64;
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "a kernel runs on the others");
	only = th_queue_cfg(r.h, 3, (struct npu_queue_config){
		.entries = 16, .context = 1, .core_mask = 1 }, r.cq);
	only->lists = r.q->lists;
	ok(th_run(only, &cmd, 1) == NPU_ST_CORE_LOST && only->fault->core == 0,
	   "one that may use no other fails");
	ok(ras(&r, NPU_RAS_CORE_LOST) == 1, "which is no further loss");
	npu_core_reset(r.h->core);
	ok(!r.h->core->sched.dead_cores, "a reset brings it back");
	free(only);
	rig_free(&r);
}

static void test_core_hang(void)
{
	static const uint32_t code[] = { RV_RET };
	struct rig r = rig_new(0);
	struct npu_cmd cmd = th_kernel(th_code(r.s, code, 1), 0, 1);

	inject(&r, NPU_INJECT_CORE_HANG, 1, 0);
	ok(th_run(r.q, &cmd, 1) == TH_NOTHING && struck(&r, NPU_INJECT_CORE_HANG, 1),
	   "core 0 hangs");
	npu_aicore_reset(r.h->core, 0, 1);
	npu_sync_run(r.h->core);
	ok(th_wait(r.q) == NPU_ST_CORE_LOST, "until it is reset");
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "then it works");
	rig_free(&r);
}

#define AMID 60000

/* Have core 0 hang amid the blocks of @cmd; false if they have all ended before. */
static bool hang_amid(struct rig *r, const struct npu_cmd *cmd, uint64_t *words)
{
	struct npu_core *core = r->h->core;

	memset(words, 0, AMID * sizeof(*words));
	th_submit(r->q, cmd, 1);
	while (!__atomic_load_n(&words[AMID / 30], __ATOMIC_RELAXED))
		;
	inject(r, NPU_INJECT_CORE_HANG, 1, 0);
	while (npu_core_inject_left(core, NPU_INJECT_CORE_HANG) &&
	       !__atomic_load_n(&words[AMID - 1], __ATOMIC_RELAXED))
		;
	inject(r, NPU_INJECT_CORE_HANG, 0, 0);
	return npu_core_injected(core, NPU_INJECT_CORE_HANG) || th_wait(r->q) != NPU_ST_OK;
}

/* Of short blocks a core has several at a time: others do those behind the one that hangs. */
static void test_core_hang_amid(void)
{
	const uint32_t code[] = {
		RV_SLLI(RV_T0, RV_A1, 3), RV_ADD(RV_T0, RV_T0, RV_A0), RV_ADDI(RV_T1, 0, 7),
		RV_SD(RV_T1, RV_T0, 0), RV_RET,
	};
	struct rig r = rig_new(1);
	unsigned int tries = 0, done = 0;
	struct npu_cmd cmd;
	uint64_t *words, limit;

	cmd = th_kernel(th_code(r.s, code, 5), th_alloc(r.s, AMID * 8, (void **)&words), AMID);
	while (tries < 100 && !hang_amid(&r, &cmd, words))
		tries++;
	limit = th_now_ns() + 20000 * TH_MS;
	while (done != AMID - 1 && th_now_ns() < limit) {
		done = 0;
		for (unsigned int i = 0; i < AMID; i++)
			done += __atomic_load_n(&words[i], __ATOMIC_RELAXED) == 7;
	}
	ok(done == AMID - 1, "core 0 hangs: %u of %u blocks are done elsewhere", done, AMID - 1);
	npu_aicore_reset(r.h->core, 0, 1);
	ok(th_wait(r.q) == NPU_ST_CORE_LOST, "and one is not");
	rig_free(&r);
}

static void test_bus(void)
{
	struct rig r = rig_new(0);
	uint64_t bus = th_alloc_ram(r.s, 0x1000, NULL);
	struct npu_cmd cmd = th_fill(bus, 0x1000, 1, 8);

	inject(&r, NPU_INJECT_DMA_ERROR, 1, NPU_INJECT_BY_MCU);
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "an access of the management core is another's");
	inject(&r, NPU_INJECT_DMA_ERROR, 1, NPU_INJECT_BY_QUEUE);
	ok(th_run(r.q, &cmd, 1) == NPU_ST_BUS && struck(&r, NPU_INJECT_DMA_ERROR, 1),
	   "an access to the bus fails");
	ok(th_run(r.other, &cmd, 1) == NPU_ST_OK, "and no other");
	rig_free(&r);
}

static void test_registers(void)
{
	struct testhost *h = th_new(0, 1);

	npu_core_inject(h->core, NPU_INJECT_REGS_DEAD, 2, NPU_INJECT_ANY);
	th_write(h, NPU_REG_INV_CONTEXT, 5);
	ok(th_read(h, NPU_REG_MAGIC) == UINT32_MAX &&
	   npu_core_mmio_read(h->core, NPU_REG_SERIAL_LO, 8) == UINT64_MAX,
	   "registers read as all ones");
	ok(th_read(h, NPU_REG_MAGIC) == NPU_MAGIC && th_read(h, NPU_REG_INV_CONTEXT) == 0,
	   "twice; what was written is lost");
	th_free(h);
}

static void test_reset(unsigned int workers)
{
	struct testhost *h = th_new(workers, 1);

	npu_core_inject(h->core, NPU_INJECT_RESET_STUCK, 1, NPU_INJECT_ANY);
	npu_core_reset(h->core);
	ok(th_read(h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING,
	   "%u workers: a reset does not end", workers);
	th_write(h, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
	ok(th_read(h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING, "by register it cannot");
	npu_core_reset_async(h->core);
	while (th_read(h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING)
		;
	ok(th_read(h, NPU_REG_DEV_STATUS) == NPU_DEV_STATUS_ROM_READY &&
	   th_read(h, NPU_REG_RESET_COUNT) == 2, "the next one does");
	th_free(h);
}

static void test_off(void)
{
	struct rig r = rig_new(0);

	inject(&r, NPU_INJECT_IRQ_LOST, NPU_INJECT_FOREVER, NPU_INJECT_ANY);
	npu_core_reset(r.h->core);
	ok(npu_core_inject_left(r.h->core, NPU_INJECT_IRQ_LOST) == NPU_INJECT_FOREVER,
	   "what is armed survives a reset");
	inject(&r, NPU_INJECT_IRQ_LOST, 0, NPU_INJECT_ANY);
	ok(!r.h->core->inject.armed, "and can be called off");
	rig_free(&r);
}

int main(void)
{
	unsigned int workers;

	test_names();
	test_irq();
	test_doorbell();
	test_lost_completion();
	test_bad_completions();
	test_hbm_errors();
	test_core_hang();
	test_core_hang_amid();
	test_bus();
	test_registers();
	test_off();
	for (workers = 0; workers <= 2; workers += 2) {
		test_mmu(workers);
		test_poison(workers);
		test_core_lost(workers);
		test_reset(workers);
	}
	return tap_done();
}
