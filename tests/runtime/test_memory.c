// SPDX-License-Identifier: MIT
/* Memory objects: contents, addresses, limits, and their release. */
#include "rt_test.h"

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static void test_contents(npurt_context *context, enum npurt_placement place, const char *name)
{
	npurt_memory *m = memory(context, place, 100000, "contents");
	uint8_t *bytes = mapped(m);
	void *again = NULL;

	ok(npurt_memory_size(m) == 100000, "%s: the size is what was asked for", name);
	ok(npurt_memory_address(m) != 0, "%s: it has an address", name);
	ok(npurt_memory_context(m) == context, "%s: and a context", name);
	ok(is_zero(bytes, 100000), "%s: it reads as zero", name);
	memset(bytes, 0xa5, 100000);
	WORKS(npurt_memory_map(m, &again));
	ok(again == bytes && bytes[99999] == 0xa5, "%s: it is mapped once", name);
	WORKS(npurt_memory_destroy(m));
	/* The next one may well get the same pages. */
	m = memory(context, place, 100000, "contents again");
	ok(is_zero(mapped(m), 100000), "%s: so does the next", name);
	WORKS(npurt_memory_destroy(m));
}

static void test_arguments(npurt_context *context)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .placement = 7 };
	npurt_memory *m;
	char text[256];

	GIVES(npurt_memory_create(context, 0, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_create(context, 4096, &attr, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_create(context, 4096, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_create(NULL, 4096, NULL, &m), NPURT_ERROR_INVALID);
	attr = (npurt_memory_attr){ .size = sizeof(attr), .label = "too much" };
	GIVES(npurt_memory_create(context, 1ULL << 46, &attr, &m), NPURT_ERROR_DEVICE_MEMORY);
	WORKS(npurt_context_error_message(context, text, sizeof(text)));
	ok(strstr(text, "too much") && strstr(text, "HBM"), "the message names it: %s", text);
	ok(npurt_memory_address(NULL) == 0 && npurt_memory_size(NULL) == 0,
	   "NULL has no address and no size");
	ok(!npurt_memory_context(NULL), "NULL has no context");
	GIVES(npurt_memory_destroy(NULL), NPURT_ERROR_INVALID);
}

#define MANY 200

static int compare(const void *a, const void *b)
{
	const npurt_memory *x = *(npurt_memory *const *)a, *y = *(npurt_memory *const *)b;

	return npurt_memory_address(x) < npurt_memory_address(y) ? -1 : 1;
}

/* Random sizes, some of them released and made again: no two may overlap. */
static void test_many(npurt_context *context)
{
	npurt_memory *all[MANY];
	uint64_t seed = 3;
	bool disjoint = true;

	for (int i = 0; i < MANY; i++)
		all[i] = memory(context, i % 2, 1 + rt_random(&seed) % 300000, "one of many");
	for (int i = 0; i < MANY; i += 3) {
		NEED(npurt_memory_destroy(all[i]));
		all[i] = memory(context, i % 2, 1 + rt_random(&seed) % 300000, "another");
	}
	qsort(all, MANY, sizeof(all[0]), compare);
	for (int i = 1; i < MANY; i++)
		disjoint &= npurt_memory_address(all[i - 1]) + npurt_memory_size(all[i - 1]) <
			    npurt_memory_address(all[i]);
	ok(disjoint, "addresses do not overlap, and there is a gap behind each");
	for (int i = 0; i < MANY; i++)
		NEED(npurt_memory_destroy(all[i]));
}

static void test_accounting(struct fixture *f)
{
	npurt_memory_info before = { .size = sizeof(before) }, during = { .size = sizeof(during) };
	npurt_memory *m;

	NEED(npurt_device_get_memory_info(f->device, &before));
	m = memory(f->context, NPURT_PLACE_HBM, 16 << 20, "counted");
	NEED(npurt_device_get_memory_info(f->device, &during));
	ok(during.hbm_used >= before.hbm_used + (16 << 20), "HBM in use grows with a buffer");
	GIVES(npurt_context_destroy(f->context), NPURT_ERROR_BUSY);
	WORKS(npurt_memory_destroy(m));
	NEED(npurt_device_get_memory_info(f->device, &during));
	ok(during.hbm_used < before.hbm_used + (16 << 20), "and shrinks when it goes");
}

static void test_readonly(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_READONLY };
	npurt_memory *source, *sink = memory(f->context, NPURT_PLACE_HOST, 4096, "sink");

	NEED(npurt_memory_create(f->context, 4096, &attr, &source));
	strcpy(mapped(source), "from the CPU");
	GIVES(npurt_fill_async(f->stream, source, 0, 0, 1, 4096), NPURT_ERROR_INVALID);
	WORKS(npurt_memcpy(f->stream, sink, 0, source, 0, 4096));
	ok(strcmp(mapped(sink), "from the CPU") == 0, "read-only memory can be read");
	WORKS(npurt_memory_destroy(source));
	WORKS(npurt_memory_destroy(sink));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_contents(f.context, NPURT_PLACE_HBM, "HBM");
	test_contents(f.context, NPURT_PLACE_HOST, "host");
	test_arguments(f.context);
	test_many(f.context);
	test_accounting(&f);
	test_readonly(&f);
	fixture_close(&f);
	return rt_done();
}
