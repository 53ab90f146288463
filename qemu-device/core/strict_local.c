// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict mode: who has last written each 32 bytes of a local buffer, and read them, by pipe.
 * Accesses are long, and their units alike: it is run by run that they are looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "strict_internal.h"

#define UNIT NPU_TILE_ALIGN
#define BUFFERS 5
#define WRITES NPU_PIPE_COUNT /* the trace of writes; those before it are of reads by a pipe */
#define RUN 64 /* units that are compared at once */

/* Events by unit; those outside of first to end - 1 are 0. */
struct trace {
	uint64_t *events;
	size_t first, end;
	uint32_t newest[NPU_PIPE_COUNT]; /* epoch of each pipe's last event here */
};

struct buffer {
	uint64_t base, size;
	struct trace traces[NPU_PIPE_COUNT + 1];
};

struct strict_local {
	struct buffer buffers[BUFFERS];
};

/* Units of a row, or of rows that have nothing between them. */
struct range {
	uint64_t first, end;
};

struct strict_local *strict_local_new(void)
{
	static const uint64_t places[BUFFERS][2] = {
		{ NPU_UB_BASE, NPU_UB_SIZE },	{ NPU_L1_BASE, NPU_L1_SIZE },
		{ NPU_L0A_BASE, NPU_L0A_SIZE }, { NPU_L0B_BASE, NPU_L0B_SIZE },
		{ NPU_L0C_BASE, NPU_L0C_SIZE },
	};
	struct strict_local *local = calloc(1, sizeof(*local));

	for (unsigned int i = 0; local && i < BUFFERS; i++) {
		local->buffers[i].base = places[i][0];
		local->buffers[i].size = places[i][1];
	}
	return local;
}

void strict_local_free(struct strict_local *local)
{
	if (!local)
		return;
	for (unsigned int i = 0; i < BUFFERS; i++)
		for (unsigned int j = 0; j <= NPU_PIPE_COUNT; j++)
			free(local->buffers[i].traces[j].events);
	free(local);
}

void strict_local_start(struct strict_local *local)
{
	for (unsigned int i = 0; i < BUFFERS; i++) {
		for (unsigned int j = 0; j <= NPU_PIPE_COUNT; j++) {
			struct trace *trace = &local->buffers[i].traces[j];

			if (trace->end)
				memset(trace->events + trace->first, 0,
				       (trace->end - trace->first) * sizeof(*trace->events));
			trace->first = 0;
			trace->end = 0;
			memset(trace->newest, 0, sizeof(trace->newest));
		}
	}
}

/* The first unit from @first on whose event is not that of @first. */
static size_t run_end(const uint64_t *events, size_t first, size_t end)
{
	const uint64_t event = events[first];
	size_t i = first + 1;

	if (i < end && events[i] != event)
		return i;
	while (end - i >= RUN && !memcmp(events + i, events + i - 1, RUN * sizeof(event)))
		i += RUN;
	while (i < end && events[i] == event)
		i++;
	return i;
}

/* Does @access come after all that was ever here? */
static bool all_seen(const struct trace *trace, const struct strict_access *access)
{
	for (unsigned int pipe = 0; pipe < NPU_PIPE_COUNT; pipe++)
		if (pipe != access->pipe && trace->newest[pipe] > access->clock[pipe])
			return false;
	return true;
}

static bool has_zero(const uint64_t *events, size_t count)
{
	size_t i;

	for (i = 0; count - i >= 4; i += 4)
		if (!events[i] | !events[i + 1] | !events[i + 2] | !events[i + 3])
			return true;
	for (; i < count; i++)
		if (!events[i])
			return true;
	return false;
}

/* Has each unit been written by what @access comes after? */
static bool all_written(const struct trace *trace, const struct strict_access *access,
			const struct range *range)
{
	size_t i;

	if (range->first < trace->first || range->end > trace->end)
		return false;
	if (all_seen(trace, access))
		return !has_zero(trace->events + range->first, range->end - range->first);
	for (i = range->first; i < range->end; i = run_end(trace->events, i, range->end))
		if (!trace->events[i] ||
		    !strict_seen(access->clock, access->pipe, trace->events[i]))
			return false;
	return true;
}

/* The first units that @access does not come after; false if there are none. */
static bool find_unseen(const struct trace *trace, const struct strict_access *access,
			const struct range *range, struct range *found)
{
	size_t end = range->end < trace->end ? range->end : trace->end;
	size_t i = range->first > trace->first ? range->first : trace->first, next;

	if (i >= end || all_seen(trace, access))
		return false;
	for (; i < end; i = next) {
		next = run_end(trace->events, i, end);
		if (strict_seen(access->clock, access->pipe, trace->events[i]))
			continue;
		*found = (struct range) { i, next };
		return true;
	}
	return false;
}

/* The first units that nobody has written. */
static bool find_unwritten(const struct trace *trace, const struct range *range,
			   struct range *found)
{
	size_t i, next;

