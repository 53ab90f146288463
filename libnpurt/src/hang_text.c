// SPDX-License-Identifier: MIT
/*
 * Reports of hangs as text: a sentence for each stream, deadlocks, and all of it as JSON.
 */
#include "hang.h"
#include "output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void say(npurt_hang *hang, const char *format, ...) RT_PRINTF(2, 3);

static void say(npurt_hang *hang, const char *format, ...)
{
	const size_t used = strlen(hang->message);
	va_list args;

	va_start(args, format);
	vsnprintf(hang->message + used, sizeof(hang->message) - used, format, args);
	va_end(args);
}

static void say_name(npurt_hang *hang, uint32_t id, const char *label)
{
	say(hang, "stream %u", id);
	if (label[0])
		say(hang, " '%s'", label);
}

static void say_command(struct rt_look *look)
{
	static const char *const names[] = {
		[NPURT_COMMAND_COPY] = "a copy of",
		[NPURT_COMMAND_FILL] = "a fill of",
		[NPURT_COMMAND_EVENT_RECORD] = "the record of event",
		[NPURT_COMMAND_EVENT_WAIT] = "the wait for event",
		[NPURT_COMMAND_PROGRESS] = "the end of a batch",
		[NPURT_COMMAND_REDUCE] = "a reduction into",
		[NPURT_COMMAND_WRITE] = "the write of a value to",
		[NPURT_COMMAND_WAIT] = "the wait for a value in",
		[NPURT_COMMAND_BRANCH] = "a branch on",
		[NPURT_COMMAND_SIGNAL] = "the rounds of",
		[NPURT_COMMAND_COLLECTIVE] = "the collective",
		[NPURT_COMMAND_HOST_FUNCTION] = "the end of a host function",
	};
	npurt_hang *hang = &look->hang;

	if (hang->command == NPURT_COMMAND_KERNEL)
		say(hang, "kernel '%s'", hang->kernel[0] ? hang->kernel : "?");
	else if (hang->command < RT_ARRAY_SIZE(names) && names[hang->command])
		say(hang, "%s", names[hang->command]);
	else
		say(hang, "a command that is not known");
	if (hang->object[0])
		say(hang, hang->command == NPURT_COMMAND_KERNEL ? " (%s)" : " '%s'", hang->object);
	if (hang->sequence)
		say(hang, ", command %" PRIu64, hang->sequence);
	if (look->graph[0])
		say(hang, " of graph '%s'", look->graph);
	if (hang->site[0])
		say(hang, ", launched at %s", hang->site);
}

static void say_still(npurt_hang *hang)
{
	say(hang, ", for %" PRIu64 ".%03" PRIu64 " s", hang->still_ns / 1000000000,
	    hang->still_ns / 1000000 % 1000);
}

static void say_running(struct rt_look *look)
{
	npurt_hang *hang = &look->hang;

	say(hang, " runs ");
	say_command(look);
	if (hang->cores)
		say(hang, ", on cores 0x%" PRIx64, hang->cores);
	if (hang->location[0])
		say(hang, ", at %s", hang->location);
	say_still(hang);
}

static void say_word(const struct rt_look *look, npurt_hang *hang)
{
	static const char *const conditions[] = { "at least ", "", "other than " };

	say(hang, ": the word at 0x%" PRIx64 " has to be %s%" PRIu64, hang->address,
	    hang->condition < RT_ARRAY_SIZE(conditions) ? conditions[hang->condition] : "? ",
	    hang->value);
	if (look->reads)
		say(hang, " and is %" PRIu64, hang->found);
}

/* Who is to end the wait. */
static void say_writer(const struct rt_look *look, npurt_hang *hang)
{
	if (look->next) {
		say(hang, hang->flags & NPURT_HANG_NEVER ? "; recorded on " : "; it is for ");
		say_name(hang, hang->waits_for_id, look->next->hang.label);
	}
	if (look->next && look->next->hang.error)
		say(hang, ", which has failed: it will not come");
	else if (hang->flags & NPURT_HANG_NEVER)
		say(hang, "; no stream of this process was given a command that does that");
	else if (hang->flags & NPURT_HANG_NOT_FLUSHED)
		say(hang, ", where it is batched and was not flushed");
	else if (hang->flags & NPURT_HANG_DEADLOCK)
		say(hang, ", which waits in turn: a deadlock");
}

