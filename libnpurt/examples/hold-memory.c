// SPDX-License-Identifier: MIT
/*
 * Shows the memory of the first device, and holds some of it: something for npu-smi to see.
 *
 *	example-hold-memory [MIB]
 *
 * With an argument it allocates as many MiB of HBM, says "ready" and holds them until it is
 * killed.
 */
#include <inttypes.h>

#include "example.h"

static void show(npurt_device *device)
{
	npurt_memory_info info = { .size = sizeof(info) };

	CHECK_DEVICE(npurt_device_get_memory_info(device, &info));
	printf("%" PRIu64 " of %" PRIu64 " MiB of HBM in use\n", info.hbm_used >> 20,
	       info.hbm_size >> 20);
}

int main(int argc, char **argv)
{
	const uint64_t bytes = argc > 1 ? strtoull(argv[1], NULL, 0) << 20 : 0;
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "held" };
	npurt_device *device;
	npurt_context *context;
	npurt_memory *memory;

	CHECK_DEVICE(npurt_device_open(0, NULL, &device));
	show(device);
	if (bytes) {
		CHECK_DEVICE(npurt_context_create(device, NULL, &context));
		CHECK(context, npurt_memory_create(context, bytes, &attr, &memory));
		show(device);
		printf("ready\n");
		fflush(stdout);
		pause();
	}
	npurt_device_close(device);
	return 0;
}
