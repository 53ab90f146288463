// SPDX-License-Identifier: MIT
/* A process that waits for another one: both tell so, and npu-smi tells of both. */
#include "rt_process.h"

#include <stdatomic.h>
#include <sys/mount.h>

#define SMI MODULES "/../../../bin/npu-smi hang"

/* The other process: its stream waits for the event that it was given. */
static int wait_for(int fd)
{
	struct fixture f = fixture_open();
	npurt_event *event;
	int err;

	NEED(npurt_event_import_fd(f.context, fd, NULL, &event));
	NEED(npurt_stream_wait_event(f.stream, event));
	err = npurt_stream_synchronize(f.stream);
	NEED(npurt_event_destroy(event));
	fixture_free(&f);
	return err != 0;
}

/* A line with both words, in what npu-smi prints when the device has come that far. */
static bool shows(const char *first, const char *second, char *line, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		FILE *smi = popen(SMI, "r");
		bool found = false;

		while (smi && !found && fgets(line, (int)size, smi))
			found = strstr(line, first) && strstr(line, second);
		line[strcspn(line, "\n")] = '\0';
		if (!smi || pclose(smi))
			return false;
		if (found)
			return true;
	}
	return false;
}

static void test_processes(struct fixture *f)
{
	npurt_memory *word = memory(f->context, NPURT_PLACE_HOST, 4096, "word");
	char own[32], other[32], line[256] = "";
	npurt_event *event;
	pid_t child;
	int fd;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_event_export_fd(event, &fd));
	mapped(word);
	NEED(npurt_wait_value_async(f->stream, word, 0, 1, NPURT_CONDITION_GE, 0));
	NEED(npurt_event_record(event, f->stream));
	NEED(npurt_stream_flush(f->stream));
	child = process_start(&fd, 1);
	snprintf(own, sizeof(own), "%d", getpid());
	snprintf(other, sizeof(other), "[%d]", getpid());
	ok(shows(own, "waiting", line, sizeof(line)), "npu-smi shows who waits: %s", line);
	snprintf(own, sizeof(own), "%d", child);
	ok(shows(own, other, line, sizeof(line)) && strstr(line, "blocked"),
	   "and who waits for that: %s", line);
	atomic_store((_Atomic uint64_t *)mapped(word), 1);
	WORKS(npurt_stream_synchronize(f->stream));
	ok(process_wait(child) == 0, "then both go on");
	close(fd);
	NEED(npurt_event_destroy(event));
	NEED(npurt_memory_destroy(word));
}

int main(int argc, char **argv)
{
	struct fixture f;

	if (argc > 1)
		return wait_for(atoi(argv[1]));
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	f = fixture_open();
	test_processes(&f);
	fixture_close(&f);
	return rt_done();
}
