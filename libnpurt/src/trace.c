// SPDX-License-Identifier: MIT
/*
 * Subscribers to what a device is called for and does, and the way of records to them.
 */
#include "trace.h"

#include <stdlib.h>

#include "internal.h"

#define MAX_ENTRIES 65536
#define CALIBRATION_NS 1000000000ULL /* an offset is good for that long */

struct npurt_trace {
	npurt_device *device;
	npurt_trace *next; /* in the hub */
	uint32_t kinds;
	npurt_trace_fn fn;
	void *data;
};

/* The thread is in callbacks. */
static _Thread_local bool delivering;

/* Devices with subscribers. */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int watched_devices;

npurt_device *rt_trace_device(const npurt_trace *trace)
{
	return trace->device;
}

bool rt_trace_delivering(void)
{
	return delivering;
}

uint64_t rt_now_ns(void)
{
	return (uint64_t)rt_deadline(0);
}

void rt_trace_hub_init(npurt_device *device)
{
	struct rt_trace_hub *hub = &device->hub;

	pthread_mutex_init(&hub->lock, NULL);
	pthread_cond_init(&hub->idle, NULL);
	hub->last = &hub->first;
}

void rt_trace_after_fork(void)
{
	pthread_mutex_init(&watch_lock, NULL);
}

static void count_devices(int change)
{
	pthread_mutex_lock(&watch_lock);
	watched_devices += (unsigned int)change;
	if (watched_devices)
		atomic_fetch_or(&rt_watching, RT_WATCH_TRACE);
	else
		atomic_fetch_and(&rt_watching, ~RT_WATCH_TRACE);
	pthread_mutex_unlock(&watch_lock);
}

/* Device time against CLOCK_MONOTONIC. */

static void calibrate(npurt_device *device)
{
	struct rt_trace_hub *hub = &device->hub;
	uint64_t device_ns, monotonic_ns;

	if (npurt_device_get_time(device, &device_ns, &monotonic_ns))
		return;
	pthread_mutex_lock(&hub->lock);
	hub->to_monotonic = (int64_t)(monotonic_ns - device_ns);
	hub->calibrated_ns = monotonic_ns;
	pthread_mutex_unlock(&hub->lock);
}

uint64_t rt_trace_to_monotonic(npurt_device *device, uint64_t device_ns)
{
	struct rt_trace_hub *hub = &device->hub;
	uint64_t ns;
	bool old;

	pthread_mutex_lock(&hub->lock);
	ns = device_ns + (uint64_t)hub->to_monotonic;
	old = ns > hub->calibrated_ns + CALIBRATION_NS;
	pthread_mutex_unlock(&hub->lock);
	if (!old)
		return ns;
	calibrate(device);
	return device_ns + (uint64_t)hub->to_monotonic;
}

/* Records. */

void rt_trace_put(npurt_device *device, struct rt_trace_entry *entry)
{
	struct rt_trace_hub *hub = &device->hub;
	bool full;

	entry->next = NULL;
	pthread_mutex_lock(&hub->lock);
	full = hub->num_entries >= MAX_ENTRIES;
	if (full) {
		hub->lost++;
	} else {
		entry->record.lost = hub->lost;
		hub->lost = 0;
		*hub->last = entry;
		hub->last = &entry->next;
		hub->num_entries++;
	}
	pthread_mutex_unlock(&hub->lock);
	if (full)
		free(entry);
}

static void call_back(npurt_trace *traces, struct rt_trace_entry *entry)
{
	npurt_trace_record *r = &entry->record;

	r->size = sizeof(*r);
	r->name = entry->name;
	r->label = entry->label;
	r->stream_label = entry->stream_label;
	for (npurt_trace *trace = traces; trace; trace = trace->next) {
		if (trace->kinds & r->kind)
			trace->fn(r, trace->data);
	}
}

static void call_back_all(npurt_trace *traces, struct rt_trace_entry *entry)
{
	delivering = true;
	while (entry) {
		struct rt_trace_entry *next = entry->next;

		call_back(traces, entry);
		free(entry);
		entry = next;
	}
	delivering = false;
}

/* Under the lock, which it lets go of meanwhile: what there is at first. */
static void deliver_entries(struct rt_trace_hub *hub)
{
	struct rt_trace_entry *entries = hub->first;

	hub->first = NULL;
	hub->last = &hub->first;
	hub->num_entries = 0;
	hub->delivering = true;
	pthread_mutex_unlock(&hub->lock);
	call_back_all(hub->traces, entries);
	pthread_mutex_lock(&hub->lock);
	hub->delivering = false;
	pthread_cond_broadcast(&hub->idle);
}

