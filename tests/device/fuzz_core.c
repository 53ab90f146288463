// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: what a guest can do to the device, in sync mode. An input is a sequence of
 * actions: registers, ring entries, commands, page tables, programs, objects, faults of the bus.
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address -DNPU_LIBFUZZER. Else a program of its own:
 *	fuzz_core [inputs [seed]]
 */
#include "testhost.h"
#include "tile_isa.h"

#define QUEUES		4
#define CONTEXTS	2
#define LIST_CMDS	32
#define ARENA		0x200000ULL	/* HBM that page tables are made to point to */
#define CANARY_SIZE	0x1000
#define CAP_NS		50000
#define SLIDE		0x100		/* bytes in which programs may begin */
#define TILE_STEPS	8
#define INPUT_MAX	4096
#define INPUTS_DEFAULT	4000

struct input {
	const uint8_t *data;
	size_t left;
};

struct rig {
	struct testhost *h;
	struct th_space *s[CONTEXTS];
	struct th_cq *cq;
	struct th_queue *q[QUEUES];
	uint64_t arena;
	uint64_t *words[CONTEXTS];	/* lists, programs and data: one megabyte each */
	uint64_t *leaves[CONTEXTS];	/* table of the entries that map them */
	uint64_t va[CONTEXTS];
	uint8_t *canary;
};

static const uint8_t vector_opcodes[] = {
	NPU_VMOV, NPU_VNEG, NPU_VABS, NPU_VRELU, NPU_VEXP, NPU_VLN, NPU_VSQRT, NPU_VRSQRT,
	NPU_VRECIP, NPU_VTANH, NPU_VERF, NPU_VNOT, NPU_VDUP, NPU_VINDEX, NPU_VADD, NPU_VSUB,
	NPU_VMUL, NPU_VDIV, NPU_VMAX, NPU_VMIN, NPU_VMLA, NPU_VAND, NPU_VOR, NPU_VXOR, NPU_VSHL,
	NPU_VSHR, NPU_VMADD, NPU_VFMA, NPU_VCMP_EQ, NPU_VCMP_NE, NPU_VCMP_LT, NPU_VCMP_LE,
	NPU_VCMP_GT, NPU_VCMP_GE, NPU_VSELECT, NPU_VCAST, NPU_VSUM, NPU_VREDMAX, NPU_VREDMIN,
	NPU_VARGMAX, NPU_VARGMIN, NPU_VDOT, NPU_VSUMSQ,
};
static unsigned int vector_runs[256];	/* how often each was carried out */
static unsigned int scaled_runs;
static struct tile_isa counting_isa;
static void (*real_vector)(const struct tile_vec *args);

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--) {
		v = v << 8;
		if (in->left) {
			v |= *in->data++;
			in->left--;
		}
	}
	return v;
}

/* Values that matter more often than others do. */
static uint64_t value(struct input *in, const struct rig *r)
{
	switch (take(in, 1) % 12) {
	case 0:
		return 0;
	case 1:
		return take(in, 1);
	case 2:
		return take(in, 2);
	case 3:
		return take(in, 4);
	case 4:
		return take(in, 8);
	case 5:
		return ~0ULL - take(in, 1);
	case 6:
		return 1ULL << take(in, 1) % 64;
	case 7:
		return NPU_VA_END - take(in, 2);
	case 8:
		return TH_RAM_BASE + take(in, 3);
	case 9:
		return TH_HBM_SIZE - NPU_FW_REGION_SIZE + (int16_t)take(in, 2);
	default:
		return r->va[take(in, 1) % CONTEXTS] + take(in, 3) % 0x100000;
	}
}

