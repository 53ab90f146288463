// SPDX-License-Identifier: MIT
/*
 * Executables of graphs. Each has an image: commands, arguments and counters in memory that
 * the device reads. An update goes into an image that is not in use, so that launches in
 * flight do what they were given.
 */
#include "graph.h"
#include "race.h"

#include <stdlib.h>

#define HW_VERSION_BRANCH 0x00010001u

struct rt_image {
	struct rt_image *next;
	npurt_memory *memory;
	uint8_t *map;
	uint32_t commands;
	npurt_stream *stream; /* of the last launch, a reference */
	uint64_t point;
};

struct npurt_graph_exec {
	npurt_context *context;
	npurt_graph *graph;
	struct rt_list link; /* in context->graph_execs */
	uint32_t id;
	struct rt_program program;
	const npurt_graph_node *_Atomic gone; /* one whose kernel's module was unloaded; or NULL */
	pthread_mutex_t lock; /* of all that follows */
	struct rt_image *image; /* of the next launch */
	struct rt_image *images; /* all others */
	npurt_stream *stream; /* of the last launch, a reference */
	uint64_t point;
	uint64_t launches;
};

/* Images. */

static bool ended(npurt_stream *stream, uint64_t point)
{
	return !stream || rt_slot_value(stream->progress) >= point || stream->error;
}

static void set_use(npurt_stream **stream, uint64_t *point, npurt_stream *new, uint64_t new_point)
{
	if (*stream != new) {
		if (*stream)
			rt_stream_put(*stream);
		*stream = new ? rt_stream_get(new) : NULL;
	}
	*point = new_point;
}

static void free_image(struct rt_image *image)
{
	set_use(&image->stream, &image->point, NULL, 0);
	rt_strict_review(image->memory, image->commands);
	rt_memory_destroy(image->memory);
	free(image);
}

