// SPDX-License-Identifier: MIT
/*
 * $NPURT_TRACE: a file of trace events for Perfetto and Chrome. There is one for all devices
 * of the process. What is written ends with the JSON's end, which the next write overwrites,
 * so that the file is whole whenever the process ends.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define BUFFER_BYTES 65536u
#define MAX_EVENT_BYTES 2048u /* of one record */
#define WRITE_NS 100000000ULL /* between writes, if there is something */
#define DEVICE_PID 0x40000000u /* devices are processes of their own in the trace */

static const char start[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
static const char end[] = "\n]}\n";

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

/* Of the process. */
static struct {
	pthread_mutex_t lock; /* of all that follows */
	pid_t pid; /* who it belongs to: not a forked child */
	unsigned int users;
	unsigned int devices; /* that there have been */
	int fd;
	bool failed;
	uint64_t offset; /* of what comes next */
	uint64_t written_ns;
	uint64_t flows;
	size_t used;
	char buffer[BUFFER_BYTES + sizeof(end)];
} file = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* Of an open device. */
struct rt_trace_file {
	npurt_device *device;
	uint32_t pid; /* that stands for it */
	uint8_t *named; /* streams that have a row, by number */
	uint64_t num_named;
};

/* Writing. */

static void write_out(void)
{
	const size_t bytes = file.used + sizeof(end) - 1;
	size_t done = 0;

	memcpy(file.buffer + file.used, end, sizeof(end) - 1);
	while (done < bytes && !file.failed) {
		const ssize_t n = pwrite(file.fd, file.buffer + done, bytes - done,
					 (off_t)(file.offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		file.failed = n <= 0;
		done += n > 0 ? (size_t)n : 0;
	}
	file.offset += file.used;
	file.used = 0;
	file.written_ns = rt_now_ns();
}

static void put(const char *format, ...) RT_PRINTF(1, 2);

/* There is room for an event. */
static void put(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(file.buffer + file.used, BUFFER_BYTES - file.used, format, args);
	va_end(args);
	if (n > 0)
		file.used += rt_min((uint64_t)n, BUFFER_BYTES - file.used - 1);
}

/* As a string of JSON: what is no printable ASCII becomes a question mark. */
static void put_string(const char *text)
{
	put("\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			put("\\%c", *text);
		else
			put("%c", *text >= ' ' && *text <= '~' ? *text : '?');
	}
	put("\"");
}

static void put_us(const char *name, uint64_t ns)
{
	put(",\"%s\":%" PRIu64 ".%03u", name, ns / 1000, (unsigned int)(ns % 1000));
}

static void begin_event(const char *phase, uint32_t pid, uint64_t tid)
{
	put(",\n{\"ph\":\"%s\",\"pid\":%u,\"tid\":%" PRIu64, phase, pid, tid);
}

/* "process_name" or "thread_name" */
static void put_name(const char *what, uint32_t pid, uint64_t tid, const char *name)
{
	begin_event("M", pid, tid);
	put(",\"name\":\"%s\",\"args\":{\"name\":", what);
	put_string(name);
	put("}}");
}

/* Records. */

static void put_call(const npurt_trace_record *r)
{
	begin_event("X", (uint32_t)file.pid, r->thread);
	put_us("ts", r->begin_ns);
	put_us("dur", r->end_ns - r->begin_ns);
	put(",\"cat\":\"call\",\"name\":\"%s\",\"args\":{\"call\":%" PRIu64 ",\"result\":\"%s\"", r->name,
	    r->call, npurt_error_name(r->result));
	if (r->lost)
		put(",\"lost\":%" PRIu64, r->lost);
	put("}}");
}

static const char *category(uint32_t kind)
{
	switch (kind) {
	case NPURT_TRACE_KERNEL:
		return "kernel";
	case NPURT_TRACE_COPY:
		return "copy";
	case NPURT_TRACE_GRAPH:
		return "graph";
	default:
		return "sync";
	}
}

static const char *command_name(const npurt_trace_record *r)
{
	static const char *const names[] = {
		[NPURT_COMMAND_KERNEL] = "kernel", [NPURT_COMMAND_COPY] = "copy",
		[NPURT_COMMAND_FILL] = "fill", [NPURT_COMMAND_EVENT_RECORD] = "event record",
		[NPURT_COMMAND_EVENT_WAIT] = "event wait", [NPURT_COMMAND_REDUCE] = "reduce",
		[NPURT_COMMAND_WRITE] = "write value", [NPURT_COMMAND_WAIT] = "wait for value",
		[NPURT_COMMAND_SIGNAL] = "signal", [NPURT_COMMAND_HOST_FUNCTION] = "host function",
		[NPURT_COMMAND_COLLECTIVE] = "collective",
	};

	if (r->name[0])
		return r->name;
	if (r->kind == NPURT_TRACE_GRAPH)
		return "graph";
	return r->command < RT_ARRAY_SIZE(names) && names[r->command] ? names[r->command] : "task";
}

/* From the call, at its begin, to the task. */
static void put_flow(const npurt_trace_record *r, uint32_t pid)
{
	const uint64_t id = ++file.flows;

	begin_event("s", (uint32_t)file.pid, r->thread);
	put_us("ts", r->call_ns);
	put(",\"cat\":\"flow\",\"name\":\"task\",\"id\":%" PRIu64 "}", id);
	begin_event("f", pid, r->stream);
	put_us("ts", r->begin_ns);
	put(",\"cat\":\"flow\",\"name\":\"task\",\"bp\":\"e\",\"id\":%" PRIu64 "}", id);
}

static void put_task_args(const npurt_trace_record *r)
{
	put(",\"args\":{\"call\":%" PRIu64 ",\"command\":", r->call);
	put_string(command_name(r));
	if (r->label[0]) {
		put(",\"label\":");
		put_string(r->label);
	}
	if (r->kind == NPURT_TRACE_KERNEL)
		put(",\"args_bytes\":%" PRIu64 ",\"blocks\":%u", r->bytes, r->blocks);
	else if (r->kind == NPURT_TRACE_COPY)
		put(",\"bytes\":%" PRIu64, r->bytes);
	if (r->tag)
		put(",\"tag\":%" PRIu64, r->tag);
	if (r->result)
		put(",\"result\":\"%s\"", npurt_error_name(r->result));
	if (r->lost)
		put(",\"lost\":%" PRIu64, r->lost);
	put(",\"device_ns\":%" PRIu64 "}}", r->device_begin_ns);
}

static void put_task(const npurt_trace_record *r, uint32_t pid)
{
	begin_event("X", pid, r->stream);
	put_us("ts", r->begin_ns);
	put_us("dur", r->end_ns - r->begin_ns);
	put(",\"cat\":\"%s\",\"name\":", category(r->kind));
	put_string(r->kind != NPURT_TRACE_COPY && r->label[0] ? r->label : command_name(r));
	put_task_args(r);
	put_flow(r, pid);
}

/* A stream's row gets its name with its first task. */
static void name_stream(struct rt_trace_file *f, const npurt_trace_record *r)
{
	char name[NPURT_LABEL_SIZE + 32];
	uint8_t *named;

	if (r->stream >= f->num_named) {
		const uint64_t size = 2 * r->stream + 64;

		named = realloc(f->named, size);
		if (!named)
			return;
		memset(named + f->num_named, 0, size - f->num_named);
		f->named = named;
		f->num_named = size;
	}
	if (f->named[r->stream])
		return;
	f->named[r->stream] = 1;
	snprintf(name, sizeof(name), "stream %u%s%s", r->stream_id, r->stream_label[0] ? " " : "",
		 r->stream_label);
	put_name("thread_name", f->pid, r->stream, name);
}

void rt_trace_file_record(const npurt_trace_record *record, void *data)
{
	struct rt_trace_file *f = data;

	pthread_mutex_lock(&file.lock);
	if (file.used + MAX_EVENT_BYTES > BUFFER_BYTES)
		write_out();
	if (record->kind == NPURT_TRACE_CALL) {
		put_call(record);
	} else {
		name_stream(f, record);
		put_task(record, f->pid);
	}
	if (rt_now_ns() - file.written_ns > WRITE_NS)
		write_out();
	pthread_mutex_unlock(&file.lock);
}

/* Opening. */

/* %p is the process; a forked child has a file of its own in any case. */
static void make_path(char *name, size_t size, const char *path, bool child)
{
	const char *percent = strstr(path, "%p");
	const int before = percent ? (int)(percent - path) : (int)strlen(path);

	snprintf(name, size, "%.*s", before, path);
	if (percent)
		snprintf(name + strlen(name), size - strlen(name), "%d%s", getpid(), percent + 2);
	else if (child)
		snprintf(name + strlen(name), size - strlen(name), ".%d", getpid());
}

/* Under the lock. Once more in one process, what comes is added. */
static int open_file(npurt_device *device, const char *path, bool child)
{
	const bool again = file.offset != 0;
	char name[4096];

	make_path(name, sizeof(name), path, child);
	file.fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (again ? 0 : O_TRUNC), 0666);
	file.failed = false;
	if (file.fd < 0) {
		rt_log(device, NPURT_LOG_WARNING, "no trace: open %s: %s", name, strerror(errno));
		return -1;
	}
	if (again)
		return 0;
	memcpy(file.buffer, start, sizeof(start) - 1);
	file.used = sizeof(start) - 1;
	/* The first event has no comma before it. */
	put("{\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":",
	    file.pid);
	put_string(program_invocation_short_name);
	put("}}");
	return 0;
}

static void name_device(struct rt_trace_file *f)
{
	char name[64];

	f->pid = DEVICE_PID + ((uint32_t)file.pid << 8) + file.devices++;
	snprintf(name, sizeof(name), "NPU %s", f->device->node.bus_id);
	put_name("process_name", f->pid, 0, name);
	write_out();
}

void rt_trace_file_after_fork(void)
{
	pthread_mutex_init(&opening, NULL);
	pthread_mutex_init(&file.lock, NULL);
}

/* A child has the parent's file. */
static bool leave_parent(void)
{
	const pid_t parent = file.pid;

	if (parent == getpid())
		return false;
	file.pid = getpid();
	if (!parent)
		return false;
	if (file.fd >= 0)
		close(file.fd);
	file.fd = -1;
	file.users = file.devices = 0;
	file.offset = file.used = 0;
	return true;
}

struct rt_trace_file *rt_trace_file_open(npurt_device *device, const char *path)
{
	struct rt_trace_file *f = calloc(1, sizeof(*f));
	static bool child;
	int err = 0;

	if (!f)
		return NULL;
	f->device = device;
	pthread_mutex_lock(&opening);
	child |= leave_parent();
	pthread_mutex_lock(&file.lock);
	if (!file.users)
		err = open_file(device, path, child);
	if (!err) {
		file.users++;
		name_device(f);
	}
	pthread_mutex_unlock(&file.lock);
	pthread_mutex_unlock(&opening);
	if (err) {
		free(f);
		return NULL;
	}
	return f;
}

void rt_trace_file_close(struct rt_trace_file *f)
{
	pthread_mutex_lock(&file.lock);
	write_out();
	if (file.failed)
		rt_log(f->device, NPURT_LOG_WARNING, "the trace is not whole: its file cannot be written");
	if (!--file.users) {
		close(file.fd);
		file.fd = -1;
	}
	pthread_mutex_unlock(&file.lock);
	free(f->named);
	free(f);
}
