// SPDX-License-Identifier: MIT
/*
 * Capture: what streams are given becomes nodes of a graph. A stream's frontier are the nodes
 * that its next one depends on; a record of an event keeps a copy of it, and another stream
 * that waits for the event takes it over and so joins the capture.
 *
 * Who takes part holds a reference, and finds out when it next looks that the capture is over.
 */
#include "graph.h"

#include <stdio.h>
#include <stdlib.h>

struct rt_capture {
	atomic_uint refs; /* of streams and events */
	pthread_mutex_t lock; /* of all that follows */
	npurt_stream *origin;
	npurt_graph *graph;
	bool over;
	char broken[128]; /* why nothing can come of it */
};

static struct rt_capture *capture_get(struct rt_capture *capture)
{
	atomic_fetch_add(&capture->refs, 1);
	return capture;
}

static void capture_put(struct rt_capture *capture)
{
	if (atomic_fetch_sub(&capture->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&capture->lock);
	free(capture);
}

void rt_frontier_clear(struct rt_frontier *frontier)
{
	if (frontier->capture)
		capture_put(frontier->capture);
	free(frontier->nodes);
	memset(frontier, 0, sizeof(*frontier));
}

static bool frontier_has(const struct rt_frontier *frontier, const npurt_graph_node *node)
{
	for (unsigned int i = 0; i < frontier->count; i++) {
		if (frontier->nodes[i] == node)
			return true;
	}
	return false;
}

/* Adds what @more has; false without memory. */
static bool frontier_join(struct rt_frontier *frontier, const struct rt_frontier *more)
{
	const size_t bytes = (frontier->count + more->count + 1) * sizeof(frontier->nodes[0]);
	npurt_graph_node **nodes = realloc(frontier->nodes, bytes);

	if (!nodes)
		return false;
	frontier->nodes = nodes;
	for (unsigned int i = 0; i < more->count; i++) {
		if (!frontier_has(frontier, more->nodes[i]))
			nodes[frontier->count++] = more->nodes[i];
	}
	if (!frontier->capture && more->capture)
		frontier->capture = capture_get(more->capture);
	return true;
}

/* Takes part in a capture that goes on; leaves one that is over. */
static bool active(struct rt_frontier *frontier)
{
	bool over;

	if (!frontier->capture)
		return false;
	pthread_mutex_lock(&frontier->capture->lock);
	over = frontier->capture->over;
	pthread_mutex_unlock(&frontier->capture->lock);
	if (over)
		rt_frontier_clear(frontier);
	return !over;
}

bool rt_stream_capturing(npurt_stream *stream)
{
	return active(&stream->frontier);
}

int rt_capture_add(npurt_stream *stream, const struct rt_op *op, const void *data, uint64_t bytes)
{
	struct rt_frontier *frontier = &stream->frontier;
	struct rt_capture *capture = frontier->capture;
	npurt_graph_node n = {
		.kind = RT_NODE_OP,
		.op = *op,
		.data = (void *)(uintptr_t)data,
		.data_bytes = bytes,
		.stream = stream->id,
	};
	npurt_graph_node *node = NULL;
	int err;

	if (op->kind == NPURT_COMMAND_KERNEL) {
		n.data = (void *)(uintptr_t)op->kernel.args;
		n.data_bytes = op->kernel.args_bytes;
		if (!op->label)
			n.op.label = op->kernel.kernel->name;
	}
	if (!frontier->nodes) {
		frontier->nodes = malloc(sizeof(frontier->nodes[0]));
		if (!frontier->nodes)
			return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "capture a command");
	}
	pthread_mutex_lock(&capture->lock);
	/* Another thread may have ended it since the stream was asked. */
	err = capture->over ? NPURT_ERROR_CAPTURE
			    : rt_graph_add(capture->graph, frontier->nodes, frontier->count, &n,
					   &node);
	pthread_mutex_unlock(&capture->lock);
	if (err)
		return rt_fail(&stream->diag, err, "capture a command of stream %u", stream->id);
	frontier->nodes[0] = node;
	frontier->count = 1;
	return 0;
}

int rt_capture_refuse(npurt_stream *stream, const char *what)
{
	if (!active(&stream->frontier))
		return 0;
	return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE, "%s while stream %u is being captured",
		       what, stream->id);
}

int rt_capture_record(npurt_stream *stream, struct rt_frontier *event)
{
	struct rt_frontier copy = { 0 };

	if (!frontier_join(&copy, &stream->frontier))
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "capture a record");
	rt_frontier_clear(event);
	*event = copy;
	return 0;
}

