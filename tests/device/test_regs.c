// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registers: reset values, access rights, pairs, what is not there, interrupts, configuration.
 */
#include "testhost.h"

static const struct {
	uint32_t offset, value;
	const char *name;
} constants[] = {
	{ NPU_REG_MAGIC, NPU_MAGIC, "MAGIC" },
	{ NPU_REG_HW_VERSION, NPU_HW_VERSION_1_2, "HW_VERSION" },
	{ NPU_REG_FEATURES, NPU_FEATURE_SYNC_MODE | NPU_FEATURE_SPARSE, "FEATURES" },
	{ NPU_REG_NUM_QUEUES, NPU_MAX_QUEUES, "NUM_QUEUES" },
	{ NPU_REG_NUM_CONTEXTS, NPU_MAX_CONTEXTS, "NUM_CONTEXTS" },
	{ NPU_REG_NUM_CQS, 15, "NUM_CQS" },
	{ NPU_REG_NUM_VECTORS, 16, "NUM_VECTORS" },
	{ NPU_REG_NUM_CORES, 4, "NUM_CORES" },
	{ NPU_REG_HBM_SIZE_LO, (uint32_t)TH_HBM_SIZE, "HBM_SIZE_LO" },
	{ NPU_REG_HBM_SIZE_HI, TH_HBM_SIZE >> 32, "HBM_SIZE_HI" },
	{ NPU_REG_FW_REGION_LO, TH_HBM_SIZE - NPU_FW_REGION_SIZE, "FW_REGION_LO" },
	{ NPU_REG_FW_REGION_SIZE, NPU_FW_REGION_SIZE, "FW_REGION_SIZE" },
	{ NPU_REG_TIMESTAMP_FREQ, 1000000000, "TIMESTAMP_FREQ" },
	{ NPU_REG_UB_SIZE, NPU_UB_SIZE, "UB_SIZE" },
	{ NPU_REG_L1_SIZE, NPU_L1_SIZE, "L1_SIZE" },
	{ NPU_REG_L0A_SIZE, NPU_L0A_SIZE, "L0A_SIZE" },
	{ NPU_REG_L0B_SIZE, NPU_L0B_SIZE, "L0B_SIZE" },
	{ NPU_REG_L0C_SIZE, NPU_L0C_SIZE, "L0C_SIZE" },
	{ NPU_REG_SMEM_SIZE, NPU_SMEM_SIZE, "SMEM_SIZE" },
	{ NPU_REG_SERIAL_LO, 0x56789abc, "SERIAL_LO" },
	{ NPU_REG_SERIAL_HI, 0x1234, "SERIAL_HI" },
	{ NPU_REG_BOOT_POST, NPU_POST_ROM_READY, "BOOT_POST" },
	{ NPU_REG_DEV_STATUS, NPU_DEV_STATUS_ROM_READY, "DEV_STATUS" },
	{ NPU_REG_RESET_COUNT, 0, "RESET_COUNT" },
	{ NPU_REG_GUEST_ERRORS, 0, "GUEST_ERRORS" },
};

