// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables: sizes, rights, bad entries, what may not be reached, invalidation.
 */
#include <npu/npu_tile.h>

#include "testhost.h"

#define VA (NPU_VA_START + (64ULL << 30))
#define SIZE_2M (2ULL << 20)
#define SIZE_1G (1ULL << 30)
#define SPARSE (NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_SPARSE | NPU_PTE_READ | NPU_PTE_WRITE)

struct rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q;
	unsigned int next;
	uint64_t buffer;	/* scratch memory in the context */
	uint64_t *words;
};

static void queue_renew(struct rig *r)
{
	if (r->q)
		th_queue_free(r->q);
	r->q = th_queue_new(r->s, r->next++, 16, r->cq);
}

static struct rig rig_new(unsigned int workers)
{
	struct rig r = { .next = 1 };

	r.h = th_new(workers, 4);
	r.s = th_space_new(r.h, 1);
	r.cq = th_cq_new(r.h, 0, 64, 1);
	queue_renew(&r);
	r.buffer = th_alloc(r.s, 0x10000, (void **)&r.words);
	return r;
}

static void rig_free(struct rig *r)
{
	th_free(r->h);
	free(r->q);
	free(r->cq);
	free(r->s);
}

/* Status of a read of 8 bytes at @va; the queue is made anew after a fault. */
static uint32_t try_copy(struct rig *r, uint64_t dst, uint64_t src, uint64_t bytes)
{
	struct npu_cmd cmd = th_copy(dst, src, bytes);
	uint32_t status;

	th_invalidate(r->s);
	status = th_run(r->q, &cmd, 1);
	if (status != NPU_ST_OK)
		queue_renew(r);
	return status;
}

static uint32_t try_read(struct rig *r, uint64_t va)
{
	return try_copy(r, r->buffer, va, 8);
}

static uint32_t try_write(struct rig *r, uint64_t va)
{
	return try_copy(r, va, r->buffer, 8);
}

static void test_sizes(struct rig *r)
{
	uint64_t phys = th_hbm(r->h, SIZE_2M, SIZE_2M);
	uint64_t *at = (uint64_t *)(r->h->hbm + phys);
	unsigned int i;

	*th_pte(r->s, VA, 1) = phys | TH_RWX | NPU_PTE_VALID | NPU_PTE_LEAF;
	at[SIZE_2M / 8 - 1] = 0xabc;
	ok(try_read(r, VA + SIZE_2M - 8) == NPU_ST_OK && r->words[0] == 0xabc, "2 MiB page");
	ok(try_read(r, VA + SIZE_2M) == NPU_ST_MMU_READ, "ends where it ends");

	for (i = 0; i < NPU_PTE_CONT_ENTRIES; i++)
		*th_pte(r->s, VA + SIZE_2M + i * NPU_PAGE_SIZE, 0) =
			(phys + 0x10000 + i * NPU_PAGE_SIZE) | TH_RWX | NPU_PTE_VALID |
			NPU_PTE_LEAF | NPU_PTE_CONT;
	at[(0x10000 + 0x8010) / 8] = 0xdef;
	ok(try_read(r, VA + SIZE_2M + 0x8010) == NPU_ST_OK && r->words[0] == 0xdef,
	   "64 KiB page");
	ok(try_copy(r, VA + SIZE_2M, VA, 0x10000) == NPU_ST_OK &&
	   !memcmp(at, at + 0x10000 / 8, 0x10000), "all of it");

	*th_pte(r->s, VA + SIZE_1G, 2) = TH_RAM_BASE | TH_RWX | NPU_PTE_SYSTEM | NPU_PTE_VALID |
		NPU_PTE_LEAF;
	*(uint64_t *)(r->h->ram + TH_RAM_SIZE - 8) = 0x1234;
	ok(try_read(r, VA + SIZE_1G + TH_RAM_SIZE - 8) == NPU_ST_OK && r->words[0] == 0x1234,
	   "1 GiB page, of system memory");
	ok(try_read(r, VA + SIZE_1G + TH_RAM_SIZE) == NPU_ST_BUS,
	   "which the bus does not have all of");
	*th_pte(r->s, VA + SIZE_1G, 2) = 0;
	*th_pte(r->s, VA, 1) = 0;
}

