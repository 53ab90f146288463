// SPDX-License-Identifier: MIT
/* Registered memory, virtual ranges, advice and prefetch. */
#include "rt_test.h"

#include <sys/mman.h>

#define PAGE 4096ULL
#define BYTES (16 * PAGE)

static void test_register(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_READONLY };
	uint8_t *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	/* Neither begins nor ends with a page. */
	uint8_t *host = pages + 100;
	const uint64_t bytes = BYTES - 300;
	npurt_memory *device = memory(f->context, NPURT_PLACE_HBM, BYTES, "device"), *m;
	void *pointer = NULL;
	char text[256];

	memset(pages, 7, BYTES);
	WORKS(npurt_memory_register(f->context, host, bytes, NULL, &m));
	ok(npurt_memory_size(m) == bytes && npurt_memory_address(m) % PAGE == 100,
	   "it has the size and the place in its page");
	WORKS(npurt_memory_map(m, &pointer));
	ok(pointer == host, "the CPU's pointer is the caller's");
	NEED(npurt_fill_async(f->stream, device, 0, 0x5a, 1, BYTES));
	WORKS(npurt_memcpy(f->stream, m, 0, device, 0, bytes));
	ok(pages[99] == 7 && pages[100] == 0x5a && pages[BYTES - 201] == 0x5a &&
		   pages[BYTES - 200] == 7,
	   "a copy writes just it");
	host[5] = 99;
	WORKS(npurt_memcpy(f->stream, device, 0, m, 5, 1));
	NEED(npurt_download(f->stream, text, device, 0, 1));
	ok(text[0] == 99, "and reads what the CPU wrote");
	GIVES(npurt_memcpy_async(f->stream, m, 0, device, 0, bytes + 1), NPURT_ERROR_RANGE);
	WORKS(npurt_memory_destroy(m));
	ok(host[0] == 0x5a, "destroying it leaves the memory");
	WORKS(npurt_memory_register(f->context, host, bytes, &attr, &m));
	GIVES(npurt_memcpy_async(f->stream, m, 0, device, 0, 1), NPURT_ERROR_INVALID);
	WORKS(npurt_memory_destroy(m));
	GIVES(npurt_memory_register(f->context, NULL, 4096, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_register(f->context, host, 0, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_register(f->context, host, UINT64_MAX, NULL, &m), NPURT_ERROR_RANGE);
	GIVES(npurt_memory_register(NULL, host, 1, NULL, &m), NPURT_ERROR_INVALID);
	munmap(pages, BYTES);
#ifndef FAKE_KMD
	GIVES(npurt_memory_register(f->context, pages, BYTES, NULL, &m), NPURT_ERROR_INVALID);
	NEED(npurt_context_error_message(f->context, text, sizeof(text)));
	ok(strstr(text, "not memory of the process"), "the message says so: %s", text);
#endif
	NEED(npurt_memory_destroy(device));
}

/* What counts for the device is the address, not the offset. */
static void test_alignment(struct fixture *f)
{
	static _Alignas(4096) uint8_t host[8192];
	npurt_memory *by4, *odd;

	NEED(npurt_memory_register(f->context, host + 4, 4096, NULL, &by4));
	NEED(npurt_memory_register(f->context, host + 4101, 1024, NULL, &odd));
	GIVES(npurt_fill_async(f->stream, by4, 0, 1, 8, 64), NPURT_ERROR_INVALID);
	WORKS(npurt_fill_async(f->stream, by4, 4, 0x5a, 8, 64));
	GIVES(npurt_reduce_async(f->stream, by4, 0, odd, 0, 16, NPURT_S32, NPURT_REDUCE_ADD),
	      NPURT_ERROR_INVALID);
	WORKS(npurt_reduce_async(f->stream, by4, 0, odd, 3, 16, NPURT_S32, NPURT_REDUCE_ADD));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(host[7] == 0 && host[8] == 0x5a && host[9] == 0, "the fill is in its place");
	NEED(npurt_memory_destroy(by4));
	NEED(npurt_memory_destroy(odd));
}

/* Of a stream of its own, since it stops. */
static void test_fault(struct fixture *f, npurt_memory *m, uint64_t offset)
{
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_fill_async(stream, m, offset, 0, 1, PAGE));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.address == npurt_memory_address(m) + offset &&
		   strstr(fault.nearest, "'of two'"),
	   "what is not mapped faults, by name: %s", fault.message);
	NEED(npurt_stream_destroy(stream));
}

