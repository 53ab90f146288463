/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One AI core with flat global memory and nothing else of the device: kernels run on it
 * in the calling thread, block after block.
 */
#ifndef TEST_CORE_H
#define TEST_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_status.h>
#include <npu/npu_tile.h>

struct core;
struct kernel_module;

/*
 * core_new() - a core with @bytes of global memory, all zero, in the device's strict mode
 * if it is to be @strict.
 */
struct core *core_new(size_t bytes, bool strict);
void core_free(struct core *core);

/* core_load() - put a kernel module into global memory; NULL with a message if it is none. */
struct kernel_module *core_load(struct core *core, const char *path);
void kernel_module_free(struct kernel_module *module);

/* core_alloc() - global memory for a test, 64-byte aligned; its device address in @address. */
void *core_alloc(struct core *core, size_t bytes, uint64_t *address);
/* core_release() - take back what was allocated since the modules were loaded; zero it. */
void core_release(struct core *core);

/*
 * core_run() - run a kernel; stops at the first block that fails and gives its status, with
 * what the device would report in core_fault().
 */
enum npu_status core_run(struct core *core, const struct kernel_module *module, const char *name,
			 const void *args, size_t args_size, uint32_t blocks);

struct npu_profile;

/**
 * struct core_time - modelled time of a kernel, as docs/timing.md explains
 * @ns: from its launch to its end
 * @core_ns: what cores were busy, summed
 * @busy_ns: likewise their pipes
 * @bytes: of global memory that it has touched, as often as it did
 * @again: of these, what L2 had
 */
struct core_time {
	uint64_t ns, core_ns;
	uint64_t busy_ns[NPU_PIPE_COUNT];
	uint64_t bytes, again;
};

/* core_model() - have kernels timed as if they ran on all cores of the product. */
void core_model(struct core *core, const struct npu_profile *profile);
/* core_time() - of the last one. */
const struct core_time *core_time(const struct core *core);

struct core_fault {
	uint32_t block;
	uint64_t pc, address;
};

const struct core_fault *core_fault(const struct core *core);

/* core_finding() - what strict mode has found in the last run, or NULL. */
const char *core_finding(const struct core *core);

#endif /* TEST_CORE_H */
