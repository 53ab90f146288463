// SPDX-License-Identifier: MIT
/* Calls of the kernel that fail, one after the other: what is told, and nothing is left over. */
#include "rt_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include <drm.h>
#include <npu_accel.h>

#include "modules/rt_kernels.h"

struct failure {
	unsigned long request;
	int err;
	int want;
	const char *name;
};

#define FAILURE(request, err, want) { DRM_IOCTL_##request, err, want, #request " " #err }

static const struct failure context_failures[] = {
	FAILURE(NPU_VM_CREATE, ENOMEM, NPURT_ERROR_HOST_MEMORY),
	FAILURE(NPU_VM_CREATE, ENODEV, NPURT_ERROR_DEVICE_LOST),
};

static const struct failure memory_failures[] = {
	FAILURE(NPU_BO_CREATE, ENOMEM, NPURT_ERROR_HOST_MEMORY),
	FAILURE(NPU_BO_CREATE, ENOSPC, NPURT_ERROR_DEVICE_MEMORY),
	FAILURE(NPU_VM_BIND, ENOMEM, NPURT_ERROR_HOST_MEMORY),
};

static const struct failure stream_failures[] = {
	FAILURE(NPU_QUEUE_CREATE, EACCES, NPURT_ERROR_ACCESS),
	FAILURE(NPU_QUEUE_CREATE, ENOSPC, NPURT_ERROR_LIMIT),
};

static const struct failure upload_failures[] = {
	FAILURE(NPU_BO_CREATE, ENOMEM, NPURT_ERROR_HOST_MEMORY),
	FAILURE(NPU_VM_BIND, ENOMEM, NPURT_ERROR_HOST_MEMORY),
	FAILURE(NPU_BO_MMAP_OFFSET, ENOMEM, NPURT_ERROR_HOST_MEMORY),
};

static const struct failure module_failures[] = {
	FAILURE(NPU_BO_CREATE, ENOSPC, NPURT_ERROR_DEVICE_MEMORY),
	FAILURE(NPU_VM_BIND, ENOMEM, NPURT_ERROR_HOST_MEMORY),
	FAILURE(NPU_BO_MMAP_OFFSET, ENOMEM, NPURT_ERROR_HOST_MEMORY),
};

typedef int (*attempt_fn)(struct fixture *f);

static int make_context(struct fixture *f)
{
	npurt_context *context;
	int err = npurt_context_create(f->device, NULL, &context);

	return err ? err : npurt_context_destroy(context);
}

static int make_memory(struct fixture *f)
{
	npurt_memory *m;
	int err = npurt_memory_create(f->context, 4096, NULL, &m);

	return err ? err : npurt_memory_destroy(m);
}

static int make_stream(struct fixture *f)
{
	npurt_stream *stream;
	int err = npurt_stream_create(f->context, NULL, &stream);

	return err ? err : npurt_stream_destroy(stream);
}

static int load_module(struct fixture *f)
{
	npurt_module *module;
	int err = npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module);

	return err ? err : npurt_module_unload(module);
}

static npurt_memory *upload_target;

/* On a stream that has neither commands nor staging memory yet. */
static int upload(struct fixture *f)
{
	npurt_stream *stream;
	int err;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	err = npurt_upload(stream, upload_target, 0, "text", 5);
	NEED(npurt_stream_destroy(stream));
	return err;
}

static void try(struct fixture *f, const struct failure *failures, size_t count, attempt_fn attempt,
		const char *what)
{
	for (size_t i = 0; i < count; i++) {
		int first, second;

		fake_fail_next(failures[i].request, failures[i].err);
		first = attempt(f);
		second = attempt(f);
		ok(first == failures[i].want && second == 0, "%s: %s gives %s, then it works", what,
		   failures[i].name, npurt_error_name(failures[i].want));
		if (first != failures[i].want || second)
			printf("# %s, then %s\n", npurt_error_name(first),
			       npurt_error_name(second));
	}
}

