// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As much of libnpurt as libnpuop needs, on one core of the device's library: a launch runs at
 * once, in the calling thread, and is searched for accesses that flags do not order. What goes
 * wrong in a kernel ends the program, with what the device would report.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <npurt/npurt.h>

#include "../kernels/core.h"
#include "shim.h"

#define MEMORY (768ULL << 20)
#define CORES 24
#define ALIGN 4096

struct npurt_memory {
	struct npurt_memory *next; /* in ascending order of addresses */
	uint64_t address, bytes;
	uint8_t *host;
};

struct npurt_context {
	struct core *core;
	struct npurt_memory *memories;
	uint64_t base;
	uint8_t *host;
};

struct npurt_stream {
	struct npurt_context *context;
};

struct npurt_module {
	struct kernel_module *module;
};

struct npurt_kernel {
	struct npurt_kernel *next;
	struct npurt_module *module;
	char name[64];
};

static struct npurt_context the_context;
static struct npurt_stream the_stream = { &the_context };
static struct npurt_module the_module;
static struct npurt_kernel *kernels;
static uint32_t forced_blocks;

bool shim_expect_fault;
enum npu_status shim_fault;

npurt_context *shim_context(void)
{
	if (!the_context.core)
		the_context.core = core_new(MEMORY + (16 << 20), !getenv("OP_NO_STRICT"));
	return &the_context;
}

npurt_stream *shim_stream(void)
{
	return &the_stream;
}

void shim_force_blocks(uint32_t blocks)
{
	forced_blocks = blocks;
}

int npurt_stream_error_message(npurt_stream *stream, char *text, size_t size)
{
	(void)stream;
	snprintf(text, size, "refused");
	return 0;
}

int npurt_context_error_message(npurt_context *context, char *text, size_t size)
{
	(void)context;
	snprintf(text, size, "refused");
	return 0;
}

/* The image goes through a file, as that is what the core takes. One module is enough. */
int npurt_module_load_data(npurt_context *context, const void *image, size_t bytes,
			   npurt_module **module)
{
	char path[] = "/tmp/npuop-XXXXXX";
	int fd;

	*module = &the_module;
	if (the_module.module)
		return 0;
	fd = mkstemp(path);
	if (fd < 0 || write(fd, image, bytes) != (ssize_t)bytes)
		return NPURT_ERROR_SYSTEM;
	close(fd);
	the_module.module = core_load(context->core, path);
	unlink(path);
	if (!the_module.module)
		return NPURT_ERROR_MODULE;
	context->host = core_alloc(context->core, MEMORY, &context->base);
	return 0;
}

int npurt_module_unload(npurt_module *module)
{
	(void)module;
	return 0;
}

int npurt_module_get_kernel(npurt_module *module, const char *name, npurt_kernel **kernel)
{
	struct npurt_kernel *k = calloc(1, sizeof(*k));

	k->next = kernels;
	k->module = module;
	snprintf(k->name, sizeof(k->name), "%s", name);
	kernels = k;
	*kernel = k;
	return 0;
}

int npurt_kernel_get_occupancy(npurt_kernel *kernel, uint32_t blocks, uint64_t core_mask,
			       uint32_t max_cores, npurt_occupancy *occupancy)
{
	(void)kernel;
	(void)blocks;
	(void)core_mask;
	(void)max_cores;
	occupancy->cores = CORES;
	return 0;
}

/* The first gap that is large enough. */
int npurt_memory_create(npurt_context *context, uint64_t bytes, const npurt_memory_attr *attr,
			npurt_memory **memory)
{
	struct npurt_memory **at = &context->memories, *m = malloc(sizeof(*m));
	const uint64_t room = (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	uint64_t address = (context->base + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);

	(void)attr;
	for (; *at && (*at)->address - address < room; at = &(*at)->next)
		address = ((*at)->address + (*at)->bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	if (address + room > context->base + MEMORY) {
		free(m);
		return NPURT_ERROR_DEVICE_MEMORY;
	}
	*m = (struct npurt_memory){
		*at,
		address,
		bytes,
		context->host + (address - context->base),
	};
	memset(m->host, 0, room);
	*at = m;
	*memory = m;
	return 0;
}

int npurt_memory_destroy(npurt_memory *memory)
{
	struct npurt_memory **at = &the_context.memories;

	while (*at != memory)
		at = &(*at)->next;
	*at = memory->next;
	free(memory);
	return 0;
}

uint64_t npurt_memory_address(const npurt_memory *memory)
{
	return memory ? memory->address : 0;
}

uint64_t npurt_memory_size(const npurt_memory *memory)
{
	return memory ? memory->bytes : 0;
}

npurt_context *npurt_memory_context(const npurt_memory *memory)
{
	return memory ? &the_context : NULL;
}

int npurt_memory_map(npurt_memory *memory, void **pointer)
{
	*pointer = memory->host;
	return 0;
}

int npurt_stream_synchronize(npurt_stream *stream)
{
	(void)stream;
	return 0;
}

int npurt_launch(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks, const void *args,
		 size_t args_size, const npurt_launch_attr *attr)
{
	struct core *core = stream->context->core;
	const struct core_fault *fault = core_fault(core);
	enum npu_status status;

	(void)attr;
	status = core_run(core, kernel->module->module, kernel->name, args, args_size,
			  forced_blocks ? forced_blocks : blocks);
	if (!status)
		return 0;
	if (status && shim_expect_fault) {
		shim_fault = status;
		return 0;
	}
	printf("Bail out! kernel %s, block %u, pc 0x%llx: status %d, address 0x%llx%s%s\n",
	       kernel->name, fault->block, (unsigned long long)fault->pc, status,
	       (unsigned long long)fault->address, core_finding(core) ? ": " : "",
	       core_finding(core) ? core_finding(core) : "");
	exit(1);
}
