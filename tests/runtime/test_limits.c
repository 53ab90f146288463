// SPDX-License-Identifier: MIT
/* Limits are honest: the message says which one it is, whose, and how much is used. */
#include "rt_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 4096
#define MAPS 65536
#define PAGE 4096

static bool tells(npurt_context *context, const char *a, const char *b)
{
	char text[1024] = "";

	NEED(npurt_context_error_message(context, text, sizeof(text)));
	return ok(strstr(text, a) && strstr(text, b), "the message tells it: %s", text);
}

/* Streams until there are no more. */
static void test_queues(npurt_context *context)
{
	static npurt_stream *streams[MANY];
	unsigned int count = 0;
	char all[32];
	int err = 0;

	while (count < MANY && !(err = npurt_stream_create(context, NULL, &streams[count])))
		count++;
	ok(err == NPURT_ERROR_LIMIT, "there is a limit to streams: %s", npurt_error_name(err));
	/* The fixture has one, too. */
	snprintf(all, sizeof(all), "all %u queues", count + 1);
	tells(context, all, "process");
	while (count)
		NEED(npurt_stream_destroy(streams[--count]));
}

/* No other file can be opened, until the old limit is given back. */
static struct rlimit forbid_files(void)
{
	struct rlimit old, none;
	const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	getrlimit(RLIMIT_NOFILE, &old);
	close(next);
	none = (struct rlimit){ (rlim_t)next, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	return old;
}

static void count_call(void *data, int error)
{
	*(int *)data += 1 + (error != 0);
}

static void test_files(struct fixture *f)
{
	int called = 0;
	char text[512];
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	struct rlimit old;
	npurt_event *event;
	npurt_memory *m;
	int err, fd;

	NEED(npurt_memory_create(f->context, PAGE, &attr, &m));
	NEED(npurt_event_create(f->context, NULL, &event));
	old = forbid_files();
	err = npurt_memory_export_fd(m, &fd);
	ok(err == NPURT_ERROR_LIMIT, "export of memory without a free file descriptor: %s",
	   npurt_error_name(err));
	tells(f->context, "this process", "RLIMIT_NOFILE");
	err = npurt_event_export_fd(event, &fd);
	ok(err == NPURT_ERROR_LIMIT, "and of an event: %s", npurt_error_name(err));
	tells(f->context, "this process", "RLIMIT_NOFILE");
	err = npurt_stream_host_function(f->stream, count_call, &called);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(err == NPURT_ERROR_LIMIT && strstr(text, "RLIMIT_NOFILE"),
	   "and a host function: %s", text);
	setrlimit(RLIMIT_NOFILE, &old);
	WORKS(npurt_memory_export_fd(m, &fd));
	WORKS(npurt_stream_host_function(f->stream, count_call, &called));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(called == 1, "with files to spare all of it works");
	close(fd);
	NEED(npurt_event_destroy(event));
	NEED(npurt_memory_destroy(m));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* As many mappings as a process may have; gives back how many. */
static unsigned int map_all(void **maps)
{
	unsigned int count = 0;

	/* Neighbours of another protection do not become one. */
	while (count < MAPS) {
		maps[count] = mmap(NULL, PAGE, count % 2 ? PROT_READ : PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (maps[count] == MAP_FAILED)
			break;
		count++;
	}
	return count;
}

static void test_mappings(struct fixture *f)
{
	void **maps = calloc(MAPS, sizeof(*maps)), *pointer;
	const npurt_memory_attr attr = { .size = sizeof(attr), .placement = NPURT_PLACE_HOST };
	npurt_memory *m = NULL;
	unsigned int count;
	int err;

	count = map_all(maps);
	err = npurt_memory_create(f->context, PAGE, &attr, &m);
	if (!err)
		err = npurt_memory_map(m, &pointer);
	ok(err == NPURT_ERROR_LIMIT, "memory that needs one mapping too many: %s",
	   npurt_error_name(err));
	tells(f->context, "this process has", "vm.max_map_count");
	while (count)
		munmap(maps[--count], PAGE);
	if (m)
		NEED(npurt_memory_destroy(m));
	free(maps);
}
#else
/* The sanitizer wants mappings itself. */
static void test_mappings(struct fixture *f)
{
	(void)f;
}
#endif

static void test_addresses(npurt_context *context)
{
	npurt_range *ranges[8];
	unsigned int count = 0;
	int err = 0;

	while (count < COUNT(ranges) &&
	       !(err = npurt_range_reserve(context, 1ULL << 46, NULL, &ranges[count])))
		count++;
	ok(err == NPURT_ERROR_LIMIT, "more than the addresses of a context: %s",
	   npurt_error_name(err));
	tells(context, "the context has", "in use");
	while (count)
		NEED(npurt_range_release(ranges[--count]));
}

#ifdef FAKE_KMD
/* What only many devices or processes would bring about. */
static void test_driver(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	npurt_memory *m, *imported;
	npurt_stream *stream;
	int fd;

	fake_fail_next(DRM_IOCTL_NPU_QUEUE_CREATE, ENOSPC);
	GIVES(npurt_stream_create(f->context, NULL, &stream), NPURT_ERROR_LIMIT);
	tells(f->context, "queues of the device are in use, 1 of them by this process",
	      "which may have");
	NEED(npurt_memory_create(f->context, PAGE, &attr, &m));
	NEED(npurt_memory_export_fd(m, &fd));
	fake_fail_next(DRM_IOCTL_NPU_VM_BIND, ENOSPC);
	GIVES(npurt_memory_import_fd(f->context, fd, NULL, &imported), NPURT_ERROR_LIMIT);
	tells(f->context, "this process has 0 of the", "bytes pinned");
	close(fd);
	NEED(npurt_memory_destroy(m));
	fake_fail_next(DRM_IOCTL_NPU_BO_CREATE, ENOMEM);
	GIVES(npurt_memory_create(f->context, PAGE, NULL, &m), NPURT_ERROR_HOST_MEMORY);
	tells(f->context, "of the system's", "are available");
}
#endif

int main(void)
{
	struct fixture f = fixture_open();

	test_queues(f.context);
	test_files(&f);
	test_mappings(&f);
	test_addresses(f.context);
#ifdef FAKE_KMD
	test_driver(&f);
#endif
	fixture_close(&f);
	return rt_done();
}
