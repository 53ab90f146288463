// SPDX-License-Identifier: MIT
/*
 * Copies from and to memory of other contexts, of this NPU or another one. The stream's
 * context imports such memory at the first copy and keeps it until the memory, or the
 * context, is destroyed.
 */
#include "internal.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Memory @remote of another context as @context knows it. */
struct rt_import {
	struct rt_list of_memory; /* in remote->imports */
	struct rt_list of_context; /* in context->imports */
	npurt_context *context;
	npurt_memory *local;
};

/*
 * Of imports, all of the process, since each is of two contexts. Taken after a stream's lock
 * and before a device's. It is the process that holds it, so that a child that was forked
 * meanwhile does not wait for a thread that it has not got.
 */
static _Atomic pid_t import_lock;

static void lock_imports(void)
{
	const pid_t self = getpid();

	for (;;) {
		pid_t holder = 0;

		if (atomic_compare_exchange_strong(&import_lock, &holder, self) ||
		    (holder != self &&
		     atomic_compare_exchange_strong(&import_lock, &holder, self)))
			return;
		sched_yield();
	}
}

static void unlock_imports(void)
{
	atomic_store(&import_lock, 0);
}

static npurt_memory *find(const npurt_memory *remote, const npurt_context *context)
{
	struct rt_list *node;

	rt_list_for_each(node, &remote->imports) {
		const struct rt_import *import = rt_container(node, struct rt_import, of_memory);

		if (import->context == context)
			return import->local;
	}
	return NULL;
}

static int add(npurt_memory *remote, npurt_context *context, npurt_memory **local)
{
	struct rt_import *import = calloc(1, sizeof(*import));
	int err;

	if (!import)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate an import");
	err = rt_memory_import(context, remote, local);
	if (err) {
		free(import);
		return err;
	}
	import->context = context;
	import->local = *local;
	rt_list_add(&remote->imports, &import->of_memory);
	rt_list_add(&context->imports, &import->of_context);
	return 0;
}

/* Under the lock. */
static void drop(struct rt_import *import)
{
	rt_list_del(&import->of_memory);
	rt_list_del(&import->of_context);
	rt_memory_destroy(import->local);
	free(import);
}

void rt_imports_drop_memory(npurt_memory *memory)
{
	/* The library's own are imports themselves. */
	if (!memory->shared || memory->internal)
		return;
	lock_imports();
	while (memory->imports.next != &memory->imports)
		drop(rt_container(memory->imports.next, struct rt_import, of_memory));
	unlock_imports();
}

void rt_imports_drop_context(npurt_context *context)
{
	lock_imports();
	while (context->imports.next != &context->imports)
		drop(rt_container(context->imports.next, struct rt_import, of_context));
	unlock_imports();
}

/* @memory as the stream's context knows it. */
static int localise(npurt_stream *stream, const char *name, npurt_memory *memory,
		    npurt_memory **local)
{
	char text[512];
	int err = 0;

	if (!memory)
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID, "%s is NULL", name);
	*local = memory;
	if (memory->context == stream->context)
		return 0;
	if (!memory->shared)
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			       "%s '%s' is of another context than stream %u, which can reach it "
			       "only if it was created with NPURT_MEMORY_EXPORTABLE",
			       name, memory->label, stream->id);
	lock_imports();
	*local = find(memory, stream->context);
	if (!*local)
		err = add(memory, stream->context, local);
	unlock_imports();
	if (!err)
		return 0;
	rt_diag_copy(&stream->context->diag, text, sizeof(text));
	return rt_fail(&stream->diag, err, "%s: %s", name, text);
}

int npurt_memcpy_peer_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			    npurt_memory *src, uint64_t src_offset, uint64_t bytes)
{
	npurt_memory *to, *from;
	int err;

	if (!stream)
		return NPURT_ERROR_INVALID;
	if (rt_forked(stream->context->device))
		return NPURT_ERROR_FORKED;
	err = localise(stream, "dst", dst, &to);
	if (!err)
		err = localise(stream, "src", src, &from);
	return err ? err : npurt_memcpy_async(stream, to, dst_offset, from, src_offset, bytes);
}
