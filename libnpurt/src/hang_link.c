// SPDX-License-Identifier: MIT
/*
 * Who is to end a wait. A word in memory tells nothing of who will write it; but commands that
 * streams were given and that have not ended are still to be read. So all of them are gone
 * through, once, for those that write a word that is waited for.
 */
#include "hang.h"

#include <stdlib.h>

/* Waits by context and address, for a binary search. */
struct waits {
	struct rt_look **looks;
	size_t count;
};

static int compare(const npurt_context *a, uint64_t at_a, const npurt_context *b, uint64_t at_b)
{
	if (a != b)
		return (uintptr_t)a < (uintptr_t)b ? -1 : 1;
	return at_a < at_b ? -1 : at_a > at_b;
}

static int compare_looks(const void *a, const void *b)
{
	const npurt_hang *x = &(*(struct rt_look *const *)a)->hang;
	const npurt_hang *y = &(*(struct rt_look *const *)b)->hang;

	return compare(x->context, x->address, y->context, y->address);
}

static size_t lower_bound(const struct waits *waits, const npurt_context *context,
			  uint64_t address)
{
	size_t low = 0, high = waits->count;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		const npurt_hang *hang = &waits->looks[middle]->hang;

		if (compare(hang->context, hang->address, context, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool met(const npurt_hang *hang, uint64_t word)
{
	switch (hang->condition) {
	case NPURT_CONDITION_GE:
		return word >= hang->value;
	case NPURT_CONDITION_EQ:
		return word == hang->value;
	default:
		return word != hang->value;
	}
}

/* What a command writes. */
struct write {
	uint64_t address, bytes;
	uint64_t value;
	bool known; /* it is that value */
};

static uint64_t span(uint64_t row_bytes, uint64_t rows, uint64_t pitch)
{
	return rows > 1 ? (rows - 1) * pitch + row_bytes : row_bytes;
}

static struct write write_of(const struct npu_cmd *cmd)
{
	switch (cmd->opcode) {
	case NPU_CMD_SEM_SIGNAL:
		return (struct write){ cmd->sem.address, 8, cmd->sem.value,
				       cmd->sem.op == NPU_SEM_SET };
	case NPU_CMD_WRITE:
		return (struct write){ cmd->write.address, cmd->write.bytes, cmd->write.value,
				       cmd->write.bytes == 8 };
	case NPU_CMD_COPY:
		return (struct write){ .address = cmd->copy.dst,
				       .bytes = span(cmd->copy.row_bytes, cmd->copy.rows,
						     cmd->copy.dst_pitch) };
	case NPU_CMD_FILL:
		return (struct write){ .address = cmd->fill.dst,
				       .bytes = span(cmd->fill.row_bytes, cmd->fill.rows,
						     cmd->fill.dst_pitch) };
	case NPU_CMD_REDUCE:
		return (struct write){ .address = cmd->reduce.dst, .bytes = cmd->reduce.bytes };
	default:
		return (struct write){ 0 };
	}
}

/* One that was handed over is better than one that was not. */
static void offer(struct rt_look *wait, struct rt_look *writer, bool flushed)
{
	if (wait->next && !(flushed && wait->hang.flags & NPURT_HANG_NOT_FLUSHED))
		return;
	wait->next = writer;
	if (flushed)
		wait->hang.flags &= ~NPURT_HANG_NOT_FLUSHED;
	else
		wait->hang.flags |= NPURT_HANG_NOT_FLUSHED;
}

static void try_command(const struct waits *waits, struct rt_look *writer,
			const struct npu_cmd *cmd, bool flushed)
{
	const struct write write = write_of(cmd);
	const npurt_context *context = writer->hang.context;

	if (!write.bytes)
		return;
	for (size_t i = lower_bound(waits, context, write.address); i < waits->count; i++) {
		struct rt_look *wait = waits->looks[i];

		if (wait->hang.context != context ||
		    wait->hang.address - write.address >= write.bytes)
			break;
		if (!write.known || met(&wait->hang, write.value))
			offer(wait, writer, flushed);
	}
}

/* What a stream was given and has not ended. */
static void try_stream(const struct waits *waits, struct rt_look *look)
{
	const npurt_stream *stream = look->stream;
	const uint64_t ended = rt_hang_ended(look);

	for (unsigned int i = 0; i < stream->num_chunks; i++) {
		const struct rt_chunk *chunk = &stream->chunks[i];
		const bool open = chunk == stream->chunk;

		for (uint32_t j = 0; j < RT_CHUNK_COMMANDS; j++) {
			if (chunk->tasks[j].sequence <= ended || (open && j >= chunk->next))
				continue;
			try_command(waits, look, &chunk->commands[j], !open || j < chunk->first);
		}
	}
}

/* Commands of a graph that is in flight, or is to come. */
struct graph_search {
	const struct waits *waits;
	struct rt_look *looks;
	size_t count;
};

static void try_graph(npurt_stream *stream, uint64_t point, const struct npu_cmd *commands,
		      uint32_t count, void *data)
{
	const struct graph_search *search = data;

	for (size_t i = 0; i < search->count; i++) {
		struct rt_look *look = &search->looks[i];

		if (look->stream != stream || look->hang.error)
			continue;
		for (uint32_t j = 0; j < count; j++)
			try_command(search->waits, look, &commands[j],
				    point <= look->hang.submitted);
	}
}

static void find_graphs(const struct waits *waits, struct rt_look *looks, size_t count)
{
	struct graph_search search = { waits, looks, count };
	npurt_context *context = NULL;

	/* The streams of a context come one after the other. */
	for (size_t i = 0; i < count; i++) {
		if (looks[i].hang.context != context)
			rt_graph_each_in_flight(looks[i].hang.context, try_graph, &search);
		context = looks[i].hang.context;
	}
}

static void find_writers(const struct waits *waits, struct rt_look *looks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const enum rt_hold hold = rt_hang_hold(looks[i].stream);

		if (hold == RT_HOLD_NONE)
			continue;
		/* What has failed writes nothing any more. */
		if (!looks[i].hang.error)
			try_stream(waits, &looks[i]);
		rt_hang_release(looks[i].stream, hold);
	}
}

/* An event tells who has it, whatever became of that stream. */
static struct rt_look *find_recorder(const struct rt_look *wait, struct rt_look *looks,
				     size_t count)
{
	for (size_t i = 0; i < count && wait->recorder; i++) {
		if (looks[i].hang.stream_id == wait->recorder &&
		    looks[i].hang.context == wait->hang.context)
			return &looks[i];
	}
	return NULL;
}

static struct rt_look *find_queue(const struct rt_look *wait, struct rt_look *looks, size_t count)
{
	for (size_t i = 0; i < count && wait->hang.waits_for_queue; i++) {
		if (looks[i].hang.queue == wait->hang.waits_for_queue)
			return &looks[i];
	}
	return NULL;
}

static void set_next(struct rt_look *look, struct rt_look *looks, size_t count)
{
	npurt_hang *hang = &look->hang;

	look->linked = true;
	if (hang->activity == NPURT_ACTIVITY_BLOCKED)
		look->next = find_queue(look, looks, count);
	/* What other ranks do is on other devices. */
	if (look->waits && !look->next && hang->command != NPURT_COMMAND_COLLECTIVE) {
		hang->flags |= NPURT_HANG_NEVER;
		look->next = find_recorder(look, looks, count);
	}
	if (look->next) {
		hang->waits_for = look->next->stream;
		hang->waits_for_id = look->next->hang.stream_id;
	}
}

/* From one stream to the next that it waits for, until there is none or one comes again. */
static void find_circle(struct rt_look *start, size_t count)
{
	const struct rt_look *look = start->next;

	while (look && look != start && count--)
		look = look->next;
	if (look == start)
		start->hang.flags |= NPURT_HANG_DEADLOCK;
}

bool rt_hang_link(struct rt_look *looks, size_t count)
{
	struct waits waits = { malloc((count + 1) * sizeof(struct rt_look *)), 0 };

	if (!waits.looks)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (looks[i].waits)
			waits.looks[waits.count++] = &looks[i];
	}
	if (waits.count) {
		qsort(waits.looks, waits.count, sizeof(*waits.looks), compare_looks);
		find_writers(&waits, looks, count);
		find_graphs(&waits, looks, count);
	}
	for (size_t i = 0; i < count; i++)
		set_next(&looks[i], looks, count);
	for (size_t i = 0; i < count; i++)
		find_circle(&looks[i], count);
	free(waits.looks);
	return true;
}
