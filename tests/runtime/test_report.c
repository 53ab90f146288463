// SPDX-License-Identifier: MIT
/* Who holds memory: the report by tag, and the texts of what fails for want of it. */
#include "rt_process.h"

#include <stddef.h>

#define MIB (1ULL << 20)

static npurt_memory *tagged(npurt_context *context, enum npurt_placement place, uint64_t bytes,
			    const char *tag)
{
	npurt_memory_attr attr = {
		.size = sizeof(attr), .placement = place, .label = "of a tag", .tag = tag,
	};
	npurt_memory *m = NULL;

	NEED(npurt_memory_create(context, bytes, &attr, &m));
	return m;
}

struct report {
	npurt_memory_holder holders[16];
	unsigned int count;
};

static void keep(const npurt_memory_holder *holder, void *data)
{
	struct report *report = data;

	if (report->count < COUNT(report->holders))
		report->holders[report->count++] = *holder;
}

static npurt_memory_holder holder_of(npurt_context *context, const char *tag)
{
	const npurt_memory_holder none = { 0 };
	struct report report = { .count = 0 };

	NEED(npurt_context_memory_report(context, keep, &report));
	for (unsigned int i = 0; i < report.count; i++) {
		if (strcmp(report.holders[i].tag, tag) == 0)
			return report.holders[i];
	}
	return none;
}

static void test_report(npurt_context *context)
{
	npurt_memory *weights[2], *host, *other;
	struct report report = { .count = 0 };
	npurt_memory_holder h;

	weights[0] = tagged(context, NPURT_PLACE_HBM, 4 * MIB, "weights");
	weights[1] = tagged(context, NPURT_PLACE_HBM, 2 * MIB, "weights");
	host = tagged(context, NPURT_PLACE_HOST, MIB, "weights");
	other = memory(context, NPURT_PLACE_HBM, MIB, "no tag");
	WORKS(npurt_context_memory_report(context, keep, &report));
	ok(strcmp(report.holders[0].tag, "weights") == 0, "the largest holder comes first");
	h = holder_of(context, "weights");
	ok(h.size == sizeof(h) && h.objects == 3 && h.hbm_bytes == 6 * MIB && h.host_bytes == MIB,
	   "a tag has what its objects have");
	ok(holder_of(context, "untagged").hbm_bytes == MIB, "what has no tag is counted too");
	ok(holder_of(context, "npurt").host_bytes > 0, "and the library's own memory");
	NEED(npurt_memory_destroy(weights[0]));
	NEED(npurt_memory_destroy(host));
	h = holder_of(context, "weights");
	ok(h.objects == 1 && h.hbm_bytes == 2 * MIB && h.host_bytes == 0 &&
		   h.hbm_peak_bytes == 6 * MIB,
	   "what is destroyed counts no more, but in the peak");
	NEED(npurt_memory_destroy(weights[1]));
	NEED(npurt_memory_destroy(other));
	GIVES(npurt_context_memory_report(NULL, keep, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_context_memory_report(context, NULL, NULL), NPURT_ERROR_INVALID);
}

static void test_attributes(npurt_context *context)
{
	/* As a program of version 1.0 has it. */
	npurt_memory_attr attr = {
		.size = offsetof(npurt_memory_attr, tag), .label = "of 1.0", .tag = "not looked at",
	};
	npurt_memory *m;

	WORKS(npurt_memory_create(context, 4096, &attr, &m));
	ok(holder_of(context, "untagged").objects == 1, "a shorter structure has no tag");
	NEED(npurt_memory_destroy(m));
	attr = (npurt_memory_attr){ .size = sizeof(attr), .priority = NPURT_PRIORITY_REALTIME };
	GIVES(npurt_memory_create(context, 4096, &attr, &m), NPURT_ERROR_INVALID);
	for (int priority = NPURT_PRIORITY_LOW; priority <= NPURT_PRIORITY_HIGH; priority++) {
		attr.priority = priority;
		WORKS(npurt_memory_create(context, 4096, &attr, &m));
		NEED(npurt_memory_destroy(m));
	}
#ifdef FAKE_KMD
	m = memory(context, NPURT_PLACE_HBM, 4096, "a name for the driver");
	ok(fake_labels("a name for the driver") == 1, "the driver knows the label");
	NEED(npurt_memory_destroy(m));
#endif
}

static void too_much(npurt_context *context, char *text, size_t size)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "too much" };
	npurt_memory *m;

	GIVES(npurt_memory_create(context, 1ULL << 45, &attr, &m), NPURT_ERROR_DEVICE_MEMORY);
	NEED(npurt_context_error_message(context, text, size));
}

