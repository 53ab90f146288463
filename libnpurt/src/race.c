// SPDX-License-Identifier: MIT
/*
 * What is in flight, and what of it is in order. Each stream has a clock: how far it has seen
 * the others, by events and by what the program has waited for. Two operations of different
 * streams on the same bytes, one of which writes, must be in that order.
 */
#include "race.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

struct access {
	struct access *next;
	npurt_context *context;
	const npurt_stream *owner;
	uint64_t point; /* batch of the stream; it is done when progress gets there */
	unsigned int stream; /* number */
	uint32_t stream_id;
	uint64_t index; /* of the stream's operations */
	struct rt_use use;
	bool freed; /* in order, the memory that it uses: that may be another object by now */
	const char *function;
	struct rt_site site;
	char who[RT_WHO_BYTES];
	char by[NPU_KERNEL_NAME_MAX + 32]; /* the argument of a kernel */
};

/* Under the table's lock. */
static struct access *in_flight;
static unsigned int num_streams;
static struct rt_order spare; /* numbers of streams that are gone, to be used again */
static unsigned int num_spare;
static struct rt_order last; /* operation of each of them: what comes next is none of those */
static struct rt_order program; /* what threads of the program have waited for */

void rt_race_after_fork(void)
{
	in_flight = NULL;
	num_streams = num_spare = 0;
	spare = last = program = (struct rt_order){ 0 };
}

/* Streams. */

static void merge_stream(struct rt_handle_record *record, void *data)
{
	if (record->kind == RT_OBJECT_STREAM && record->alive)
		rt_order_merge(data, &record->clock);
}

/* In doubt, after everything. */
static void merge_all(struct rt_order *clock)
{
	struct rt_order all = { 0 };

	rt_validate_for_each(merge_stream, &all);
	rt_order_merge(clock, &all);
	rt_order_clear(&all);
}

struct wanted {
	const void *context;
	uint32_t id;
	struct rt_order *clock;
	bool waits; /* the stream does, itself */
};

static void merge_if_wanted(struct rt_handle_record *record, void *data)
{
	struct wanted *wanted = data;

	if (record->kind != RT_OBJECT_STREAM || !record->alive ||
	    record->context != wanted->context ||
	    ((const npurt_stream *)record->address)->id != wanted->id)
		return;
	rt_order_merge(wanted->clock, &record->clock);
	wanted->waits = record->waits;
}

static void give_number(struct rt_handle_record *record)
{
	uint64_t *own;

	record->number = num_spare ? (unsigned int)spare.seen[--num_spare] : ++num_streams;
	own = rt_order_at(&record->clock, record->number);
	if (own && record->number < last.size)
		*own = last.seen[record->number];
}

static void take_number(struct rt_handle_record *record)
{
	const uint64_t *own = rt_order_at(&record->clock, record->number);
	uint64_t *index = rt_order_at(&last, record->number);
	uint64_t *number = rt_order_at(&spare, num_spare);

	if (own && index && number) {
		*index = *own;
		*number = record->number;
		num_spare++;
	}
	record->number = 0;
}

/*
 * What a stream waits for may come from anywhere, and after what others are yet to be given.
 * @point: of the batch that waits.
 */
static void wait_for_all(struct rt_handle_record *record, uint64_t point)
{
	merge_all(&record->clock);
	record->waits = true;
	if (record->waits_until < point)
		record->waits_until = point;
}

/* The stream's clock, as it is for what comes next. */
static void catch_up(const npurt_stream *stream, struct rt_handle_record *record)
{
	const bool waited = record->waits &&
			    rt_slot_value(stream->progress) >= record->waits_until;

	if (!record->number)
		give_number(record);
	rt_order_merge(&record->clock, &program);
	if (record->waits)
		merge_all(&record->clock);
	if (waited)
		record->waits = false;
}

/* Accesses. */

/* A stream that failed does nothing any more. */
static bool done(const struct access *access)
{
	return rt_slot_value(access->owner->progress) >= access->point || access->owner->error;
}