static void fuzz_register(struct rig *r, struct input *in)
{
	static const unsigned int sizes[] = { 4, 4, 4, 8, 2, 1 };
	unsigned int size = sizes[take(in, 1) % 6];
	uint64_t offset;

	switch (take(in, 1) % 4) {
	case 0:
		offset = NPU_DB_SQ_TAIL(take(in, 2) % 2100);
		break;
	case 1:
		offset = NPU_DB_CQ_HEAD(take(in, 1));
		break;
	default:
		offset = take(in, 2) % 0x1100;
		break;
	}
	if (take(in, 1) & 1)
		npu_core_mmio_read(r->h->core, offset, size);
	else
		npu_core_mmio_write(r->h->core, offset, value(in, r), size);
}

/* Mostly an address that context @ctx has. */
static uint64_t address(struct input *in, const struct rig *r, unsigned int ctx)
{
	if (take(in, 1) < 8)
		return value(in, r);
	return r->va[ctx] + 0x40000 + take(in, 2) % 0x8000;
}

static struct npu_cmd fuzz_cmd(struct rig *r, struct input *in, unsigned int ctx)
{
	struct npu_cmd c = { .opcode = take(in, 1) % 100 * NPU_CMD_COUNT / 99 };
	uint64_t shape = take(in, 1);

	c.flags = take(in, 1) > 4 ? take(in, 1) & 1 : take(in, 1);
	c.timeout_us = take(in, 1);
	switch (c.opcode) {
	case NPU_CMD_KERNEL:
		c.kernel.entry = r->va[ctx] + 0x80000 + (take(in, 1) & ~1ULL);
		c.kernel.args = address(in, r, ctx);
		c.kernel.blocks = 1 + take(in, 1) % 16;
		c.kernel.max_cores = take(in, 1) % 4;
		if (take(in, 1) & 1)
			c.kernel.strict = address(in, r, ctx) & ~(take(in, 1) > 4 ? 63ULL : 0);
		break;
	case NPU_CMD_COPY:
		c.copy.dst = address(in, r, ctx);
		c.copy.src = address(in, r, ctx);
		c.copy.row_bytes = shape > 250 ? value(in, r) : take(in, 1);
		c.copy.rows = shape > 252 ? value(in, r) : take(in, 1);
		c.copy.dst_pitch = shape > 248 ? value(in, r) : take(in, 1);
		c.copy.src_pitch = shape > 245 ? value(in, r) : take(in, 1);
		break;
	case NPU_CMD_FILL:
		c.fill.dst = address(in, r, ctx) & ~7ULL;
		c.fill.row_bytes = (shape > 250 ? value(in, r) : take(in, 2)) & ~7ULL;
		c.fill.rows = shape > 252 ? value(in, r) : take(in, 1);
		c.fill.dst_pitch = (shape > 248 ? value(in, r) : take(in, 2)) & ~7ULL;
		c.fill.pattern = take(in, 2);
		c.fill.pattern_bytes = 1 << shape % 4;
		break;
	case NPU_CMD_SEM_WAIT:
	case NPU_CMD_SEM_SIGNAL:
		c.sem.address = address(in, r, ctx) & ~7ULL;
		c.sem.value = take(in, 1) % 4;
		c.sem.op = take(in, 1) % 3;
		break;
	case NPU_CMD_WRITE:
	case NPU_CMD_TIMESTAMP:
		c.write.address = address(in, r, ctx) & ~7ULL;
		c.write.bytes = 8;
		c.write.value = c.opcode == NPU_CMD_WRITE ? value(in, r) : 0;
		break;
	case NPU_CMD_BRANCH:
		c.branch.address = address(in, r, ctx) & ~7ULL;
		c.branch.value = take(in, 1) % 4;
		c.branch.op = take(in, 1) % 3;
		c.branch.offset = take(in, 1) % 16 - 8;
		break;
	case NPU_CMD_REDUCE:
		c.reduce.dst = address(in, r, ctx) & ~3ULL;
		c.reduce.src = address(in, r, ctx) & ~3ULL;
		c.reduce.bytes = (shape > 250 ? value(in, r) : take(in, 2)) & ~3ULL;
		c.reduce.type = shape % NPU_DTYPE_COUNT;
		c.reduce.op = take(in, 1) % 3;
		break;
	}
	if (shape >= 240)
		c.raw[shape % 6] ^= value(in, r);
	return c;
}

