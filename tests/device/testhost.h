/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host for the device core, and the driver's part in small: memory on the bus, page tables,
 * completion rings and queues, made without the firmware.
 */
#ifndef TESTHOST_H
#define TESTHOST_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"
#include "tap.h"

#define TH_HBM_SIZE	(256ULL << 20)
#define TH_RAM_SIZE	(64ULL << 20)
#define TH_RAM_BASE	0x40000000ULL	/* bus address of the first byte of @ram */
#define TH_MS		1000000ULL
#define TH_RWX		(NPU_PTE_READ | NPU_PTE_WRITE | NPU_PTE_EXEC)
#define TH_NOTHING	0xffffffffu	/* th_wait(): no completion came */

/**
 * struct testhost - the host
 * @raised: interrupts so far, by vector
 * @now: virtual clock, of a host in sync mode
 * @frozen: time at which the clock of a threaded host stands, 0 if it goes
 * @no_map: dma_map is refused, as for memory behind an IOMMU
 * @bad_lo: bus addresses from here to @bad_hi fail
 * @dmas: accesses to guest memory so far
 * @debug_out: what was sent to the debugger, by unit
 * @debug_len: of it
 * @debug_stops: how often a unit has stopped for it
 */
struct testhost {
	struct npu_core *core;
	struct npu_core_config cfg;
	uint8_t *hbm, *ram;
	uint64_t hbm_next, ram_next;
	pthread_mutex_t lock;
	pthread_cond_t irq;
	unsigned int raised[NPU_MAX_VECTORS];
	uint64_t now, frozen;
	bool no_map;
	uint64_t bad_lo, bad_hi;
	unsigned long dmas;
	unsigned int events[NPU_CORE_EV_GUEST_ERROR + 1];
	unsigned int mapped;
	char debug_out[NPU_DEBUG_UNITS][0x10000];
	size_t debug_len[NPU_DEBUG_UNITS];
	unsigned int debug_stops[NPU_DEBUG_UNITS];
};

/* What the driver knows of a completion ring and of a queue. */
struct th_cq {
	struct testhost *host;
	uint32_t id, entries, head;
	unsigned int vector;
	struct npu_cqe *ring;
};

struct th_queue {
	struct testhost *host;
	uint32_t id, entries, tail, context;
	struct th_cq *cq;
	struct npu_sqe *ring;
	struct npu_fault *fault;
	struct npu_cqe cqe;
	uint64_t lists;
};

/* An address space. VAs are given out from NPU_VA_START up. */
struct th_space {
	struct testhost *host;
	uint32_t id;
	uint64_t root;
	uint64_t next_va;
};

struct testhost *th_new(unsigned int workers, unsigned int cores);	/* 0 workers: sync mode */
/* With time modelled after a profile, and all the cores that it has. */
struct testhost *th_new_timed(unsigned int workers, const char *profile);
void th_free(struct testhost *h);
uint32_t th_read(struct testhost *h, uint64_t offset);
void th_write(struct testhost *h, uint64_t offset, uint32_t value);

uint64_t th_hbm(struct testhost *h, uint64_t size, uint64_t align);	/* an HBM offset, zeroed */
uint64_t th_ram(struct testhost *h, uint64_t size);			/* a bus address, zeroed */
void *th_ram_ptr(struct testhost *h, uint64_t address);
void th_dead(struct testhost *h, uint64_t lo, uint64_t hi);

struct th_space *th_space_new(struct testhost *h, uint32_t id);
uint64_t *th_pte(struct th_space *s, uint64_t va, int level);
void th_map(struct th_space *s, uint64_t va, uint64_t phys, uint64_t size, uint64_t flags);
void th_unmap(struct th_space *s, uint64_t va, uint64_t size);
void th_invalidate(struct th_space *s);
/* Memory of the context's, mapped for everything; *@host points to it. */
uint64_t th_alloc(struct th_space *s, uint64_t size, void **host);
uint64_t th_alloc_ram(struct th_space *s, uint64_t size, void **host);
uint64_t th_code(struct th_space *s, const uint32_t *insns, unsigned int count);

struct th_cq *th_cq_new(struct testhost *h, uint32_t id, uint32_t entries, unsigned int vector);
struct th_queue *th_queue_cfg(struct testhost *h, uint32_t id, struct npu_queue_config cfg,
			      struct th_cq *cq);
struct th_queue *th_queue_new(struct th_space *s, uint32_t id, uint32_t entries,
			      struct th_cq *cq);
/*
 * struct th_rig - a device with a context and a queue of it, as many tests take it
 * @cq2: of @p, a second queue; the members from here on are of th_rig_pair() only
 * @words: 64 KiB of HBM, at @va
 */
struct th_rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q;
	struct th_cq *cq2;
	struct th_queue *p;
	uint64_t va;
	uint64_t *words;
};