static int new_image(npurt_graph_exec *exec, struct rt_image **result)
{
	const struct rt_memory_desc desc = {
		.bytes = exec->program.bytes,
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: graph",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	struct rt_image *image = calloc(1, sizeof(*image));
	void *map;
	int err;

	if (!image)
		return rt_fail(&exec->context->diag, NPURT_ERROR_HOST_MEMORY,
			       "allocate an executable of graph '%s'", exec->graph->label);
	err = rt_memory_create(exec->context, &desc, &image->memory);
	if (err)
		goto fail_image;
	err = rt_memory_map(image->memory, &map);
	if (err)
		goto fail_memory;
	image->map = map;
	image->commands = exec->program.num_commands;
	*result = image;
	return 0;

fail_memory:
	rt_memory_destroy(image->memory);
fail_image:
	free(image);
	return err;
}

/* The content of @from, which is for another address. */
static void copy_image(const npurt_graph_exec *exec, struct rt_image *to,
		       const struct rt_image *from)
{
	const struct rt_program *p = &exec->program;

	memcpy(to->map, from->map, p->bytes);
	for (uint32_t i = 0; i < p->num_relocs; i++) {
		struct npu_cmd *cmd = (struct npu_cmd *)(void *)to->map + p->relocs[i].command;

		cmd->raw[p->relocs[i].word] += to->memory->va - from->memory->va;
	}
}

/* Under the lock: makes exec->image one that no launch in flight uses. */
static int idle_image(npurt_graph_exec *exec)
{
	struct rt_image **link = &exec->images, *image, *old = exec->image;
	int err;

	if (ended(old->stream, old->point))
		return 0;
	while (*link && !ended((*link)->stream, (*link)->point))
		link = &(*link)->next;
	image = *link;
	if (image) {
		*link = image->next;
	} else {
		err = new_image(exec, &image);
		if (err)
			return err;
	}
	copy_image(exec, image, old);
	old->next = exec->images;
	exec->images = old;
	exec->image = image;
	return 0;
}

/* Images of executables that were destroyed while the device had them. */
static void reap(npurt_context *context)
{
	struct rt_image *dead = NULL, **link;

	pthread_mutex_lock(&context->lock);
	link = &context->dying_images;
	while (*link) {
		struct rt_image *image = *link;

		if (ended(image->stream, image->point)) {
			*link = image->next;
			image->next = dead;
			dead = image;
		} else {
			link = &image->next;
		}
	}
	pthread_mutex_unlock(&context->lock);
	while (dead) {
		struct rt_image *next = dead->next;

		free_image(dead);
		dead = next;
	}
}

static void retire_image(npurt_context *context, struct rt_image *image)
{
	pthread_mutex_lock(&context->lock);
	image->next = context->dying_images;
	context->dying_images = image;
	pthread_mutex_unlock(&context->lock);
}

/* No stream of the context is left. */
void rt_graph_fini(npurt_context *context)
{
	reap(context);
}

/* Life. */

static int kernel_gone(struct rt_diag *diag, const npurt_graph_node *node)
{
	return rt_fail(diag, NPURT_ERROR_INVALID,
		       "graph '%s', node %u '%s': its module has been unloaded", node->graph->label,
		       node->index, node->label);
}

/* It uses no memory, and its addresses may be the end of one. */
static bool is_empty(const struct rt_op *op)
{
	switch (op->kind) {
	case NPURT_COMMAND_COPY:
		return !op->copy.row_bytes;
	case NPURT_COMMAND_FILL:
		return !op->fill.row_bytes;
	case NPURT_COMMAND_REDUCE:
		return !op->reduce.bytes;
	default:
		return false;
	}
}

static int check_node(npurt_context *context, const npurt_graph_node *node)
{
	const struct rt_op *op = &node->op;
	const bool copies = op->kind == NPURT_COMMAND_COPY && !is_empty(op);
	const bool writes = op->kind != NPURT_COMMAND_KERNEL &&
			    op->kind != NPURT_COMMAND_HOST_FUNCTION && !is_empty(op);
	/* Zero where there is none. */
	const uint64_t addresses[] = {
		writes ? op->payload[0] : 0,
		copies && !node->data_bytes ? op->copy.src : 0,
		node->test.address,
		node->counter,
	};

	if (node->module && !rt_module_loaded(context, node->module))
		return kernel_gone(&context->diag, node);
	for (unsigned int i = 0; i < RT_ARRAY_SIZE(addresses); i++) {
		if (addresses[i] && !rt_memory_there(context, addresses[i]))
			return rt_fail(&context->diag, NPURT_ERROR_INVALID,
				       "graph '%s', node %u '%s': its memory has been destroyed",
				       node->graph->label, node->index, node->label);
	}
	return 0;
}

/* What the nodes use is still there. */
static int check_nodes(const npurt_graph *graph)
{
	int err = 0;

	for (unsigned int i = 0; graph && i < graph->num_nodes && !err; i++) {
		const npurt_graph_node *node = graph->nodes[i];

		err = check_node(graph->context, node);
		if (!err)
			err = check_nodes(node->body);
		if (!err)
			err = check_nodes(node->otherwise);
	}
	return err;
}

static int fill_exec(npurt_graph_exec *exec)
{
	npurt_context *context = exec->context;
	struct rt_program *p = &exec->program;
	int err = check_nodes(exec->graph);

	if (!err)
		err = rt_program_measure(p, exec->graph);
	if (err)
		return err;
	if (p->has_branches && context->device->info.hw_version < HW_VERSION_BRANCH)
		err = rt_fail(&context->diag, NPURT_ERROR_UNSUPPORTED,
			      "graph '%s' has conditions or loops, which this device has not",
			      exec->graph->label);
	if (!err)
		err = new_image(exec, &exec->image);
	if (err)
		rt_program_free(p);
	else
		rt_program_write(p, exec->graph, exec->image->map, exec->image->memory->va,
				 RT_GRAPH_TAG | (uint64_t)exec->id << 32);
	return err;
}

int npurt_graph_instantiate(npurt_graph *graph, const npurt_graph_exec_attr *attr,
			    npurt_graph_exec **result)
{
	npurt_graph_exec_attr a;
	npurt_graph_exec *exec;
	npurt_context *context;
	int err;

	if (!graph || !result)
		return NPURT_ERROR_INVALID;
	context = graph->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&context->diag, "npurt_graph_exec_attr", 0, &a, sizeof(a), attr);
	if (err)
		return err;
	reap(context);
	exec = calloc(1, sizeof(*exec));
	if (!exec)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate an executable");
	exec->context = context;
	exec->graph = graph;
	exec->id = (atomic_fetch_add(&context->next_graph_id, 1) + 1) & INT32_MAX;
	err = fill_exec(exec);
	if (err) {
		free(exec);
		return err;
	}
	rt_graph_get(graph);
	pthread_mutex_init(&exec->lock, NULL);
	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->graph_execs, &exec->link);
	pthread_mutex_unlock(&context->lock);
	*result = exec;
	return 0;
}

