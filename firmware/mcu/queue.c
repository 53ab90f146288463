// SPDX-License-Identifier: MIT
/*
 * Life cycle of the hardware scheduler's queues.
 */
#include <npu/npu_mcu.h>
#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "context.h"
#include "cq.h"
#include "log.h"
#include "mmio.h"
#include "queue.h"
#include "ring.h"
#include "unit.h"

#define STATUS_BLOCK_ALIGN sizeof(struct npu_fault)

static const struct unit queue_unit = { NPU_MCU_Q_CMD, NPU_MCU_Q_STATUS };

static const struct unit core_unit = { NPU_MCU_CORE_CMD, NPU_MCU_CORE_STATUS };

static struct queue {
	bool exists;
	bool fault_reported;
	uint16_t context;
	uint16_t cq;
} queues[NPU_MAX_QUEUES];

static uint64_t all_cores(void)
{
	uint32_t cores = mmio_read32(NPU_MCU_SENSOR_CORES);

	return cores < NPU_MAX_CORES ? NPU_BIT(cores) - 1 : UINT64_MAX;
}

static bool queue_config_valid(const struct npu_admin_queue *config)
{
	return config->base % NPU_PAGE_SIZE == 0 &&
	       config->status % STATUS_BLOCK_ALIGN == 0 &&
	       (config->core_mask & ~all_cores()) == 0 &&
	       ring_entries_valid(config->entries, NPU_SQ_MIN_ENTRIES, NPU_SQ_MAX_ENTRIES) &&
	       config->priority < NPU_PRIORITY_COUNT && config->engine <= NPU_ENGINE_COPY;
}

static void queue_load(uint32_t id, const struct npu_admin_queue *config)
{
	mmio_write32(NPU_MCU_Q_ID, id);
	mmio_write32(NPU_MCU_Q_ENTRIES, config->entries);
	mmio_write64(NPU_MCU_Q_BASE, config->base);
	mmio_write64(NPU_MCU_Q_STATUS_BLOCK, config->status);
	mmio_write64(NPU_MCU_Q_CORE_MASK, config->core_mask ? config->core_mask : all_cores());
	mmio_write32(NPU_MCU_Q_TIMEOUT_US, config->timeout_us);
	mmio_write32(NPU_MCU_Q_CONTEXT, config->context);
	mmio_write32(NPU_MCU_Q_CQ, config->cq);
	mmio_write32(NPU_MCU_Q_PRIORITY, config->priority);
	mmio_write32(NPU_MCU_Q_ENGINE, config->engine);
}

enum npu_status queue_create(uint32_t id, const struct npu_admin_queue *config)
{
	enum npu_status status;

	if (id >= NPU_MAX_QUEUES || !queue_config_valid(config))
		return NPU_ST_ADMIN_INVALID;
	if (!context_is_set(config->context) || !cq_exists(config->cq))
		return NPU_ST_ADMIN_NOENT;
	if (queues[id].exists)
		return NPU_ST_ADMIN_BUSY;

	queue_load(id, config);
	status = unit_run(&queue_unit, NPU_MCU_Q_CMD_CREATE);
	if (status != NPU_ST_OK)
		return status;

	queues[id] = (struct queue){ .exists = true, .context = config->context,
				     .cq = config->cq };
	context_hold(config->context);
	cq_hold(config->cq);
	log_info("admin", "queue %u created (context %u, %u entries)", id, config->context,
		 config->entries);
	return NPU_ST_OK;
}

static enum npu_status queue_command(uint32_t id, uint32_t command)
{
	if (id >= NPU_MAX_QUEUES || !queues[id].exists)
		return NPU_ST_ADMIN_NOENT;

	mmio_write32(NPU_MCU_Q_ID, id);
	return unit_run(&queue_unit, command);
}

enum npu_status queue_destroy(uint32_t id)
{
	bool existed = id < NPU_MAX_QUEUES && queues[id].exists;
	enum npu_status status = queue_command(id, NPU_MCU_Q_CMD_DESTROY);

	/* NOENT of one that existed: a command that had timed out has ended after all. */
	if (status != NPU_ST_OK && !(existed && status == NPU_ST_ADMIN_NOENT))
		return status;

	queues[id].exists = false;
	context_release(queues[id].context);
	cq_release(queues[id].cq);
	log_info("admin", "queue %u destroyed", id);
	return NPU_ST_OK;
}

enum npu_status queue_suspend(uint32_t id)
{
	enum npu_status status = queue_command(id, NPU_MCU_Q_CMD_SUSPEND);

	if (status == NPU_ST_OK)
		log_info("admin", "queue %u suspended", id);
	return status;
}

enum npu_status queue_resume(uint32_t id)
{
	enum npu_status status = queue_command(id, NPU_MCU_Q_CMD_RESUME);

	if (status == NPU_ST_OK)
		log_info("admin", "queue %u resumed", id);
	return status;
}

/* The scheduler says so when the entry has ended, with a fault or well; else a core is stuck. */
enum npu_status queue_stop(uint32_t id)
{
	enum npu_status status = queue_command(id, NPU_MCU_Q_CMD_STOP);

	if (status == NPU_ST_OK)
		log_warn("recovery", "queue %u: task stopped", id);
	return status;
}

enum npu_status queue_core_reset(uint32_t core, uint32_t id)
{
	enum npu_status status;

	if (id >= NPU_MAX_QUEUES || !queues[id].exists)
		return NPU_ST_ADMIN_NOENT;

	mmio_write32(NPU_MCU_CORE_ID, core);
	mmio_write32(NPU_MCU_CORE_QUEUE, id);
	status = unit_run(&core_unit, NPU_MCU_CORE_CMD_RESET);
	if (status == NPU_ST_OK)
		log_warn("recovery", "core %u reset for queue %u", core, id);
	return status;
}

enum npu_status queue_query(uint32_t id, struct npu_admin_queue_info *info)
{
	enum npu_status status = queue_command(id, NPU_MCU_Q_CMD_QUERY);

	if (status != NPU_ST_OK)
		return status;

	info->state = mmio_read32(NPU_MCU_Q_STATE);
	info->head = mmio_read32(NPU_MCU_Q_HEAD);
	info->tail = mmio_read32(NPU_MCU_Q_TAIL);
	info->status = mmio_read32(NPU_MCU_Q_FAULT);
	info->tasks = mmio_read64(NPU_MCU_Q_TASKS);
	info->cores = mmio_read64(NPU_MCU_Q_CORES);
	info->pc = mmio_read64(NPU_MCU_Q_PC);
	info->command = mmio_read32(NPU_MCU_Q_COMMAND);
	info->run_us = mmio_read32(NPU_MCU_Q_RUN_US);
	return NPU_ST_OK;
}

void queue_report_faults(void)
{
	struct npu_admin_queue_info info;

	for (uint32_t id = 0; id < NPU_MAX_QUEUES; id++) {
		struct queue *queue = &queues[id];

		if (!queue->exists || queue->fault_reported ||
		    queue_query(id, &info) != NPU_ST_OK || info.state != NPU_QUEUE_FAULTED)
			continue;
		queue->fault_reported = true;
		log_warn("queue", "queue %u (context %u) stopped: status %u at entry %u", id,
			 queue->context, info.status, info.head);
	}
}
