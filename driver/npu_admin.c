// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>

#include <drm/drm_print.h>

#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_device.h"
#include "npu_fault.h"
#include "npu_mmio.h"
#include "npu_reset.h"
#include "npu_ring.h"
#include "npu_trace.h"

#define NPU_ADMIN_ENTRIES 64
#define NPU_ADMIN_TIMEOUT_MS 5000

static_assert(NPU_ADMIN_ENTRIES <= NPU_ADMIN_MAX_ENTRIES);

/**
 * npu_admin_init() - allocate the admin rings
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_admin_init(struct npu_device *npu)
{
	struct npu_admin *admin = &npu->admin;
	struct device *dev = npu->drm.dev;

	spin_lock_init(&admin->lock);
	init_completion(&admin->done);

	admin->sq = dmam_alloc_coherent(dev, NPU_ADMIN_ENTRIES * sizeof(*admin->sq),
					&admin->sq_dma, GFP_KERNEL);
	if (!admin->sq)
		return -ENOMEM;

	admin->cq = dmam_alloc_coherent(dev, NPU_ADMIN_ENTRIES * sizeof(*admin->cq),
					&admin->cq_dma, GFP_KERNEL);
	if (!admin->cq)
		return -ENOMEM;

	return 0;
}

/**
 * npu_admin_start() - give the rings to a device that has just been reset
 * @npu: device
 */
void npu_admin_start(struct npu_device *npu)
{
	struct npu_admin *admin = &npu->admin;

	memset(admin->sq, 0, NPU_ADMIN_ENTRIES * sizeof(*admin->sq));
	memset(admin->cq, 0, NPU_ADMIN_ENTRIES * sizeof(*admin->cq));
	admin->tail = 0;
	admin->head = 0;
	admin->failed = false;

	npu_write64(npu, NPU_REG_ASQ_BASE_LO, admin->sq_dma);
	npu_write64(npu, NPU_REG_ACQ_BASE_LO, admin->cq_dma);
	npu_write(npu, NPU_REG_ADMIN_ENTRIES, NPU_ADMIN_ENTRIES);
}

/**
 * npu_admin_process() - take completions from the ring
 * @npu: device
 *
 * Called by the interrupt handler, and by a waiter that fears it was lost.
 */
void npu_admin_process(struct npu_device *npu)
{
	struct npu_admin *admin = &npu->admin;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&admin->lock, flags);
	for (i = 0; i < NPU_ADMIN_ENTRIES; i++) {
		u32 slot = npu_ring_slot(admin->head, NPU_ADMIN_ENTRIES);
		struct npu_admin_cqe *cqe = &admin->cq[slot];
		bool phase = npu_ring_phase(admin->head, NPU_ADMIN_ENTRIES);

		if (!!(le16_to_cpu(READ_ONCE(cqe->flags)) & NPU_CQE_PHASE) != phase)
			break;

		dma_rmb(); /* the rest was written before the phase */
		admin->head++;

		/* An answer that nobody waits for came after its time-out. */
		if (admin->pending && le16_to_cpu(cqe->cid) == admin->cid) {
			admin->reply = *cqe;
			admin->pending = false;
			complete(&admin->done);
		}
	}

	if (i)
		npu_write(npu, NPU_REG_ACQ_HEAD, admin->head);
	spin_unlock_irqrestore(&admin->lock, flags);
}

/**
 * npu_admin_fail() - the firmware is dead: do not let anybody wait for it
 * @npu: device
 */
void npu_admin_fail(struct npu_device *npu)
{
	struct npu_admin *admin = &npu->admin;
	unsigned long flags;

	spin_lock_irqsave(&admin->lock, flags);
	admin->failed = true;
	if (admin->pending) {
		admin->pending = false;
		complete(&admin->done);
	}
	spin_unlock_irqrestore(&admin->lock, flags);
}

/**
 * npu_admin_submit() - put a command on the ring
 * @npu: device
 * @cmd: command, gets its cid
 *
 * Return: false if the firmware is known to be dead.
 */
static bool npu_admin_submit(struct npu_device *npu, struct npu_admin_cmd *cmd)
{
	struct npu_admin *admin = &npu->admin;
	bool ok;

	spin_lock_irq(&admin->lock);
	ok = !admin->failed;
	if (ok) {
		reinit_completion(&admin->done);
		cmd->cid = cpu_to_le16(++admin->cid);
		admin->sq[npu_ring_slot(admin->tail++, NPU_ADMIN_ENTRIES)] = *cmd;
		admin->pending = true;
		dma_wmb(); /* the command is there before the doorbell rings */
		npu_write(npu, NPU_REG_ASQ_TAIL, admin->tail);
	}
	spin_unlock_irq(&admin->lock);

	return ok;
}

