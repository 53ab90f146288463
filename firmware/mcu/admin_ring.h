/* SPDX-License-Identifier: MIT */
#ifndef MCU_ADMIN_RING_H
#define MCU_ADMIN_RING_H

#include <stdbool.h>

#include <npu/npu_fw.h>

/* Completes an entry that could not be read, so its own id is not known. */
#define ADMIN_CID_UNREADABLE 0xffff

/*
 * Takes the next entry, if there is one and there is room for its completion. @status is
 * NPU_ST_BUS if it could not be read; then only the cid of @cmd is set.
 */
bool admin_ring_fetch(struct npu_admin_cmd *cmd, enum npu_status *status);

/* Posts the completion of the entry fetched last and interrupts the host. */
void admin_ring_complete(struct npu_admin_cqe *cqe);

#endif /* MCU_ADMIN_RING_H */