	if (!trace->end || range->first < trace->first || range->first >= trace->end) {
		*found = *range;
		if (range->first < trace->first && range->end > trace->first)
			found->end = trace->first;
		return true;
	}
	for (i = range->first; i < range->end && i < trace->end; i = next) {
		next = run_end(trace->events, i, range->end < trace->end ? range->end : trace->end);
		if (trace->events[i])
			continue;
		*found = (struct range) { i, next };
		return true;
	}
	*found = (struct range) { i, range->end };
	return i < range->end;
}

static void fill(uint64_t *events, uint64_t event, size_t count)
{
	size_t i, some;

	for (i = 0; i < count && i < 8; i++)
		events[i] = event;
	for (; i < count; i += some) {
		some = count - i < i ? count - i : i;
		memcpy(events + i, events, some * sizeof(event));
	}
}

/* Without memory it is not remembered, which can only hide something. */
static void remember(struct trace *trace, const struct buffer *buffer, uint64_t event,
		     const struct range *range)
{
	if (!trace->events)
		trace->events = calloc(buffer->size / UNIT, sizeof(*trace->events));
	if (!trace->events)
		return;
	if (!trace->end) {
		trace->first = range->first;
		trace->end = range->end;
	}
	trace->first = range->first < trace->first ? range->first : trace->first;
	trace->end = range->end > trace->end ? range->end : trace->end;
	trace->newest[NPU_GET(EVENT_PIPE, event)] = NPU_GET(EVENT_EPOCH, event);
	fill(trace->events + range->first, event, range->end - range->first);
}

static bool clash_at(const struct buffer *buffer, const struct trace *trace, uint64_t start,
		     uint64_t last, const struct range *found, struct strict_clash *clash)
{
	uint64_t first = buffer->base + found->first * UNIT;
	uint64_t end = buffer->base + found->end * UNIT;

	clash->address = first > start ? first : start;
	clash->bytes = (end <= last ? end : last + 1) - clash->address;
	clash->status = NPU_ST_STRICT_FLAG;
	clash->event = found->first < trace->end ? trace->events[found->first] : 0;
	if (!clash->event) {
		clash->status = NPU_ST_STRICT_UNINIT;
		clash->access = NPU_ACCESS_NONE;
		return false;
	}
	clash->access = trace == &buffer->traces[WRITES] ? NPU_ACCESS_WRITE : NPU_ACCESS_READ;
	return false;
}

/* Bytes @start to @last of @buffer. */
static bool access_range(struct buffer *buffer, const struct strict_access *access,
			 uint64_t start, uint64_t last, bool record, struct strict_clash *clash)
{
	const struct range range = { (start - buffer->base) / UNIT,
				     (last - buffer->base) / UNIT + 1 };
	struct trace *writes = &buffer->traces[WRITES];
	bool write = access->access == NPU_ACCESS_WRITE;
	struct trace *own = write ? writes : &buffer->traces[access->pipe];
	struct range found;

	if (write || !all_written(writes, access, &range)) {
		if (find_unseen(writes, access, &range, &found) ||
		    (!write && find_unwritten(writes, &range, &found)))
			return clash_at(buffer, writes, start, last, &found, clash);
	}
	for (unsigned int pipe = 0; write && pipe < NPU_PIPE_COUNT; pipe++) {
		const struct trace *reads = &buffer->traces[pipe];

		if (pipe != access->pipe && find_unseen(reads, access, &range, &found))
			return clash_at(buffer, reads, start, last, &found, clash);
	}
	if (record)
		remember(own, buffer, access->event, &range);
	return true;
}

bool strict_local_again(const struct strict_local *local, uint64_t address, uint64_t bytes,
			uint64_t event, bool write)
{
	const struct buffer *ub = &local->buffers[0];
	const struct trace *trace = &ub->traces[write ? WRITES : NPU_PIPE_S];
	uint64_t offset = address - ub->base, unit = offset / UNIT;

	return offset < ub->size && (offset + bytes - 1) / UNIT == unit && unit >= trace->first &&
	       unit < trace->end && strict_same_epoch(trace->events[unit], event);
}

static struct buffer *find_buffer(struct strict_local *local, uint64_t address)
{
	for (unsigned int i = 0; i < BUFFERS; i++)
		if (address - local->buffers[i].base < local->buffers[i].size)
			return &local->buffers[i];
	return NULL;
}

bool strict_local_access(struct strict_local *local, const struct strict_access *access,
			 const struct tile_rect *rect, bool record, struct strict_clash *clash)
{
	struct buffer *buffer = find_buffer(local, rect->address);
	uint64_t rows = rect->rows > 1 && rect->pitch ? rect->rows : 1;
	uint64_t row_bytes = rect->row_bytes;

	if (!buffer)
		return true;
	if (rows > 1 && rect->pitch <= (row_bytes + UNIT - 1) / UNIT * UNIT) {
		row_bytes += (rows - 1) * rect->pitch;
		rows = 1;
	}
	for (uint64_t row = 0; row < rows; row++) {
		uint64_t start = rect->address + row * rect->pitch;

		if (!access_range(buffer, access, start, start + row_bytes - 1, record, clash))
			return false;
	}
	return true;
}