static void test_mixed(struct rig *r)
{
	uint64_t hbm = th_hbm(r->h, 0x2000, 0x1000), ram = th_ram(r->h, 0x2000);
	uint64_t far = th_hbm(r->h, 0x5000, 0x1000) + 0x4000, va = VA + 2 * SIZE_1G;
	unsigned char pattern[0x5000];
	unsigned int i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = i * 7 + i / 256;
	th_map(r->s, va, hbm, 0x2000, TH_RWX);
	th_map(r->s, va + 0x2000, ram, 0x2000, TH_RWX | NPU_PTE_SYSTEM);
	th_map(r->s, va + 0x4000, far, 0x1000, TH_RWX);
	memcpy(r->words, pattern, sizeof(pattern));
	ok(try_copy(r, va + 3, r->buffer, 0x4ff0) == NPU_ST_OK, "copy to HBM, bus and HBM again");
	ok(!memcmp(r->h->hbm + hbm + 3, pattern, 0x1ffd) &&
	   !memcmp(th_ram_ptr(r->h, ram), pattern + 0x1ffd, 0x2000) &&
	   !memcmp(r->h->hbm + far, pattern + 0x3ffd, 0xff3), "each part is where it should be");
	memset(r->words, 0, 0x8000);
	ok(try_copy(r, r->buffer, va + 3, 0x4ff0) == NPU_ST_OK &&
	   !memcmp(r->words, pattern, 0x4ff0), "and back");
}

static void test_rights(struct rig *r)
{
	uint64_t phys = th_hbm(r->h, 0x1000, 0x1000), va = VA;
	struct npu_cmd cmd;

	th_map(r->s, va, phys, 0x1000, NPU_PTE_READ);
	ok(try_read(r, va) == NPU_ST_OK && try_write(r, va) == NPU_ST_MMU_WRITE,
	   "READ allows just that");
	th_map(r->s, va, phys, 0x1000, NPU_PTE_WRITE);
	ok(try_write(r, va) == NPU_ST_OK && try_read(r, va) == NPU_ST_MMU_READ,
	   "WRITE allows just that");
	*(uint32_t *)(r->h->hbm + phys) = RV_ECALL;
	cmd = th_kernel(va, 0, 1);
	th_invalidate(r->s);
	ok(th_run(r->q, &cmd, 1) == NPU_ST_MMU_EXEC && r->q->fault->address == va &&
	   r->q->fault->access == NPU_ACCESS_EXEC && r->q->fault->unit == NPU_UNIT_SCALAR,
	   "code needs EXEC");
	queue_renew(r);
	th_map(r->s, va, phys, 0x1000, NPU_PTE_EXEC);
	th_invalidate(r->s);
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK, "and nothing more");
	ok(try_read(r, va) == NPU_ST_MMU_READ, "EXEC does not allow to read");
	th_unmap(r->s, va, 0x1000);
	ok(try_read(r, va) == NPU_ST_MMU_READ, "an unmapped page is not there");
}

static bool is_byte(const void *at, unsigned char byte, size_t bytes)
{
	const unsigned char *p = at;

	while (bytes && *p == byte)
		p++, bytes--;
	return !bytes;
}

