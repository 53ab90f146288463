// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Peripheral registers of the management core. An access that is not in the table, or not of a
 * register's width, is refused: the firmware takes an access fault.
 */
#include "mcu.h"

#define OFFSET(addr) ((addr) - NPU_MCU_PERIPH_BASE)

struct mcu_reg;
typedef uint64_t mcu_reg_read_fn(struct npu_mcu *mcu, const struct mcu_reg *reg);
typedef void mcu_reg_write_fn(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value);

/**
 * struct mcu_reg - a register
 * @offset: from NPU_MCU_PERIPH_BASE
 * @size: its width, 4 or 8 bytes
 * @arg: of @read and @write: a BAR 0 offset, or that of a field
 * @read: absent if it cannot be read
 * @write: absent if it cannot be written
 */
struct mcu_reg {
	uint16_t offset;
	uint8_t size;
	uint16_t arg;
	mcu_reg_read_fn *read;
	mcu_reg_write_fn *write;
};

static uint64_t plain_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	const uint8_t *field = (const uint8_t *)&mcu->regs + reg->arg;

	return reg->size == 8 ? npu_load((const uint64_t *)field) :
				npu_load((const uint32_t *)field);
}

static void plain_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	uint8_t *field = (uint8_t *)&mcu->regs + reg->arg;

	if (reg->size == 8)
		npu_store((uint64_t *)field, value);
	else
		npu_store((uint32_t *)field, value);
}

/* Registers that the host sees too. */
static uint64_t host_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	return reg->size == 8 ? npu_reg_get64(mcu->core, reg->arg) :
				npu_reg_get(mcu->core, reg->arg);
}

static void host_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	npu_reg_set(mcu->core, reg->arg, value);
}

static void post_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	npu_mcu_post(mcu, value);
}

static void irq_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	npu_irq_cause_set(mcu->core, value);
}

static void dead_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	npu_mcu_die(mcu, value);
}

static void console_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	npu_mcu_console_put(mcu, value);
}

static uint64_t time_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	return npu_timestamp(mcu->core);
}

static uint64_t timecmp_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	return mcu->timecmp;
}

static void timecmp_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	mcu->timecmp = value;
	npu_mcu_update_timer(mcu);
}

static uint64_t int_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	uint64_t value;

	pthread_mutex_lock(&mcu->lock);
	value = reg->offset == OFFSET(NPU_MCU_INT_ENABLE) ? mcu->int_enable : mcu->int_pending;
	pthread_mutex_unlock(&mcu->lock);
	return value;
}

static void int_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	pthread_mutex_lock(&mcu->lock);
	if (reg->offset == OFFSET(NPU_MCU_INT_ENABLE))
		mcu->int_enable = value;
	else
		mcu->int_pending &= ~value;
	npu_mcu_update_mei(mcu);
	pthread_mutex_unlock(&mcu->lock);
}

static void ctx_cmd_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	struct npu_mcu_regs *r = &mcu->regs;

	switch (value) {
	case NPU_MCU_CTX_CMD_SET:
		r->ctx_status = npu_ctx_set(mcu->core, r->ctx_id, r->ctx_root);
		break;
	case NPU_MCU_CTX_CMD_CLEAR:
		r->ctx_status = npu_ctx_clear(mcu->core, r->ctx_id);
		break;
	default:
		r->ctx_status = NPU_ST_ADMIN_INVALID;
		break;
	}
}

static void cq_cmd_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	struct npu_mcu_regs *r = &mcu->regs;

	switch (value) {
	case NPU_MCU_CQ_CMD_CREATE:
		r->cq_status = npu_cq_create(mcu->core, r->cq_id, r->cq_base, r->cq_entries,
					     r->cq_vector);
		break;
	case NPU_MCU_CQ_CMD_DESTROY:
		r->cq_status = npu_cq_destroy(mcu->core, r->cq_id);
		break;
	default:
		r->cq_status = NPU_ST_ADMIN_INVALID;
		break;
	}
}

