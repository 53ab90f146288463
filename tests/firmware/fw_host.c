// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fw_host.h"

#define CORES 4
#define QUEUES 64
#define VECTORS 8
#define START_TIME 1000000000ULL /* so that device time and host time differ */
#define THREADED_PATIENCE_NS 10000000000ULL

static bool bus_refuses(uint64_t addr, size_t len)
{
	return addr > FW_MEMORY_SIZE || len > FW_MEMORY_SIZE - addr;
}

static int host_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	struct fw_host *host = opaque;

	if (bus_refuses(addr, len))
		return -1;
	memcpy(buf, host->memory + addr, len);
	return 0;
}

/* The last word of an entry is what a driver polls: it is written as one. */
static int host_dma_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
	struct fw_host *host = opaque;
	uint64_t word;

	if (bus_refuses(addr, len))
		return -1;
	if (len == sizeof(word) && addr % sizeof(word) == 0) {
		memcpy(&word, buf, sizeof(word));
		__atomic_store_n((uint64_t *)(host->memory + addr), word, __ATOMIC_RELEASE);
	} else {
		memcpy(host->memory + addr, buf, len);
	}
	return 0;
}

static void host_raise(void *opaque, unsigned int vector)
{
	struct fw_host *host = opaque;

	pthread_mutex_lock(&host->lock);
	if (vector == 0)
		host->irqs++;
	pthread_mutex_unlock(&host->lock);
}

static uint64_t host_clock(void *opaque)
{
	struct fw_host *host = opaque;

	return host->sync ? host->now : (uint64_t)g_get_monotonic_time() * 1000;
}

static void host_event(void *opaque, enum npu_core_event event, uint64_t a, uint64_t b, uint64_t c)
{
	struct fw_host *host = opaque;

	(void)b;
	(void)c;
	pthread_mutex_lock(&host->lock);
	if (event == NPU_CORE_EV_POST && host->posts < G_N_ELEMENTS(host->post))
		host->post[host->posts++] = a;
	pthread_mutex_unlock(&host->lock);
}

static void host_console(void *opaque, const char *text, size_t len)
{
	struct fw_host *host = opaque;

	pthread_mutex_lock(&host->lock);
	len = MIN(len, sizeof(host->console) - 1 - host->console_len);
	memcpy(host->console + host->console_len, text, len);
	host->console_len += len;
	host->console[host->console_len] = '\0';
	pthread_mutex_unlock(&host->lock);
}

static void host_debug_output(void *opaque, enum npu_debug_unit unit, const char *data, size_t len)
{
	struct fw_host *host = opaque;

	(void)unit;
	len = MIN(len, sizeof(host->debug) - 1 - host->debug_len);
	memcpy(host->debug + host->debug_len, data, len);
	host->debug_len += len;
	host->debug[host->debug_len] = '\0';
}

static const struct npu_host_ops host_ops = {
	.dma_read = host_dma_read,
	.dma_write = host_dma_write,
	.raise = host_raise,
	.clock_ns = host_clock,
	.event = host_event,
	.console = host_console,
	.debug_output = host_debug_output,
};

struct fw_host *fw_host_new(bool sync)
{
	struct fw_host *host = g_new0(struct fw_host, 1);
	struct npu_core_config config = {
		.hbm_size = FW_HBM_SIZE,
		.cores = CORES,
		.queues = QUEUES,
		.vectors = VECTORS,
		.workers = 1,
		.sync = sync,
	};
	const char *error = "";