/* Mostly an address near the start of the local buffer at @base. */
static uint64_t local(struct input *in, const struct rig *r, uint64_t base)
{
	unsigned int shape = take(in, 1);

	if (shape < 4)
		return value(in, r);
	return base + take(in, 1) * (shape < 8 ? 1 : NPU_TILE_ALIGN);
}

static uint64_t vector_config(struct input *in)
{
	unsigned int opcode = vector_opcodes[take(in, 1) % sizeof(vector_opcodes)];
	unsigned int shape = take(in, 1);
	uint64_t config = NPU_PREP(NPU_VEC_OPCODE, (uint64_t)opcode) |
			  NPU_PREP(NPU_VEC_DTYPE, take(in, 1) % NPU_DTYPE_COUNT) |
			  NPU_PREP(NPU_VEC_COUNT, take(in, shape < 16 ? 2 : 1));

	if (opcode == NPU_VCAST)
		config |= NPU_PREP(NPU_VEC_DST_DTYPE, take(in, 1) % NPU_DTYPE_COUNT);
	if (shape % 4 == 1 || opcode == NPU_VDUP || opcode == NPU_VINDEX)
		config |= NPU_VEC_SCALAR;
	if (shape % 4 == 2)
		config |= NPU_VEC_PER_ROW;
	if (shape % 16 > 11)
		config |= NPU_VEC_SCALED;
	return shape > 250 ? config ^ 1ULL << take(in, 1) % 64 : config;
}

/* Operands of an instruction of the transfer engines, which is returned. */
static unsigned int fuzz_mte(struct rig *r, struct input *in, unsigned int ctx, uint64_t *op)
{
	unsigned int funct3 = take(in, 1) % 3;
	uint64_t other = take(in, 1) & 1 ? NPU_L1_BASE : NPU_UB_BASE;

	switch (funct3) {
	case NPU_MTE_COPY:
		op[0] = local(in, r, other);
		op[1] = address(in, r, ctx);
		if (take(in, 1) & 1) {
			op[1] = op[0];
			op[0] = address(in, r, ctx);
		}
		op[2] = take(in, 1) | (take(in, 1) & 7) << 32;
		op[3] = (take(in, 1) << 32 | take(in, 1)) * NPU_TILE_ALIGN;
		break;
	case NPU_MTE_LOAD0:
		op[0] = local(in, r, take(in, 1) & 1 ? NPU_L0A_BASE : NPU_L0B_BASE);
		op[1] = local(in, r, NPU_L1_BASE);
		op[2] = take(in, 1) | take(in, 1) << 16 | take(in, 1) * NPU_TILE_ALIGN << 32;
		op[3] = take(in, 1) * NPU_TILE_ALIGN | (take(in, 1) & 0x17) << 32;
		break;
	default:
		op[0] = local(in, r, take(in, 1) & 1 ? NPU_L0C_BASE : other);
		op[1] = take(in, 8);
		op[2] = take(in, 2) & ~7ULL;
		op[3] = 1 << take(in, 1) % 4;
		break;
	}
	return funct3;
}

static unsigned int fuzz_cube(struct rig *r, struct input *in, unsigned int ctx, uint64_t *op)
{
	unsigned int funct3 = take(in, 1) % 2;

	if (funct3 == NPU_CUBE_MMAD) {
		op[0] = local(in, r, NPU_L0C_BASE);
		op[1] = local(in, r, NPU_L0A_BASE);
		op[2] = local(in, r, NPU_L0B_BASE);
		op[3] = take(in, 1) % 80 | take(in, 1) % 80 << 12 | take(in, 1) % 80 << 24 |
			NPU_PREP(NPU_MMAD_DTYPE, take(in, 1) % NPU_DTYPE_COUNT) |
			(take(in, 1) & 1 ? NPU_MMAD_INIT : 0);
	} else {
		op[0] = take(in, 1) & 1 ? address(in, r, ctx) : local(in, r, NPU_UB_BASE);
		op[1] = local(in, r, NPU_L0C_BASE);
		op[2] = take(in, 1) % 64 | take(in, 1) % 64 << 16 |
			take(in, 1) * NPU_TILE_ALIGN << 32;
		op[3] = take(in, 1) % 8 * 16 | (take(in, 1) & 1 ? NPU_S32 : NPU_F32);
	}
	return funct3;
}

