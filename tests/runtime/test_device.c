// SPDX-License-Identifier: MIT
/* Devices, attribute structures, errors, and life across fork(). */
#include "rt_test.h"

#include <sys/wait.h>
#include <unistd.h>

static void test_open(void)
{
	npurt_device *device = NULL, *same = NULL;
	npurt_device_properties p = { .size = sizeof(p) };
	unsigned int count = 0;

	WORKS(npurt_device_count(&count));
	ok(count >= 1, "there is a device");
	GIVES(npurt_device_count(NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_device_open(count, NULL, &device), NPURT_ERROR_NO_DEVICE);
	GIVES(npurt_device_open(0, NULL, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_device_open(0, NULL, &device));
	WORKS(npurt_device_get_properties(device, &p));
	ok(p.name[0] && p.cores > 0 && p.timestamp_frequency > 0 && p.max_queues > 0,
	   "properties are filled in: '%s', %u cores", p.name, p.cores);
	ok(strncmp(p.node, "/dev/accel/accel", 16) == 0, "the node is known: %s", p.node);
	WORKS(npurt_device_open_bus_id(p.bus_id, NULL, &same));
	GIVES(npurt_device_open_bus_id("ffff:ff:1f.7", NULL, &same), NPURT_ERROR_NO_DEVICE);
	WORKS(npurt_device_close(same));
	WORKS(npurt_device_close(device));
	GIVES(npurt_device_close(NULL), NPURT_ERROR_INVALID);
}

/* Side by side, each with memory of its own. */
static void test_all(void)
{
	unsigned int count = 0;
	npurt_device_properties p[64];
	npurt_device *devices[64];
	bool distinct = true;

	NEED(npurt_device_count(&count));
	for (unsigned int i = 0; i < count; i++) {
		p[i].size = sizeof(p[i]);
		NEED(npurt_device_open(i, NULL, &devices[i]));
		NEED(npurt_device_get_properties(devices[i], &p[i]));
		for (unsigned int j = 0; j < i; j++)
			distinct &= strcmp(p[i].bus_id, p[j].bus_id) != 0 &&
				    strcmp(p[i].node, p[j].node) != 0;
	}
	ok(distinct, "%u devices open at once, each with its own address", count);
	for (unsigned int i = 0; i < count; i++)
		NEED(npurt_device_close(devices[i]));
}

static void test_queries(npurt_device *device)
{
	npurt_memory_info m = { .size = sizeof(m) };
	npurt_firmware_info f = { .size = sizeof(f) };
	npurt_telemetry t = { .size = sizeof(t) };
	uint64_t device_ns[2], cpu_ns[2];

	WORKS(npurt_device_get_memory_info(device, &m));
	ok(m.hbm_size > 0 && m.hbm_used <= m.hbm_size && m.hbm_physical >= m.hbm_size,
	   "HBM has a size, and no more is used");
	WORKS(npurt_device_get_firmware(device, &f));
	ok(f.version[0] && f.abi_major > 0, "the firmware has a version: %s", f.version);
	WORKS(npurt_device_get_telemetry(device, &t));
	ok(t.temperature_mc > 0, "telemetry has a temperature");
	WORKS(npurt_device_get_time(device, &device_ns[0], &cpu_ns[0]));
	usleep(20000);
	WORKS(npurt_device_get_time(device, &device_ns[1], &cpu_ns[1]));
	ok(device_ns[1] - device_ns[0] >= 19 * MS && cpu_ns[1] - cpu_ns[0] >= 19 * MS,
	   "device and CPU time both go on");
}

static void test_attributes(npurt_device *device)
{
	struct {
		npurt_context_attr attr;
		uint64_t later;
	} longer = { { .size = sizeof(longer) }, 0 };
	struct {
		uint32_t size, flags;
		char name[4];
	} shorter = { .size = sizeof(shorter) };
	npurt_context_attr attr = { .size = 4 };
	npurt_context *context = NULL;
	char text[256] = "";

	GIVES(npurt_context_create(device, &attr, &context), NPURT_ERROR_INVALID);
	WORKS(npurt_device_error_message(device, text, sizeof(text)));
	ok(strstr(text, "npurt_context_attr.size"), "the message names the field: %s", text);
	attr.size = sizeof(attr);
	attr.flags = 0x80000000;
	GIVES(npurt_context_create(device, &attr, &context), NPURT_ERROR_INVALID);
	WORKS(npurt_context_create(device, &longer.attr, &context));
	WORKS(npurt_context_destroy(context));
	longer.later = 1;
	GIVES(npurt_context_create(device, &longer.attr, &context), NPURT_ERROR_UNSUPPORTED);
	WORKS(npurt_device_get_properties(device, (npurt_device_properties *)&shorter));
	ok(shorter.size == sizeof(shorter) && shorter.name[0], "a shorter structure gets its part");
	WORKS(npurt_device_error_message(device, text, 4));
	ok(strlen(text) == 3, "a message is cut to the buffer and terminated");
	GIVES(npurt_device_error_message(device, text, 0), NPURT_ERROR_INVALID);
}

static void test_errors(void)
{
	for (int i = 0; i >= NPURT_ERROR_LAST; i--) {
		if (!npurt_strerror(i)[0] || strncmp(npurt_error_name(i), "NPURT_", 6) != 0) {
			ok(false, "error %d has a text and a name", i);
			return;
		}
	}
	ok(true, "every error has a text and a name");
	ok(npurt_strerror(1) && npurt_strerror(-1000), "other numbers have a text too");
	ok(npurt_version() == NPURT_VERSION, "the library is of the header's version");
}

struct log_count {
	unsigned int errors, all;
};

static void count_log(enum npurt_log_level level, const char *text, void *data)
{
	struct log_count *count = data;

	count->all += text[0] != '\0';
	count->errors += level == NPURT_LOG_ERROR;
}

static void test_log(void)
{
	struct log_count count = { 0, 0 };
	npurt_device_attr attr = {
		.size = sizeof(attr),
		.log = count_log,
		.log_data = &count,
		.log_level = NPURT_LOG_ERROR,
	};
	npurt_context_attr bad = { .size = 1 };
	npurt_context *context;
	npurt_device *device;

	NEED(npurt_device_open(0, &attr, &device));
	ok(count.all == 0, "what is below the level is not logged");
	npurt_context_create(device, &bad, &context);
	ok(count.errors == 1 && count.all == 1, "a failure is logged once");
	WORKS(npurt_device_close(device));
}

/* In the child: the number of calls that did not say that they were forked. */
static int child_calls(struct fixture *f, npurt_memory *m, npurt_event *e)
{
	npurt_device_properties p = { .size = sizeof(p) };
	npurt_context *context;
	npurt_device *own;
	char text[8];
	void *pointer;
	int wrong = 0;
	const int results[] = {
		npurt_device_get_properties(f->device, &p),
		npurt_context_create(f->device, NULL, &context),
		npurt_context_destroy(f->context),
		npurt_memory_map(m, &pointer),
		npurt_memory_destroy(m),
		npurt_stream_flush(f->stream),
		npurt_stream_synchronize(f->stream),
		npurt_stream_destroy(f->stream),
		npurt_fill_async(f->stream, m, 0, 0, 1, 16),
		npurt_event_record(e, f->stream),
		npurt_event_wait(e, NPURT_INFINITE),
		npurt_event_destroy(e),
		npurt_stream_error_message(f->stream, text, sizeof(text)),
		npurt_device_close(f->device),
	};

	for (size_t i = 0; i < COUNT(results); i++)
		wrong += results[i] != NPURT_ERROR_FORKED;
	/* It may open the device itself. */
	wrong += npurt_device_open(0, NULL, &own) != 0;
	wrong += npurt_device_close(own) != 0;
	return wrong;
}

static void test_fork(void)
{
	struct fixture f = fixture_open();
	npurt_memory *m = memory(f.context, NPURT_PLACE_HOST, 4096, "shared");
	uint32_t *words = mapped(m);
	npurt_event *event;
	int status = -1;
	pid_t child;

	NEED(npurt_event_create(f.context, NULL, &event));
	NEED(npurt_event_record(event, f.stream));
	rt_settle(&f);
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(child_calls(&f, m, event));
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "all calls of a forked child are refused, but for opening the device");
	WORKS(npurt_fill_async(f.stream, m, 0, 0x12345678, 4, 4096));
	WORKS(npurt_stream_synchronize(f.stream));
	ok(words[1023] == 0x12345678, "the parent goes on as if nothing had happened");
	WORKS(npurt_event_destroy(event));
	WORKS(npurt_memory_destroy(m));
	fixture_close(&f);
}

int main(void)
{
	struct fixture f;

	test_open();
	test_all();
	test_errors();
	test_log();
	f = fixture_open();
	test_queries(f.device);
	test_attributes(f.device);
	GIVES(npurt_device_close(f.device), NPURT_ERROR_BUSY);
	GIVES(npurt_context_destroy(f.context), NPURT_ERROR_BUSY);
	fixture_close(&f);
	test_fork();
	return rt_done();
}
