// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A host for the device core, and the driver's part in small.
 */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "testhost.h"

#define WAIT_MS 20000
#define LIST_BYTES 0x100000

uint64_t th_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void *bus(struct testhost *h, uint64_t addr, size_t len)
{
	uint64_t lo = npu_load(&h->bad_lo), hi = npu_load(&h->bad_hi);

	__atomic_fetch_add(&h->dmas, 1, __ATOMIC_RELAXED);
	if (addr < TH_RAM_BASE || addr - TH_RAM_BASE > TH_RAM_SIZE ||
	    len > TH_RAM_SIZE - (addr - TH_RAM_BASE) || (addr < hi && addr + len > lo))
		return NULL;
	return h->ram + (addr - TH_RAM_BASE);
}

static int dma_read(void *host, uint64_t addr, void *buf, size_t len)
{
	void *p = bus(host, addr, len);

	if (!p)
		return -1;
	if (len == 8 && !(addr & 7))
		*(uint64_t *)buf = npu_load_acquire((uint64_t *)p);
	else
		memcpy(buf, p, len);
	return 0;
}

static int dma_write(void *host, uint64_t addr, const void *buf, size_t len)
{
	void *p = bus(host, addr, len);
	uint64_t word;

	if (!p)
		return -1;
	if (len == 8 && !(addr & 7)) {
		memcpy(&word, buf, sizeof(word));
		npu_store_release((uint64_t *)p, word);
	} else {
		memcpy(p, buf, len);
	}
	return 0;
}

static void *dma_map(void *host, uint64_t addr, size_t *len, bool write)
{
	struct testhost *h = host;
	size_t chunk = npu_min(*len, NPU_PAGE_SIZE - (addr & (NPU_PAGE_SIZE - 1)));
	void *p = npu_load(&h->no_map) ? NULL : bus(h, addr, chunk);

	(void)write;
	if (!p)
		return NULL;
	*len = chunk;
	__atomic_fetch_add(&h->mapped, 1, __ATOMIC_RELAXED);
	return p;
}

static void dma_unmap(void *host, void *ptr, size_t len, bool write, size_t written)
{
	struct testhost *h = host;

	(void)ptr, (void)len, (void)write, (void)written;
	__atomic_fetch_sub(&h->mapped, 1, __ATOMIC_RELAXED);
}

static void raise_vector(void *host, unsigned int vector)
{
	struct testhost *h = host;

	pthread_mutex_lock(&h->lock);
	__atomic_fetch_add(&h->raised[vector], 1, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&h->irq);
	pthread_mutex_unlock(&h->lock);
}

static uint64_t clock_ns(void *host)
{
	struct testhost *h = host;
	uint64_t frozen = npu_load(&h->frozen);

	if (h->cfg.sync)
		return h->now;
	return frozen ? frozen : th_now_ns();
}

static void event(void *host, enum npu_core_event ev, uint64_t a, uint64_t b, uint64_t c)
{
	struct testhost *h = host;

	(void)a, (void)b, (void)c;
	__atomic_fetch_add(&h->events[ev], 1, __ATOMIC_RELAXED);
}

static void debug_output(void *host, enum npu_debug_unit unit, const char *data, size_t len)
{
	struct testhost *h = host;
	size_t room = sizeof(h->debug_out[unit]) - h->debug_len[unit];

	len = npu_min(len, room);
	memcpy(h->debug_out[unit] + h->debug_len[unit], data, len);
	h->debug_len[unit] += len;
}

static void debug_stopped(void *host, enum npu_debug_unit unit)
{
	struct testhost *h = host;

	__atomic_fetch_add(&h->debug_stops[unit], 1, __ATOMIC_RELEASE);
}

static const struct npu_host_ops ops = {
	.dma_read = dma_read,
	.dma_write = dma_write,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.raise = raise_vector,
	.clock_ns = clock_ns,
	.event = event,
	.debug_output = debug_output,
	.debug_stopped = debug_stopped,
};

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static struct testhost *new_host(unsigned int workers, unsigned int cores, const char *timing)
{
	struct testhost *h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;
	const char *error;

	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->irq, &attr);
	h->hbm = memory(TH_HBM_SIZE);
	h->ram = memory(TH_RAM_SIZE);
	h->hbm_next = 0x1000;
	h->ram_next = TH_RAM_BASE;
	h->now = 1000000;
	h->cfg = (struct npu_core_config){
		.hbm = h->hbm,
		.hbm_size = TH_HBM_SIZE,
		.cores = cores,
		.queues = NPU_MAX_QUEUES,
		.vectors = 16,
		.workers = workers,
		.sync = !workers,
		.serial = 0x123456789abcULL,
		.timing = timing,
	};
	h->core = npu_core_new(&h->cfg, &ops, h, &error);
	if (!h->core) {
		fprintf(stderr, "npu_core_new: %s\n", error);
		abort();
	}
	return h;
}

