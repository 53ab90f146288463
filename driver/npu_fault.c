// SPDX-License-Identifier: GPL-2.0-only
#include <linux/array_size.h>
#include <linux/errno.h>

#include <drm/drm_print.h>

#include <npu/npu_status.h>

#include "npu_device.h"
#include "npu_fault.h"
#include "npu_queue.h"
#include "npu_vm.h"

static const char * const npu_status_names[] = {
	[NPU_ST_OK] = "OK",
	[NPU_ST_ABORTED] = "ABORTED",
	[NPU_ST_TIMEOUT] = "TIMEOUT",
	[NPU_ST_SQE_INVALID] = "SQE_INVALID",
	[NPU_ST_CMD_INVALID] = "CMD_INVALID",
	[NPU_ST_ENGINE] = "ENGINE",
	[NPU_ST_MMU_READ] = "MMU_READ",
	[NPU_ST_MMU_WRITE] = "MMU_WRITE",
	[NPU_ST_MMU_EXEC] = "MMU_EXEC",
	[NPU_ST_MMU_TABLE] = "MMU_TABLE",
	[NPU_ST_BUS] = "BUS",
	[NPU_ST_HBM_ECC] = "HBM_ECC",
	[NPU_ST_ILLEGAL_INSN] = "ILLEGAL_INSN",
	[NPU_ST_MISALIGNED] = "MISALIGNED",
	[NPU_ST_LOCAL_RANGE] = "LOCAL_RANGE",
	[NPU_ST_TILE_ALIGN] = "TILE_ALIGN",
	[NPU_ST_TILE_SHAPE] = "TILE_SHAPE",
	[NPU_ST_FLAG_DEADLOCK] = "FLAG_DEADLOCK",
	[NPU_ST_KERNEL_TRAP] = "KERNEL_TRAP",
	[NPU_ST_CORE_LOST] = "CORE_LOST",
	[NPU_ST_ADMIN_INVALID] = "ADMIN_INVALID",
	[NPU_ST_ADMIN_BUSY] = "ADMIN_BUSY",
	[NPU_ST_ADMIN_NOENT] = "ADMIN_NOENT",
	[NPU_ST_STRICT_FLAG] = "STRICT_FLAG",
	[NPU_ST_STRICT_OVERLAP] = "STRICT_OVERLAP",
	[NPU_ST_STRICT_UNINIT] = "STRICT_UNINIT",
};

static const char * const npu_unit_names[] = {
	[NPU_UNIT_SCHED] = "scheduler",
	[NPU_UNIT_SDMA] = "sdma",
	[NPU_UNIT_SCALAR] = "scalar",
	[NPU_UNIT_MTE] = "mte",
	[NPU_UNIT_CUBE] = "cube",
	[NPU_UNIT_VECTOR] = "vector",
	[NPU_UNIT_FIXPIPE] = "fixpipe",
};

/**
 * npu_status_name() - name of a status code
 * @status: enum npu_status, as the device wrote it
 *
 * Return: its name without the prefix.
 */
const char *npu_status_name(u32 status)
{
	return status < ARRAY_SIZE(npu_status_names) ? npu_status_names[status] : "unknown";
}

/**
 * npu_status_to_errno() - error of the fence of a failed job
 * @status: enum npu_status, as the device wrote it
 *
 * Return: a negative error code, 0 for NPU_ST_OK.
 */
int npu_status_to_errno(u32 status)
{
	switch (status) {
	case NPU_ST_OK:
		return 0;
	case NPU_ST_ABORTED:
		return -ECANCELED;
	case NPU_ST_TIMEOUT:
		return -ETIME;
	default:
		return -EIO;
	}
}

/**
 * npu_status_is_guilty() - is a queue itself to blame for its failed job?
 * @status: enum npu_status, as the device wrote it
 *
 * Return: false if hardware failed under it.
 */
bool npu_status_is_guilty(u32 status)
{
	switch (status) {
	case NPU_ST_ABORTED:
	case NPU_ST_BUS:
	case NPU_ST_HBM_ECC:
	case NPU_ST_CORE_LOST:
		return false;
	default:
		return true;
	}
}

/**
 * npu_fault_note() - count a fault with the address space, if an address was at fault
 * @vm: address space
 * @fault: fault record
 *
 * Called by the interrupt handler.
 */
void npu_fault_note(struct npu_vm *vm, const struct npu_fault *fault)
{
	struct npu_vm_faults *faults = &vm->faults;
	u32 status = le32_to_cpu(fault->status);
	unsigned long flags;

	switch (status) {
	case NPU_ST_MMU_READ:
	case NPU_ST_MMU_WRITE:
	case NPU_ST_MMU_EXEC:
	case NPU_ST_MMU_TABLE:
	case NPU_ST_BUS:
	case NPU_ST_HBM_ECC:
	case NPU_ST_MISALIGNED:
		break;
	default:
		return;
	}

	spin_lock_irqsave(&faults->lock, flags);
	faults->count++;
	faults->address = le64_to_cpu(fault->address);
	faults->access = fault->access;
	faults->status = status;
	spin_unlock_irqrestore(&faults->lock, flags);
}

/**
 * npu_fault_get_state() - tell user space about the faults of an address space
 * @vm: address space
 * @state: its state
 */
void npu_fault_get_state(struct npu_vm *vm, struct drm_npu_vm_get_state *state)
{
	struct npu_vm_faults *faults = &vm->faults;

	spin_lock_irq(&faults->lock);
	state->faults = faults->count;
	state->fault_address = faults->address;
	state->fault_access = faults->access;
	state->fault_status = faults->status;
	spin_unlock_irq(&faults->lock);
}

/**
 * npu_fault_report() - say in the log what stopped a queue
 * @queue: queue
 * @fault: fault record
 *
 * Any user can cause faults: the rate is limited.
 *
 * Return: true if it was said.
 */
bool npu_fault_report(struct npu_queue *queue, const struct npu_fault *fault)
{
	struct npu_device *npu = queue->npu;

	if (!__ratelimit(&npu->fault_ratelimit))
		return false;

	drm_warn(&npu->drm,
		 "%s[%d] queue %u stopped: %s at 0x%llx by %s, command %u, core %u, block %u, pc 0x%llx\n",
		 queue->comm, queue->pid, queue->hw_id,
		 npu_status_name(le32_to_cpu(fault->status)), le64_to_cpu(fault->address),
		 fault->unit < ARRAY_SIZE(npu_unit_names) ? npu_unit_names[fault->unit] : "unknown",
		 le32_to_cpu(fault->command), le16_to_cpu(fault->core),
		 le32_to_cpu(fault->block), le64_to_cpu(fault->pc));
	return true;
}
