// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registers and doorbells in BAR 0.
 */
#include "npu_internal.h"

#define R	0x1	/* may be read */
#define W	0x2	/* may be written */
#define LO	0x4	/* first of a pair that may be accessed as 64 bits */

/**
 * struct reg - a register
 * @flags: 0 if there is none
 * @mask: bits that a write changes
 * @reset: value after reset, unless it depends on the configuration
 * @read: instead of the stored value
 * @write: instead of storing
 */
struct reg {
	unsigned int flags;
	uint32_t mask;
	uint32_t reset;
	uint32_t (*read)(struct npu_core *core);
	void (*write)(struct npu_core *core, uint32_t value);
};

static uint32_t read_timestamp_lo(struct npu_core *core)
{
	uint64_t now = npu_timestamp(core);

	npu_store(&core->timestamp_latch, now >> 32);
	return now;
}

static uint32_t read_timestamp_hi(struct npu_core *core)
{
	return npu_load(&core->timestamp_latch);
}

static uint32_t read_inv_status(struct npu_core *core)
{
	return npu_invalidate_busy(core) ? NPU_INV_STATUS_BUSY : 0;
}

static void write_dev_ctrl(struct npu_core *core, uint32_t value)
{
	if (value & NPU_DEV_CTRL_RESET)
		npu_reset_request(core);
}

static void write_boot_cmd(struct npu_core *core, uint32_t value)
{
	if (value == NPU_BOOT_CMD_START)
		npu_mcu_boot_start(core);
	else
		npu_guest_error(core, NPU_REG_BOOT_CMD, value, true);
}

static void write_asq_tail(struct npu_core *core, uint32_t value)
{
	npu_reg_set(core, NPU_REG_ASQ_TAIL, value);
	npu_mcu_raise_int(core, NPU_MCU_INT_ADMIN);
}

static void write_inv_cmd(struct npu_core *core, uint32_t value)
{
	if (value == NPU_INV_CMD_START)
		npu_invalidate(core, npu_reg_get(core, NPU_REG_INV_CONTEXT));
	else
		npu_guest_error(core, NPU_REG_INV_CMD, value, true);
}

static void write_irq_cause(struct npu_core *core, uint32_t value)
{
	__atomic_fetch_and(&core->regs[NPU_REG_IRQ_CAUSE / 4], ~value, __ATOMIC_SEQ_CST);
}