struct testhost *th_new(unsigned int workers, unsigned int cores)
{
	return new_host(workers, cores, NULL);
}

struct testhost *th_new_timed(unsigned int workers, const char *profile)
{
	return new_host(workers, npu_core_default_cores(profile), profile);
}

void th_free(struct testhost *h)
{
	npu_core_free(h->core);
	munmap(h->hbm, TH_HBM_SIZE);
	munmap(h->ram, TH_RAM_SIZE);
	pthread_cond_destroy(&h->irq);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

uint32_t th_read(struct testhost *h, uint64_t offset)
{
	return npu_core_mmio_read(h->core, offset, 4);
}

void th_write(struct testhost *h, uint64_t offset, uint32_t value)
{
	npu_core_mmio_write(h->core, offset, value, 4);
}

uint64_t th_hbm(struct testhost *h, uint64_t size, uint64_t align)
{
	uint64_t at = (h->hbm_next + align - 1) & ~(align - 1);

	h->hbm_next = at + size;
	if (h->hbm_next > TH_HBM_SIZE - NPU_FW_REGION_SIZE)
		abort();
	return at;
}

uint64_t th_ram(struct testhost *h, uint64_t size)
{
	uint64_t at = h->ram_next;

	h->ram_next += (size + NPU_PAGE_SIZE - 1) & ~(NPU_PAGE_SIZE - 1);
	if (h->ram_next > TH_RAM_BASE + TH_RAM_SIZE)
		abort();
	return at;
}

void *th_ram_ptr(struct testhost *h, uint64_t address)
{
	return h->ram + (address - TH_RAM_BASE);
}

void th_dead(struct testhost *h, uint64_t lo, uint64_t hi)
{
	npu_store(&h->bad_lo, lo);
	npu_store(&h->bad_hi, hi);
}

struct th_space *th_space_new(struct testhost *h, uint32_t id)
{
	struct th_space *s = calloc(1, sizeof(*s));

	s->host = h;
	s->id = id;
	s->root = th_hbm(h, NPU_PAGE_SIZE, NPU_PAGE_SIZE);
	s->next_va = NPU_VA_START;
	if (npu_ctx_set(h->core, id, s->root) != NPU_ST_OK)
		abort();
	return s;
}

/* The entry of @va at @level; tables above it are made as needed. */
uint64_t *th_pte(struct th_space *s, uint64_t va, int level)
{
	uint64_t table = s->root;
	int i;

	for (i = NPU_PT_LEVELS - 1;; i--) {
		uint64_t *pte = (uint64_t *)(s->host->hbm + table) + NPU_PT_INDEX(va, i);

		if (i == level)
			return pte;
		if (!*pte)
			*pte = th_hbm(s->host, NPU_PAGE_SIZE, NPU_PAGE_SIZE) | NPU_PTE_VALID;
		table = *pte & NPU_PTE_ADDRESS;
	}
}

/* In the largest pages that fit. */
void th_map(struct th_space *s, uint64_t va, uint64_t phys, uint64_t size, uint64_t flags)
{
	uint64_t n;
	int level;

	for (; size; va += n, phys += n, size -= n) {
		for (level = 2; level; level--) {
			n = 1ULL << NPU_PT_SHIFT(level);
			if (!((va | phys) & (n - 1)) && size >= n)
				break;
		}
		n = 1ULL << NPU_PT_SHIFT(level);
		*th_pte(s, va, level) = phys | flags | NPU_PTE_VALID | NPU_PTE_LEAF;
	}
}

void th_unmap(struct th_space *s, uint64_t va, uint64_t size)
{
	for (; size; va += NPU_PAGE_SIZE, size -= NPU_PAGE_SIZE)
		npu_store(th_pte(s, va, 0), 0);
}

void th_invalidate(struct th_space *s)
{
	th_write(s->host, NPU_REG_INV_CONTEXT, s->id);
	th_write(s->host, NPU_REG_INV_CMD, NPU_INV_CMD_START);
	while (th_read(s->host, NPU_REG_INV_STATUS) & NPU_INV_STATUS_BUSY)
		;
}

static uint64_t give_va(struct th_space *s, uint64_t size)
{
	uint64_t va = s->next_va;

	s->next_va += size + NPU_PAGE_SIZE; /* a hole behind each */
	return va;
}

uint64_t th_alloc(struct th_space *s, uint64_t size, void **host)
{
	uint64_t phys, va;

	size = (size + NPU_PAGE_SIZE - 1) & ~(NPU_PAGE_SIZE - 1);
	phys = th_hbm(s->host, size, NPU_PAGE_SIZE);
	va = give_va(s, size);
	th_map(s, va, phys, size, TH_RWX);
	if (host)
		*host = s->host->hbm + phys;
	return va;
}

uint64_t th_alloc_ram(struct th_space *s, uint64_t size, void **host)
{
	uint64_t phys, va;

	size = (size + NPU_PAGE_SIZE - 1) & ~(NPU_PAGE_SIZE - 1);
	phys = th_ram(s->host, size);
	va = give_va(s, size);
	th_map(s, va, phys, size, TH_RWX | NPU_PTE_SYSTEM);
	if (host)
		*host = th_ram_ptr(s->host, phys);
	return va;
}

uint64_t th_code(struct th_space *s, const uint32_t *insns, unsigned int count)
{
	void *host;
	uint64_t va = th_alloc(s, count * sizeof(*insns), &host);

	memcpy(host, insns, count * sizeof(*insns));
	return va;
}

struct th_cq *th_cq_new(struct testhost *h, uint32_t id, uint32_t entries, unsigned int vector)
{
	struct th_cq *cq = calloc(1, sizeof(*cq));
	uint64_t base = th_ram(h, entries * sizeof(struct npu_cqe));

	cq->host = h;
	cq->id = id;
	cq->entries = entries;
	cq->vector = vector;
	cq->ring = th_ram_ptr(h, base);
	if (npu_cq_create(h->core, id, base, entries, vector) != NPU_ST_OK)
		abort();
	return cq;
}

struct th_queue *th_queue_cfg(struct testhost *h, uint32_t id, struct npu_queue_config cfg,
			      struct th_cq *cq)
{
	struct th_queue *q = calloc(1, sizeof(*q));

	q->host = h;
	q->id = id;
	q->entries = cfg.entries;
	q->context = cfg.context;
	q->cq = cq;
	cfg.cq = cq->id;
	cfg.base = th_ram(h, cfg.entries * sizeof(struct npu_sqe));
	cfg.status_block = th_ram(h, sizeof(struct npu_fault));
	q->ring = th_ram_ptr(h, cfg.base);
	q->fault = th_ram_ptr(h, cfg.status_block);
	if (npu_queue_create(h->core, id, &cfg) != NPU_ST_OK)
		abort();
	return q;
}

struct th_queue *th_queue_new(struct th_space *s, uint32_t id, uint32_t entries, struct th_cq *cq)
{
	struct npu_queue_config cfg = {
		.entries = entries,
		.context = s->id,
		.priority = NPU_PRIORITY_NORMAL,
	};
	struct th_queue *q = th_queue_cfg(s->host, id, cfg, cq);

	q->lists = th_alloc(s, LIST_BYTES, NULL);
	return q;
}

struct th_rig th_rig_new(struct testhost *h, uint32_t entries)
{
	struct th_rig r = { .h = h };

	r.s = th_space_new(h, 1);
	r.cq = th_cq_new(h, 0, 64, 1);
	r.q = th_queue_new(r.s, 1, entries, r.cq);
	return r;
}

struct th_rig th_rig_pair(struct testhost *h, uint32_t entries)
{
	struct th_rig r = th_rig_new(h, entries);

	r.cq2 = th_cq_new(h, 1, 64, 2);
	r.p = th_queue_new(r.s, 2, entries, r.cq2);
	r.va = th_alloc(r.s, 0x10000, (void **)&r.words);
	return r;
}

void th_rig_free(struct th_rig *r)
{
	th_free(r->h);
	free(r->q);
	free(r->p);
	free(r->cq);
	free(r->cq2);
	free(r->s);
}

void th_ring(struct th_queue *q)
{
	th_write(q->host, NPU_DB_SQ_TAIL(q->id), q->tail);
}

/* The next entry of the ring, cleared; th_ring() hands it over. */
struct npu_sqe *th_sqe(struct th_queue *q)
{
	struct npu_sqe *sqe = &q->ring[q->tail % q->entries];

	memset(sqe, 0, sizeof(*sqe));
	sqe->cookie = (uint64_t)q->id << 32 | q->tail;
	q->tail++;
	return sqe;
}

/* Translate for the test, which knows that its memory is HBM and mapped. */
static void *va_ptr(struct th_queue *q, uint64_t va)
{
	struct npu_context *ctx = &q->host->core->contexts[q->context];
	struct th_space s = { .host = q->host, .root = ctx->root };
	uint64_t pte = *th_pte(&s, va, 0);

	return q->host->hbm + (pte & NPU_PTE_ADDRESS) + (va & (NPU_PAGE_SIZE - 1));
}

uint64_t th_push(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count)
{
	uint64_t list = q->lists + q->tail % 64 * (LIST_BYTES / 64);
	struct npu_sqe *sqe = th_sqe(q);
	unsigned int i;

	for (i = 0; i < count; i++)
		memcpy(va_ptr(q, list + i * sizeof(*cmds)), &cmds[i], sizeof(*cmds));
	sqe->opcode = NPU_SQE_EXEC;
	sqe->count = count;
	sqe->list = list;
	return sqe->cookie;
}

uint64_t th_submit(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count)
{
	uint64_t cookie = th_push(q, cmds, count);

	th_ring(q);
	return cookie;
}

static bool cqe_there(struct th_cq *cq)
{
	struct npu_cqe *e = &cq->ring[cq->head % cq->entries];
	uint64_t last = npu_load_acquire((uint64_t *)&e->queue);
	bool phase = !(cq->head & cq->entries);

	return (last >> 48 & NPU_CQE_PHASE) == phase;
}

static void until(struct timespec *t, unsigned int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * 1000000L;
	if (t->tv_nsec >= 1000000000L) {
		t->tv_nsec -= 1000000000L;
		t->tv_sec++;
	}
}

uint32_t th_cq_wait(struct th_cq *cq, struct npu_cqe *cqe, unsigned int ms)
{
	struct testhost *h = cq->host;
	struct timespec end;
	bool there;

	until(&end, h->cfg.sync ? 0 : ms);
	pthread_mutex_lock(&h->lock);
	while (!(there = cqe_there(cq)))
		if (pthread_cond_timedwait(&h->irq, &h->lock, &end) == ETIMEDOUT)
			break;
	there = there || cqe_there(cq);
	pthread_mutex_unlock(&h->lock);
	if (!there)
		return TH_NOTHING;
	*cqe = cq->ring[cq->head++ % cq->entries];
	th_write(h, NPU_DB_CQ_HEAD(cq->id), cq->head);
	return cqe->status;
}

uint32_t th_wait(struct th_queue *q)
{
	return th_cq_wait(q->cq, &q->cqe, WAIT_MS);
}

uint32_t th_run(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count)
{
	th_submit(q, cmds, count);
	return th_wait(q);
}

enum npu_queue_state th_state(struct th_queue *q)
{
	struct npu_queue_info info;

	npu_queue_query(q->host->core, q->id, &info);
	return info.state;
}

bool th_wait_state(struct th_queue *q, enum npu_queue_state state)
{
	uint64_t end = th_now_ns() + WAIT_MS * TH_MS;

	while (th_state(q) != state)
		if (th_now_ns() > end)
			return false;
	return true;
}

bool th_wait_dma(struct testhost *h, unsigned long dmas)
{
	uint64_t end = th_now_ns() + WAIT_MS * TH_MS;

	while (npu_load(&h->dmas) == dmas)
		if (th_now_ns() > end)
			return false;
	return true;
}

void th_queue_free(struct th_queue *q)
{
	if (npu_queue_destroy(q->host->core, q->id) == NPU_MCU_BUSY)
		th_wait_state(q, NPU_QUEUE_NONE);
	free(q);
}

struct npu_cmd th_copy(uint64_t dst, uint64_t src, uint64_t bytes)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_COPY,
		.copy = { .dst = dst, .src = src, .row_bytes = bytes, .rows = 1 },
	};
}

struct npu_cmd th_fill(uint64_t dst, uint64_t bytes, uint64_t pattern, uint32_t pattern_bytes)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_FILL,
		.fill = { .dst = dst, .row_bytes = bytes, .rows = 1, .pattern = pattern,
			  .pattern_bytes = pattern_bytes },
	};
}

struct npu_cmd th_kernel(uint64_t entry, uint64_t args, uint32_t blocks)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_KERNEL,
		.kernel = { .entry = entry, .args = args, .blocks = blocks },
	};
}

struct npu_cmd th_sem(unsigned int opcode, uint64_t address, uint64_t value, uint32_t op)
{
	return (struct npu_cmd){
		.opcode = opcode,
		.sem = { .address = address, .value = value, .op = op },
	};
}

struct npu_cmd th_store(uint64_t address, uint64_t value, uint32_t bytes)
{
	return (struct npu_cmd){
		.opcode = NPU_CMD_WRITE,
		.write = { .address = address, .value = value, .bytes = bytes },
	};
}

struct npu_cmd th_simple(unsigned int opcode)
{
	return (struct npu_cmd){ .opcode = opcode };
}
