// SPDX-License-Identifier: MIT
/*
 * Misuse of handles: of those that were destroyed, of another kind, of another context, of
 * events that are never recorded; and what is left over at the end.
 */
#include "validate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "event.h"
#include "graph.h"
#include "race.h"

#define BUCKETS 4096u

/* A log function, which is called under it, may call the library. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct rt_handle_record *table[BUCKETS];
static uint64_t stamps; /* given so far */

static const char *const kinds[] = { RT_OBJECT_NAMES };

void rt_validate_lock(void)
{
	pthread_mutex_lock(&lock);
}

void rt_validate_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void rt_validate_after_fork(void)
{
	if (!pthread_mutex_trylock(&lock)) {
		pthread_mutex_unlock(&lock);
		return;
	}
	lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	memset(table, 0, sizeof(table));
	rt_race_after_fork();
}

static struct rt_handle_record **bucket(const void *address)
{
	return &table[(uintptr_t)address / 16 % BUCKETS];
}

struct rt_handle_record *rt_validate_find(const void *address)
{
	struct rt_handle_record *record = address ? *bucket(address) : NULL;

	while (record && record->address != address)
		record = record->next;
	return record;
}

void rt_validate_for_each(void (*fn)(struct rt_handle_record *record, void *data), void *data)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (struct rt_handle_record *record = table[i]; record; record = record->next)
			fn(record, data);
	}
}

/* Reports. */

static struct rt_diag *diag_of(const struct rt_call *call)
{
	for (unsigned int i = 0; i < call->num_args; i++) {
		const struct rt_arg *arg = &call->args[i];
		const struct rt_handle_record *record;

		record = arg->out ? NULL : rt_validate_find(arg->value);
		if (!record || !record->alive || record->kind != arg->object)
			continue;
		if (record->kind == RT_OBJECT_STREAM)
			return &((npurt_stream *)arg->value)->diag;
		if (record->context)
			return &((npurt_context *)(uintptr_t)record->context)->diag;
		if (record->kind == RT_OBJECT_DEVICE)
			return &((npurt_device *)arg->value)->diag;
	}
	return NULL;
}

/* Is it told, and the call goes on? */
static bool warns(void)
{
	const char *value = getenv("NPURT_VALIDATE");

	return value && strcmp(value, "warn") == 0;
}

int rt_validate_report(const struct rt_call *call, npurt_device *device, const char *format, ...)
{
	const struct rt_handle_record *record = rt_validate_find(device);
	const struct rt_site site = { call->site, RT_SITE_ADDRESS };
	char text[1100], place[RT_PLACE_BYTES];
	struct rt_diag *diag = diag_of(call);
	va_list args;
	size_t used;

	rt_site_describe(&site, place, sizeof(place));
	used = (size_t)snprintf(text, sizeof(text), "%s at %s: ", call->function, place);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	if (diag && !warns())
		rt_diag_keep(diag, text);
	/* It was asked for: who has no function for the log sees it in any case. */
	if (record && record->alive && device->log)
		rt_log(device, NPURT_LOG_ERROR, "%s", text);
	else
		fprintf(stderr, "npurt: validate: %s\n", text);
	return warns() ? 0 : NPURT_ERROR_VALIDATE;
}

const char *rt_validate_maker(const struct rt_handle_record *record)
{
	static char texts[2][RT_PLACE_BYTES + 64];
	static unsigned int turn;
	char *text = texts[turn++ % 2], place[RT_PLACE_BYTES];

	rt_site_describe(&record->made, place, sizeof(place));
	snprintf(text, sizeof(texts[0]), "made by %s at %s", record->maker, place);
	return text;
}

/* "stream 'main'", or "stream" if it has no label; in turn in one of two buffers. */
static const char *name(const struct rt_handle_record *record)
{
	static char texts[2][32 + NPURT_LABEL_SIZE];
	static unsigned int turn;
	char *text = texts[turn++ % 2];

	snprintf(text, sizeof(texts[0]), record->label[0] ? "%s '%s'" : "%s", kinds[record->kind],
		 record->label);
	return text;
}