static int check_exec(const npurt_graph_exec *exec)
{
	if (!exec)
		return NPURT_ERROR_INVALID;
	return rt_forked(exec->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_graph_exec_destroy(npurt_graph_exec *exec)
{
	npurt_context *context;
	int err = check_exec(exec);

	if (err)
		return err;
	context = exec->context;
	pthread_mutex_lock(&context->lock);
	rt_list_del(&exec->link);
	pthread_mutex_unlock(&context->lock);
	retire_image(context, exec->image);
	while (exec->images) {
		struct rt_image *next = exec->images->next;

		retire_image(context, exec->images);
		exec->images = next;
	}
	reap(context);
	set_use(&exec->stream, &exec->point, NULL, 0);
	rt_program_free(&exec->program);
	rt_graph_put(exec->graph);
	pthread_mutex_destroy(&exec->lock);
	rt_object_free(exec);
	return 0;
}

/* Launch. */

static int check_launch(const npurt_graph_exec *exec, npurt_stream *stream)
{
	struct rt_diag *diag = &stream->diag;

	if (exec->context != stream->context)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "graph '%s' is of another context than stream %u",
			       exec->graph->label, stream->id);
	if (rt_stream_capturing(stream))
		return rt_fail(diag, NPURT_ERROR_CAPTURE,
			       "launch of graph '%s' on stream %u, which is being captured",
			       exec->graph->label, stream->id);
	if (exec->program.has_kernels && stream->flags & NPURT_STREAM_COPY_ONLY)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "graph '%s' has kernels, and stream %u is for copies only",
			       exec->graph->label, stream->id);
	return 0;
}

/* Under the context's lock. */
static void lose_module(npurt_graph_exec *exec, const npurt_module *module)
{
	const struct rt_program *p = &exec->program;

	for (uint32_t i = 0; i < p->num_places; i++) {
		const npurt_graph_node *node = p->places[i].node;

		if (node->module == module->number)
			exec->gone = node;
	}
}

void rt_graph_lose_module(npurt_context *context, const npurt_module *module)
{
	struct rt_list *node;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->graph_execs)
		lose_module(rt_container(node, npurt_graph_exec, link), module);
	pthread_mutex_unlock(&context->lock);
}

static bool elsewhere(const npurt_graph_exec *exec, const npurt_stream *stream)
{
	return exec->stream != stream && !ended(exec->stream, exec->point);
}

/* A launch that is in flight on another stream comes first: memory and counters are shared. */
static int wait_for_last(npurt_graph_exec *exec, npurt_stream *stream)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_EVENT_WAIT,
		.timeout_us = stream->wait_timeout_us,
		.name = exec->graph->label,
		.event = { exec->stream->progress, exec->point, exec->stream->id },
	};

	return rt_stream_add(stream, &op);
}

static int launch_segment(npurt_graph_exec *exec, npurt_stream *stream,
			  const struct rt_segment *segment)
{
	const uint64_t list = exec->image->memory->va + segment->first * sizeof(struct npu_cmd);
	int err = 0;

	if (segment->count)
		err = rt_stream_add_list(stream, list, segment->count, exec->graph->label);
	if (!err && segment->host)
		err = rt_host_function_add(stream, segment->host->op.host.fn,
					   segment->host->op.host.data);
	return err;
}

static int launch(npurt_graph_exec *exec, npurt_stream *stream)
{
	const struct rt_program *p = &exec->program;
	const bool watched = rt_watched() & RT_WATCH_VALIDATE;
	uint64_t point;
	int err = 0;

	if (elsewhere(exec, stream))
		err = wait_for_last(exec, stream);
	if (rt_unlikely(watched) && !err)
		err = rt_validate_launch(stream, exec, p, exec->image->map);
	if (!err && exec->gone)
		err = kernel_gone(&stream->diag, exec->gone);
	if (err)
		return err;
	rt_strict_review(exec->image->memory, exec->image->commands);
	for (uint32_t i = 0; i < p->num_segments && !err; i++)
		err = launch_segment(exec, stream, &p->segments[i]);
	/* One that failed half-way has used the image, too. */
	point = rt_stream_open_point(stream);
	if (rt_unlikely(watched))
		rt_race_placed(stream, point, rt_program_waits(p));
	set_use(&exec->stream, &exec->point, stream, point);
	set_use(&exec->image->stream, &exec->image->point, stream, point);
	exec->launches += !err;
	return err ? err : rt_stream_start(stream);
}

static int enter_and_launch(npurt_graph_exec *exec, npurt_stream *stream)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = check_launch(exec, stream);
	if (!err)
		err = launch(exec, stream);
	rt_stream_leave(stream);
	return err;
}

