// SPDX-License-Identifier: MIT
/*
 * Contexts: which are bound to a page table, and how many queues use each.
 */
#include <npu/npu_mcu.h>
#include <npu/npu_mmu.h>
#include <npu/npu_regs.h>

#include "context.h"
#include "log.h"
#include "mmio.h"
#include "unit.h"

static const struct unit context_unit = { NPU_MCU_CTX_CMD, NPU_MCU_CTX_STATUS };

static struct {
	bool set;
	uint16_t queues;
} contexts[NPU_MAX_CONTEXTS];

bool context_is_set(uint32_t id)
{
	return id < NPU_MAX_CONTEXTS && contexts[id].set;
}

void context_hold(uint32_t id)
{
	contexts[id].queues++;
}

void context_release(uint32_t id)
{
	contexts[id].queues--;
}

enum npu_status context_set(uint32_t id, const struct npu_admin_context *config)
{
	enum npu_status status;

	/* The firmware region ends HBM and belongs to nobody's page tables. */
	if (id >= NPU_MAX_CONTEXTS || config->root % NPU_PAGE_SIZE ||
	    config->root >= mmio_read64(NPU_MCU_HOST_FW_REGION))
		return NPU_ST_ADMIN_INVALID;
	if (contexts[id].set)
		return NPU_ST_ADMIN_BUSY;

	mmio_write32(NPU_MCU_CTX_ID, id);
	mmio_write64(NPU_MCU_CTX_ROOT, config->root);
	status = unit_run(&context_unit, NPU_MCU_CTX_CMD_SET);
	if (status != NPU_ST_OK)
		return status;

	contexts[id].set = true;
	log_info("admin", "context %u set (root %lx)", id, config->root);
	return NPU_ST_OK;
}

enum npu_status context_clear(uint32_t id)
{
	enum npu_status status;

	if (!context_is_set(id))
		return NPU_ST_ADMIN_NOENT;
	if (contexts[id].queues)
		return NPU_ST_ADMIN_BUSY;

	mmio_write32(NPU_MCU_CTX_ID, id);
	status = unit_run(&context_unit, NPU_MCU_CTX_CMD_CLEAR);
	/* NOENT: a command that had timed out has ended after all. */
	if (status != NPU_ST_OK && status != NPU_ST_ADMIN_NOENT)
		return status;

	contexts[id].set = false;
	log_info("admin", "context %u cleared", id);
	return NPU_ST_OK;
}