static void set_q_status(struct npu_mcu *mcu, uint32_t status)
{
	pthread_mutex_lock(&mcu->lock);
	mcu->q_busy_id = mcu->regs.q_id;
	npu_store(&mcu->regs.q_status, status);
	pthread_mutex_unlock(&mcu->lock);
}

static uint32_t queue_command(struct npu_mcu *mcu, uint32_t command)
{
	struct npu_mcu_regs *r = &mcu->regs;

	switch (command) {
	case NPU_MCU_Q_CMD_CREATE:
		return npu_queue_create(mcu->core, r->q_id, &r->q_config);
	case NPU_MCU_Q_CMD_DESTROY:
		return npu_queue_destroy(mcu->core, r->q_id);
	case NPU_MCU_Q_CMD_SUSPEND:
		return npu_queue_suspend(mcu->core, r->q_id);
	case NPU_MCU_Q_CMD_RESUME:
		return npu_queue_resume(mcu->core, r->q_id);
	case NPU_MCU_Q_CMD_STOP:
		return npu_queue_stop(mcu->core, r->q_id);
	case NPU_MCU_Q_CMD_QUERY:
		return npu_queue_query(mcu->core, r->q_id, &r->q_info);
	default:
		return NPU_ST_ADMIN_INVALID;
	}
}

/*
 * One that takes time may end, in npu_mcu_queue_done(), before queue_command() returns; so the
 * status is busy first.
 */
static void q_cmd_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	uint32_t status;

	set_q_status(mcu, NPU_MCU_BUSY);
	status = queue_command(mcu, value);
	if (status == NPU_MCU_BUSY)
		return;
	set_q_status(mcu, status);
	npu_mcu_raise_int(mcu->core, NPU_MCU_INT_QUEUE);
}

static void core_cmd_write(struct npu_mcu *mcu, const struct mcu_reg *reg, uint64_t value)
{
	struct npu_mcu_regs *r = &mcu->regs;

	r->core_status = value == NPU_MCU_CORE_CMD_RESET ?
			 npu_aicore_reset(mcu->core, r->core_id, r->core_queue) :
			 NPU_ST_ADMIN_INVALID;
}

static uint64_t sensor_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	switch (NPU_MCU_REG(reg->offset)) {
	case NPU_MCU_SENSOR_TEMPERATURE:
		return npu_mcu_sensor_temperature(mcu);
	case NPU_MCU_SENSOR_POWER:
		return npu_mcu_sensor_power(mcu);
	case NPU_MCU_SENSOR_VOLTAGE:
		return npu_mcu_sensor_voltage(mcu);
	case NPU_MCU_SENSOR_HBM_MHZ:
		return npu_mcu_sensor_hbm_mhz(mcu);
	default:
		return npu_mcu_sensor_hbm_mbps(mcu);
	}
}

/* @arg: offset in struct npu_counters */
static uint64_t count_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	struct npu_counters count;

	npu_counters_read(mcu->core, &count);
	return *(const uint64_t *)((const uint8_t *)&count + reg->arg);
}

static uint64_t mcu_ns_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	return mcu->busy_ns + npu_clock(mcu->core) - mcu->slice_start;
}

/* @arg: enum npu_ras */
static uint64_t ras_read(struct npu_mcu *mcu, const struct mcu_reg *reg)
{
	return npu_load(&mcu->ras[reg->arg]);
}