/* In flight, as far as the program can know. */
static bool pending(const struct access *access)
{
	return !rt_order_before(&program, access->stream, access->index);
}

static void prune(void)
{
	struct access **link = &in_flight;

	while (*link) {
		struct access *access = *link;

		if (done(access)) {
			*link = access->next;
			free(access);
		} else {
			link = &access->next;
		}
	}
}

static int report(const struct rt_call *call, npurt_context *context, const struct access *a,
		  const char *what)
{
	char near[128], place[RT_PLACE_BYTES], made[RT_PLACE_BYTES + 64], size[32];

	rt_memory_describe(context, a->use.area.start, near, sizeof(near));
	rt_site_describe(&a->site, place, sizeof(place));
	rt_validate_memory_maker(context, a->use.area.start, made, sizeof(made));
	snprintf(size, sizeof(size), "%" PRIu64 " bytes", a->use.area.row_bytes * a->use.area.rows);
	return rt_validate_report(call, context->device,
				  "%s what %s at %s has in flight on stream %u: %s %s %s, %s%s",
				  what, a->function, place, a->stream_id, a->who,
				  a->use.write ? "writes" : "reads",
				  a->use.argument ? a->by : size, near, made);
}

/* Operations. */

static int check_use(const struct rt_use *use, void *data)
{
	const struct rt_user *user = data;
	char what[RT_WHO_BYTES + 64];

	for (const struct access *a = in_flight; a; a = a->next) {
		if (a->context != user->stream->context || a->stream == user->record->number ||
		    !(a->use.write || use->write) || !rt_uses_meet(&a->use, use) ||
		    rt_order_before(&user->record->clock, a->stream, a->index))
			continue;
		snprintf(what, sizeof(what), "not in order with its own, %s %s", user->who,
			 use->write ? "writes" : "reads");
		return report(user->call, a->context, a, what);
	}
	return 0;
}

static int add_use(const struct rt_use *use, void *data)
{
	const struct rt_user *user = data;
	struct access *access = use->area.row_bytes ? calloc(1, sizeof(*access)) : NULL;

	if (!access)
		return 0;
	*access = (struct access){
		.next = in_flight,
		.context = user->stream->context,
		.owner = user->stream,
		.point = user->stream->submitted + 1,
		.stream = user->record->number,
		.stream_id = user->stream->id,
		.index = user->index,
		.use = *use,
		.function = user->call->function,
		.site = user->site,
	};
	if (user->perhaps)
		access->use.extent = RT_USES_PERHAPS;
	snprintf(access->who, sizeof(access->who), "%s", user->who);
	if (use->argument)
		snprintf(access->by, sizeof(access->by), "by its argument '%s'", use->argument);
	in_flight = access;
	return 0;
}

int rt_race_check(struct rt_user *user, const struct rt_op *op)
{
	return user->perhaps ? 0 : rt_uses_of(user->stream->context, op, check_use, user);
}

void rt_race_add(struct rt_user *user, const struct rt_op *op)
{
	rt_uses_of(user->stream->context, op, add_use, user);
}