/* Two small sparse pages with memory of both kinds around them. */
static void test_sparse_copy(struct rig *r, uint64_t va)
{
	uint64_t hbm = th_hbm(r->h, 0x1000, 0x1000), ram = th_ram(r->h, 0x1000);
	unsigned char *words = (unsigned char *)r->words;
	struct npu_cmd cmd = th_fill(va, 0x4000, 0x11, 1);

	th_map(r->s, va, hbm, 0x1000, TH_RWX);
	th_map(r->s, va + 0x3000, ram, 0x1000, TH_RWX | NPU_PTE_SYSTEM);
	th_invalidate(r->s);
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK && is_byte(r->h->hbm + hbm, 0x11, 0x1000) &&
	   is_byte(th_ram_ptr(r->h, ram), 0x11, 0x1000), "FILL over sparse pages");
	memset(words, 0x22, 0x4000);
	ok(try_copy(r, r->buffer, va, 0x4000) == NPU_ST_OK && is_byte(words, 0x11, 0x1000) &&
	   is_byte(words + 0x1000, 0, 0x2000) && is_byte(words + 0x3000, 0x11, 0x1000),
	   "COPY from them gives zero, and their neighbours");
	memset(words, 0x33, 0x4000);
	ok(try_copy(r, va, r->buffer, 0x4000) == NPU_ST_OK &&
	   is_byte(r->h->hbm + hbm, 0x33, 0x1000) &&
	   is_byte(th_ram_ptr(r->h, ram), 0x33, 0x1000), "COPY to them, likewise");
	ok(try_copy(r, va + 0x3001, va + 0x1001, 0xfff) == NPU_ST_OK &&
	   is_byte((char *)th_ram_ptr(r->h, ram) + 1, 0, 0xfff),
	   "COPY from a sparse page to the bus");
	ok(try_copy(r, r->buffer, va + 0x1000, 0x2000) == NPU_ST_OK && is_byte(words, 0, 0x2000),
	   "nothing of it has been kept");
}

static void test_sparse_scalar(struct rig *r, uint64_t va)
{
	enum { RV_T3 = 28, RV_T4, RV_T5 };
	static const uint32_t code[] = {
		RV_LD(RV_T0, RV_A0, 0),
		RV_SD(RV_A0, RV_T0, 8), RV_LD(RV_T1, RV_T0, 8), RV_SD(RV_T1, RV_A0, 8),
		RV_AMOADD_D(RV_T1, RV_A0, RV_T0), RV_SD(RV_T1, RV_A0, 16),
		RV_AMOADD_D(RV_T1, RV_A0, RV_T0), RV_SD(RV_T1, RV_A0, 24),
		RV_LR_D(RV_T1, RV_T0), RV_SD(RV_T1, RV_A0, 32),
		RV_SC_D(RV_T1, RV_A0, RV_T0), RV_SD(RV_T1, RV_A0, 40),
		RV_ADDI(RV_T0, RV_T0, 2046), RV_ADDI(RV_T0, RV_T0, 2047),
		RV_SD(RV_A0, RV_T0, 0), RV_LD(RV_T1, RV_T0, 0), RV_SD(RV_T1, RV_A0, 48),
		RV_LD(RV_T3, RV_A0, 64), RV_LD(RV_T4, RV_A0, 72), RV_LD(RV_T5, RV_A0, 80),
		RV_CUSTOM(0, NPU_MTE_COPY, RV_T0, RV_T3, RV_T4, RV_T5),
		RV_SD(RV_A0, RV_T3, 0), RV_CUSTOM(0, NPU_MTE_COPY, RV_T3, RV_T0, RV_T4, RV_T5),
		RV_LD(RV_T1, RV_T3, 0), RV_SD(RV_T1, RV_A0, 56),
		RV_ECALL,
	};
	static const char *const what[] = {
		"load", "atomic", "atomic after another", "lr", "sc succeeds", "misaligned load",
		"MTE COPY",
	};
	struct npu_cmd cmd = th_kernel(th_code(r->s, code, sizeof(code) / 4), r->buffer, 1);
	unsigned int i;

	memset(r->words, 0xff, 64);
	r->words[0] = va;
	r->words[8] = NPU_UB_BASE;
	r->words[9] = 1ULL << 32 | 64;
	r->words[10] = 64ULL << 32 | 64;
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK, "a kernel works on sparse pages");
	for (i = 0; i < 7; i++)
		ok(!r->words[1 + i], "%s finds zero", what[i]);

	cmd = th_kernel(va, 0, 1);
	ok(th_run(r->q, &cmd, 1) == NPU_ST_MMU_EXEC, "code there faults");
	queue_renew(r);
}