static unsigned int fuzz_vector(struct rig *r, struct input *in, uint64_t *op)
{
	unsigned int funct3 = take(in, 1) % 6, i;

	op[0] = local(in, r, NPU_UB_BASE);
	op[1] = local(in, r, NPU_UB_BASE);
	op[2] = local(in, r, NPU_UB_BASE);
	op[3] = vector_config(in);
	if (funct3 == NPU_VEC_REPEAT) {
		for (i = 0; i < 4; i++)
			op[i] = take(in, 1) % 32 * NPU_TILE_ALIGN;
		op[1] /= NPU_TILE_ALIGN;
	} else if (funct3 == NPU_VEC_MASK) {
		op[2] = take(in, 1) % 4 * NPU_TILE_ALIGN;
	} else if (funct3 == NPU_VEC_SCALE) {
		op[1 + take(in, 1) % 2] *= take(in, 1) & 1;
		op[3] = take(in, 1) % 4 * NPU_TILE_ALIGN;
	} else {
		funct3 = NPU_VEC_OP;
	}
	return funct3;
}

static void make_queue(struct rig *r, unsigned int i)
{
	struct npu_queue_config cfg = { .entries = 16, .context = i % CONTEXTS, .priority = i,
					.timeout_us = 100 };

	r->q[i] = th_queue_cfg(r->h, i, cfg, r->cq);
}

/* A queue that works: a fault or another action may have ended it. */
static struct th_queue *queue(struct rig *r, unsigned int i)
{
	struct npu_queue_info info;
	uint64_t ram = r->h->ram_next;

	npu_queue_query(r->h->core, i, &info);
	if (info.state != NPU_QUEUE_FAULTED)
		return r->q[i];
	npu_queue_destroy(r->h->core, i);
	free(r->q[i]);
	if (!r->h->core->contexts[i % CONTEXTS].valid)
		npu_ctx_set(r->h->core, i % CONTEXTS, r->s[i % CONTEXTS]->root);
	if (!r->h->core->cqs[0].valid)
		npu_cq_create(r->h->core, 0, TH_RAM_BASE, 256, 1);
	make_queue(r, i);
	r->h->ram_next = ram;
	return r->q[i];
}

/* Have a list run that begins in page @where of the context. */
static void fuzz_entry(struct rig *r, struct input *in, struct th_queue *q, unsigned int where,
		       unsigned int count)
{
	struct npu_sqe *sqe = th_sqe(q);

	sqe->opcode = NPU_SQE_EXEC;
	sqe->count = count;
	sqe->list = r->va[q->context] + where * 0x1000;
	if (take(in, 1) > 250)
		((uint8_t *)sqe)[take(in, 1) % 64] ^= take(in, 1);
	sqe->count %= 0x1000;
	sqe->timeout_us %= 1000;
	th_ring(q);
	th_write(r->h, NPU_DB_CQ_HEAD(0), r->h->core->cqs[0].tail);
}

static void fuzz_list(struct rig *r, struct input *in)
{
	struct th_queue *q = queue(r, take(in, 1) % QUEUES);
	unsigned int n = 1 + take(in, 1) % LIST_CMDS, i;
	unsigned int where = take(in, 1) % 16;
	struct npu_cmd cmd;

	for (i = 0; i < n && in->left; i++) {
		cmd = fuzz_cmd(r, in, q->context);
		memcpy((char *)r->words[q->context] + where * 0x1000 + i * sizeof(cmd), &cmd,
		       sizeof(cmd));
	}
	fuzz_entry(r, in, q, where, i);
}