/* One thread does it for all: the others need not wait for callbacks. */
static void deliver(npurt_device *device)
{
	struct rt_trace_hub *hub = &device->hub;

	pthread_mutex_lock(&hub->lock);
	while (hub->first && !hub->delivering && !hub->waiters)
		deliver_entries(hub);
	pthread_mutex_unlock(&hub->lock);
}

static void put_call(npurt_device *device, const struct rt_call *call, int result)
{
	struct rt_trace_entry *entry;

	if (!(atomic_load(&device->hub.kinds) & NPURT_TRACE_CALL))
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return;
	entry->record.kind = NPURT_TRACE_CALL;
	entry->record.result = result;
	entry->record.thread = call->thread;
	entry->record.call = call->id;
	entry->record.begin_ns = entry->record.call_ns = call->begin_ns;
	entry->record.end_ns = rt_now_ns();
	strncpy(entry->name, call->function, sizeof(entry->name) - 1);
	rt_trace_put(device, entry);
}

static void harvest(npurt_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	rt_spans_harvest(stream, false);
	pthread_mutex_unlock(&stream->lock);
}

/* Of the streams that the call was about, and that are still there. */
static void harvest_args(const struct rt_call *call)
{
	for (unsigned int i = call->destroys; i < call->num_args; i++) {
		const struct rt_arg *arg = &call->args[i];

		if (arg->object == RT_OBJECT_STREAM && !arg->out && arg->value)
			harvest(arg->value);
	}
}

/* What the call was about, or has opened. */
static npurt_device *device_of(const struct rt_call *call, int result)
{
	for (unsigned int i = 0; i < call->num_args && !call->device && !result; i++) {
		if (call->args[i].object == RT_OBJECT_DEVICE && call->args[i].out)
			return *(npurt_device **)call->args[i].value;
	}
	return call->device;
}

void rt_trace_leave(const struct rt_call *call, int result)
{
	const bool closed = call->destroys && call->args[0].object == RT_OBJECT_DEVICE && !result;
	npurt_device *device = closed ? NULL : device_of(call, result);

	if (!device || !atomic_load(&device->hub.kinds))
		return;
	put_call(device, call, result);
	harvest_args(call);
	deliver(device);
}

/* Of all streams of the device. */

static unsigned int take_streams(npurt_context *context, npurt_stream **streams, unsigned int max)
{
	struct rt_list *node;
	unsigned int count = 0;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->streams) {
		if (count < max)
			streams[count++] = rt_stream_get(rt_container(node, npurt_stream, link));
	}
	pthread_mutex_unlock(&context->lock);
	return count;
}

/* References, as no stream's lock may be taken inside of a device's. */
static npurt_stream **get_streams(npurt_device *device, unsigned int *count)
{
	npurt_stream **streams;
	struct rt_list *node;
	unsigned int max;

	*count = 0;
	pthread_mutex_lock(&device->lock);
	max = rt_count_streams(device);
	streams = calloc(max + 1, sizeof(streams[0]));
	for (node = device->context_list.next; streams && node != &device->context_list;
	     node = node->next)
		*count += take_streams(rt_container(node, npurt_context, link), streams + *count,
				       max - *count);
	pthread_mutex_unlock(&device->lock);
	return streams;
}

static void harvest_device(npurt_device *device)
{
	unsigned int count;
	npurt_stream **streams = get_streams(device, &count);

	for (unsigned int i = 0; i < count; i++) {
		harvest(streams[i]);
		rt_stream_put(streams[i]);
	}
	free(streams);
}

/* Subscribers. */

/* With the lock, and while no thread goes through the list. */
static void lock_list(struct rt_trace_hub *hub)
{
	pthread_mutex_lock(&hub->lock);
	hub->waiters++;
	while (hub->delivering)
		pthread_cond_wait(&hub->idle, &hub->lock);
	hub->waiters--;
}

/* Under the lock. */
static void sum_kinds(struct rt_trace_hub *hub)
{
	uint32_t kinds = 0;

	for (npurt_trace *trace = hub->traces; trace; trace = trace->next)
		kinds |= trace->kinds;
	atomic_store(&hub->kinds, kinds);
}

