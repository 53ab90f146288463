// SPDX-License-Identifier: MIT
/* Copies from one NPU to another. Wants a machine with two. */
#include "rt_test.h"

#include <unistd.h>

#define BYTES (3u << 20)

static struct fixture open_nth(unsigned int n)
{
	struct fixture f = { NULL, NULL, NULL };

	NEED(npurt_device_open(n, NULL, &f.device));
	NEED(npurt_context_create(f.device, NULL, &f.context));
	NEED(npurt_stream_create(f.context, NULL, &f.stream));
	return f;
}

static npurt_memory *exportable(npurt_context *context, enum npurt_placement place)
{
	npurt_memory_attr attr = {
		.size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE, .placement = place,
		.label = "shared",
	};
	npurt_memory *m = NULL;

	NEED(npurt_memory_create(context, BYTES, &attr, &m));
	return m;
}

static uint8_t sent[BYTES], got[BYTES];

static void test_copies(struct fixture *a, struct fixture *b, enum npurt_placement place,
			const char *name)
{
	npurt_memory *here = memory(a->context, NPURT_PLACE_HBM, BYTES, "here");
	npurt_memory *there = exportable(b->context, place);
	int wrong = 0;

	for (uint64_t turn = 0; turn < 4; turn++) {
		randomise(sent, BYTES, turn);
		NEED(npurt_upload(a->stream, here, 0, sent, BYTES));
		NEED(npurt_memcpy_peer_async(a->stream, there, 0, here, 0, BYTES));
		NEED(npurt_stream_synchronize(a->stream));
		NEED(npurt_download(b->stream, got, there, 0, BYTES));
		wrong += memcmp(sent, got, BYTES) != 0;
		randomise(sent, BYTES, turn + 100);
		NEED(npurt_upload(b->stream, there, 0, sent, BYTES));
		NEED(npurt_stream_synchronize(b->stream));
		NEED(npurt_memcpy_peer_async(a->stream, here, 0, there, 0, BYTES));
		NEED(npurt_download(a->stream, got, here, 0, BYTES));
		wrong += memcmp(sent, got, BYTES) != 0;
	}
	ok(!wrong, "%s: copies to and from the other NPU arrive", name);
	NEED(npurt_memory_destroy(there));
	NEED(npurt_memory_destroy(here));
}

static void test_map(struct fixture *a, struct fixture *b)
{
	npurt_memory *there = exportable(b->context, NPURT_PLACE_HBM), *m;
	int fd;

	NEED(npurt_memory_export_fd(there, &fd));
	WORKS(npurt_memory_import_fd(a->context, fd, NULL, &m));
	strcpy(mapped(there), "written there");
	ok(strcmp(mapped(m), "written there") == 0, "the CPU can map memory of the other NPU");
	NEED(npurt_memory_destroy(there));
	ok(strcmp(mapped(m), "written there") == 0, "which lives as long as it is imported");
	NEED(npurt_memory_destroy(m));
	/* close(fd) only now: it is the caller's. */
	close(fd);
}

int main(void)
{
	unsigned int count = 0;
	struct fixture a, b;

	NEED(npurt_device_count(&count));
	if (count < 2) {
		printf("1..0 # SKIP needs two NPUs\n");
		return 0;
	}
	a = open_nth(0);
	b = open_nth(1);
	test_copies(&a, &b, NPURT_PLACE_HBM, "HBM");
	test_copies(&b, &a, NPURT_PLACE_HOST, "host memory");
	test_map(&a, &b);
	fixture_close(&a);
	fixture_close(&b);
	return rt_done();
}