/**
 * npu_admin_wait() - wait for the command in flight
 * @npu: device
 *
 * Return: 0 when it has been answered, a negative error code otherwise.
 */
static int npu_admin_wait(struct npu_device *npu)
{
	struct npu_admin *admin = &npu->admin;
	unsigned long timeout = msecs_to_jiffies(NPU_ADMIN_TIMEOUT_MS);

	bool answered;

	do
		answered = wait_for_completion_timeout(&admin->done, timeout);
	while (!answered && npu_debugged(npu));

	if (!answered) {
		npu_admin_process(npu);
		if (!try_wait_for_completion(&admin->done)) {
			npu_admin_fail(npu);
			npu->reset.fw_silent = true;
			return -ETIMEDOUT;
		}
		drm_err_ratelimited(&npu->drm, "interrupt of the admin queue was lost\n");
		atomic64_inc(&npu->recovery.lost_interrupts);
	}

	return admin->failed ? -EIO : 0;
}

/**
 * npu_admin_exec_untraced() - execute an admin command
 * @npu: device
 * @cmd: command
 * @reply: completion, or NULL
 *
 * Return: see npu_admin_exec().
 */
static int npu_admin_exec_untraced(struct npu_device *npu, struct npu_admin_cmd *cmd,
				   struct npu_admin_cqe *reply)
{
	u16 status;
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	if (npu->state == NPU_DEVICE_GONE)
		return -ENODEV;
	if (npu->state == NPU_DEVICE_WEDGED || npu->state == NPU_DEVICE_OFFLINE)
		return -EIO;

	ret = npu_admin_submit(npu, cmd) ? npu_admin_wait(npu) : -EIO;
	if (ret) {
		drm_err(&npu->drm, "firmware does not answer admin command %u: %pe\n",
			cmd->opcode, ERR_PTR(ret));
		npu_reset_schedule(npu, "admin queue is dead");
		return ret;
	}

	if (reply)
		*reply = npu->admin.reply;

	status = le16_to_cpu(npu->admin.reply.status);
	switch (status) {
	case NPU_ST_OK:
		return 0;
	case NPU_ST_ADMIN_BUSY:
		ret = -EBUSY;
		break;
	case NPU_ST_ADMIN_NOENT:
		ret = -ENOENT;
		break;
	default:
		ret = -EINVAL;
	}

	drm_dbg(&npu->drm, "admin command %u for %u failed: %s\n", cmd->opcode,
		le32_to_cpu(cmd->id), npu_status_name(status));
	return ret;
}

/**
 * npu_admin_exec() - execute an admin command
 * @npu: device
 * @cmd: command
 * @reply: completion, or NULL
 *
 * A firmware that does not answer has the device reset; the caller gets the
 * error at once and must not take the command for done nor for not done.
 *
 * Return: 0 on success; -EBUSY, -ENOENT or -EINVAL if the firmware said so;
 * -ENODEV, -EIO or -ETIMEDOUT if it cannot be talked to.
 */
int npu_admin_exec(struct npu_device *npu, struct npu_admin_cmd *cmd,
		   struct npu_admin_cqe *reply)
{
	int ret = npu_admin_exec_untraced(npu, cmd, reply);

	trace_npu_fw_command(npu, cmd, ret);
	return ret;
}

/**
 * npu_admin_identify() - agree on the version of the admin ABI
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_admin_identify(struct npu_device *npu)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_IDENTIFY,
		.identify = {
			.abi_major = cpu_to_le16(NPU_FW_ABI_VERSION_MAJOR),
			.abi_minor = cpu_to_le16(NPU_FW_ABI_VERSION_MINOR),
		},
	};
	struct npu_admin_cqe reply;
	int ret;

	ret = npu_admin_exec(npu, &cmd, &reply);
	if (ret) {
		drm_err(&npu->drm, "firmware %s refuses admin ABI %u.%u: %pe\n", npu->fw.version,
			NPU_FW_ABI_VERSION_MAJOR, NPU_FW_ABI_VERSION_MINOR, ERR_PTR(ret));
		return ret;
	}

	npu->fw.abi_major = le16_to_cpu(reply.identity.abi_major);
	npu->fw.abi_minor = le16_to_cpu(reply.identity.abi_minor);

	if (atomic_read(&npu->reset.count) && npu->fw.abi_minor >= 1 &&
	    !(le32_to_cpu(reply.identity.flags) & NPU_IDENTITY_HBM_KEPT)) {
		drm_err(&npu->drm, "HBM has lost its contents, and with them all buffers\n");
		return -EIO;
	}

	return 0;
}