static void test_range(struct fixture *f)
{
	npurt_range_attr attr = { .size = sizeof(attr), .alignment = 1 << 24, .label = "of two" };
	npurt_memory *a = memory(f->context, NPURT_PLACE_HBM, BYTES, "a");
	npurt_memory *b = memory(f->context, NPURT_PLACE_HOST, BYTES, "b"), *all;
	uint8_t *host = mapped(b);
	npurt_range *range;
	void *pointer;

	WORKS(npurt_range_reserve(f->context, 4 * BYTES, &attr, &range));
	all = npurt_range_memory(range);
	ok(npurt_memory_size(all) == 4 * BYTES && npurt_memory_address(all) % (1 << 24) == 0,
	   "it has the size and the alignment");
	WORKS(npurt_range_map(range, 0, a, 0, BYTES, 0));
	WORKS(npurt_range_map(range, BYTES, b, 0, BYTES, 0));
	/* Over the seam. */
	WORKS(npurt_fill_async(f->stream, all, BYTES / 2, 0x42, 1, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	ok(host[0] == 0x42 && host[BYTES / 2 - 1] == 0x42 && host[BYTES / 2] == 0,
	   "a fill goes over two objects");
	WORKS(npurt_range_map(range, 2 * BYTES, a, BYTES / 2, BYTES / 2, NPURT_MEMORY_READONLY));
	WORKS(npurt_memcpy(f->stream, b, BYTES / 2, all, 2 * BYTES, BYTES / 2));
	ok(host[BYTES / 2] == 0x42 && host[BYTES - 1] == 0x42, "memory can be there twice");
	GIVES(npurt_fill_async(f->stream, all, 3 * BYTES, 0, 1, BYTES + 1), NPURT_ERROR_RANGE);
	WORKS(npurt_range_unmap(range, 0, PAGE));
	test_fault(f, all, 0);
	test_fault(f, all, 2 * BYTES);
	WORKS(npurt_memory_destroy(a));
	WORKS(npurt_memcpy(f->stream, b, 0, all, PAGE, PAGE));
	ok(host[0] == 0, "memory that was destroyed stays while it is mapped");
	GIVES(npurt_memory_destroy(all), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_map(all, &pointer), NPURT_ERROR_INVALID);
	GIVES(npurt_range_map(range, 1, b, 0, PAGE, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_range_map(range, 0, b, 0, PAGE + 1, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_range_map(range, 0, b, BYTES, PAGE, 0), NPURT_ERROR_RANGE);
	GIVES(npurt_range_map(range, 4 * BYTES, b, 0, PAGE, 0), NPURT_ERROR_RANGE);
	GIVES(npurt_range_map(range, 0, all, 0, PAGE, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_range_map(range, 0, NULL, 0, PAGE, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_range_map(range, 0, b, 0, PAGE, 8), NPURT_ERROR_INVALID);
	GIVES(npurt_range_unmap(range, 0, 0), NPURT_ERROR_INVALID);
	WORKS(npurt_range_release(range));
	GIVES(npurt_range_reserve(f->context, 100, NULL, &range), NPURT_ERROR_INVALID);
	GIVES(npurt_range_reserve(f->context, UINT64_MAX - 2 * PAGE + 1, NULL, &range),
	      NPURT_ERROR_LIMIT);
	GIVES(npurt_range_reserve(f->context, UINT64_MAX - PAGE + 1, NULL, &range),
	      NPURT_ERROR_LIMIT);
	attr.alignment = 3;
	GIVES(npurt_range_reserve(f->context, PAGE, &attr, &range), NPURT_ERROR_INVALID);
	ok(npurt_range_memory(NULL) == NULL, "no range has no memory");
	NEED(npurt_memory_destroy(b));
}

static void test_sparse(struct fixture *f)
{
	npurt_range_attr attr = { .size = sizeof(attr), .flags = NPURT_RANGE_SPARSE };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, BYTES, "host"), *all;
	uint8_t *host = mapped(m);
	npurt_range *range;

	WORKS(npurt_range_reserve(f->context, 64 * BYTES, &attr, &range));
	all = npurt_range_memory(range);
	WORKS(npurt_fill_async(f->stream, all, 0, 9, 1, 64 * BYTES));
	memset(host, 1, BYTES);
	WORKS(npurt_memcpy(f->stream, m, 0, all, 32 * BYTES, BYTES));
	ok(host[0] == 0 && host[BYTES - 1] == 0, "a sparse range reads as zero");
	WORKS(npurt_range_map(range, PAGE, m, 0, PAGE, 0));
	WORKS(npurt_fill_async(f->stream, all, 0, 9, 1, 3 * PAGE));
	NEED(npurt_stream_synchronize(f->stream));
	ok(host[0] == 9 && host[PAGE - 1] == 9 && host[PAGE] == 0, "but where memory is mapped");
	WORKS(npurt_range_unmap(range, 0, 64 * BYTES));
	WORKS(npurt_fill_async(f->stream, all, 0, 8, 1, 3 * PAGE));
	NEED(npurt_stream_synchronize(f->stream));
	ok(host[0] == 9, "and after that is unmapped, again");
	WORKS(npurt_range_release(range));
	NEED(npurt_memory_destroy(m));
}

static void test_advice(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, BYTES, "advised"), *shared;
	uint8_t *host = mapped(m);
	int retained = 7, fd;

	host[0] = 5;
	for (int advice = NPURT_ADVISE_WILLNEED; advice <= NPURT_ADVISE_EVICT_LAST; advice++)
		WORKS(npurt_memory_advise(m, advice, NULL));
	WORKS(npurt_memory_advise(m, NPURT_ADVISE_WILLNEED, &retained));
	ok(retained == 1 && host[0] == 5, "contents stay if there is room");
	WORKS(npurt_memory_prefetch(m, 0, BYTES));
	WORKS(npurt_memory_prefetch(m, 100, 100));
	WORKS(npurt_memory_prefetch(m, BYTES, 0));
	GIVES(npurt_memory_prefetch(m, 1, BYTES), NPURT_ERROR_RANGE);
	GIVES(npurt_memory_advise(m, 77, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_advise(NULL, NPURT_ADVISE_WILLNEED, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_memory_create(f->context, BYTES, &attr, &shared));
	WORKS(npurt_memory_advise(shared, NPURT_ADVISE_DONTNEED, NULL));
	GIVES(npurt_memory_export_fd(shared, &fd), NPURT_ERROR_INVALID);
	WORKS(npurt_memory_advise(shared, NPURT_ADVISE_WILLNEED, NULL));
	NEED(npurt_memory_destroy(shared));
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_register(&f);
	test_alignment(&f);
	test_range(&f);
	test_sparse(&f);
	test_advice(&f);
	fixture_close(&f);
	return rt_done();
}