static void say_waiting(struct rt_look *look)
{
	npurt_hang *hang = &look->hang;

	say(hang, " is at ");
	say_command(look);
	say_still(hang);
	if (!look->waits)
		return;
	if (hang->command != NPURT_COMMAND_EVENT_WAIT)
		say_word(look, hang);
	if (look->linked)
		say_writer(look, hang);
	else if (look->recorder)
		say(hang, ", recorded on stream %u", look->recorder);
}

static void say_blocked(struct rt_look *look)
{
	npurt_hang *hang = &look->hang;

	say(hang, " waits for an event that was imported");
	say_still(hang);
	if (look->next) {
		say(hang, "; it is for ");
		say_name(hang, hang->waits_for_id, look->next->hang.label);
	} else if (hang->waits_for_queue) {
		say(hang, "; it is for queue %u of the device, of another process",
		    hang->waits_for_queue);
	}
	if (hang->flags & NPURT_HANG_DEADLOCK)
		say(hang, ", which waits in turn: a deadlock");
}

static void say_activity(struct rt_look *look)
{
	npurt_hang *hang = &look->hang;

	switch (hang->activity) {
	case NPURT_ACTIVITY_IDLE:
		say(hang, " is idle");
		break;
	case NPURT_ACTIVITY_READY:
		say(hang, " waits for its turn on the device");
		break;
	case NPURT_ACTIVITY_RUNNING:
		say_running(look);
		break;
	case NPURT_ACTIVITY_WAITING:
		say_waiting(look);
		break;
	case NPURT_ACTIVITY_BLOCKED:
		say_blocked(look);
		break;
	case NPURT_ACTIVITY_SUSPENDED:
		say(hang, " was suspended by the driver");
		break;
	case NPURT_ACTIVITY_STOPPED:
		say(hang, " has failed: %s", npurt_strerror(hang->error));
		break;
	default:
		say(hang, " is not known to the device");
		break;
	}
}

void rt_hang_say(struct rt_look *look)
{
	npurt_hang *hang = &look->hang;

	say_name(hang, hang->stream_id, hang->label);
	if (hang->flags & NPURT_HANG_IN_CALL)
		say(hang, " is in use by a thread that is in a call");
	else
		say_activity(look);
	if (hang->submitted > hang->done && hang->activity != NPURT_ACTIVITY_STOPPED)
		say(hang, "; %" PRIu64 " of its %" PRIu64 " batches have not ended",
		    hang->submitted - hang->done, hang->submitted);
	if (hang->batched)
		say(hang, "; %u commands were not flushed", hang->batched);
}

/* Output. */

/* Once for each circle: at the one that was seen first. */
static void put_circle(struct rt_output *out, struct rt_look *first)
{
	struct rt_look *look = first;

	rt_put(out, "deadlock in context %u: stream %u", first->context, first->hang.stream_id);
	do {
		look->told = true;
		look = look->next;
		rt_put(out, " waits for stream %u%s", look->hang.stream_id,
		       look == first ? "\n" : ", which");
	} while (look != first);
}

static void put_text(struct rt_output *out, const npurt_device *device, struct rt_look *looks,
		     size_t count)
{
	unsigned int context = 0;
	size_t idle = 0;

	rt_put(out, "NPU %s\n", device->node.bus_id);
	for (size_t i = 0; i < count; i++) {
		const npurt_hang *hang = &looks[i].hang;

		if (looks[i].context != context)
			rt_put(out, "context %u\n", looks[i].context);
		context = looks[i].context;

		if (hang->activity == NPURT_ACTIVITY_IDLE && !hang->batched)
			idle++;
		else
			rt_put(out, "%s\n", hang->message);
	}
	if (idle)
		rt_put(out, "%zu %s\n", idle, idle == 1 ? "stream is idle" : "streams are idle");
	for (size_t i = 0; i < count; i++) {
		if (looks[i].hang.flags & NPURT_HANG_DEADLOCK && !looks[i].told)
			put_circle(out, &looks[i]);
	}
}

