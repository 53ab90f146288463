// SPDX-License-Identifier: MIT
/*
 * Completion rings: which exist, and how many queues complete into each.
 */
#include <npu/npu_mcu.h>
#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "cq.h"
#include "log.h"
#include "mmio.h"
#include "ring.h"
#include "unit.h"

static const struct unit cq_unit = { NPU_MCU_CQ_CMD, NPU_MCU_CQ_STATUS };

static struct {
	bool exists;
	uint16_t queues;
} cqs[NPU_MAX_CQS];

bool cq_exists(uint32_t id)
{
	return id < NPU_MAX_CQS && cqs[id].exists;
}

void cq_hold(uint32_t id)
{
	cqs[id].queues++;
}

void cq_release(uint32_t id)
{
	cqs[id].queues--;
}

static bool cq_config_valid(const struct npu_admin_cq *config)
{
	return config->base % NPU_PAGE_SIZE == 0 &&
	       ring_entries_valid(config->entries, NPU_CQ_MIN_ENTRIES, NPU_CQ_MAX_ENTRIES) &&
	       config->vector >= 1 && config->vector < NPU_MAX_VECTORS;
}

enum npu_status cq_create(uint32_t id, const struct npu_admin_cq *config)
{
	enum npu_status status;

	if (id >= NPU_MAX_CQS || !cq_config_valid(config))
		return NPU_ST_ADMIN_INVALID;
	if (cqs[id].exists)
		return NPU_ST_ADMIN_BUSY;

	mmio_write32(NPU_MCU_CQ_ID, id);
	mmio_write32(NPU_MCU_CQ_ENTRIES, config->entries);
	mmio_write64(NPU_MCU_CQ_BASE, config->base);
	mmio_write32(NPU_MCU_CQ_VECTOR, config->vector);
	status = unit_run(&cq_unit, NPU_MCU_CQ_CMD_CREATE);
	if (status != NPU_ST_OK)
		return status;

	cqs[id].exists = true;
	log_info("admin", "cq %u created (%u entries, vector %u)", id, config->entries,
		 config->vector);
	return NPU_ST_OK;
}

enum npu_status cq_destroy(uint32_t id)
{
	enum npu_status status;

	if (!cq_exists(id))
		return NPU_ST_ADMIN_NOENT;
	if (cqs[id].queues)
		return NPU_ST_ADMIN_BUSY;

	mmio_write32(NPU_MCU_CQ_ID, id);
	status = unit_run(&cq_unit, NPU_MCU_CQ_CMD_DESTROY);
	/* NOENT: a command that had timed out has ended after all. */
	if (status != NPU_ST_OK && status != NPU_ST_ADMIN_NOENT)
		return status;

	cqs[id].exists = false;
	log_info("admin", "cq %u destroyed", id);
	return NPU_ST_OK;
}