bool rt_race_begin(struct rt_user *user, npurt_stream *stream)
{
	uint64_t *own;

	*user = (struct rt_user){
		.call = rt_call_current(),
		.stream = stream,
		.record = rt_validate_find(stream),
		.who = "it",
	};
	if (user->call)
		user->site = (struct rt_site){ user->call->site, RT_SITE_ADDRESS };
	if (!user->call || !user->record || !user->record->alive)
		return false;
	prune();
	catch_up(stream, user->record);
	own = rt_order_at(&user->record->clock, user->record->number);
	if (!own)
		return false;
	user->index = ++*own;
	return true;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool waits_for_event(const struct rt_call *call)
{
	return starts_with(call->function, "npurt_stream_wait_event");
}

/* For a stream that the program did not name: what a graph or a pool waits for. */
static void wait_for_stream(const struct rt_user *user, uint32_t id)
{
	struct wanted wanted = { user->stream->context, id, &user->record->clock, false };

	rt_validate_for_each(merge_if_wanted, &wanted);
	/* Before the batch there may have to be another one. */
	if (wanted.waits)
		wait_for_all(user->record, user->stream->submitted + 2);
}

static int check_op(struct rt_user *user, const struct rt_op *op)
{
	int err = 0;

	if (op->kind == NPURT_COMMAND_EVENT_WAIT) {
		/* Of the program's own waits rt_race_after() knows which record they are for. */
		if (!waits_for_event(user->call))
			wait_for_stream(user, op->event.stream);
		return 0;
	}
	/* A launch may tell its line. */
	if (op->site.file)
		user->site = op->site;
	if (op->kind == NPURT_COMMAND_KERNEL) {
		snprintf(user->who, sizeof(user->who), "kernel '%s'", op->kernel.kernel->name);
		err = rt_validate_args(user, &op->kernel);
	}
	if (!err)
		err = rt_race_check(user, op);
	if (err)
		return err;
	rt_race_add(user, op);
	return 0;
}

int rt_race_check_op(npurt_stream *stream, const struct rt_op *op)
{
	struct rt_user user;
	int err = 0;

	rt_validate_lock();
	if (rt_race_begin(&user, stream))
		err = check_op(&user, op);
	rt_validate_unlock();
	return err;
}

static int check_collective(struct rt_user *user, const struct rt_use *uses, unsigned int count)
{
	int err = 0;

	for (unsigned int i = 0; i < count && !err; i++)
		err = check_use(&uses[i], user);
	for (unsigned int i = 0; i < count && !err; i++)
		add_use(&uses[i], user);
	return err;
}

int rt_race_check_collective(npurt_stream *stream, uint32_t after, const struct rt_use *uses,
			     unsigned int count)
{
	struct rt_user user;
	int err = 0;

	rt_validate_lock();
	if (rt_race_begin(&user, stream)) {
		wait_for_stream(&user, after);
		err = check_collective(&user, uses, count);
	}
	rt_validate_unlock();
	return err;
}

void rt_race_placed(npurt_stream *stream, uint64_t point, bool waits)
{
	struct rt_handle_record *record;
	const uint64_t *own;

	rt_validate_lock();
	record = rt_validate_find(stream);
	own = record && record->alive ? rt_order_at(&record->clock, record->number) : NULL;
	for (struct access *a = in_flight; own && a; a = a->next) {
		if (a->owner == stream && a->index == *own)
			a->point = point;
	}
	if (own && waits)
		wait_for_all(record, point);
	rt_validate_unlock();
}

/* Memory. */

static bool touches(const struct access *a, const npurt_memory *memory)
{
	return a->context == memory->context && a->use.area.start < memory->va + memory->bytes &&
	       memory->va < rt_area_end(&a->use.area);
}

int rt_race_check_memory(const struct rt_call *call, const npurt_memory *memory)
{
	prune();
	for (const struct access *a = in_flight; a; a = a->next) {
		if (!a->freed && pending(a) && touches(a, memory))
			return report(call, memory->context, a, "it would take away");
	}
	return 0;
}

int rt_race_check_free(const struct rt_call *call, const npurt_memory *memory,
		       const npurt_stream *stream)
{
	struct rt_handle_record *record = rt_validate_find(stream);

	if (!record || !record->alive || record->kind != RT_OBJECT_STREAM)
		return 0;
	prune();
	catch_up(stream, record);
	for (struct access *a = in_flight; a; a = a->next) {
		if (!touches(a, memory))
			continue;
		if (a->stream != record->number &&
		    !rt_order_before(&record->clock, a->stream, a->index))
			return report(call, memory->context, a,
				      "not in order with its stream, it would take away");
		a->freed = true;
	}
	return 0;
}

/* Where the CPU's @host is for the device; 0: nowhere. */
static uint64_t address_of(npurt_context *context, const void *host)
{
	struct rt_list *node;
	uint64_t address = 0;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory) {
		const npurt_memory *m = rt_container(node, npurt_memory, link);
		const uint8_t *base = m->kind == RT_MEMORY_REGISTERED ? m->host : m->map;

		if (base && !m->internal && (const uint8_t *)host >= base &&
		    (const uint8_t *)host < base + m->bytes)
			address = m->va + (uint64_t)((const uint8_t *)host - base);
	}
	pthread_mutex_unlock(&context->lock);
	return address;
}