static void test_sparse_commands(struct rig *r, uint64_t va)
{
	struct npu_cmd cmds[] = {
		th_sem(NPU_CMD_SEM_SIGNAL, va, 5, NPU_SEM_ADD),
		th_sem(NPU_CMD_SEM_SIGNAL, va, 5, NPU_SEM_SET),
		th_store(va, 7, 8),
		th_simple(NPU_CMD_TIMESTAMP),
		th_sem(NPU_CMD_SEM_WAIT, va, 0, NPU_SEM_EQ),
	};
	struct npu_sqe *sqe;

	cmds[3].write.address = va;
	cmds[3].write.bytes = 8;
	ok(th_run(r->q, cmds, 5) == NPU_ST_OK, "semaphores and values there stay zero");
	/* A sync host's clock stands still. */
	if (!r->h->cfg.sync) {
		cmds[0] = th_sem(NPU_CMD_SEM_WAIT, va, 5, NPU_SEM_GE);
		cmds[0].timeout_us = 1000;
		ok(th_run(r->q, cmds, 1) == NPU_ST_TIMEOUT, "which can be long to wait for");
		queue_renew(r);
	}

	sqe = th_sqe(r->q);
	sqe->opcode = NPU_SQE_EXEC;
	sqe->list = va;
	sqe->count = 64;
	th_ring(r->q);
	ok(th_wait(r->q) == NPU_ST_OK, "a sparse list is of commands that do nothing");
}

static void test_sparse(struct rig *r)
{
	uint64_t va = VA + 8 * SIZE_1G, phys = th_hbm(r->h, 0x1000, 0x1000);
	int level;

	*th_pte(r->s, va + 0x1000, 0) = SPARSE;
	*th_pte(r->s, va + 0x2000, 0) = SPARSE;
	test_sparse_copy(r, va);
	test_sparse_scalar(r, va + 0x1000);
	test_sparse_commands(r, va + 0x1000);

	for (level = 1; level <= 2; level++) {
		uint64_t size = 1ULL << NPU_PT_SHIFT(level), at = va + level * SIZE_1G;

		*th_pte(r->s, at, level) = SPARSE | NPU_PTE_SOFTWARE;
		ok(try_copy(r, at + 1, r->buffer, 0x8000) == NPU_ST_OK &&
		   try_copy(r, r->buffer, at + size - 0x8000, 0x8000) == NPU_ST_OK &&
		   is_byte(r->words, 0, 0x8000), "a sparse page of %llu bytes",
		   (unsigned long long)size);
		ok(try_copy(r, r->buffer, at + size - 8, 16) == NPU_ST_MMU_READ,
		   "ends where it ends");
	}

	*th_pte(r->s, va + 0x1000, 0) = SPARSE & ~NPU_PTE_WRITE;
	ok(try_write(r, va + 0x1000) == NPU_ST_MMU_WRITE, "a sparse page can be read-only");
	*th_pte(r->s, va + 0x1000, 0) = phys | TH_RWX | NPU_PTE_VALID | NPU_PTE_LEAF;
	r->words[0] = 0x5ca1ab1e;
	ok(try_write(r, va + 0x1008) == NPU_ST_OK &&
	   *(uint64_t *)(r->h->hbm + phys + 8) == 0x5ca1ab1e, "and be replaced by a real one");
}

/*
 * Rows almost 4 GiB apart, with more small sparse pages between them than anybody can look at:
 * three tables, again and again.
 */
