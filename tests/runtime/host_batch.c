// SPDX-License-Identifier: MIT
/* How commands are batched: system calls are counted, and kernels held back. */
#include "rt_test.h"

#include <stdatomic.h>
#include <unistd.h>

#include <drm.h>
#include <npu_accel.h>

#include "modules/rt_kernels.h"

static atomic_bool gate_open = true;
static atomic_uint ran;
static atomic_uint wrong;

/* Stands for the kernel "increment": its arguments must come in sequence. */
static uint32_t count_in_order(const struct npu_cmd_kernel *kernel, const void *args)
{
	const struct increment_args *a = args;

	if (!gate_open)
		return FAKE_AGAIN;
	if (kernel->blocks != a->by % 7 + 1 || a->by != atomic_fetch_add(&ran, 1))
		atomic_fetch_add(&wrong, 1);
	return NPU_ST_OK;
}

struct kernels {
	npurt_module *module;
	npurt_kernel *increment;
};

static void launch(npurt_stream *stream, const struct kernels *k, uint32_t i)
{
	const struct increment_args args = { .word = 0x1000, .by = i };

	NEED(npurt_launch(stream, k->increment, i % 7 + 1, &args, sizeof(args), NULL));
}

/* However fast the device is, it cannot make the library flush each launch. */
static void test_thousand(struct fixture *f, const struct kernels *k)
{
	unsigned int before = fake_calls(DRM_IOCTL_NPU_SUBMIT), used;

	fake_set_kernel(count_in_order);
	for (uint32_t i = 0; i < 1000; i++) {
		launch(f->stream, k, i);
		usleep(i % 50 ? 0 : 1000);
	}
	NEED(npurt_stream_synchronize(f->stream));
	used = fake_calls(DRM_IOCTL_NPU_SUBMIT) - before;
	ok(ran == 1000 && wrong == 0, "1000 launches run in order, each with its arguments");
	ok(used <= 25, "they take %u submits", used);

	before = fake_calls(DRM_IOCTL_NPU_SUBMIT);
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_stream_query(f->stream));
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before, "an empty flush takes none");
}

static void test_lazy(struct fixture *f, const struct kernels *k)
{
	npurt_stream *stream = rt_lazy_stream(f->context);
	unsigned int before = fake_calls(DRM_IOCTL_NPU_SUBMIT);

	ran = 0;
	for (uint32_t i = 0; i < 400; i++)
		launch(stream, k, i);
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before && ran == 0,
	   "without automatic flush nothing starts by itself");
	NEED(npurt_stream_flush(stream));
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before + 1, "a flush takes one submit");
	NEED(npurt_stream_synchronize(stream));
	ok(ran == 400 && wrong == 0, "and all of it runs");
	NEED(npurt_stream_destroy(stream));
}

/* A single command starts at once, so that the device works while the CPU goes on. */
static void test_early(struct fixture *f, const struct kernels *k)
{
	const unsigned int before = fake_calls(DRM_IOCTL_NPU_SUBMIT);

	ran = 0;
	launch(f->stream, k, 0);
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before + 1, "a launch on an idle stream starts");
	NEED(npurt_stream_synchronize(f->stream));
	ok(ran == 1 && fake_calls(DRM_IOCTL_NPU_SUBMIT) == before + 1, "without another submit");
}

/* With the device stuck, chunks are added and do not overwrite what has not run yet. */
static void test_backlog(struct fixture *f, const struct kernels *k)
{
	npurt_stream *stream = rt_lazy_stream(f->context);

	gate_open = false;
	ran = 0;
	/* Seven of eight chunks of 64 KiB: a launch takes a command and its arguments. */
	for (uint32_t i = 0; i <= 3500; i++)
		launch(stream, k, i);
	GIVES(npurt_stream_query(stream), NPURT_ERROR_NOT_READY);
	gate_open = true;
	NEED(npurt_stream_synchronize(stream));
	ok(ran == 3501 && wrong == 0, "3500 launches wait behind a slow one, in order");
	NEED(npurt_stream_destroy(stream));
}

/* Waits between streams flush the stream that is waited for, and no call of the host waits. */
static void test_dependency(struct fixture *f, const struct kernels *k)
{
	npurt_stream *producer = rt_lazy_stream(f->context), *consumer = rt_lazy_stream(f->context);
	unsigned int before;
	npurt_event *event;

	NEED(npurt_event_create(f->context, NULL, &event));
	ran = 0;
	launch(producer, k, 0);
	NEED(npurt_event_record(event, producer));
	before = fake_calls(DRM_IOCTL_NPU_SUBMIT);
	NEED(npurt_stream_wait_event(consumer, event));
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before + 1, "a wait flushes the event's stream");
	launch(consumer, k, 1);
	NEED(npurt_stream_synchronize(consumer));
	ok(ran == 2 && wrong == 0, "the event's stream ran first");
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(producer));
	NEED(npurt_stream_destroy(consumer));
}

/* Memory that was used up, of any kind, is not for ever. */
static void test_no_growth(struct fixture *f, const struct kernels *k)
{
	npurt_memory_info before = { .size = sizeof(before) }, after = before;

	ran = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		if (i == 10000)
			NEED(npurt_device_get_memory_info(f->device, &before));
		launch(f->stream, k, i);
	}
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_device_get_memory_info(f->device, &after));
	ok(ran == 20000 && wrong == 0, "20000 launches");
	ok(after.system_used <= before.system_used + 7 * 65536, "command memory is used again");
}

int main(void)
{
	struct fixture f = fixture_open();
	struct kernels k;

	NEED(npurt_module_load_file(f.context, MODULES "/rt_kernels.elf", &k.module));
	NEED(npurt_module_get_kernel(k.module, "increment", &k.increment));
	test_thousand(&f, &k);
	test_lazy(&f, &k);
	test_early(&f, &k);
	test_backlog(&f, &k);
	test_dependency(&f, &k);
	test_no_growth(&f, &k);
	NEED(npurt_module_unload(k.module));
	fixture_close(&f);
	return rt_done();
}