int npurt_graph_launch(npurt_graph_exec *exec, npurt_stream *stream)
{
	int err = check_exec(exec);

	if (err)
		return err;
	pthread_mutex_lock(&exec->lock);
	/* It must be on its way before one waits for it. */
	if (elsewhere(exec, stream))
		err = rt_stream_flush_to(exec->stream, exec->point);
	if (!err)
		err = enter_and_launch(exec, stream);
	pthread_mutex_unlock(&exec->lock);
	return err;
}

/* Updates. */

/* Writes to every place of @node, which is of @kind. */
static int update(npurt_graph_exec *exec, const npurt_graph_node *node, enum npurt_command kind,
		  const struct npu_cmd *values, const void *data, uint64_t data_bytes)
{
	struct rt_diag *diag = &exec->context->diag;
	bool found = false;
	int err;

	if (!node || node->op.kind != kind || node->data_bytes != data_bytes)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "the node is no such operation, or of another size");
	pthread_mutex_lock(&exec->lock);
	err = idle_image(exec);
	for (uint32_t i = 0; i < exec->program.num_places && !err; i++) {
		const struct rt_place *place = &exec->program.places[i];
		struct npu_cmd *cmd = (struct npu_cmd *)(void *)exec->image->map + place->command;

		if (place->node != node)
			continue;
		found = true;
		if (data_bytes)
			memcpy(exec->image->map + place->data, data, data_bytes);
		if (kind == NPURT_COMMAND_KERNEL)
			cmd->kernel.blocks = values->kernel.blocks;
		else if (values)
			memcpy(cmd->raw, values->raw, sizeof(cmd->raw));
	}
	pthread_mutex_unlock(&exec->lock);
	if (!err && !found)
		err = rt_fail(diag, NPURT_ERROR_INVALID, "the node is not in graph '%s'",
			      exec->graph->label);
	return err;
}

int npurt_graph_exec_update_kernel(npurt_graph_exec *exec, npurt_graph_node *node, uint32_t blocks,
				   const void *args, size_t args_size)
{
	const struct npu_cmd values = { .kernel = { .blocks = blocks } };
	int err = check_exec(exec);

	if (!err && exec->gone)
		err = kernel_gone(&exec->context->diag, exec->gone);
	if (!err && node && node->op.kind == NPURT_COMMAND_KERNEL)
		err = rt_launch_check(&exec->context->diag, exec->context, node->op.kernel.kernel,
				      blocks, args, args_size);
	return err ? err
		   : update(exec, node, NPURT_COMMAND_KERNEL, &values, args, args_size);
}

int npurt_graph_exec_update_copy(npurt_graph_exec *exec, npurt_graph_node *node, npurt_memory *dst,
				 uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
				 uint64_t bytes)
{
	const struct rt_region to = { dst, dst_offset, 0 }, from = { src, src_offset, 0 };
	struct npu_cmd values = { 0 };
	int err = check_exec(exec);

	if (!err)
		err = rt_region_check(&exec->context->diag, exec->context, "dst", &to, true, bytes,
				      1);
	if (!err)
		err = rt_region_check(&exec->context->diag, exec->context, "src", &from, false,
				      bytes, 1);
	if (err)
		return err;
	values.copy.dst = dst->va + dst_offset;
	values.copy.src = src->va + src_offset;
	values.copy.row_bytes = bytes;
	values.copy.rows = 1;
	return update(exec, node, NPURT_COMMAND_COPY, &values, NULL, 0);
}

int npurt_graph_exec_update_upload(npurt_graph_exec *exec, npurt_graph_node *node, const void *host,
				   uint64_t bytes)
{
	int err = check_exec(exec);

	if (err)
		return err;
	if (!host || !bytes)
		return rt_fail(&exec->context->diag, NPURT_ERROR_INVALID, "nothing to upload");
	return update(exec, node, NPURT_COMMAND_COPY, NULL, host, bytes);
}

int npurt_graph_exec_update_write(npurt_graph_exec *exec, npurt_graph_node *node, uint64_t value)
{
	struct npu_cmd values = { 0 };
	int err = check_exec(exec);

	if (err)
		return err;
	if (node && node->op.kind == NPURT_COMMAND_WRITE)
		values.write = node->op.write;
	values.write.value = value;
	return update(exec, node, NPURT_COMMAND_WRITE, &values, NULL, 0);
}