static void test_sparse_rows(struct rig *r)
{
	static const uint32_t code[] = {
		RV_LD(20, RV_A0, 0), RV_LD(21, RV_A0, 8), RV_LD(22, RV_A0, 16),
		RV_LD(23, RV_A0, 24), RV_LD(24, RV_A0, 32), RV_CUSTOM(0, NPU_MTE_COPY, 20, 21, 22, 23),
		RV_CUSTOM(0, NPU_MTE_COPY, 21, 20, 22, 24), RV_ECALL,
	};
	const uint64_t rows = NPU_UB_SIZE / NPU_TILE_ALIGN, far = 0xfffff000;
	uint64_t va = 64ULL << NPU_PT_SHIFT(3), entry = SPARSE, table, i;
	struct npu_cmd cmd = th_kernel(th_code(r->s, code, 8), r->buffer, 1);
	int level;

	for (level = 0; level < 3; level++) {
		table = th_hbm(r->h, NPU_PAGE_SIZE, NPU_PAGE_SIZE);
		for (i = 0; i < 512; i++)
			((uint64_t *)(r->h->hbm + table))[i] = entry;
		entry = table | NPU_PTE_VALID;
	}
	for (i = 0; i <= rows * far >> NPU_PT_SHIFT(3); i++)
		*th_pte(r->s, va + (i << NPU_PT_SHIFT(3)), 3) = entry;
	r->words[0] = NPU_UB_BASE;
	r->words[1] = va;
	r->words[2] = NPU_PREP(NPU_COPY_ROW_BYTES, 1) | NPU_PREP(NPU_COPY_ROWS, rows);
	r->words[3] = NPU_PREP(NPU_COPY_DST_PITCH, NPU_TILE_ALIGN) |
		      NPU_PREP(NPU_COPY_SRC_PITCH, far);
	r->words[4] = NPU_PREP(NPU_COPY_DST_PITCH, far) |
		      NPU_PREP(NPU_COPY_SRC_PITCH, NPU_TILE_ALIGN);
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK, "rows that are far apart cost no more than others");
}

static void test_edges(struct rig *r)
{
	uint64_t phys = th_hbm(r->h, 0x1000, 0x1000);

	ok(try_read(r, 0) == NPU_ST_MMU_READ, "null faults");
	*th_pte(r->s, 0x1000, 0) = phys | TH_RWX | NPU_PTE_VALID | NPU_PTE_LEAF;
	ok(try_read(r, 0x1000) == NPU_ST_MMU_READ, "below NPU_VA_START even a mapped page does");
	ok(try_read(r, NPU_VA_END) == NPU_ST_MMU_READ, "the end of the address space faults");
	th_map(r->s, NPU_VA_END - 0x1000, phys, 0x1000, TH_RWX);
	ok(try_read(r, NPU_VA_END - 8) == NPU_ST_OK, "its last word does not");
	ok(try_read(r, NPU_VA_END - 4) == NPU_ST_MMU_READ, "half beyond it does");
}

