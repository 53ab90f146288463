/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host for the device core that stands for bus, memory, clock and driver. In sync mode time
 * passes only in fw_advance(), so that a test does the same each time.
 */
#ifndef FW_HOST_H
#define FW_HOST_H

#include <pthread.h>

#include <npu/npu_fw.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "fw_image.h"
#include "npu_core.h"

#define FW_HBM_SIZE 0x4000000
#define FW_MEMORY_SIZE 0x100000 /* at bus address 0; the bus refuses what lies above */
#define FW_ASQ 0x10000
#define FW_ACQ 0x20000
#define FW_ADMIN_ENTRIES 16
#define FW_NO_COMPLETION 0xffff

#define MS 1000000ULL

struct fw_host {
	struct npu_core *core;
	bool sync;
	uint8_t *hbm;
	uint8_t *memory;
	uint64_t now;
	uint32_t sq_tail;
	uint32_t cq_head;
	uint16_t cid;
	pthread_mutex_t lock; /* of what follows, written by the device's threads */
	unsigned int irqs;
	unsigned int posts;
	uint32_t post[16];
	char console[0x10000];
	size_t console_len;
	char debug[0x1000]; /* what the management core's debugger was sent */
	size_t debug_len;
};

struct fw_host *fw_host_new(bool sync);
void fw_host_free(struct fw_host *host);

uint32_t fw_read(struct fw_host *host, uint64_t reg);
void fw_write(struct fw_host *host, uint64_t reg, uint32_t value);
void *fw_region(struct fw_host *host, uint64_t offset);

/* Stages @image in HBM at @offset and boots it; returns the POST code at the end. */
uint32_t fw_boot_at(struct fw_host *host, const struct fw_image *image, uint64_t offset);
uint32_t fw_boot(struct fw_host *host, const struct fw_image *image);

/* A host with the real firmware, booted; with admin rings; and having identified itself. */
struct fw_host *fw_host_booted(bool sync);
struct fw_host *fw_host_identified(bool sync);

/* Sets up the admin rings, empty. */
void fw_admin_setup(struct fw_host *host);

/* Puts a command into the ring without telling the device. */
void fw_admin_push(struct fw_host *host, const struct npu_admin_cmd *cmd);

/* Takes the next completion; false if there is none. */
bool fw_admin_pop(struct fw_host *host, struct npu_admin_cqe *cqe);

/* Runs a command; the status is FW_NO_COMPLETION if none came, or one with another cid. */
struct npu_admin_cqe fw_admin(struct fw_host *host, struct npu_admin_cmd cmd);

/* Sync mode: lets time pass. */
void fw_advance(struct fw_host *host, uint64_t ns);

/* Times that the management vector was raised. */
unsigned int fw_irqs(struct fw_host *host);

/* Whether the console has printed @text since the host began. */
bool fw_said(struct fw_host *host, const char *text);

#endif /* FW_HOST_H */