struct th_rig th_rig_new(struct testhost *h, uint32_t entries);
struct th_rig th_rig_pair(struct testhost *h, uint32_t entries);
void th_rig_free(struct th_rig *r);

void th_ring(struct th_queue *q);
struct npu_sqe *th_sqe(struct th_queue *q);
/* Put the commands into a list and an entry for them into the ring; returns its cookie. */
uint64_t th_push(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count);
uint64_t th_submit(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count);
/* Next completion of the ring into q->cqe; its status, or TH_NOTHING after @ms. */
uint32_t th_cq_wait(struct th_cq *cq, struct npu_cqe *cqe, unsigned int ms);
uint32_t th_wait(struct th_queue *q);
uint32_t th_run(struct th_queue *q, const struct npu_cmd *cmds, unsigned int count);
/* Destroy and wait until it is gone. */
void th_queue_free(struct th_queue *q);
enum npu_queue_state th_state(struct th_queue *q);
bool th_wait_state(struct th_queue *q, enum npu_queue_state state);
/* Wait until memory is touched that was so @dmas times. */
bool th_wait_dma(struct testhost *h, unsigned long dmas);
uint64_t th_now_ns(void);

/* RISC-V instructions, by hand. */
#define RV_ECALL		0x00000073u
#define RV_EBREAK		0x00100073u
#define RV_RET			0x00008067u
#define RV_LOOP			0x0000006fu	/* jal x0, 0 */
#define RV_NOP			0x00000013u
#define RV_C_NOP		0x0001u
#define RV_ADDI(rd, rs, imm)	((uint32_t)(imm) << 20 | (rs) << 15 | (rd) << 7 | 0x13)
#define RV_SLLI(rd, rs, n)	((n) << 20 | (rs) << 15 | 1 << 12 | (rd) << 7 | 0x13)
#define RV_SRLI(rd, rs, n)	((n) << 20 | (rs) << 15 | 5 << 12 | (rd) << 7 | 0x13)
#define RV_ADD(rd, a, b)	((b) << 20 | (a) << 15 | (rd) << 7 | 0x33)
#define RV_LUI(rd, imm)		((uint32_t)(imm) << 12 | (rd) << 7 | 0x37)
#define RV_AUIPC(rd, imm)	((uint32_t)(imm) << 12 | (rd) << 7 | 0x17)
#define RV_LD(rd, rs, imm)	((uint32_t)(imm) << 20 | (rs) << 15 | 3 << 12 | (rd) << 7 | 0x03)
#define RV_STORE(f3, src, rs, imm) \
	(((uint32_t)(imm) >> 5 & 0x7f) << 25 | (src) << 20 | (rs) << 15 | (f3) << 12 | \
	 ((imm) & 0x1f) << 7 | 0x23)
#define RV_SD(src, rs, imm)	RV_STORE(3, src, rs, imm)
#define RV_BNE(a, b, offset) \
	(((uint32_t)(offset) >> 12 & 1) << 31 | ((uint32_t)(offset) >> 5 & 0x3f) << 25 | \
	 (b) << 20 | (a) << 15 | 1 << 12 | ((uint32_t)(offset) >> 1 & 0xf) << 8 | \
	 ((uint32_t)(offset) >> 11 & 1) << 7 | 0x63)
#define RV_AMOADD_D(rd, rs2, rs1) ((rs2) << 20 | (rs1) << 15 | 3 << 12 | (rd) << 7 | 0x2f)
#define RV_LR_D(rd, rs1)	(2u << 27 | RV_AMOADD_D(rd, 0, rs1))
#define RV_SC_D(rd, rs2, rs1)	(3u << 27 | RV_AMOADD_D(rd, rs2, rs1))
#define RV_CUSTOM(major, f3, rd, rs1, rs2, rs3) \
	((uint32_t)(rs3) << 27 | (rs2) << 20 | (rs1) << 15 | (f3) << 12 | (rd) << 7 | \
	 (0x7b5b2b0bu >> 8 * (major) & 0xff))
#define RV_A0 10
#define RV_A1 11
#define RV_A2 12
#define RV_T0 5
#define RV_T1 6
#define RV_SP 2

/* Commands. */
struct npu_cmd th_copy(uint64_t dst, uint64_t src, uint64_t bytes);
struct npu_cmd th_fill(uint64_t dst, uint64_t bytes, uint64_t pattern, uint32_t pattern_bytes);
struct npu_cmd th_kernel(uint64_t entry, uint64_t args, uint32_t blocks);
struct npu_cmd th_sem(unsigned int opcode, uint64_t address, uint64_t value, uint32_t op);
struct npu_cmd th_store(uint64_t address, uint64_t value, uint32_t bytes);
struct npu_cmd th_simple(unsigned int opcode);

#endif /* TESTHOST_H */