	pthread_mutex_init(&host->lock, NULL);
	host->sync = sync;
	host->now = START_TIME;
	host->memory = aligned_alloc(4096, FW_MEMORY_SIZE);
	memset(host->memory, 0, FW_MEMORY_SIZE);
	host->hbm = mmap(NULL, FW_HBM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	config.hbm = host->hbm;
	host->core = npu_core_new(&config, &host_ops, host, &error);
	if (host->hbm == MAP_FAILED || !host->core) {
		printf("Bail out! no device: %s\n", error);
		exit(1);
	}
	return host;
}

void fw_host_free(struct fw_host *host)
{
	npu_core_free(host->core);
	pthread_mutex_destroy(&host->lock);
	munmap(host->hbm, FW_HBM_SIZE);
	free(host->memory);
	g_free(host);
}

uint32_t fw_read(struct fw_host *host, uint64_t reg)
{
	return npu_core_mmio_read(host->core, reg, 4);
}

void fw_write(struct fw_host *host, uint64_t reg, uint32_t value)
{
	npu_core_mmio_write(host->core, reg, value, 4);
}

void *fw_region(struct fw_host *host, uint64_t offset)
{
	return host->hbm + fw_read(host, NPU_REG_FW_REGION_LO) + offset;
}

/* Whether to go on waiting for the device; in sync mode it has done all that it can. */
static bool keep_waiting(struct fw_host *host, uint64_t since)
{
	if (host->sync || host_clock(host) - since > THREADED_PATIENCE_NS)
		return false;
	g_usleep(50);
	return true;
}

static bool boot_over(uint32_t post)
{
	return post == NPU_POST_FW_READY || post >= NPU_POST_ERROR;
}

uint32_t fw_boot_at(struct fw_host *host, const struct fw_image *image, uint64_t offset)
{
	uint64_t since = host_clock(host);

	if (offset <= FW_HBM_SIZE && image->size <= FW_HBM_SIZE - offset)
		memcpy(host->hbm + offset, image->data, image->size);
	fw_write(host, NPU_REG_BOOT_IMAGE_LO, offset);
	fw_write(host, NPU_REG_BOOT_IMAGE_HI, offset >> 32);
	fw_write(host, NPU_REG_BOOT_IMAGE_SIZE, image->size);
	fw_write(host, NPU_REG_BOOT_CMD, NPU_BOOT_CMD_START);
	while (!boot_over(fw_read(host, NPU_REG_BOOT_POST)) && keep_waiting(host, since))
		;
	return fw_read(host, NPU_REG_BOOT_POST);
}

uint32_t fw_boot(struct fw_host *host, const struct fw_image *image)
{
	return fw_boot_at(host, image,
			  fw_read(host, NPU_REG_FW_REGION_LO) + NPU_FW_REGION_IMAGE);
}

void fw_admin_setup(struct fw_host *host)
{
	memset(host->memory + FW_ACQ, 0, FW_ADMIN_ENTRIES * sizeof(struct npu_admin_cqe));
	host->sq_tail = host->cq_head = 0;
	fw_write(host, NPU_REG_ASQ_BASE_LO, FW_ASQ);
	fw_write(host, NPU_REG_ACQ_BASE_LO, FW_ACQ);
	fw_write(host, NPU_REG_ADMIN_ENTRIES, FW_ADMIN_ENTRIES);
	fw_write(host, NPU_REG_IRQ_ENABLE, NPU_IRQ_CAUSE_ADMIN | NPU_IRQ_CAUSE_EVENT |
		 NPU_IRQ_CAUSE_FW_DEAD);
}

struct fw_host *fw_host_booted(bool sync)
{
	struct fw_host *host = fw_host_new(sync);
	struct fw_image image = fw_image_load();
	uint32_t post = fw_boot(host, &image);

	if (post != NPU_POST_FW_READY) {
		printf("Bail out! boot ends with POST %#x\n%s", post, host->console);
		exit(1);
	}
	fw_image_free(&image);
	fw_admin_setup(host);
	return host;
}

struct fw_host *fw_host_identified(bool sync)
{
	struct fw_host *host = fw_host_booted(sync);
	struct npu_admin_cqe cqe = fw_admin(host, (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_IDENTIFY,
		.identify.abi_major = NPU_FW_ABI_VERSION_MAJOR,
		.identify.abi_minor = NPU_FW_ABI_VERSION_MINOR,
	});

	if (cqe.status != NPU_ST_OK) {
		printf("Bail out! identify: status %u\n%s", cqe.status, host->console);
		exit(1);
	}
	return host;
}

void fw_admin_push(struct fw_host *host, const struct npu_admin_cmd *cmd)
{
	struct npu_admin_cmd *ring = (struct npu_admin_cmd *)(host->memory + FW_ASQ);

	ring[host->sq_tail++ % FW_ADMIN_ENTRIES] = *cmd;
}

bool fw_admin_pop(struct fw_host *host, struct npu_admin_cqe *cqe)
{
	struct npu_admin_cqe *ring = (struct npu_admin_cqe *)(host->memory + FW_ACQ);
	struct npu_admin_cqe *entry = &ring[host->cq_head % FW_ADMIN_ENTRIES];
	uint16_t phase = host->cq_head / FW_ADMIN_ENTRIES % 2 ? 0 : NPU_CQE_PHASE;
	uint64_t last = __atomic_load_n((uint64_t *)&entry->cid, __ATOMIC_ACQUIRE);

	if ((last >> 48 & NPU_CQE_PHASE) != phase)
		return false;
	*cqe = *entry;
	host->cq_head++;
	fw_write(host, NPU_REG_ACQ_HEAD, host->cq_head);
	return true;
}

struct npu_admin_cqe fw_admin(struct fw_host *host, struct npu_admin_cmd cmd)
{
	struct npu_admin_cqe cqe = { .status = FW_NO_COMPLETION };
	uint64_t since = host_clock(host);

	cmd.cid = ++host->cid;
	fw_admin_push(host, &cmd);
	fw_write(host, NPU_REG_ASQ_TAIL, host->sq_tail);
	while (!fw_admin_pop(host, &cqe) && keep_waiting(host, since))
		;
	if (cqe.cid != cmd.cid || cqe.sq_head != (host->sq_tail & 0xffff))
		cqe.status = FW_NO_COMPLETION;
	return cqe;
}

void fw_advance(struct fw_host *host, uint64_t ns)
{
	uint64_t end = host->now + ns;

	for (;;) {
		uint64_t next = npu_core_poll(host->core);

		if (next > end)
			break;
		/* Something that is due at once, and again and again, must not hold time up. */
		host->now = MAX(next, host->now + 1);
	}
	host->now = end;
	npu_core_poll(host->core);
}

unsigned int fw_irqs(struct fw_host *host)
{
	unsigned int irqs;

	pthread_mutex_lock(&host->lock);
	irqs = host->irqs;
	pthread_mutex_unlock(&host->lock);
	return irqs;
}

bool fw_said(struct fw_host *host, const char *text)
{
	bool said;

	pthread_mutex_lock(&host->lock);
	said = strstr(host->console, text);
	pthread_mutex_unlock(&host->lock);
	return said;
}