static void test_malformed(struct rig *r)
{
	uint64_t ok_leaf = th_hbm(r->h, 0x1000, 0x1000) | TH_RWX | NPU_PTE_VALID | NPU_PTE_LEAF;
	uint64_t limit = TH_HBM_SIZE - NPU_FW_REGION_SIZE;
	const struct {
		int level;
		uint64_t pte;
		const char *what;
	} bad[] = {
		{ 0, ok_leaf | NPU_BIT(8), "reserved bit 8" },
		{ 0, ok_leaf | NPU_BIT(11), "reserved bit 11" },
		{ 0, ok_leaf | NPU_BIT(52), "reserved bit 52" },
		{ 0, ok_leaf | NPU_BIT(63), "reserved bit 63" },
		{ 0, ok_leaf & ~NPU_PTE_LEAF, "a table pointer at level 0" },
		{ 0, (ok_leaf & ~NPU_PTE_ADDRESS) | 0x3000 | NPU_PTE_CONT,
		  "CONT that is not consecutive" },
		{ 0, (ok_leaf & ~NPU_PTE_ADDRESS) | limit, "the firmware region" },
		{ 0, (ok_leaf & ~NPU_PTE_ADDRESS) | (limit - 0x8000) | NPU_PTE_CONT,
		  "CONT that is misaligned" },
		{ 0, (ok_leaf & ~NPU_PTE_ADDRESS) | TH_HBM_SIZE, "beyond HBM" },
		{ 0, ok_leaf | NPU_PTE_ADDRESS, "far beyond HBM" },
		{ 1, (ok_leaf & ~NPU_PTE_ADDRESS) | 0x1000, "a misaligned 2 MiB page" },
		{ 1, (ok_leaf & ~NPU_PTE_ADDRESS) | NPU_PTE_CONT, "CONT at level 1" },
		{ 1, (ok_leaf & ~NPU_PTE_ADDRESS) | limit, "2 MiB of the firmware region" },
		{ 2, ok_leaf & ~NPU_PTE_ADDRESS, "1 GiB, more than HBM has" },
		{ 3, ok_leaf & ~NPU_PTE_ADDRESS, "a page at level 3" },
		{ 0, SPARSE | NPU_PTE_EXEC, "EXEC in a sparse page" },
		{ 0, SPARSE | NPU_PTE_SYSTEM, "SYSTEM in a sparse page" },
		{ 0, SPARSE | NPU_PTE_CONT, "CONT in a sparse page" },
		{ 0, SPARSE | 0x1000, "a sparse page with an address" },
		{ 0, SPARSE & ~NPU_PTE_LEAF, "a sparse table" },
		{ 3, SPARSE, "a sparse page at level 3" },
		{ 2, 0x1000 | NPU_PTE_VALID | NPU_PTE_READ, "rights in a table pointer" },
		{ 2, 0x1000 | NPU_PTE_VALID | NPU_PTE_SYSTEM, "a table in system memory" },
		{ 2, limit | NPU_PTE_VALID, "a table in the firmware region" },
		{ 2, TH_HBM_SIZE | NPU_PTE_VALID, "a table beyond HBM" },
		{ 2, NPU_PTE_ADDRESS | NPU_PTE_VALID, "a table far beyond HBM" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t va = NPU_VA_START + ((uint64_t)(i + 2) << 39);
		uint32_t status;

		*th_pte(r->s, va, bad[i].level) = bad[i].pte;
		status = try_read(r, va);
		ok(status == NPU_ST_MMU_TABLE, "malformed: %s", bad[i].what);
		*th_pte(r->s, va, bad[i].level) = 0;
	}
	*th_pte(r->s, VA, 0) = ok_leaf | NPU_PTE_SOFTWARE;
	ok(try_read(r, VA) == NPU_ST_OK, "software bits are ignored");
	*th_pte(r->s, VA, 0) = 0;
}

static void test_root(struct rig *r)
{
	struct npu_core *core = r->h->core;
	uint64_t limit = TH_HBM_SIZE - NPU_FW_REGION_SIZE;

	ok(npu_ctx_set(core, 5, 0x1008) == NPU_ST_ADMIN_INVALID, "a misaligned root");
	ok(npu_ctx_set(core, 5, limit) == NPU_ST_ADMIN_INVALID, "a root in the firmware region");
	ok(npu_ctx_set(core, 5, ~0xfffULL) == NPU_ST_ADMIN_INVALID, "a root far outside");
	ok(npu_ctx_set(core, NPU_MAX_CONTEXTS, 0x1000) == NPU_ST_ADMIN_INVALID,
	   "a context that there is not");
	ok(npu_ctx_set(core, 1, 0x1000) == NPU_ST_ADMIN_BUSY, "a context that is set");
	ok(npu_ctx_clear(core, 1) == NPU_ST_ADMIN_BUSY, "a context with a queue stays");
	ok(npu_ctx_clear(core, 5) == NPU_ST_ADMIN_NOENT, "one that is not set cannot be cleared");
	ok(npu_ctx_set(core, 5, limit - 0x1000) == NPU_ST_OK &&
	   npu_ctx_clear(core, 5) == NPU_ST_OK, "the last page will do for a root");
}

static void test_isolation(struct rig *r)
{
	static const uint32_t leave[] = {
		RV_LUI(RV_T0, NPU_UB_BASE >> 12), RV_SD(RV_A0, RV_T0, 64), RV_ECALL,
	};
	static const uint32_t look[] = {
		RV_LUI(RV_T0, NPU_UB_BASE >> 12), RV_LD(RV_T1, RV_T0, 64),
		RV_SD(RV_T1, RV_A0, 0), RV_ECALL,
	};
	struct th_space *other = th_space_new(r->h, 2);
	struct th_queue *q;
	struct npu_cmd cmd;
	uint64_t *words, va;

	/* Both spaces give out the same addresses, for different memory. */
	va = th_alloc(other, 0x10000, (void **)&words);
	q = th_queue_new(other, 200, 16, r->cq);
	words[0] = 0x5ec4e7;
	r->words[0] = 1;
	cmd = th_copy(va, va + 8, 8);
	ok(th_run(q, &cmd, 1) == NPU_ST_OK && !words[0], "a context reaches its own memory");
	cmd = th_copy(r->buffer + 8, va, 8);
	words[0] = 0x5ec4e7;
	th_submit(r->q, &cmd, 1);
	ok(th_wait(r->q) == NPU_ST_OK || r->q->cqe.status == NPU_ST_MMU_READ,
	   "another does not get it by the address");
	ok(r->words[1] != 0x5ec4e7, "nor the contents");
	if (r->q->cqe.status)
		queue_renew(r);

	cmd = th_kernel(th_code(r->s, leave, 3), 0x5ec4e7, 1);
	cmd.kernel.args = 0x5ec4e7;
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK, "a kernel leaves something in UB");
	cmd = th_kernel(th_code(other, look, 4), va, 1);
	words[0] = 77;
	ok(th_run(q, &cmd, 1) == NPU_ST_OK && words[0] == 0,
	   "a kernel of another context does not find it");
	th_queue_free(q);
	ok(npu_ctx_clear(r->h->core, 2) == NPU_ST_OK, "the context can be cleared");
	free(other);
}

