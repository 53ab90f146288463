/* SPDX-License-Identifier: MIT */
/*
 * What watches calls: launch sites, traces, validation. Every public function that has a
 * handle begins in entry.c, which libnpurt/entry.py writes; there it asks rt_watched(), and
 * that is all that it costs when nothing does.
 */
#ifndef NPURT_CALL_H
#define NPURT_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <npurt/npurt.h>

#include "command.h"

#define RT_WATCH_UNKNOWN ((uintptr_t)1 << 0) /* the environment has not been looked at */
#define RT_WATCH_SITES ((uintptr_t)1 << 1) /* $NPURT_SITES, or what needs them */
#define RT_WATCH_VALIDATE ((uintptr_t)1 << 2) /* $NPURT_VALIDATE */
#define RT_WATCH_TRACE ((uintptr_t)1 << 3) /* a device has subscribers */

/* RT_WATCH_*; as wide as a pointer, so that one test does for this and a pointer. */
extern _Atomic uintptr_t rt_watching __attribute__((visibility("hidden")));

static inline uintptr_t rt_watched(void)
{
	return atomic_load_explicit(&rt_watching, memory_order_relaxed);
}

static inline bool rt_unlikely(uintptr_t condition)
{
	return __builtin_expect(condition != 0, 0);
}

/* An argument that is a handle, or where one is given back. */
struct rt_arg {
	enum rt_object object;
	bool out;
	const char *name;
	void *value;
	unsigned int count; /* of those that are given back */
};

/* A call of a public function by the program; not by the library itself. */
struct rt_call {
	const char *function;
	bool destroys; /* its first argument */
	const void *site; /* return address */
	const struct rt_arg *args;
	unsigned int num_args;
	void *returned; /* instead of by an argument */
	enum rt_object returned_object;
	bool watched; /* false: within a callback, or refused */
	bool forked; /* its device is the parent's */
	npurt_device *device; /* NULL: not known */
	uint32_t thread; /* the system's id */
	uint64_t id; /* from 1 */
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
};

/* An error if the call must not go on; rt_call_leave() comes in any case. */
int rt_call_enter(struct rt_call *call);
/* Gives @result back. */
int rt_call_leave(struct rt_call *call, int result);
/* What this thread is in; NULL: none. */
const struct rt_call *rt_call_current(void);

/* A site that is a code address has this as its line. */
#define RT_SITE_ADDRESS UINT32_MAX

/* Of the call that this thread is in, if sites are recorded. */
struct rt_site rt_call_site(void);
/* "main.c:12", or "program+0x1234 (main+0x20)", or empty. */
void rt_site_describe(const struct rt_site *site, char *text, size_t size);

#endif /* NPURT_CALL_H */