void rt_validate_memory_maker(npurt_context *context, uint64_t address, char *text, size_t size)
{
	const struct rt_handle_record *record;
	struct rt_found found;

	record = rt_find_memory(context, address, &found) ? rt_validate_find(found.memory) : NULL;
	text[0] = '\0';
	if (record && record->alive)
		snprintf(text, size, ", %s", rt_validate_maker(record));
}

/* Before a call. */

/* With such a handle no call can go on. */
static int check_alive(const struct rt_call *call, const struct rt_arg *arg,
		       const struct rt_handle_record *record)
{
	char place[RT_PLACE_BYTES];

	if (record->alive && record->kind == arg->object)
		return 0;
	rt_site_describe(&record->destroyed, place, sizeof(place));
	if (record->alive)
		rt_validate_report(call, record->device, "%s is not of kind '%s', but '%s', %s",
				   arg->name, kinds[arg->object], kinds[record->kind],
				   rt_validate_maker(record));
	else
		rt_validate_report(call, record->device,
				   "%s: this %s was destroyed by %s at %s; it was %s", arg->name,
				   name(record), record->destroyer, place,
				   rt_validate_maker(record));
	return NPURT_ERROR_VALIDATE;
}

static bool is_collective(const struct rt_call *call)
{
	for (unsigned int i = 0; i < call->num_args; i++) {
		if (call->args[i].object == RT_OBJECT_COMMUNICATOR)
			return true;
	}
	return false;
}

/* Functions whose very purpose is to reach over. */
static bool spans_contexts(const struct rt_call *call)
{
	return strstr(call->function, "peer") || is_collective(call);
}

static int check_context(const struct rt_call *call, const struct rt_arg *arg,
			 const struct rt_handle_record *record,
			 const struct rt_handle_record **first)
{
	if (!record->context)
		return 0;
	if (!*first)
		*first = record;
	if (record->context == (*first)->context || spans_contexts(call))
		return 0;
	return rt_validate_report(call, record->device,
				  "%s, %s, is of another context than the %s %s", arg->name,
				  rt_validate_maker(record), name(*first),
				  rt_validate_maker(*first));
}

static bool is(const struct rt_call *call, const char *name)
{
	return strcmp(call->function, name) == 0;
}

/* The first round of a loop may wait for what a later one records: that shows at the end. */
static void note_wait(const struct rt_call *call, struct rt_handle_record *record)
{
	if (record->kind != RT_OBJECT_EVENT || record->recorded || record->waited.file ||
	    (!is(call, "npurt_stream_wait_event") && !is(call, "npurt_event_wait")))
		return;
	record->waited = (struct rt_site){ call->site, RT_SITE_ADDRESS };
}

static void check_waits(const struct rt_call *call, const struct rt_handle_record *record)
{
	char place[RT_PLACE_BYTES];

	if (!record->waited.file || record->recorded || record->foreign)
		return;
	rt_site_describe(&record->waited, place, sizeof(place));
	rt_validate_report(call, record->device,
			   "the %s was waited for at %s and never recorded; it was %s",
			   name(record), place, rt_validate_maker(record));
}

static int check_args(const struct rt_call *call)
{
	const struct rt_handle_record *first = NULL;
	int err = 0;

	for (unsigned int i = 0; i < call->num_args && !err; i++) {
		const struct rt_arg *arg = &call->args[i];
		struct rt_handle_record *record;

		record = arg->out ? NULL : rt_validate_find(arg->value);
		if (!record)
			continue;
		err = check_alive(call, arg, record);
		if (!err)
			err = check_context(call, arg, record, &first);
		if (!err)
			note_wait(call, record);
	}
	return err;
}