/*
 * A program of tile instructions whose operands are nearly right; noise seldom gets past the
 * checks. Their operands are a table a page behind it; wherever it is entered, it slides there.
 * It runs at once, and may run again in lists.
 */
static void fuzz_tile(struct rig *r, struct input *in)
{
	struct th_queue *q = queue(r, take(in, 1) % QUEUES);
	unsigned int ctx = q->context, steps = 1 + take(in, 1) % TILE_STEPS, i, j;
	struct npu_cmd cmd = th_kernel(r->va[ctx] + 0x80000, address(in, r, ctx),
				       1 + take(in, 1) % 4);
	uint16_t *slide = (uint16_t *)((char *)r->words[ctx] + 0x80000);
	uint32_t *code = (uint32_t *)(slide + SLIDE / 2);
	uint64_t *table = (uint64_t *)(code + 0x1000 / 4);
	unsigned int major, funct3;

	for (i = 0; i < SLIDE / 2; i++)
		slide[i] = RV_C_NOP;
	*code++ = RV_AUIPC(RV_T0, 1);
	for (i = 0; i < steps; i++, table += 4) {
		major = npu_min(take(in, 1) % 4, 2);
		if (major == 0)
			funct3 = fuzz_mte(r, in, ctx, table);
		else if (major == 1)
			funct3 = fuzz_cube(r, in, ctx, table);
		else
			funct3 = fuzz_vector(r, in, table);
		for (j = 0; j < 4; j++)
			*code++ = RV_LD(20 + j, RV_T0, 32 * i + 8 * j);
		*code++ = RV_CUSTOM(major, funct3, 20, 21, 22, 23);
	}
	*code = RV_ECALL;
	if (take(in, 1) % 4 == 0)
		cmd.kernel.strict = address(in, r, ctx) & ~63ULL;
	memcpy(r->words[ctx], &cmd, sizeof(cmd));
	fuzz_entry(r, in, q, 0, 1);
}

/* Programs: whole instructions more often than noise, with tile instructions among them. */
static void fuzz_code(struct rig *r, struct input *in)
{
	static const uint8_t opcodes[] = {
		0x13, 0x33, 0x03, 0x23, 0x63, 0x6f, 0x67, 0x17, 0x37, 0x2f, 0x0b, 0x2b, 0x5b, 0x7b,
		0x53, 0x07, 0x27, 0x43, 0x0f, 0x73, 0x1b, 0x3b,
	};
	uint8_t *at = (uint8_t *)r->words[take(in, 1) % CONTEXTS] + 0x80000 + take(in, 1) % 64 * 2;
	unsigned int n = take(in, 1) % 64;
	uint32_t insn;

	while (n-- && in->left) {
		insn = take(in, 4);
		if (take(in, 1) % 4)
			insn = (insn & ~0x7fu) | opcodes[take(in, 1) % sizeof(opcodes)];
		memcpy(at, &insn, sizeof(insn));
		at += sizeof(insn);
	}
}

static void fuzz_pte(struct rig *r, struct input *in)
{
	unsigned int ctx = take(in, 1) % CONTEXTS;
	struct th_space *s = r->s[ctx];
	uint64_t phys = r->arena + take(in, 3) % ARENA;
	uint64_t pte = take(in, 2) & 0x7f;

	if (take(in, 1) % 2)
		pte |= phys & ~(NPU_PAGE_SIZE - 1);
	else
		pte |= value(in, r) & NPU_PTE_ADDRESS;
	if (take(in, 1) > 240)
		pte = take(in, 8);
	switch (take(in, 1) % 3) {
	case 0:
		((uint64_t *)(r->h->hbm + s->root))[take(in, 1) % 4] = pte;
		break;
	case 1:
		((uint64_t *)(r->h->hbm + r->arena))[take(in, 3) % (ARENA / 8)] = pte;
		break;
	default:
		r->leaves[ctx][take(in, 1)] = pte;
		break;
	}
	th_write(r->h, NPU_REG_INV_CONTEXT, s->id);
	th_write(r->h, NPU_REG_INV_CMD, NPU_INV_CMD_START);
}