#define RO		{ .flags = R }
#define RO_PAIR(name) \
	[name##_LO / 4] = { .flags = R | LO }, \
	[name##_HI / 4] = RO
#define RW		{ .flags = R | W, .mask = ~0u }
#define RW_PAIR(name) \
	[name##_LO / 4] = { .flags = R | W | LO, .mask = ~0u }, \
	[name##_HI / 4] = RW

static const struct reg regs[NPU_REG_SPACE / 4] = {
	[NPU_REG_MAGIC / 4] = { .flags = R, .reset = NPU_MAGIC },
	[NPU_REG_HW_VERSION / 4] = { .flags = R, .reset = NPU_HW_VERSION_1_2 },
	[NPU_REG_FEATURES / 4] = RO,
	[NPU_REG_NUM_QUEUES / 4] = RO,
	[NPU_REG_NUM_CONTEXTS / 4] = { .flags = R, .reset = NPU_MAX_CONTEXTS },
	[NPU_REG_NUM_CQS / 4] = RO,
	[NPU_REG_NUM_VECTORS / 4] = RO,
	[NPU_REG_NUM_CORES / 4] = RO,
	RO_PAIR(NPU_REG_HBM_SIZE),
	RO_PAIR(NPU_REG_FW_REGION),
	[NPU_REG_FW_REGION_SIZE / 4] = { .flags = R, .reset = NPU_FW_REGION_SIZE },
	[NPU_REG_TIMESTAMP_FREQ / 4] = { .flags = R, .reset = 1000000000 },
	[NPU_REG_TIMESTAMP_LO / 4] = { .flags = R | LO, .read = read_timestamp_lo },
	[NPU_REG_TIMESTAMP_HI / 4] = { .flags = R, .read = read_timestamp_hi },
	[NPU_REG_UB_SIZE / 4] = { .flags = R, .reset = NPU_UB_SIZE },
	[NPU_REG_L1_SIZE / 4] = { .flags = R, .reset = NPU_L1_SIZE },
	[NPU_REG_L0A_SIZE / 4] = { .flags = R, .reset = NPU_L0A_SIZE },
	[NPU_REG_L0B_SIZE / 4] = { .flags = R, .reset = NPU_L0B_SIZE },
	[NPU_REG_L0C_SIZE / 4] = { .flags = R, .reset = NPU_L0C_SIZE },
	[NPU_REG_SMEM_SIZE / 4] = { .flags = R, .reset = NPU_SMEM_SIZE },
	[NPU_REG_CORE_CLOCK_MHZ / 4] = { .flags = R, .reset = NPU_CORE_CLOCK_MHZ },
	[NPU_REG_PROFILE / 4] = { .flags = R, .reset = NPU_PROFILE_910B },
	RO_PAIR(NPU_REG_SERIAL),

	[NPU_REG_DEV_CTRL / 4] = { .flags = R | W, .write = write_dev_ctrl },
	[NPU_REG_DEV_STATUS / 4] = RO,
	[NPU_REG_RESET_COUNT / 4] = RO,
	[NPU_REG_GUEST_ERRORS / 4] = RO,

	RW_PAIR(NPU_REG_BOOT_IMAGE),
	[NPU_REG_BOOT_IMAGE_SIZE / 4] = RW,
	[NPU_REG_BOOT_CMD / 4] = { .flags = R | W, .write = write_boot_cmd },
	[NPU_REG_BOOT_POST / 4] = RO,
	[NPU_REG_FW_HEARTBEAT / 4] = RO,
	[NPU_REG_FW_ABI / 4] = RO,

	RW_PAIR(NPU_REG_ASQ_BASE),
	RW_PAIR(NPU_REG_ACQ_BASE),
	[NPU_REG_ADMIN_ENTRIES / 4] = RW,
	[NPU_REG_ASQ_TAIL / 4] = { .flags = R | W, .write = write_asq_tail },
	[NPU_REG_ACQ_HEAD / 4] = RW,

	[NPU_REG_INV_CONTEXT / 4] = RW,
	RW_PAIR(NPU_REG_INV_VA),
	[NPU_REG_INV_PAGES / 4] = RW,
	[NPU_REG_INV_CMD / 4] = { .flags = R | W, .write = write_inv_cmd },
	[NPU_REG_INV_STATUS / 4] = { .flags = R, .read = read_inv_status },

	[NPU_REG_IRQ_CAUSE / 4] = { .flags = R | W, .write = write_irq_cause },
	[NPU_REG_IRQ_ENABLE / 4] = { .flags = R | W, .write = npu_irq_enable_write },
};

#define MODERATION_END(core) NPU_REG_IRQ_MODERATION((core)->cfg.vectors)
#define DOORBELL_INDEX(offset, base) (((offset) - (base)) >> 12)

/* The register at @offset that may be accessed so, or NULL. */
static const struct reg *find(uint64_t offset, unsigned int size, unsigned int access)
{
	const struct reg *reg;

	if (offset >= NPU_REG_SPACE || (size != 4 && size != 8) || (offset & (size - 1)))
		return NULL;
	reg = &regs[offset / 4];
	if (!(reg->flags & access) || (size == 8 && !(reg->flags & LO)))
		return NULL;
	return reg;
}

static bool is_moderation(const struct npu_core *core, uint64_t offset, unsigned int size)
{
	return offset >= NPU_REG_IRQ_MODERATION(0) && offset < MODERATION_END(core) &&
	       size == 4 && !(offset & 3);
}

static bool is_doorbell(uint64_t offset, unsigned int size, uint64_t base, unsigned int count)
{
	return offset >= base && DOORBELL_INDEX(offset, base) < count &&
	       !(offset & (NPU_PAGE_SIZE - 1)) && size == 4;
}

void npu_guest_error(struct npu_core *core, uint64_t offset, uint64_t value, bool write)
{
	__atomic_fetch_add(&core->regs[NPU_REG_GUEST_ERRORS / 4], 1, __ATOMIC_RELAXED);
	npu_event(core, NPU_CORE_EV_GUEST_ERROR, offset, value, write);
}

static uint32_t read_one(struct npu_core *core, const struct reg *reg, uint64_t offset)
{
	return reg->read ? reg->read(core) : npu_reg_get(core, offset);
}

uint64_t npu_core_mmio_read(struct npu_core *core, uint64_t offset, unsigned int size)
{
	const struct reg *reg = find(offset, size, R);
	uint64_t value;

	if (npu_inject(core, NPU_INJECT_REGS_DEAD, NPU_INJECT_ANY))
		return UINT64_MAX >> (64 - 8 * size);
	if (is_moderation(core, offset, size))
		return npu_load(&core->vectors[(offset - NPU_REG_IRQ_MODERATION(0)) / 4].moderation);
	if (!reg) {
		npu_guest_error(core, offset, 0, false);
		return 0;
	}
	value = read_one(core, reg, offset);
	if (size == 8)
		value |= (uint64_t)read_one(core, reg + 1, offset + 4) << 32;
	return value;
}

static void write_one(struct npu_core *core, const struct reg *reg, uint64_t offset,
		      uint32_t value)
{
	if (reg->write)
		reg->write(core, value);
	else
		npu_reg_set(core, offset, value & reg->mask);
}

static void reg_write(struct npu_core *core, uint64_t offset, uint64_t value, unsigned int size)
{
	const struct reg *reg = find(offset, size, W);

	if (!reg) {
		npu_guest_error(core, offset, value, true);
		return;
	}
	write_one(core, reg, offset, value);
	if (size == 8)
		write_one(core, reg + 1, offset + 4, value >> 32);
}

void npu_core_mmio_write(struct npu_core *core, uint64_t offset, uint64_t value,
			 unsigned int size)
{
	/* What is written now would be lost in the reset, or survive it. */
	if (npu_reg_get(core, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_RESETTING ||
	    npu_inject_armed(core, NPU_INJECT_REGS_DEAD))
		return;
	if (is_doorbell(offset, size, NPU_DB_SQ_TAIL(0ULL), NPU_MAX_QUEUES))
		npu_queue_doorbell(core, DOORBELL_INDEX(offset, NPU_DB_SQ_TAIL(0ULL)), value);
	else if (is_doorbell(offset, size, NPU_DB_CQ_HEAD(0ULL), NPU_MAX_CQS))
		npu_cq_doorbell(core, DOORBELL_INDEX(offset, NPU_DB_CQ_HEAD(0ULL)), value);
	else if (is_moderation(core, offset, size))
		npu_irq_moderation_write(core, (offset - NPU_REG_IRQ_MODERATION(0)) / 4, value);
	else
		reg_write(core, offset, value, size);
	npu_sync_run(core);
}

void npu_dev_status(struct npu_core *core, uint32_t set, uint32_t clear)
{
	uint32_t *status = &core->regs[NPU_REG_DEV_STATUS / 4];

	__atomic_fetch_or(status, set, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(status, ~clear, __ATOMIC_SEQ_CST);
}

static void set64(struct npu_core *core, unsigned int lo, uint64_t value)
{
	npu_reg_set(core, lo, value);
	npu_reg_set(core, lo + 4, value >> 32);
}

/* All but the state and the count of resets. */
void npu_regs_reset(struct npu_core *core)
{
	const struct npu_core_config *cfg = &core->cfg;
	unsigned int i;

	for (i = 0; i < NPU_REG_SPACE / 4; i++)
		if (i != NPU_REG_DEV_STATUS / 4 && i != NPU_REG_RESET_COUNT / 4)
			npu_store(&core->regs[i], regs[i].reset);
	npu_reg_set(core, NPU_REG_FEATURES,
		    NPU_FEATURE_SPARSE | (cfg->sync ? NPU_FEATURE_SYNC_MODE : 0) |
			    (core->timing ? NPU_FEATURE_TIMING : 0));
	if (core->timing) {
		npu_reg_set(core, NPU_REG_PROFILE, core->timing->profile->id);
		npu_reg_set(core, NPU_REG_CORE_CLOCK_MHZ, core->timing->profile->mhz);
	}
	npu_reg_set(core, NPU_REG_NUM_QUEUES, cfg->queues);
	npu_reg_set(core, NPU_REG_NUM_CQS, cfg->vectors - 1);
	npu_reg_set(core, NPU_REG_NUM_VECTORS, cfg->vectors);
	npu_reg_set(core, NPU_REG_NUM_CORES, cfg->cores);
	set64(core, NPU_REG_HBM_SIZE_LO, cfg->hbm_size);
	set64(core, NPU_REG_FW_REGION_LO, core->hbm_limit);
	set64(core, NPU_REG_SERIAL_LO, cfg->serial);
	npu_store(&core->timestamp_latch, 0);
}
