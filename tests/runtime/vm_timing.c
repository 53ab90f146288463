// SPDX-License-Identifier: MIT
/* Events of a device that models the time of a 910B. */
#include <npu_kernels.h>

#include "rt_test.h"

#define LARGE 2048u
#define LARGE_OPS (2.0 * LARGE * LARGE * LARGE)
#define SMALL 512u /* the tool below computes it on an emulated CPU */
#define PEAK 354.0e3 /* fp16, operations a ns */
#define LINK 31.508 /* bytes a ns */
#define SLACK 1000 /* for what the scheduler does besides: events, batches */

/* What a SMALL one takes by itself, as the model says outside of a device. */
static int64_t expected(void)
{
	FILE *tool = popen(ROOFLINE " " KERNELS " 910b gemm-f16-512", "r");
	long long ns = 0;

	if (!tool || fscanf(tool, "%lld", &ns) != 1)
		ns = 0;
	if (tool)
		pclose(tool);
	return ns;
}

static int64_t elapsed(npurt_event *start, npurt_event *end)
{
	int64_t ns = 0;

	NEED(npurt_event_elapsed(start, end, &ns));
	return ns;
}

/* With @pause the device is idle between the start and the kernel, for as long as that takes here. */
static int64_t gemm(struct fixture *f, npurt_kernel *kernel, struct npu_gemm_args args,
		    uint32_t size, uint32_t cores, bool pause)
{
	npurt_event *start, *end;
	int64_t ns;

	args.m = args.n = args.k = args.lda = args.ldb = args.ldc = size;
	NEED(npurt_event_create(f->context, NULL, &start));
	NEED(npurt_event_create(f->context, NULL, &end));
	NEED(npurt_event_record(start, f->stream));
	if (pause)
		NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_launch(f->stream, kernel, npu_gemm_blocks(size, size, cores), &args,
			  sizeof(args), NULL));
	NEED(npurt_event_record(end, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	ns = elapsed(start, end);
	NEED(npurt_event_destroy(start));
	NEED(npurt_event_destroy(end));
	return ns;
}

static void test_gemm(struct fixture *f, uint32_t cores)
{
	const uint64_t bytes = 2ull * LARGE * LARGE;
	npurt_memory *a = memory(f->context, NPURT_PLACE_HBM, bytes, "A");
	npurt_memory *b = memory(f->context, NPURT_PLACE_HBM, bytes, "B");
	npurt_memory *c = memory(f->context, NPURT_PLACE_HBM, bytes, "C");
	const struct npu_gemm_args args = {
		.a = npurt_memory_address(a), .b = npurt_memory_address(b),
		.c = npurt_memory_address(c), .in = NPU_F16, .out = NPU_F16,
	};
	const int64_t want = expected();
	npurt_module *module;
	npurt_kernel *kernel;
	int64_t first, ns;

	NEED(npurt_module_load_file(f->context, KERNELS "/gemm.elf", &module));
	NEED(npurt_module_get_kernel(module, "gemm", &kernel));
	first = gemm(f, kernel, args, SMALL, cores, false);
	printf("# %lld ns, the model alone %lld\n", (long long)first, (long long)want);
	ok(want && first >= want && first <= want + SLACK, "a GEMM takes what the model says");
	ns = gemm(f, kernel, args, SMALL, cores, true);
	ok(ns >= want && ns <= want + SLACK, "time of the host's does not count");
	ok(gemm(f, kernel, args, SMALL, cores, true) == ns, "and it is the same again");
	first = gemm(f, kernel, args, LARGE, cores, false);
	printf("# a large one %lld ns\n", (long long)first);
	ok((double)first > LARGE_OPS / PEAK && (double)first < 2 * LARGE_OPS / PEAK,
	   "a large one is below the peak, and reaches more than half of it");
	NEED(npurt_module_unload(module));
	NEED(npurt_memory_destroy(a));
	NEED(npurt_memory_destroy(b));
	NEED(npurt_memory_destroy(c));
}

/* By the link; the clocks of device and CPU agree on what came first. */
static void test_upload(struct fixture *f)
{
	const uint64_t bytes = 16u << 20;
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, bytes, "target");
	void *data = calloc(1, bytes);
	uint64_t before, after, at;
	npurt_event *start, *end;
	double ns;

	NEED(npurt_event_create(f->context, NULL, &start));
	NEED(npurt_event_create(f->context, NULL, &end));
	NEED(npurt_device_get_time(f->device, NULL, &before));
	NEED(npurt_event_record(start, f->stream));
	NEED(npurt_upload(f->stream, m, 0, data, bytes));
	NEED(npurt_event_record(end, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	ns = (double)elapsed(start, end);
	printf("# 16 MiB in %.0f ns\n", ns);
	ok(ns >= (double)bytes / LINK && ns < 1.1 * (double)bytes / LINK,
	   "an upload is as fast as the link");
	WORKS(npurt_event_time_monotonic(end, &at, NULL));
	NEED(npurt_device_get_time(f->device, NULL, &after));
	ok(at <= after, "it is no time to come");
	free(data);
	NEED(npurt_event_destroy(start));
	NEED(npurt_event_destroy(end));
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = fixture_open();
	npurt_device_properties p = { .size = sizeof(p) };

	NEED(npurt_device_get_properties(f.device, &p));
	ok(p.cores == 24 && p.core_clock_mhz == 1800 && !strcmp(p.name, "910B2"),
	   "the device is a 910B");
	test_gemm(&f, p.cores);
	test_upload(&f);
	fixture_close(&f);
	return rt_done();
}