static void fuzz_object(struct rig *r, struct input *in)
{
	struct npu_core *core = r->h->core;
	uint32_t id = take(in, 1) % 8;
	struct npu_queue_info info;
	struct npu_queue_config cfg = {
		.base = TH_RAM_BASE + 0x1000 * (take(in, 2) % 0x4000),
		.status_block = TH_RAM_BASE + 64 * take(in, 2),
		.entries = 1 << take(in, 1) % 13,
		.context = take(in, 1) % 4,
		.cq = take(in, 1) % 4,
		.priority = take(in, 1) % 5,
		.engine = take(in, 1) % 3,
		.core_mask = take(in, 1),
		.timeout_us = take(in, 1),
	};

	switch (take(in, 1) % 10) {
	case 0:
		npu_ctx_set(core, cfg.context, value(in, r));
		break;
	case 1:
		npu_ctx_clear(core, cfg.context);
		break;
	case 2:
		npu_cq_create(core, cfg.cq, cfg.base, cfg.entries, take(in, 1) % 20);
		break;
	case 3:
		npu_cq_destroy(core, cfg.cq);
		break;
	case 4:
	case 5:
		npu_queue_create(core, id, &cfg);
		break;
	case 6:
		npu_queue_destroy(core, id);
		break;
	case 7:
		npu_queue_suspend(core, id);
		break;
	case 8:
		npu_queue_resume(core, id);
		break;
	default:
		npu_queue_query(core, id, &info);
		break;
	}
	npu_sync_run(core);
}

static void fuzz_host(struct rig *r, struct input *in)
{
	struct testhost *h = r->h;
	uint64_t at = TH_RAM_BASE + take(in, 3);

	switch (take(in, 1) % 6) {
	case 0:
		th_dead(h, at, at + take(in, 2));
		break;
	case 1:
		th_dead(h, 0, 0);
		break;
	case 2:
		h->no_map = !h->no_map;
		break;
	case 3:
		h->now += take(in, 4);
		break;
	case 4:
		npu_core_pause(h->core);
		npu_core_resume(h->core);
		break;
	default:
		r->words[take(in, 1) % CONTEXTS][take(in, 2)] = take(in, 8);
		break;
	}
	npu_core_poll(h->core);
}

static void count_vector(const struct tile_vec *args)
{
	vector_runs[args->opcode]++;
	scaled_runs += args->scaled;
	real_vector(args);
}

/* Have cores count the vector operations that they carry out. */
static void watch_vectors(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_aicores; i++) {
		struct npu_aicore *ac = &core->aicores[i];

		if (!ac->ready || ac->tile.isa == &counting_isa)
			continue;
		real_vector = ac->tile.isa->vector;
		counting_isa = *ac->tile.isa;
		counting_isa.vector = count_vector;
		ac->tile.isa = &counting_isa;
	}
}

/* The state each input starts from. */
static void rig_setup(struct rig *r)
{
	struct testhost *h = r->h;
	unsigned int i;

	npu_core_reset(h->core);
	watch_vectors(h->core);
	th_dead(h, 0, 0);
	h->no_map = false;
	memset(h->hbm, 0, h->hbm_next);
	memset(h->ram, 0, h->ram_next - TH_RAM_BASE);
	h->hbm_next = NPU_PAGE_SIZE;
	h->ram_next = TH_RAM_BASE;
	r->cq = th_cq_new(h, 0, 256, 1);
	for (i = 0; i < CONTEXTS; i++) {
		r->s[i] = th_space_new(h, i);
		r->va[i] = th_alloc(r->s[i], 0x100000, (void **)&r->words[i]);
		r->leaves[i] = th_pte(r->s[i], NPU_VA_START, 0);
	}
	r->arena = th_hbm(h, ARENA, ARENA);
	for (i = 0; i < QUEUES; i++)
		make_queue(r, i);
}