/* A copier and a kernel run over a page that is taken away and given back. */
static void test_invalidate(unsigned int workers)
{
	/* for (;;) *a0 += 1, until the page is gone */
	static const uint32_t count[] = {
		RV_LD(RV_T0, RV_A0, 0), RV_ADDI(RV_T0, RV_T0, 1), RV_SD(RV_T0, RV_A0, 0),
		RV_BNE(RV_SP, 0, -12),
	};
	struct rig r = rig_new(workers);
	uint64_t phys = th_hbm(r.h, 0x1000, 0x1000);
	uint64_t *at = (uint64_t *)(r.h->hbm + phys), seen;
	unsigned int i, wrong = 0;
	uint64_t code = th_code(r.s, count, 4);
	struct npu_cmd cmd;

	for (i = 0; i < 50; i++) {
		uint64_t va = VA + i * 0x1000;

		npu_store(at, 0);
		th_map(r.s, va, phys, 0x1000, TH_RWX);
		cmd = th_kernel(code, va, 1);
		th_submit(r.q, &cmd, 1);
		while (npu_load(at) < 1000)
			;
		th_unmap(r.s, va, 0x1000);
		th_invalidate(r.s);
		seen = npu_load(at);
		wrong += th_wait(r.q) != NPU_ST_MMU_READ && r.q->cqe.status != NPU_ST_MMU_WRITE;
		wrong += r.q->fault->address != va;
		wrong += npu_load(at) != seen;
		queue_renew(&r);
	}
	ok(!wrong, "%u workers: after an invalidation the old page is not written", workers);
	rig_free(&r);
}

int main(void)
{
	struct rig r;
	unsigned int workers;

	for (workers = 0; workers <= 2; workers += 2) {
		r = rig_new(workers);
		test_sizes(&r);
		test_mixed(&r);
		test_rights(&r);
		test_sparse(&r);
		test_sparse_rows(&r);
		test_edges(&r);
		test_malformed(&r);
		test_root(&r);
		test_isolation(&r);
		rig_free(&r);
	}
	test_invalidate(1);
	test_invalidate(2);
	return tap_done();
}