/* A submit that fails for want of memory keeps its batch for the next one. */
static void test_submit(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "kept batch");
	const uint8_t *bytes = mapped(m);

	fake_fail_next(DRM_IOCTL_NPU_SUBMIT, ENOMEM);
	WORKS(npurt_fill_async(f->stream, m, 0, 1, 1, 2048));
	WORKS(npurt_fill_async(f->stream, m, 2048, 2, 1, 2048));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(bytes[0] == 1 && bytes[4095] == 2, "both fills were done");
	fake_fail_next(DRM_IOCTL_NPU_SUBMIT, ENOMEM);
	WORKS(npurt_fill_async(f->stream, m, 0, 3, 1, 4096));
	fake_fail_next(DRM_IOCTL_NPU_SUBMIT, ENOMEM);
	GIVES(npurt_stream_flush(f->stream), NPURT_ERROR_HOST_MEMORY);
	WORKS(npurt_stream_synchronize(f->stream));
	ok(bytes[0] == 3, "a failed flush can be repeated");
	NEED(npurt_memory_destroy(m));
}

static void test_lost_device(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "lost");
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	fake_fail_next(DRM_IOCTL_NPU_SUBMIT, ENODEV);
	GIVES(npurt_fill_async(stream, m, 0, 1, 1, 1), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_DEVICE_LOST);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static void test_reset(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "survivor");
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_fill_async(stream, m, 0, 1, 1, 4096));
	NEED(npurt_stream_synchronize(stream));
	fake_reset();
	GIVES(npurt_fill_async(stream, m, 0, 2, 1, 4096), NPURT_ERROR_STREAM_LOST);
	WORKS(npurt_stream_get_fault(stream, &fault));
	ok(fault.error == NPURT_ERROR_STREAM_LOST && fault.reset_count == 1 &&
		   strstr(fault.message, "reset"),
	   "a reset is told: %s", fault.message);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_stream_create(f->context, NULL, &stream));
	WORKS(npurt_fill_async(stream, m, 0, 3, 1, 4096));
	WORKS(npurt_stream_synchronize(stream));
	ok(((uint8_t *)mapped(m))[4095] == 3, "a new stream works after it");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static atomic_uint trapped;

static uint32_t trap(const struct npu_cmd_kernel *kernel, const void *args)
{
	(void)kernel;
	(void)args;
	atomic_fetch_add(&trapped, 1);
	return NPU_ST_ILLEGAL_INSN;
}

/* A kernel that fails, whose module may be unloaded when the fault is asked for. */
static void test_kernel(struct fixture *f, bool unload)
{
	const struct raise_args args = { 1 };
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_kernel *kernel;
	npurt_module *module;
	npurt_stream *stream;
	int err;

	trapped = 0;
	fake_set_kernel(trap);
	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	NEED(npurt_module_get_kernel(module, "raise", &kernel));
	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_launch(stream, kernel, 1, &args, sizeof(args), NULL));
	while (!trapped)
		usleep(100);
	if (unload)
		NEED(npurt_module_unload(module));
	do {
		err = npurt_stream_get_fault(stream, &fault);
	} while (err == NPURT_ERROR_NOT_READY);
	ok(err == 0 && strcmp(fault.kernel, "raise") == 0 && strstr(fault.message, "raise"),
	   "the kernel is named: %s", fault.message);
	NEED(npurt_stream_destroy(stream));
	if (!unload)
		NEED(npurt_module_unload(module));
	fake_set_kernel(NULL);
}

int main(void)
{
	struct fixture f = fixture_open();

	try(&f, context_failures, COUNT(context_failures), make_context, "context");
	try(&f, memory_failures, COUNT(memory_failures), make_memory, "memory");
	try(&f, stream_failures, COUNT(stream_failures), make_stream, "stream");
	try(&f, module_failures, COUNT(module_failures), load_module, "module");
	upload_target = memory(f.context, NPURT_PLACE_HBM, 4096, "upload target");
	try(&f, upload_failures, COUNT(upload_failures), upload, "upload");
	NEED(npurt_memory_destroy(upload_target));
	test_submit(&f);
	test_lost_device(&f);
	test_kernel(&f, false);
	test_kernel(&f, true);
	fixture_close(&f);
	f = fixture_open();
	test_reset(&f);
	fixture_close(&f);
	return rt_done();
}