int npurt_graph_exec_update_wait(npurt_graph_exec *exec, npurt_graph_node *node, uint64_t value)
{
	struct npu_cmd values = { 0 };
	int err = check_exec(exec);

	if (err)
		return err;
	if (node && node->op.kind == NPURT_COMMAND_WAIT)
		values.sem = node->op.sem;
	values.sem.value = value;
	return update(exec, node, NPURT_COMMAND_WAIT, &values, NULL, 0);
}

int npurt_graph_exec_update_reduce(npurt_graph_exec *exec, npurt_graph_node *node,
				   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
				   uint64_t src_offset, uint64_t count, enum npurt_dtype dtype,
				   enum npurt_reduce_op op)
{
	const struct rt_reduction reduction = { dst, src, dst_offset, src_offset, count, dtype, op };
	struct npu_cmd values = { 0 };
	struct rt_op reduce;
	int err = check_exec(exec);

	if (!err)
		err = rt_reduction_take(&exec->context->diag, exec->context, &reduction, &reduce);
	if (err)
		return err;
	memcpy(values.raw, reduce.payload, sizeof(reduce.payload));
	return update(exec, node, NPURT_COMMAND_REDUCE, &values, NULL, 0);
}

int npurt_graph_exec_update_fill(npurt_graph_exec *exec, npurt_graph_node *node, uint64_t pattern)
{
	struct npu_cmd values = { 0 };
	int err = check_exec(exec);

	if (err)
		return err;
	if (node && node->op.kind == NPURT_COMMAND_FILL)
		values.fill = node->op.fill;
	values.fill.pattern = pattern;
	return update(exec, node, NPURT_COMMAND_FILL, &values, NULL, 0);
}

int npurt_graph_exec_get_info(npurt_graph_exec *exec, npurt_graph_exec_info *info)
{
	npurt_graph_exec_info all = { .size = sizeof(all) };
	const struct rt_program *p;
	const struct rt_image *image;
	int err = check_exec(exec);

	if (err)
		return err;
	p = &exec->program;
	pthread_mutex_lock(&exec->lock);
	all.nodes = p->num_places;
	all.commands = p->num_commands;
	all.barriers = p->num_barriers;
	all.host_functions = p->num_hosts;
	for (uint32_t i = 0; i < p->num_segments; i++)
		all.submits += p->segments[i].count != 0;
	all.submits += !p->segments[p->num_segments - 1].count;
	all.images = 1;
	for (image = exec->images; image; image = image->next)
		all.images++;
	all.device_bytes = all.images * exec->image->memory->bo_bytes;
	all.host_bytes = sizeof(*exec) + p->num_places * sizeof(*p->places) +
			 p->num_relocs * sizeof(*p->relocs) + p->num_commands * sizeof(*p->tasks);
	all.launches = exec->launches;
	pthread_mutex_unlock(&exec->lock);
	return rt_attr_give(&exec->context->diag, "npurt_graph_exec_info", info, &all,
			    sizeof(all));
}

/* What the device knows by @tag, and the graph that it is in. */
bool rt_graph_find_task(npurt_context *context, uint64_t tag, struct rt_task *task,
			char label[NPURT_LABEL_SIZE])
{
	const uint32_t id = tag >> 32 & INT32_MAX, command = (uint32_t)tag;
	struct rt_list *node;
	bool found = false;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->graph_execs) {
		const npurt_graph_exec *exec = rt_container(node, npurt_graph_exec, link);

		if (exec->id != id || command >= exec->program.num_commands)
			continue;
		*task = exec->program.tasks[command];
		memcpy(label, exec->graph->label, NPURT_LABEL_SIZE);
		found = true;
		break;
	}
	pthread_mutex_unlock(&context->lock);
	return found;
}

/* An executable that somebody is busy with is left out: locks are taken the other way round. */
void rt_graph_each_in_flight(npurt_context *context, rt_graph_launch_fn fn, void *data)
{
	struct rt_list *node;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->graph_execs) {
		npurt_graph_exec *exec = rt_container(node, npurt_graph_exec, link);
		const struct rt_image *image;

		if (pthread_mutex_trylock(&exec->lock))
			continue;
		for (image = exec->image; image;
		     image = image == exec->image ? exec->images : image->next) {
			if (image->stream && !ended(image->stream, image->point))
				fn(image->stream, image->point, (const void *)image->map,
				   exec->program.num_commands, data);
		}
		pthread_mutex_unlock(&exec->lock);
	}
	pthread_mutex_unlock(&context->lock);
}