/* Before it is: the address may be another one's at once. */
static void bury(const struct rt_call *call, struct rt_handle_record *record)
{
	record->alive = false;
	record->died = ++stamps;
	record->destroyer = call->function;
	record->destroyed = (struct rt_site){ call->site, RT_SITE_ADDRESS };
}

void rt_validate_gone(const void *object)
{
	const struct rt_call *call = rt_call_current();
	struct rt_handle_record *record;

	if (!call)
		return;
	rt_validate_lock();
	record = rt_validate_find(object);
	if (record && record->alive)
		bury(call, record);
	rt_validate_unlock();
}

static int check_memory(const struct rt_call *call, const npurt_memory *memory)
{
	if (is(call, "npurt_memory_free_async"))
		return rt_race_check_free(call, memory, call->args[1].value);
	return rt_race_check_memory(call, memory);
}

/* Memory, or a range of which there is one. */
static const npurt_memory *memory_of(const struct rt_handle_record *record)
{
	if (record->kind == RT_OBJECT_MEMORY)
		return record->address;
	return record->kind == RT_OBJECT_RANGE
		       ? npurt_range_memory((npurt_range *)(uintptr_t)record->address)
		       : NULL;
}

static int check_destroy(const struct rt_call *call)
{
	struct rt_handle_record *record = rt_validate_find(call->args[0].value);
	int err = 0;

	if (!record || !record->alive)
		return 0;
	if (memory_of(record))
		err = check_memory(call, memory_of(record));
	if (err)
		return err;
	check_waits(call, record);
	bury(call, record);
	return 0;
}

int rt_validate_enter(struct rt_call *call)
{
	int err;

	rt_validate_lock();
	err = check_args(call);
	if (!err && call->destroys)
		err = check_destroy(call);
	rt_validate_unlock();
	return err;
}

/* After a call. */

static struct rt_handle_record *record_at(const void *address)
{
	struct rt_handle_record *record = rt_validate_find(address);

	if (record)
		return record;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->address = address;
	record->next = *bucket(address);
	*bucket(address) = record;
	return record;
}

static void describe_object(struct rt_handle_record *record)
{
	const void *object = record->address;
	const char *label = "";

	switch (record->kind) {
	case RT_OBJECT_MEMORY:
		label = ((const npurt_memory *)object)->label;
		record->start = ((const npurt_memory *)object)->va;
		record->bytes = ((const npurt_memory *)object)->bytes;
		break;
	case RT_OBJECT_STREAM:
		label = ((const npurt_stream *)object)->label;
		break;
	case RT_OBJECT_EVENT:
		label = ((const npurt_event *)object)->label;
		break;
	case RT_OBJECT_GRAPH:
		label = ((const npurt_graph *)object)->label;
		break;
	case RT_OBJECT_GRAPH_NODE:
		label = ((const npurt_graph_node *)object)->label;
		break;
	case RT_OBJECT_MODULE:
		label = ((const npurt_module *)object)->code->label;
		break;
	case RT_OBJECT_KERNEL:
		label = ((const npurt_kernel *)object)->name;
		break;
	default:
		break;
	}
	rt_label_copy(record->label, label);
}

static void add(const struct rt_call *call, enum rt_object kind, const void *address)
{
	const struct rt_arg *from = call->args[0].out ? NULL : &call->args[0];
	const struct rt_handle_record *parent = from ? rt_validate_find(from->value) : NULL;
	struct rt_handle_record *record = record_at(address);

	/* One that is asked for again. */
	if (!record || (record->alive && record->kind == kind))
		return;
	rt_order_clear(&record->clock);
	*record = (struct rt_handle_record){
		.next = record->next,
		.address = address,
		.kind = kind,
		.alive = true,
		.born = ++stamps,
		.maker = call->function,
		.made = { call->site, RT_SITE_ADDRESS },
		.parent = from ? from->value : NULL,
		.device = kind == RT_OBJECT_DEVICE ? (npurt_device *)(uintptr_t)address
						   : parent ? parent->device : NULL,
		.context = kind == RT_OBJECT_CONTEXT ? address : parent ? parent->context : NULL,
		.foreign = strstr(call->function, "import") != NULL,
	};
	describe_object(record);
}

