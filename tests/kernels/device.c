// SPDX-License-Identifier: GPL-2.0-or-later
#include "../device/testhost.h"
#include "device.h"

struct device {
	struct testhost *host;
	struct th_space *space;
	struct th_queue *queue;
};

struct device *device_new(unsigned int workers, unsigned int cores)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d) {
		perror("device");
		exit(1);
	}
	d->host = th_new(workers, cores);
	d->space = th_space_new(d->host, 1);
	d->queue = th_queue_new(d->space, 1, 16, th_cq_new(d->host, 0, 64, 1));
	return d;
}

void device_free(struct device *device)
{
	th_free(device->host);
	free(device);
}

void *device_alloc(struct device *device, size_t bytes, uint64_t *address)
{
	void *host;

	*address = th_alloc(device->space, bytes, &host);
	return host;
}

uint64_t device_code(struct device *device, const void *image, size_t bytes)
{
	const uint64_t pages = (bytes + NPU_PAGE_SIZE - 1) & ~(NPU_PAGE_SIZE - 1);
	uint64_t address;
	uint8_t *host = device_alloc(device, bytes, &address);

	memcpy(host, image, bytes);
	th_map(device->space, address, host - device->host->hbm, pages,
	       NPU_PTE_READ | NPU_PTE_EXEC);
	return address;
}

uint32_t device_run(struct device *device, uint64_t entry, uint64_t args, uint32_t blocks)
{
	const struct npu_cmd cmd = th_kernel(entry, args, blocks);

	return th_run(device->queue, &cmd, 1);
}