int rt_race_check_host(const npurt_stream *stream, const void *host, uint64_t bytes, bool change)
{
	const struct rt_call *call = rt_call_current();
	npurt_context *context = stream->context;
	const struct rt_use use = { .area = { address_of(context, host), bytes, 1, 0 },
				    .write = change };
	int err = 0;

	if (!use.area.start || !call)
		return 0;
	rt_validate_lock();
	prune();
	for (const struct access *a = in_flight; a && !err; a = a->next) {
		if (!pending(a) || a->context != context || !(a->use.write || change) ||
		    !rt_uses_meet(&a->use, &use) || (change && a->owner == stream))
			continue;
		err = report(call, context, a,
			     change ? "the CPU would change" : "the CPU would read");
	}
	rt_validate_unlock();
	return err;
}

/* After calls. */

/* Gone well, these leave nothing of the stream or event in flight. */
static bool has_waited(const struct rt_call *call)
{
	static const char *const functions[] = {
		"npurt_stream_synchronize", "npurt_stream_wait", "npurt_stream_query",
		"npurt_event_wait", "npurt_event_query", "npurt_download", "npurt_download_2d",
		"npurt_memcpy", "npurt_memcpy_2d",
	};

	for (unsigned int i = 0; i < RT_ARRAY_SIZE(functions); i++) {
		if (strcmp(call->function, functions[i]) == 0)
			return true;
	}
	return false;
}

static struct rt_handle_record *find_arg(const struct rt_call *call, enum rt_object object)
{
	for (unsigned int i = 0; i < call->num_args; i++) {
		if (call->args[i].object == object && !call->args[i].out)
			return rt_validate_find(call->args[i].value);
	}
	return NULL;
}

static void note_end(struct rt_handle_record *stream, const struct rt_handle_record *event)
{
	if (stream && stream->waits)
		catch_up(stream->address, stream);
	if (stream || event)
		rt_order_merge(&program, stream ? &stream->clock : &event->clock);
	if (!stream && event && (event->foreign || event->waits))
		merge_all(&program);
}

static void note_wait(struct rt_handle_record *stream, const struct rt_handle_record *event)
{
	const npurt_stream *waiter = stream->address;

	rt_order_merge(&stream->clock, &event->clock);
	if (event->foreign || event->waits)
		wait_for_all(stream, waiter->submitted + 1);
	else if (!event->recorded)
		merge_all(&stream->clock);
}

void rt_race_after(const struct rt_call *call)
{
	struct rt_handle_record *stream = find_arg(call, RT_OBJECT_STREAM);
	struct rt_handle_record *event = find_arg(call, RT_OBJECT_EVENT);

	if (has_waited(call)) {
		note_end(stream, event);
	} else if (stream && event && waits_for_event(call)) {
		note_wait(stream, event);
	} else if (stream && event && starts_with(call->function, "npurt_event_record")) {
		rt_order_clear(&event->clock);
		rt_order_merge(&event->clock, &stream->clock);
		event->waits = stream->waits;
	}
	/* What a stream that failed had in flight is over, and it may go on. */
	if (strstr(call->function, "abort") || strstr(call->function, "recover"))
		prune();
}

void rt_race_forget(struct rt_handle_record *stream)
{
	struct access **link = &in_flight;

	while (*link) {
		struct access *access = *link;

		if (access->stream == stream->number) {
			*link = access->next;
			free(access);
		} else {
			link = &access->next;
		}
	}
	if (stream->number)
		take_number(stream);
	rt_order_clear(&stream->clock);
}