/* What one must have let go of before its context; what goes with its parent is not. */
static bool is_own(const struct rt_handle_record *record)
{
	return record->kind != RT_OBJECT_KERNEL && record->kind != RT_OBJECT_GRAPH_NODE &&
	       !(record->kind == RT_OBJECT_MEMORY && strstr(record->maker, "range"));
}

struct left {
	const struct rt_call *call;
	const void *owner;
	bool gone; /* the owner */
};

static void look_if_left(struct rt_handle_record *record, void *data)
{
	const struct left *left = data;
	const bool of_context = record->context == left->owner && record->address != left->owner;

	if (!record->alive || !(of_context || record->parent == left->owner))
		return;
	/* A child's parent has them still. */
	if (!left->call->forked && is_own(record) &&
	    (of_context || !record->context || record->kind == RT_OBJECT_CONTEXT))
		rt_validate_report(left->call, record->device, "%s left over, %s",
				   name(record), rt_validate_maker(record));
	if (left->gone)
		bury(left->call, record);
}

/* Kernels of a module, the memory of a range. */
static void bury_part(struct rt_handle_record *record, void *data)
{
	const struct left *left = data;

	if (record->alive && record->parent == left->owner && !is_own(record) &&
	    record->kind != RT_OBJECT_GRAPH_NODE)
		bury(left->call, record);
}

static void after_destroy(const struct rt_call *call, int result)
{
	const enum rt_object kind = call->args[0].object;
	struct left left = { call, call->args[0].value, !result };
	struct rt_handle_record *record = rt_validate_find(left.owner);

	if (!record)
		return;
	if (result)
		record->alive = true;
	if (kind == RT_OBJECT_CONTEXT || kind == RT_OBJECT_DEVICE)
		rt_validate_for_each(look_if_left, &left);
	else if (!result)
		rt_validate_for_each(bury_part, &left);
	if (!result && kind == RT_OBJECT_STREAM)
		rt_race_forget(record);
}

static void note_event(const struct rt_call *call)
{
	for (unsigned int i = 0; i < call->num_args; i++) {
		struct rt_handle_record *record;

		if (call->args[i].out || call->args[i].object != RT_OBJECT_EVENT)
			continue;
		record = rt_validate_find(call->args[i].value);
		if (record) {
			record->recorded |= strstr(call->function, "record") != NULL;
			record->foreign |= strstr(call->function, "export") != NULL;
		}
	}
}

/* What an update of an executable refers to from now on. */
static void note_update(const struct rt_call *call)
{
	if (!is(call, "npurt_graph_exec_update_kernel") &&
	    !is(call, "npurt_graph_exec_update_copy"))
		return;
	for (unsigned int i = 0; i < call->num_args; i++) {
		struct rt_handle_record *record = rt_validate_find(call->args[i].value);

		if (record && record->kind == RT_OBJECT_GRAPH_NODE)
			record->changed = ++stamps;
	}
}

void rt_validate_leave(struct rt_call *call, int result)
{
	rt_validate_lock();
	for (unsigned int i = 0; i < call->num_args && !result; i++) {
		const struct rt_arg *arg = &call->args[i];

		for (unsigned int j = 0; arg->out && arg->value && j < arg->count; j++) {
			if (((void **)arg->value)[j])
				add(call, arg->object, ((void **)arg->value)[j]);
		}
	}
	if (!result && call->returned)
		add(call, call->returned_object, call->returned);
	if (call->destroys) {
		after_destroy(call, result);
	} else if (!result) {
		note_event(call);
		note_update(call);
		rt_race_after(call);
	}
	rt_validate_unlock();
}