/* @event is a copy of the event's frontier. */
int rt_capture_wait(npurt_stream *stream, struct rt_frontier *event, const char *label)
{
	struct rt_frontier *frontier = &stream->frontier;

	if (!active(event))
		return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
			       "stream %u is being captured, and event '%s' was not recorded in "
			       "that capture", stream->id, label);
	if (active(frontier) && frontier->capture != event->capture)
		return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
			       "event '%s' is of another capture than stream %u", label,
			       stream->id);
	if (!frontier_join(frontier, event))
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "capture a wait");
	return 0;
}

/* What was put on the stream before does not wait for the end of the capture. */
int rt_capture_copy(struct rt_frontier *to, struct rt_frontier *from)
{
	if (!active(from))
		return 0;
	return frontier_join(to, from) ? 0 : NPURT_ERROR_HOST_MEMORY;
}

/* The capture is over; its graph is the caller's. */
static npurt_graph *finish(struct rt_capture *capture)
{
	npurt_graph *graph;

	pthread_mutex_lock(&capture->lock);
	graph = capture->graph;
	capture->graph = NULL;
	capture->over = true;
	pthread_mutex_unlock(&capture->lock);
	return graph;
}

/* The stream is being destroyed. */
void rt_capture_leave(npurt_stream *stream)
{
	struct rt_frontier *frontier = &stream->frontier;

	if (!active(frontier))
		return;
	if (frontier->capture->origin == stream) {
		rt_graph_put(finish(frontier->capture));
	} else {
		pthread_mutex_lock(&frontier->capture->lock);
		snprintf(frontier->capture->broken, sizeof(frontier->capture->broken),
			 "stream %u, which took part in it, was destroyed", stream->id);
		pthread_mutex_unlock(&frontier->capture->lock);
	}
	rt_frontier_clear(frontier);
}

static struct rt_capture *new_capture(npurt_stream *stream)
{
	struct rt_capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	atomic_init(&capture->refs, 1);
	pthread_mutex_init(&capture->lock, NULL);
	capture->origin = stream;
	return capture;
}

static int begin(npurt_stream *stream)
{
	struct rt_capture *capture;
	int err;

	if (active(&stream->frontier))
		return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
			       "stream %u is being captured already", stream->id);
	err = rt_stream_flush(stream);
	if (err)
		return err;
	capture = new_capture(stream);
	if (!capture)
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "allocate a capture");
	err = rt_graph_new(stream->context, stream->label, &capture->graph);
	if (err)
		capture_put(capture);
	else
		stream->frontier.capture = capture;
	return err;
}

int npurt_stream_begin_capture(npurt_stream *stream, uint32_t flags)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = flags ? rt_fail(&stream->diag, NPURT_ERROR_INVALID, "capture flags 0x%x", flags)
		    : begin(stream);
	rt_stream_leave(stream);
	return err;
}

/* All that was captured leads to where the origin is. */
static int check_joined(npurt_stream *stream, const npurt_graph *graph)
{
	for (unsigned int i = 0; i < graph->num_nodes; i++) {
		const npurt_graph_node *node = graph->nodes[i];

		if (!node->num_users && !frontier_has(&stream->frontier, node))
			return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
				       "stream %u does not wait for '%s' of stream %u: record an "
				       "event there and wait for it here before the capture ends",
				       stream->id, node->label, node->stream);
	}
	return 0;
}

static int end(npurt_stream *stream, npurt_graph **graph)
{
	struct rt_frontier *frontier = &stream->frontier;
	struct rt_capture *capture = frontier->capture;
	int err = 0;

	if (!active(frontier))
		return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
			       "stream %u is not being captured", stream->id);
	if (capture->origin != stream)
		return rt_fail(&stream->diag, NPURT_ERROR_CAPTURE,
			       "the capture that stream %u takes part in began on another stream",
			       stream->id);
	*graph = finish(capture);
	if (capture->broken[0])
		err = rt_fail(&stream->diag, NPURT_ERROR_CAPTURE, "the capture is broken: %s",
			      capture->broken);
	else
		err = check_joined(stream, *graph);
	if (err) {
		rt_graph_put(*graph);
		*graph = NULL;
	}
	rt_frontier_clear(frontier);
	return err;
}

int npurt_stream_end_capture(npurt_stream *stream, npurt_graph **graph)
{
	int err;

	if (!graph)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = end(stream, graph);
	rt_stream_leave(stream);
	return err;
}

int npurt_stream_is_capturing(npurt_stream *stream, int *capturing)
{
	int err;

	if (!capturing)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	*capturing = active(&stream->frontier);
	rt_stream_leave(stream);
	return 0;
}
