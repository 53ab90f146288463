// SPDX-License-Identifier: MIT
/*
 * Calls that are watched, and where they came from.
 */
#include "call.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "graph.h"
#include "internal.h"
#include "validate.h"

_Atomic uintptr_t rt_watching = RT_WATCH_UNKNOWN;

/* Set while the thread is in a call, and only if calls are watched. */
static _Thread_local const struct rt_call *current;

static bool enabled(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0] && strcmp(value, "0") != 0;
}

/* A child has one thread: what others had locked for the whole process is free in it. */
static void after_fork(void)
{
	rt_validate_after_fork();
	rt_object_after_fork();
	rt_trace_after_fork();
	rt_trace_file_after_fork();
}

static void look_at_environment(void)
{
	uintptr_t bits = 0;

	pthread_atfork(NULL, NULL, after_fork);
	if (enabled("NPURT_SITES"))
		bits |= RT_WATCH_SITES;
	if (enabled("NPURT_VALIDATE"))
		bits |= RT_WATCH_VALIDATE;
	/* Until the first device is open, so that its opening is a part. */
	if (getenv("NPURT_TRACE"))
		bits |= RT_WATCH_TRACE;
	atomic_fetch_or(&rt_watching, bits);
	atomic_fetch_and(&rt_watching, ~RT_WATCH_UNKNOWN);
}

/* Objects of a context begin with a pointer to it. */
struct member {
	npurt_context *context;
};

/* Before the call, which may destroy the object. */
static npurt_device *device_of(const struct rt_arg *arg)
{
	const void *object = arg->value;

	if (!object || arg->out)
		return NULL;
	switch (arg->object) {
	case RT_OBJECT_DEVICE:
		return arg->value;
	case RT_OBJECT_TRACE:
		return rt_trace_device(object);
	case RT_OBJECT_CONTEXT:
		return ((const npurt_context *)object)->device;
	case RT_OBJECT_KERNEL:
		return ((const npurt_kernel *)object)->module->context->device;
	case RT_OBJECT_GRAPH_NODE:
		return ((const npurt_graph_node *)object)->graph->context->device;
	default:
		return ((const struct member *)object)->context->device;
	}
}

static npurt_device *find_device(const struct rt_call *call)
{
	npurt_device *device = NULL;

	for (unsigned int i = 0; i < call->num_args && !device; i++)
		device = device_of(&call->args[i]);
	return device;
}

int rt_call_enter(struct rt_call *call)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static atomic_ullong ids;
	int err = 0;

	pthread_once(&once, look_at_environment);
	if (!rt_watched() || current || rt_trace_delivering())
		return 0;
	/* Before anything is looked at that may be gone. */
	if (rt_watched() & RT_WATCH_VALIDATE)
		err = rt_validate_enter(call);
	if (err)
		return err;
	call->watched = true;
	call->device = find_device(call);
	call->forked = call->device && rt_forked(call->device);
	if (call->forked)
		return 0;
	call->id = atomic_fetch_add(&ids, 1) + 1;
	call->thread = (uint32_t)syscall(SYS_gettid);
	call->begin_ns = rt_now_ns();
	current = call;
	return 0;
}

int rt_call_leave(struct rt_call *call, int result)
{
	if (!call->watched)
		return result;
	current = NULL;
	if (rt_watched() & RT_WATCH_VALIDATE)
		rt_validate_leave(call, result);
	if (!call->forked)
		rt_trace_leave(call, result);
	return result;
}

const struct rt_call *rt_call_current(void)
{
	return current;
}

struct rt_site rt_call_site(void)
{
	const uintptr_t wanted = RT_WATCH_SITES | RT_WATCH_VALIDATE;

	if (!current || !(rt_watched() & wanted))
		return (struct rt_site){ NULL, 0 };
	return (struct rt_site){ current->site, RT_SITE_ADDRESS };
}

static void describe_address(const char *address, char *text, size_t size)
{
	const char *slash;
	Dl_info info;
	int n;

	/* The call is what comes before the address that it returns to. */
	address--;
	if (!dladdr(address, &info) || !info.dli_fname) {
		snprintf(text, size, "%p", (const void *)address);
		return;
	}
	slash = strrchr(info.dli_fname, '/');
	n = snprintf(text, size, "%s+0x%tx", slash ? slash + 1 : info.dli_fname,
		     address - (const char *)info.dli_fbase);
	if (info.dli_sname && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, " (%s+0x%tx)", info.dli_sname,
			 address - (const char *)info.dli_saddr);
}

void rt_site_describe(const struct rt_site *site, char *text, size_t size)
{
	text[0] = '\0';
	if (site->file && site->line == RT_SITE_ADDRESS)
		describe_address(site->file, text, size);
	else if (site->file)
		snprintf(text, size, "%s:%u", site->file, site->line);
}