static void rig_teardown(struct rig *r)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		free(r->q[i]);
	for (i = 0; i < CONTEXTS; i++)
		free(r->s[i]);
	free(r->cq);
}

static void check(const struct rig *r)
{
	unsigned int i;

	if (r->h->mapped) {
		fprintf(stderr, "%u mappings left\n", r->h->mapped);
		abort();
	}
	for (i = 0; i < CANARY_SIZE; i++) {
		if (r->canary[i] == 0xc5)
			continue;
		fprintf(stderr, "the firmware region was written\n");
		abort();
	}
}

static struct rig *rig_get(void)
{
	static struct rig r;

	if (r.h)
		return &r;
	r.h = th_new(0, 4);
	r.h->core->sync_cap_ns = CAP_NS;
	r.canary = r.h->hbm + TH_HBM_SIZE - NPU_FW_REGION_SIZE;
	memset(r.canary, 0xc5, CANARY_SIZE);
	return &r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct rig *r = rig_get();

	rig_setup(r);
	while (in.left) {
		switch (take(&in, 1) % 16) {
		case 0:
		case 1:
		case 2:
			fuzz_register(r, &in);
			break;
		case 3:
		case 4:
			fuzz_code(r, &in);
			break;
		case 5:
			fuzz_tile(r, &in);
			break;
		case 6:
			fuzz_pte(r, &in);
			break;
		case 7:
			fuzz_object(r, &in);
			break;
		case 8:
			fuzz_host(r, &in);
			break;
		default:
			fuzz_list(r, &in);
			break;
		}
	}
	check(r);
	rig_teardown(r);
	return 0;
}

#ifndef NPU_LIBFUZZER
static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned int rarest_vector(void)
{
	unsigned int rarest = vector_opcodes[0], i;

	for (i = 1; i < sizeof(vector_opcodes); i++)
		if (vector_runs[vector_opcodes[i]] < vector_runs[rarest])
			rarest = vector_opcodes[i];
	return rarest;
}

int main(int argc, char **argv)
{
	unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 0) : INPUTS_DEFAULT, i;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static uint8_t data[INPUT_MAX];
	struct rig *r;
	size_t j, size;

	for (i = 0; i < inputs; i++) {
		uint64_t state = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;

		next(&state);
		size = 1 + next(&state) % INPUT_MAX;
		for (j = 0; j < size; j++)
			data[j] = next(&state) >> 32;
		if (getenv("NPU_FUZZ_VERBOSE"))
			fprintf(stderr, "seed %llu\n", (unsigned long long)(seed + i));
		LLVMFuzzerTestOneInput(data, size);
	}
	r = rig_get();
	ok(npu_load(&r->h->events[NPU_CORE_EV_TASK]) > inputs, "%lu inputs: %u tasks", inputs,
	   r->h->events[NPU_CORE_EV_TASK]);
	ok(npu_load(&r->h->events[NPU_CORE_EV_CQE]) > inputs, "%u completions, %u faults",
	   r->h->events[NPU_CORE_EV_CQE], r->h->events[NPU_CORE_EV_FAULT]);
	i = rarest_vector();
	ok(vector_runs[i], "each vector operation ran: 0x%02lx %u times, VMADD %u, VDOT %u", i,
	   vector_runs[i], vector_runs[NPU_VMADD], vector_runs[NPU_VDOT]);
	ok(scaled_runs, "scaled ones, too: %u", scaled_runs);
	rig_setup(r);
	th_sqe(r->q[0]);
	th_ring(r->q[0]);
	ok(th_wait(r->q[0]) == NPU_ST_OK, "after all the device works");
	rig_teardown(r);
	th_free(r->h);
	return tap_done();
}
#endif