static npurt_trace *subscribe(npurt_device *device, uint32_t kinds, npurt_trace_fn fn, void *data)
{
	struct rt_trace_hub *hub = &device->hub;
	npurt_trace *trace = calloc(1, sizeof(*trace)), **link;

	if (!trace)
		return NULL;
	trace->device = device;
	trace->kinds = kinds;
	trace->fn = fn;
	trace->data = data;
	calibrate(device);
	lock_list(hub);
	if (!hub->traces)
		count_devices(1);
	for (link = &hub->traces; *link; link = &(*link)->next)
		;
	*link = trace;
	sum_kinds(hub);
	pthread_mutex_unlock(&hub->lock);
	return trace;
}

/* Delivers what has ended by then, which another thread may have left when it was waited for. */
static void unsubscribe(npurt_trace *trace)
{
	struct rt_trace_hub *hub = &trace->device->hub;
	npurt_trace **link;

	lock_list(hub);
	deliver_entries(hub);
	for (link = &hub->traces; *link != trace; link = &(*link)->next)
		;
	*link = trace->next;
	sum_kinds(hub);
	if (!hub->traces)
		count_devices(-1);
	pthread_mutex_unlock(&hub->lock);
	rt_object_free(trace);
}

void rt_trace_open_file(npurt_device *device)
{
	const char *path = getenv("NPURT_TRACE");
	struct rt_trace_file *file;

	if (!path || !path[0])
		return;
	file = rt_trace_file_open(device, path);
	if (!file)
		return;
	device->hub.file = subscribe(device, NPURT_TRACE_ALL, rt_trace_file_record, file);
	if (!device->hub.file)
		rt_trace_file_close(file);
}

unsigned int rt_trace_subscribers(npurt_device *device)
{
	struct rt_trace_hub *hub = &device->hub;
	unsigned int count = 0;

	pthread_mutex_lock(&hub->lock);
	for (npurt_trace *trace = hub->traces; trace; trace = trace->next)
		count += trace != hub->file;
	pthread_mutex_unlock(&hub->lock);
	return count;
}

void rt_trace_hub_fini(npurt_device *device)
{
	struct rt_trace_hub *hub = &device->hub;
	const struct rt_call *call = rt_call_current();

	if (hub->file) {
		struct rt_trace_file *file = hub->file->data;

		if (call)
			put_call(device, call, 0);
		unsubscribe(hub->file);
		rt_trace_file_close(file);
	}
	call_back_all(NULL, hub->first);
	pthread_cond_destroy(&hub->idle);
	pthread_mutex_destroy(&hub->lock);
}

static int take_attr(npurt_device *device, npurt_trace_attr *a, const npurt_trace_attr *attr)
{
	int err = rt_attr_take(&device->diag, "npurt_trace_attr", 0, a, sizeof(*a), attr);

	if (err)
		return err;
	if (!a->fn)
		return rt_fail(&device->diag, NPURT_ERROR_INVALID, "npurt_trace_attr.fn is NULL");
	if (!a->kinds || a->kinds & ~NPURT_TRACE_ALL)
		return rt_fail(&device->diag, NPURT_ERROR_INVALID,
			       "npurt_trace_attr.kinds is 0x%x, not some of 0x%x", a->kinds,
			       NPURT_TRACE_ALL);
	return 0;
}

int npurt_trace_subscribe(npurt_device *device, const npurt_trace_attr *attr, npurt_trace **result)
{
	npurt_trace_attr a;
	int err;

	if (!device || !result)
		return NPURT_ERROR_INVALID;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	if (delivering)
		return rt_fail(&device->diag, NPURT_ERROR_BUSY, "subscription in a callback");
	err = take_attr(device, &a, attr);
	if (err)
		return err;
	*result = subscribe(device, a.kinds, a.fn, a.data);
	return *result ? 0
		       : rt_fail(&device->diag, NPURT_ERROR_HOST_MEMORY, "allocate a trace");
}

int npurt_trace_unsubscribe(npurt_trace *trace)
{
	npurt_device *device;

	if (!trace)
		return NPURT_ERROR_INVALID;
	device = trace->device;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	if (delivering)
		return rt_fail(&device->diag, NPURT_ERROR_BUSY, "end of a trace in a callback");
	harvest_device(device);
	unsubscribe(trace);
	return 0;
}
