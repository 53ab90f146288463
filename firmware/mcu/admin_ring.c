// SPDX-License-Identifier: MIT
/*
 * The admin rings, in host memory. All that the host says about them is checked when it is used.
 */
#include <npu/npu_mcu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "admin_ring.h"
#include "log.h"
#include "mmio.h"
#include "ring.h"

#define WORD sizeof(npu_le64)
#define CMD_WORDS (sizeof(struct npu_admin_cmd) / WORD)
#define CQE_WORDS (sizeof(struct npu_admin_cqe) / WORD)

static uint32_t sq_head;
static uint32_t cq_tail;
/* The last index that was refused, to log each but once. */
static uint32_t bad_index;

static bool indices_valid(uint32_t entries, uint32_t tail, uint32_t head)
{
	uint32_t bad;

	if (!ring_entries_valid(entries, 1, NPU_ADMIN_MAX_ENTRIES))
		bad = entries;
	else if (tail - sq_head > entries)
		bad = tail;
	else if (cq_tail - head > entries)
		bad = head;
	else
		return true;

	if (bad != bad_index)
		log_warn("admin", "ring ignored: %u entries, tail %u (head %u), completion head "
			 "%u (tail %u)", entries, tail, sq_head, head, cq_tail);
	bad_index = bad;
	return false;
}

bool admin_ring_fetch(struct npu_admin_cmd *cmd, enum npu_status *status)
{
	uint32_t entries = mmio_read32(NPU_MCU_HOST_ENTRIES);
	uint32_t tail = mmio_read32(NPU_MCU_HOST_ASQ_TAIL);
	uint32_t head = mmio_read32(NPU_MCU_HOST_ACQ_HEAD);
	uint64_t address;

	if (tail == sq_head || !indices_valid(entries, tail, head) || cq_tail - head == entries)
		return false;

	address = mmio_read64(NPU_MCU_HOST_ASQ_BASE) + sq_head % entries * sizeof(*cmd);
	sq_head++;
	*status = NPU_ST_OK;
	if (!guarded_copy(cmd, (void *)(NPU_MCU_PCI_WINDOW | address), CMD_WORDS)) {
		log_err("admin", "cannot read entry at bus address %lx", address);
		cmd->cid = ADMIN_CID_UNREADABLE;
		*status = NPU_ST_BUS;
	}
	return true;
}

/* The payload first, then the word with the phase, which makes the entry valid. */
static bool write_entry(uint64_t address, const struct npu_admin_cqe *cqe)
{
	const npu_le64 *words = (const npu_le64 *)cqe;
	npu_le64 *to = (npu_le64 *)(NPU_MCU_PCI_WINDOW | address);

	if (!guarded_copy(to, words, CQE_WORDS - 1))
		return false;
	window_fence();
	return guarded_copy(to + CQE_WORDS - 1, words + CQE_WORDS - 1, 1);
}

void admin_ring_complete(struct npu_admin_cqe *cqe)
{
	uint32_t entries = mmio_read32(NPU_MCU_HOST_ENTRIES);
	uint64_t address;

	if (!ring_entries_valid(entries, 1, NPU_ADMIN_MAX_ENTRIES)) {
		log_err("admin", "completion %u lost: %u entries", cqe->cid, entries);
		return;
	}
	address = mmio_read64(NPU_MCU_HOST_ACQ_BASE) + cq_tail % entries * sizeof(*cqe);
	cqe->sq_head = sq_head;
	cqe->flags = cq_tail / entries % 2 ? 0 : NPU_CQE_PHASE;
	/* The slot is not used up, or the host would wait for an entry it never gets. */
	if (!write_entry(address, cqe)) {
		log_err("admin", "completion %u lost: cannot write at bus address %lx", cqe->cid,
			address);
		return;
	}
	cq_tail++;
	mmio_write32(NPU_MCU_HOST_IRQ, NPU_IRQ_CAUSE_ADMIN);
}