static const struct {
	uint32_t offset;
	const char *name;
} plain[] = {
	{ NPU_REG_BOOT_IMAGE_LO, "BOOT_IMAGE_LO" },
	{ NPU_REG_BOOT_IMAGE_HI, "BOOT_IMAGE_HI" },
	{ NPU_REG_BOOT_IMAGE_SIZE, "BOOT_IMAGE_SIZE" },
	{ NPU_REG_ASQ_BASE_LO, "ASQ_BASE_LO" },
	{ NPU_REG_ASQ_BASE_HI, "ASQ_BASE_HI" },
	{ NPU_REG_ACQ_BASE_LO, "ACQ_BASE_LO" },
	{ NPU_REG_ACQ_BASE_HI, "ACQ_BASE_HI" },
	{ NPU_REG_ADMIN_ENTRIES, "ADMIN_ENTRIES" },
	{ NPU_REG_ASQ_TAIL, "ASQ_TAIL" },
	{ NPU_REG_ACQ_HEAD, "ACQ_HEAD" },
	{ NPU_REG_INV_CONTEXT, "INV_CONTEXT" },
	{ NPU_REG_INV_VA_LO, "INV_VA_LO" },
	{ NPU_REG_INV_VA_HI, "INV_VA_HI" },
	{ NPU_REG_INV_PAGES, "INV_PAGES" },
	{ NPU_REG_IRQ_ENABLE, "IRQ_ENABLE" },
	{ NPU_REG_IRQ_MODERATION(0), "IRQ_MODERATION(0)" },
	{ NPU_REG_IRQ_MODERATION(15), "IRQ_MODERATION(15)" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_constants(struct testhost *h)
{
	unsigned int i;

	for (i = 0; i < COUNT(constants); i++)
		ok(th_read(h, constants[i].offset) == constants[i].value, "%s",
		   constants[i].name);
	for (i = 0; i < COUNT(constants); i++)
		th_write(h, constants[i].offset, ~constants[i].value);
	for (i = 0; i < COUNT(constants) - 1; i++)
		ok(th_read(h, constants[i].offset) == constants[i].value, "%s is read only",
		   constants[i].name);
	ok(th_read(h, NPU_REG_GUEST_ERRORS) == COUNT(constants),
	   "each of these writes counts as a guest error");
}

static void test_plain(struct testhost *h)
{
	unsigned int i;

	for (i = 0; i < COUNT(plain); i++) {
		uint32_t reset = th_read(h, plain[i].offset);

		th_write(h, plain[i].offset, 0xa5a5f00d + i);
		ok(!reset && th_read(h, plain[i].offset) == 0xa5a5f00d + i, "%s holds a value",
		   plain[i].name);
	}
}

static void test_pairs(struct testhost *h)
{
	npu_core_mmio_write(h->core, NPU_REG_ASQ_BASE_LO, 0x1122334455667788ULL, 8);
	ok(th_read(h, NPU_REG_ASQ_BASE_LO) == 0x55667788 &&
	   th_read(h, NPU_REG_ASQ_BASE_HI) == 0x11223344, "a pair is written as 64 bits");
	ok(npu_core_mmio_read(h->core, NPU_REG_ASQ_BASE_LO, 8) == 0x1122334455667788ULL,
	   "and read");
	ok(npu_core_mmio_read(h->core, NPU_REG_HBM_SIZE_LO, 8) == TH_HBM_SIZE,
	   "a read-only pair is read as 64 bits");
}

static void test_time(struct testhost *h)
{
	uint32_t lo, hi;

	h->now += 0x1fffffff0ULL - npu_core_mmio_read(h->core, NPU_REG_TIMESTAMP_LO, 8);
	lo = th_read(h, NPU_REG_TIMESTAMP_LO);
	h->now += 0x100;
	hi = th_read(h, NPU_REG_TIMESTAMP_HI);
	ok(lo == 0xfffffff0 && hi == 1, "reading the low half of the time latches the high one");
	ok(npu_core_mmio_read(h->core, NPU_REG_TIMESTAMP_LO, 8) == 0x2000000f0ULL,
	   "64 bits of time are read at once");
}

static void test_bad(struct testhost *h)
{
	static const struct {
		uint64_t offset;
		unsigned int size;
		const char *what;
	} bad[] = {
		{ 0x0ffc, 4, "an offset with no register" },
		{ NPU_REG_IRQ_MODERATION(16), 4, "moderation of a vector that is not there" },
		{ NPU_REG_MAGIC, 1, "one byte" },
		{ NPU_REG_MAGIC, 2, "two bytes" },
		{ NPU_REG_MAGIC + 2, 4, "a misaligned word" },
		{ NPU_REG_ASQ_BASE_HI, 8, "64 bits from the upper half on" },
		{ NPU_REG_DEV_STATUS, 8, "64 bits where there is no pair" },
		{ NPU_DB_SQ_TAIL(7) + 4, 4, "beside a doorbell" },
		{ NPU_DB_SQ_TAIL(7), 8, "a doorbell as 64 bits" },
		{ NPU_DB_CQ_HEAD(300), 4, "the doorbell of no ring" },
		{ NPU_MSIX_TABLE_OFFSET, 4, "the MSI-X table, which is the host's" },
		{ NPU_BAR_REGS_SIZE, 4, "the end of the BAR" },
		{ ~0ULL - 3, 4, "the end of everything" },
	};
	uint32_t errors = th_read(h, NPU_REG_GUEST_ERRORS);
	unsigned int events = h->events[NPU_CORE_EV_GUEST_ERROR];
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		uint64_t value = npu_core_mmio_read(h->core, bad[i].offset, bad[i].size);

		npu_core_mmio_write(h->core, bad[i].offset, ~0ULL, bad[i].size);
		errors += 2;
		ok(!value && th_read(h, NPU_REG_GUEST_ERRORS) == errors,
		   "%s: reads zero, and is counted", bad[i].what);
	}
	ok(h->events[NPU_CORE_EV_GUEST_ERROR] - events == 2 * COUNT(bad),
	   "the host is told of each");
	th_write(h, NPU_DB_SQ_TAIL(7), 1);
	th_write(h, NPU_DB_CQ_HEAD(7), 0);
	th_write(h, NPU_REG_BOOT_CMD, 99);
	th_write(h, NPU_REG_INV_CMD, 99);
	th_write(h, NPU_REG_INV_CONTEXT, NPU_MAX_CONTEXTS);
	th_write(h, NPU_REG_INV_CMD, NPU_INV_CMD_START);
	ok(th_read(h, NPU_REG_GUEST_ERRORS) == errors + 5,
	   "so are doorbells of no queue, unknown commands and an unknown context");
}

static void test_irq(struct testhost *h)
{
	npu_irq_cause_set(h->core, NPU_IRQ_CAUSE_ADMIN);
	ok(!h->raised[0], "a cause that is not enabled raises nothing");
	th_write(h, NPU_REG_IRQ_ENABLE, NPU_IRQ_CAUSE_ADMIN | NPU_IRQ_CAUSE_EVENT);
	ok(h->raised[0] == 1, "until it is enabled");
	npu_irq_cause_set(h->core, NPU_IRQ_CAUSE_EVENT);
	ok(h->raised[0] == 2, "an enabled one does");
	npu_irq_cause_set(h->core, NPU_IRQ_CAUSE_FW_DEAD);
	ok(h->raised[0] == 2 && th_read(h, NPU_REG_IRQ_CAUSE) == 7, "causes add up");
	th_write(h, NPU_REG_IRQ_CAUSE, NPU_IRQ_CAUSE_EVENT);
	ok(th_read(h, NPU_REG_IRQ_CAUSE) == 5, "one is cleared by writing 1");
	th_write(h, NPU_REG_IRQ_ENABLE, 0);
}

static void test_reset(struct testhost *h)
{
	unsigned int i, errors = 0;

	h->hbm[0x100] = 0x5a;
	th_write(h, NPU_REG_DEV_CTRL, 0);
	ok(th_read(h, NPU_REG_RESET_COUNT) == 0, "DEV_CTRL without RESET does nothing");
	th_write(h, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
	for (i = 0; i < COUNT(plain); i++)
		errors += th_read(h, plain[i].offset) != 0;
	for (i = 0; i < COUNT(constants); i++)
		if (constants[i].offset != NPU_REG_RESET_COUNT)
			errors += th_read(h, constants[i].offset) != constants[i].value;
	ok(!errors && !th_read(h, NPU_REG_IRQ_CAUSE), "reset gives reset values");
	ok(th_read(h, NPU_REG_RESET_COUNT) == 1, "and counts itself");
	ok(h->hbm[0x100] == 0x5a, "and leaves HBM alone");
}

static bool refused(struct testhost *h, struct npu_core_config cfg, const char *name)
{
	const char *error = NULL;
	struct npu_core *core = npu_core_new(&cfg, h->core->ops, h, &error);

	if (core)
		npu_core_free(core);
	return !core && error && !strncmp(error, name, strlen(name));
}

static void test_config(struct testhost *h)
{
	struct npu_core_config cfg;

	cfg = h->cfg, cfg.hbm_size = 32 << 20;
	ok(refused(h, cfg, "hbm"), "too little HBM");
	cfg = h->cfg, cfg.hbm_size += 4096;
	ok(refused(h, cfg, "hbm"), "HBM of an odd size");
	cfg = h->cfg, cfg.cores = 0;
	ok(refused(h, cfg, "cores"), "no cores");
	cfg = h->cfg, cfg.cores = NPU_MAX_CORES + 1;
	ok(refused(h, cfg, "cores"), "too many cores");
	cfg = h->cfg, cfg.queues = 0;
	ok(refused(h, cfg, "queues"), "no queues");
	cfg = h->cfg, cfg.vectors = 1;
	ok(refused(h, cfg, "vectors"), "too few vectors");
	cfg = h->cfg, cfg.sync = false;
	ok(refused(h, cfg, "workers"), "no workers");
}

int main(void)
{
	struct testhost *h = th_new(0, 4);

	test_constants(h);
	test_plain(h);
	test_pairs(h);
	test_time(h);
	test_bad(h);
	th_write(h, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
	th_free(h);

	h = th_new(0, 4);
	test_irq(h);
	test_plain(h);
	test_reset(h);
	test_config(h);
	th_free(h);
	return tap_done();
}