static void test_message(struct fixture *f)
{
	npurt_memory *here = tagged(f->context, NPURT_PLACE_HBM, 16 * MIB, "activations"), *there;
	npurt_context *context;
	char text[1024];

	NEED(npurt_context_create(f->device, NULL, &context));
	there = tagged(context, NPURT_PLACE_HBM, 24 * MIB, "activations");
	too_much(f->context, text, sizeof(text));
	ok(strstr(text, "'too much'") && strstr(text, "'activations' 40 MiB in 2"),
	   "who holds HBM is named, over all contexts: %s", text);
	NEED(npurt_memory_destroy(there));
	NEED(npurt_memory_destroy(here));
	NEED(npurt_context_destroy(context));
}

/* Another process: has memory until the parent lets it go. */
static int hold(int parent)
{
	struct fixture f = fixture_open();
	npurt_memory *m = memory(f.context, NPURT_PLACE_HBM, 32 * MIB, "held by a child");
	char byte = 0;
	bool good = write(parent, &byte, 1) == 1 && read(parent, &byte, 1) == 0;

	NEED(npurt_memory_destroy(m));
	fixture_free(&f);
	return !good;
}

#ifndef FAKE_KMD
static void test_processes(npurt_context *context)
{
	char text[1024], want[64], byte;
	pid_t child;
	int ends[2];

	process_sockets(ends);
	child = process_start(&ends[1], 1);
	close(ends[1]);
	need(read(ends[0], &byte, 1) != 1, "wait for the child");
	too_much(context, text, sizeof(text));
	snprintf(want, sizeof(want), "(%d) 32 MiB", child);
	ok(strstr(text, "of others: ") != NULL, "another process is named: %s", text);
	ok(strstr(text, want) != NULL, "with its number and what it has: %s", want);
	close(ends[0]);
	ok(process_wait(child) == 0, "it has it until it is let go");
}
#endif

#define MANY 8192

/* Contexts until there are no more: the message has the number, and they can be made again. */
static void test_limit(npurt_device *device)
{
	static npurt_context *contexts[MANY];
	unsigned int count = 0;
	char text[256], want[32];
	int err = 0;

	while (count < MANY && !(err = npurt_context_create(device, NULL, &contexts[count])))
		count++;
	ok(err == NPURT_ERROR_LIMIT, "there is a limit to contexts, and an error for it: %s",
	   npurt_error_name(err));
	NEED(npurt_device_error_message(device, text, sizeof(text)));
	snprintf(want, sizeof(want), "all %u address spaces", count + 1);
	ok(strstr(text, want) && strstr(text, "process"), "it tells which, whose, how much: %s",
	   text);
	while (count)
		NEED(npurt_context_destroy(contexts[--count]));
}

int main(int argc, char **argv)
{
	struct fixture f;

	if (argc > 1)
		return hold(atoi(argv[1]));
	f = fixture_open();
	test_report(f.context);
	test_attributes(f.context);
	test_message(&f);
#ifndef FAKE_KMD
	test_processes(f.context);
#endif
	test_limit(f.device);
	fixture_close(&f);
	return rt_done();
}
