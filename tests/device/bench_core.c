// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Speed of the device core: round trip of an empty job, empty jobs and kernels a second, copies.
 */
#define _GNU_SOURCE /* CPUs of a thread */
#include <sched.h>

#include "testhost.h"

#define ROUNDS 20000
#define COPY_BYTES (32ULL << 20)

static void report(const char *name, double value, const char *unit)
{
	printf("%-28s %10.3f %s\n", name, value, unit);
}

/* As a driver does that polls: the interrupt may come later. */
static void spin_for(struct th_cq *cq, struct npu_cqe *cqe)
{
	struct npu_cqe *e = &cq->ring[cq->head % cq->entries];
	bool phase = !(cq->head & cq->entries);

	while ((npu_load_acquire((uint64_t *)&e->queue) >> 48 & 1) != phase)
		__builtin_ia32_pause();
	*cqe = *e;
	cq->head++;
	th_write(cq->host, NPU_DB_CQ_HEAD(cq->id), cq->head);
}

static double polled_us(struct th_rig *r)
{
	uint64_t start = th_now_ns();
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		th_sqe(r->q);
		th_ring(r->q);
		spin_for(r->cq, &r->q->cqe);
	}
	return (th_now_ns() - start) / 1e3 / ROUNDS;
}

static void bench_round_trip(struct th_rig *r)
{
	uint64_t start;
	unsigned int i;

	report("round trip, polled", polled_us(r), "us");
	start = th_now_ns();
	for (i = 0; i < ROUNDS / 10; i++) {
		th_sqe(r->q);
		th_ring(r->q);
		th_wait(r->q);
	}
	report("round trip, with sleep", (th_now_ns() - start) / 1e3 / (ROUNDS / 10), "us");
}

/* Workers, and the host that polls, have one CPU between them. */
static void bench_one_cpu(unsigned int workers)
{
	cpu_set_t all, one;
	struct th_rig r;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	r = th_rig_new(th_new(workers, 24), 16);
	report("  polled, on one CPU", polled_us(&r), "us");
	th_rig_free(&r);
	sched_setaffinity(0, sizeof(all), &all);
}

static void bench_rate(struct th_rig *r)
{
	uint64_t start = th_now_ns();
	unsigned int i, j;

	for (i = 0; i < ROUNDS / 8; i++) {
		for (j = 0; j < 8; j++)
			th_sqe(r->q);
		th_ring(r->q);
		for (j = 0; j < 8; j++)
			spin_for(r->cq, &r->q->cqe);
	}
	report("empty jobs", ROUNDS * 1e3 / (th_now_ns() - start), "M/s");
}

/* Commands a second, in lists that consist of @cmd and @other in turns. */
static double list_rate(struct th_rig *r, struct npu_cmd cmd, struct npu_cmd other)
{
	struct npu_cmd cmds[200];
	unsigned int i;
	uint64_t start;

	for (i = 0; i < 200; i++)
		cmds[i] = i % 2 ? other : cmd;
	start = th_now_ns();
	for (i = 0; i < 50; i++)
		th_run(r->q, cmds, 200);
	return 200 * 50 * 1e9 / (th_now_ns() - start);
}

static void bench_list(struct th_rig *r, const char *name, struct npu_cmd cmd, struct npu_cmd other)
{
	report(name, list_rate(r, cmd, other) / 1e6, "M/s");
}

static void bench_copy(struct th_rig *r, const char *name, uint64_t dst, uint64_t src)
{
	struct npu_cmd cmd = th_copy(dst, src, COPY_BYTES);
	uint64_t start;
	unsigned int i;

	th_run(r->q, &cmd, 1);
	start = th_now_ns();
	for (i = 0; i < 10; i++)
		th_run(r->q, &cmd, 1);
	report(name, COPY_BYTES * 10.0 / (th_now_ns() - start), "GB/s");
}

int main(int argc, char **argv)
{
	static const uint32_t code[] = { RV_ECALL };
	static const uint32_t loop[] = {
		RV_ADDI(RV_T0, 0, 1000), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4), RV_ECALL,
	};
	static const uint32_t long_loop[] = {
		RV_LUI(RV_T0, 1), RV_ADDI(RV_T0, RV_T0, 904), RV_ADDI(RV_T0, RV_T0, -1),
		RV_BNE(RV_T0, 0, -4), RV_ECALL,
	};
	unsigned int workers = argc > 1 ? atoi(argv[1]) : 2;
	uint64_t hbm, ram, entry, start;
	void *ph, *pr;
	struct npu_cmd copy, small, large, busy, long_busy;
	struct th_rig r;

	r = th_rig_new(th_new(workers, 24), 16);
	hbm = th_alloc(r.s, COPY_BYTES, &ph);
	ram = th_alloc_ram(r.s, COPY_BYTES, &pr);
	entry = th_code(r.s, code, 1);
	memset(ph, 1, COPY_BYTES);
	memset(pr, 2, COPY_BYTES);

	bench_round_trip(&r);
	bench_one_cpu(workers);
	bench_rate(&r);
	copy = th_copy(hbm, hbm + 4096, 64);
	small = th_kernel(entry, 0, 1);
	large = th_kernel(entry, 0, 24);
	busy = th_kernel(th_code(r.s, loop, 4), 0, 24);
	long_busy = th_kernel(th_code(r.s, long_loop, 5), 0, 24);
	bench_list(&r, "no-ops in a list", th_simple(NPU_CMD_NOP), th_simple(NPU_CMD_NOP));
	bench_list(&r, "64-byte copies", copy, copy);
	bench_list(&r, "kernels of one block", small, small);
	bench_list(&r, "  between copies", small, copy);
	bench_list(&r, "kernels of 24 blocks", large, large);
	bench_list(&r, "  between copies", large, copy);
	report("  of 2000 instructions each", 1e6 / list_rate(&r, busy, busy), "us");
	report("  of 10000 instructions each", 1e6 / list_rate(&r, long_busy, long_busy), "us");
	bench_copy(&r, "copy to HBM", hbm, ram);
	bench_copy(&r, "copy from HBM", ram, hbm);
	start = th_now_ns();
	memcpy(ph, pr, COPY_BYTES);
	memcpy(pr, ph, COPY_BYTES);
	report("memcpy", COPY_BYTES * 2.0 / (th_now_ns() - start), "GB/s");
	return 0;
}