static int write_looks(npurt_device *device, npurt_write_fn write, void *data,
		       void (*fn)(struct rt_output *out, const npurt_device *device,
				  struct rt_look *looks, size_t count))
{
	struct rt_output out = { .write = write, .data = data };
	struct rt_look *looks;
	size_t count;
	int err;

	if (device && !rt_forked(device) && !write)
		return rt_fail(&device->diag, NPURT_ERROR_INVALID, "write is NULL");
	err = rt_hang_looks(device, &looks, &count);
	if (err)
		return err;
	fn(&out, device, looks, count);
	free(looks);
	return out.error;
}

int npurt_hang_write(npurt_device *device, npurt_write_fn write, void *data)
{
	return write_looks(device, write, data, put_text);
}

/* JSON. */

static void put_string(struct rt_output *out, const char *name, const char *text)
{
	rt_put(out, ", \"%s\": \"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			rt_put(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			rt_put(out, "\\u%04x", *text);
		else
			rt_put(out, "%c", *text);
	}
	rt_put(out, "\"");
}

static void put_number(struct rt_output *out, const char *name, uint64_t value)
{
	rt_put(out, ", \"%s\": %" PRIu64, name, value);
}

static void put_flag(struct rt_output *out, const char *name, bool set)
{
	rt_put(out, ", \"%s\": %s", name, set ? "true" : "false");
}

static void put_wait(struct rt_output *out, const struct rt_look *look)
{
	static const char *const conditions[] = { "ge", "eq", "ne" };
	const npurt_hang *hang = &look->hang;

	if (look->waits) {
		put_number(out, "address", hang->address);
		put_number(out, "value", hang->value);
		put_string(out, "condition", conditions[hang->condition % 3]);
	}
	if (look->reads)
		put_number(out, "found", hang->found);
	if (look->next)
		put_number(out, "waits_for", hang->waits_for_id);
	if (hang->waits_for_queue)
		put_number(out, "waits_for_queue", hang->waits_for_queue);
}

static void put_object(struct rt_output *out, const struct rt_look *look)
{
	static const char *const activities[] = {
		"idle", "ready", "running", "waiting", "blocked", "suspended", "stopped", "unknown",
	};
	const npurt_hang *hang = &look->hang;

	rt_put(out, "{\"context\": %u", look->context);
	put_number(out, "stream", hang->stream_id);
	put_string(out, "label", hang->label);
	put_number(out, "queue", hang->queue);
	put_string(out, "activity",
		   activities[rt_min(hang->activity, RT_ARRAY_SIZE(activities) - 1)]);
	put_string(out, "error", npurt_error_name(hang->error));
	put_number(out, "submitted", hang->submitted);
	put_number(out, "done", hang->done);
	put_number(out, "batched", hang->batched);
	put_number(out, "sequence", hang->sequence);
	put_number(out, "progress", hang->progress);
	put_number(out, "still_ns", hang->still_ns);
	put_string(out, "object", hang->object);
	put_string(out, "kernel", hang->kernel);
	put_string(out, "location", hang->location);
	put_string(out, "site", hang->site);
	put_wait(out, look);
	put_flag(out, "deadlock", hang->flags & NPURT_HANG_DEADLOCK);
	put_flag(out, "never", hang->flags & NPURT_HANG_NEVER);
	put_flag(out, "not_flushed", hang->flags & NPURT_HANG_NOT_FLUSHED);
	put_flag(out, "in_call", hang->flags & NPURT_HANG_IN_CALL);
	put_string(out, "message", hang->message);
	rt_put(out, "}");
}

static void put_json(struct rt_output *out, const npurt_device *device, struct rt_look *looks,
		     size_t count)
{
	rt_put(out, "{\"device\": \"%s\", \"streams\": [", device->node.bus_id);
	for (size_t i = 0; i < count; i++) {
		rt_put(out, i ? ",\n" : "\n");
		put_object(out, &looks[i]);
	}
	rt_put(out, "]}\n");
}

int npurt_hang_write_json(npurt_device *device, npurt_write_fn write, void *data)
{
	return write_looks(device, write, data, put_json);
}