#define R(name, bytes, reader, argument)					\
	{ .offset = OFFSET(NPU_MCU_##name), .size = (bytes), .arg = (argument),	\
	  .read = (reader) }
#define W(name, bytes, writer)							\
	{ .offset = OFFSET(NPU_MCU_##name), .size = (bytes), .write = (writer) }
#define RW(name, bytes, reader, writer, argument)				\
	{ .offset = OFFSET(NPU_MCU_##name), .size = (bytes), .arg = (argument),	\
	  .read = (reader), .write = (writer) }
#define FIELD_OF(member) offsetof(struct npu_mcu_regs, member)
#define SIZE_OF(member) sizeof(((struct npu_mcu_regs *)0)->member)
#define PLAIN(name, member)							\
	RW(name, SIZE_OF(member), plain_read, plain_write, FIELD_OF(member))
#define PLAIN_RO(name, member) R(name, SIZE_OF(member), plain_read, FIELD_OF(member))
#define COUNT(name, member) R(name, 8, count_read, offsetof(struct npu_counters, member))

static const struct mcu_reg mcu_regs[] = {
	W(CONSOLE_TX, 4, console_write),
	R(TIME, 8, time_read, 0),
	RW(TIMECMP, 8, timecmp_read, timecmp_write, 0),
	RW(INT_PENDING, 4, int_read, int_write, 0),
	RW(INT_ENABLE, 4, int_read, int_write, 0),

	RW(HOST_POST, 4, host_read, post_write, NPU_REG_BOOT_POST),
	RW(HOST_HEARTBEAT, 4, host_read, host_write, NPU_REG_FW_HEARTBEAT),
	RW(HOST_ABI, 4, host_read, host_write, NPU_REG_FW_ABI),
	W(HOST_IRQ, 4, irq_write),
	R(HOST_ASQ_BASE, 8, host_read, NPU_REG_ASQ_BASE_LO),
	R(HOST_ACQ_BASE, 8, host_read, NPU_REG_ACQ_BASE_LO),
	R(HOST_ENTRIES, 4, host_read, NPU_REG_ADMIN_ENTRIES),
	R(HOST_ASQ_TAIL, 4, host_read, NPU_REG_ASQ_TAIL),
	R(HOST_ACQ_HEAD, 4, host_read, NPU_REG_ACQ_HEAD),
	W(HOST_DEAD, 4, dead_write),
	R(HOST_FW_REGION, 8, host_read, NPU_REG_FW_REGION_LO),

	PLAIN(CTX_ID, ctx_id),
	PLAIN(CTX_ROOT, ctx_root),
	W(CTX_CMD, 4, ctx_cmd_write),
	PLAIN_RO(CTX_STATUS, ctx_status),

	PLAIN(CQ_ID, cq_id),
	PLAIN(CQ_ENTRIES, cq_entries),
	PLAIN(CQ_BASE, cq_base),
	PLAIN(CQ_VECTOR, cq_vector),
	W(CQ_CMD, 4, cq_cmd_write),
	PLAIN_RO(CQ_STATUS, cq_status),

	PLAIN(Q_ID, q_id),
	PLAIN(Q_ENTRIES, q_config.entries),
	PLAIN(Q_BASE, q_config.base),
	PLAIN(Q_STATUS_BLOCK, q_config.status_block),
	PLAIN(Q_CORE_MASK, q_config.core_mask),
	PLAIN(Q_TIMEOUT_US, q_config.timeout_us),
	PLAIN(Q_CONTEXT, q_config.context),
	PLAIN(Q_CQ, q_config.cq),
	PLAIN(Q_PRIORITY, q_config.priority),
	PLAIN(Q_ENGINE, q_config.engine),
	W(Q_CMD, 4, q_cmd_write),
	PLAIN_RO(Q_STATUS, q_status),
	PLAIN_RO(Q_STATE, q_info.state),
	PLAIN_RO(Q_HEAD, q_info.head),
	PLAIN_RO(Q_TAIL, q_info.tail),
	PLAIN_RO(Q_FAULT, q_info.fault),
	PLAIN_RO(Q_TASKS, q_info.tasks),
	PLAIN_RO(Q_CORES, q_info.cores),
	PLAIN_RO(Q_PC, q_info.pc),
	PLAIN_RO(Q_COMMAND, q_info.command),
	PLAIN_RO(Q_RUN_US, q_info.timeout_us),

	PLAIN(CORE_ID, core_id),
	PLAIN(CORE_QUEUE, core_queue),
	W(CORE_CMD, 4, core_cmd_write),
	PLAIN_RO(CORE_STATUS, core_status),

	R(SENSOR_TEMPERATURE, 4, sensor_read, 0),
	R(SENSOR_POWER, 4, sensor_read, 0),
	R(SENSOR_VOLTAGE, 4, sensor_read, 0),
	R(SENSOR_AICORE_MHZ, 4, host_read, NPU_REG_CORE_CLOCK_MHZ),
	R(SENSOR_HBM_MHZ, 4, sensor_read, 0),
	R(SENSOR_CORES, 4, host_read, NPU_REG_NUM_CORES),
	R(SENSOR_HBM_MBPS, 4, sensor_read, 0),
	COUNT(COUNT_AICORE_NS, aicore_ns),
	COUNT(COUNT_CUBE_NS, cube_ns),
	COUNT(COUNT_VECTOR_NS, vector_ns),
	COUNT(COUNT_SDMA_NS, sdma_ns),
	R(COUNT_MCU_NS, 8, mcu_ns_read, 0),
	COUNT(COUNT_HBM_READ, hbm_read),
	COUNT(COUNT_HBM_WRITE, hbm_write),
	COUNT(COUNT_TASKS_DONE, tasks_done),
	COUNT(COUNT_TASKS_FAILED, tasks_failed),
	R(COUNT_HBM_CE, 8, ras_read, NPU_RAS_HBM_CE),
	R(COUNT_HBM_UE, 8, ras_read, NPU_RAS_HBM_UE),
	R(COUNT_CORE_LOST, 8, ras_read, NPU_RAS_CORE_LOST),
};

#define NUM_REGS (sizeof(mcu_regs) / sizeof(mcu_regs[0]))
#define NO_REG 0xff

_Static_assert(NUM_REGS < NO_REG, "a register number does not fit the index");
_Static_assert(sizeof(enum npu_queue_state) == 4 && sizeof(enum npu_status) == 4,
	       "registers of 32 bits");

void npu_mcu_regs_init(struct npu_mcu *mcu)
{
	for (unsigned int i = 0; i < NPU_MCU_REG_SPACE / 4; i++)
		mcu->reg_index[i] = NO_REG;
	for (unsigned int i = 0; i < NUM_REGS; i++)
		mcu->reg_index[mcu_regs[i].offset / 4] = i;
}

void npu_mcu_regs_reset(struct npu_mcu *mcu)
{
	mcu->regs = (struct npu_mcu_regs){ 0 };
	mcu->timecmp = UINT64_MAX;
	mcu->int_pending = 0;
	mcu->int_enable = 0;
}

static const struct mcu_reg *find_reg(struct npu_mcu *mcu, uint64_t offset, unsigned int size)
{
	const struct mcu_reg *reg;
	uint8_t index;

	if (offset >= NPU_MCU_REG_SPACE)
		return NULL;
	index = mcu->reg_index[offset / 4];
	if (index == NO_REG)
		return NULL;
	reg = &mcu_regs[index];
	return reg->offset == offset && reg->size == size ? reg : NULL;
}

int npu_mcu_reg_read(struct npu_mcu *mcu, uint64_t offset, unsigned int size, uint64_t *value)
{
	const struct mcu_reg *reg = find_reg(mcu, offset, size);

	if (!reg || !reg->read)
		return -1;
	*value = reg->read(mcu, reg);
	return 0;
}

int npu_mcu_reg_write(struct npu_mcu *mcu, uint64_t offset, unsigned int size, uint64_t value)
{
	const struct mcu_reg *reg = find_reg(mcu, offset, size);

	if (!reg || !reg->write)
		return -1;
	reg->write(mcu, reg, value);
	return 0;
}
