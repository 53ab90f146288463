// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several CPUs use the device at once, while others pause it, invalidate translations, suspend
 * and destroy queues. Nothing may be lost, done twice or out of order.
 */
#include "testhost.h"

#define CPUS	2
#define QUEUES	3		/* of each CPU */
#define ENTRIES	8
#define BLOCKS	3

struct cpu {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q[QUEUES];
	unsigned int submitted[QUEUES], completed[QUEUES];
	uint64_t *words;
	uint64_t va, kernel;
	unsigned int id, rounds, wrong;
	uint64_t random;
	pthread_t thread;
};

static bool finished;

static unsigned int rnd(struct cpu *c, unsigned int n)
{
	c->random = c->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (c->random >> 33) % n;
}

/* Counts itself in word @i by a semaphore, a copy of it, and a kernel. */
static void submit(struct cpu *c, unsigned int i)
{
	uint64_t at = c->va + 256 * i;
	struct npu_cmd list[5] = {
		th_sem(NPU_CMD_SEM_SIGNAL, at, 1, NPU_SEM_ADD),
		th_copy(at + 8, at, 8),
		th_kernel(c->kernel, at + 16, 1 + rnd(c, BLOCKS)),
		th_sem(NPU_CMD_SEM_WAIT, at, c->submitted[i] + 1, NPU_SEM_GE),
		th_store(at + 24, c->submitted[i] + 1, 8),
	};

	list[2].flags = rnd(c, 2) ? NPU_CMD_F_OVERLAP : 0;
	th_push(c->q[i], list, 5);
	c->submitted[i]++;
}

static void complete(struct cpu *c, const struct npu_cqe *cqe)
{
	unsigned int i = cqe->queue - c->id * QUEUES;
	uint64_t *at;

	if (i >= QUEUES || cqe->status != NPU_ST_OK) {
		c->wrong++;
		return;
	}
	at = c->words + 32 * i;
	c->wrong += (uint32_t)cqe->cookie != c->completed[i];
	c->completed[i]++;
	c->wrong += npu_load_acquire(&at[3]) < c->completed[i];
}

static void *cpu_main(void *arg)
{
	struct cpu *c = arg;
	unsigned int i, n, left;
	struct npu_cqe cqe;

	for (n = 0; n < c->rounds; n++) {
		i = rnd(c, QUEUES);
		for (left = 1 + rnd(c, ENTRIES); left; left--)
			if (c->submitted[i] - c->completed[i] < ENTRIES)
				submit(c, i);
		th_ring(c->q[i]);
		if (!rnd(c, 4)) {
			npu_queue_suspend(c->h->core, c->q[i]->id);
			while (npu_queue_resume(c->h->core, c->q[i]->id) != NPU_ST_OK)
				;
		}
		if (!rnd(c, 8))
			th_invalidate(c->s);
		while (c->submitted[i] - c->completed[i] > rnd(c, ENTRIES)) {
			if (th_cq_wait(c->cq, &cqe, 20000) == TH_NOTHING) {
				c->wrong += 1000;
				return NULL;
			}
			complete(c, &cqe);
		}
	}
	for (i = 0; i < QUEUES; i++) {
		while (c->completed[i] != c->submitted[i]) {
			if (th_cq_wait(c->cq, &cqe, 20000) == TH_NOTHING) {
				c->wrong += 1000;
				return NULL;
			}
			complete(c, &cqe);
		}
	}
	return NULL;
}

/* Somebody else's queues, with work that is never let end. */
static void *disturber_main(void *arg)
{
	static const uint32_t loop[] = { RV_LOOP };
	struct testhost *h = arg;
	struct th_space *s = th_space_new(h, CPUS);
	struct th_cq *cq = th_cq_new(h, CPUS, 64, CPUS + 1);
	struct npu_cmd cmd = th_kernel(th_code(s, loop, 1), 0, 2);
	uint64_t hbm = h->hbm_next, ram = h->ram_next;
	struct th_queue *q;

	while (!npu_load(&finished)) {
		h->hbm_next = hbm;
		h->ram_next = ram;
		q = th_queue_new(s, 100, 8, cq);
		th_submit(q, &cmd, 1);
		npu_core_pause(h->core);
		npu_core_resume(h->core);
		npu_core_drop_mappings(h->core);
		th_invalidate(s);
		th_queue_free(q);
	}
	free(cq);
	free(s);
	return NULL;
}

static void cpu_init(struct cpu *c, struct testhost *h, unsigned int id, unsigned int rounds)
{
	/* amoadd(a0, 1) */
	static const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 1), RV_AMOADD_D(0, RV_T0, RV_A0), RV_ECALL,
	};
	unsigned int i;

	*c = (struct cpu){ .h = h, .id = id, .rounds = rounds, .random = id + 1 };
	c->s = th_space_new(h, id);
	c->cq = th_cq_new(h, id, 16, id + 1);
	c->va = th_alloc(c->s, 0x1000, (void **)&c->words);
	c->kernel = th_code(c->s, code, 3);
	for (i = 0; i < QUEUES; i++)
		c->q[i] = th_queue_new(c->s, id * QUEUES + i, ENTRIES, c->cq);
}

static void cpu_check(struct cpu *c)
{
	unsigned int i, wrong = c->wrong;

	for (i = 0; i < QUEUES; i++) {
		wrong += c->words[32 * i] != c->submitted[i];
		wrong += c->words[32 * i + 1] != c->submitted[i];
		wrong += c->words[32 * i + 2] < c->submitted[i];
		wrong += c->words[32 * i + 2] > c->submitted[i] * BLOCKS;
		free(c->q[i]);
	}
	ok(!wrong, "CPU %u: %u entries, each done once and in order", c->id,
	   c->completed[0] + c->completed[1] + c->completed[2]);
	free(c->cq);
	free(c->s);
}

static void test(unsigned int workers, unsigned int rounds)
{
	struct testhost *h = th_new(workers, 4);
	static struct cpu cpus[CPUS];
	pthread_t disturber;
	unsigned int i;

	npu_store(&finished, false);
	for (i = 0; i < CPUS; i++)
		cpu_init(&cpus[i], h, i, rounds);
	for (i = 0; i < CPUS; i++)
		pthread_create(&cpus[i].thread, NULL, cpu_main, &cpus[i]);
	pthread_create(&disturber, NULL, disturber_main, h);
	for (i = 0; i < CPUS; i++)
		pthread_join(cpus[i].thread, NULL);
	npu_store(&finished, true);
	pthread_join(disturber, NULL);
	for (i = 0; i < CPUS; i++)
		cpu_check(&cpus[i]);
	ok(!npu_busy_cores(h->core) && !h->mapped, "%u workers: %u cores and %u pages left over",
	   workers, npu_busy_cores(h->core), h->mapped);
	th_free(h);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 400;

	test(1, rounds);
	test(2, rounds);
	test(4, rounds);
	return tap_done();
}
