// SPDX-License-Identifier: MIT
/*
 * From a graph to one command list. Nodes go by level: those of one level do not depend on each
 * other, and overlap; the first one of the next level waits for all of them. What tests memory
 * comes last in its level, as a branch waits for all before it.
 *
 * A host function ends the list: what comes after it is another one.
 *
 * It is written twice, the first time to see how long it gets.
 */
#include "graph.h"

#include <stdlib.h>

#define DATA_ALIGN 64

struct writer {
	struct rt_program *program;
	uint8_t *map; /* NULL: only counting */
	uint64_t va, tag;
	uint32_t commands, places, relocs, counters, barriers;
	uint32_t segments, segment; /* first command of the open one */
	uint32_t hosts, depth; /* of bodies that are gone round, or not */
	const npurt_graph_node *misplaced; /* a host function in one */
	uint64_t data;
	bool barrier; /* the next command waits for those before it */
};

static struct npu_cmd *command_at(const struct writer *w, uint32_t index)
{
	return (struct npu_cmd *)w->map + index;
}

static void add_reloc(struct writer *w, uint32_t command, uint32_t word)
{
	if (w->map)
		w->program->relocs[w->relocs] = (struct rt_reloc){ command, word };
	w->relocs++;
}

/* Where a node's data go, and what the device tells of a launch in strict mode. */
static uint64_t add_data(struct writer *w, const npurt_graph_node *node)
{
	const uint64_t at = w->program->data + w->data;
	const uint64_t args_bytes = rt_op_args_bytes(&node->op);

	if (w->map && node->data_bytes)
		memcpy(w->map + at, node->data, node->data_bytes);
	w->data += rt_align(args_bytes ? args_bytes : node->data_bytes, DATA_ALIGN);
	return at;
}

static uint32_t add_op(struct writer *w, const struct rt_op *op, uint64_t data)
{
	const uint32_t index = w->commands++;
	struct rt_encoder encoder = { .sequence = w->tag + index };

	if (w->map) {
		encoder.cmd = command_at(w, index);
		encoder.task = &w->program->tasks[index];
		encoder.args = w->map + data;
		encoder.args_va = w->va + data;
		rt_encode(&encoder, op);
		if (!w->barrier)
			command_at(w, index)->flags = NPU_CMD_F_OVERLAP;
	}
	w->barriers += w->barrier;
	w->barrier = false;
	return index;
}

static void add_node_op(struct writer *w, const npurt_graph_node *node)
{
	const uint64_t data = add_data(w, node);
	const bool upload = node->op.kind == NPURT_COMMAND_COPY && node->data_bytes;
	const uint32_t index = add_op(w, &node->op, data);

	if (node->data_bytes)
		add_reloc(w, index, 1);
	if (node->op.kind == NPURT_COMMAND_KERNEL && node->op.kernel.strict)
		add_reloc(w, index, offsetof(struct npu_cmd_kernel, strict) / sizeof(npu_le64));
	if (upload && w->map)
		command_at(w, index)->copy.src = w->va + data;
	if (w->map)
		w->program->places[w->places] =
			(struct rt_place){ node, index, w->depth != 0, data };
	w->places++;
	w->program->has_kernels |= node->op.kind == NPURT_COMMAND_KERNEL;
}

/* A list is not empty, and what branches to its end finds something there. */
static void end_segment(struct writer *w, const npurt_graph_node *host)
{
	if (w->commands > w->segment || !w->segments) {
		w->barrier = true;
		add_op(w, &(struct rt_op){ .kind = NPURT_COMMAND_UNKNOWN }, 0);
	}
	if (w->map)
		w->program->segments[w->segments] =
			(struct rt_segment){ w->segment, w->commands - w->segment, host };
	w->segments++;
	w->segment = w->commands;
	w->barrier = true;
}

static void add_host(struct writer *w, const npurt_graph_node *node)
{
	if (w->depth)
		w->misplaced = node;
	w->hosts++;
	end_segment(w, node);
}

static uint32_t add_branch(struct writer *w, const npurt_graph_node *node,
			   const struct rt_test *test, int32_t offset, uint32_t timeout_us)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_BRANCH,
		.name = node->label,
		.timeout_us = timeout_us,
		.branch = { .address = test->address, .value = test->value, .op = test->condition,
			    .offset = (uint32_t)offset },
	};

	w->barrier = true;
	w->program->has_branches = true;
	return add_op(w, &op, 0);
}

static void branch_here(struct writer *w, uint32_t from)
{
	if (w->map)
		command_at(w, from)->branch.offset = w->commands - from;
}

/* A word is always greater than or equal to zero. */
static uint32_t add_jump(struct writer *w, const npurt_graph_node *node)
{
	const struct rt_test always = { node->test.address, 0, NPU_SEM_GE };

	return add_branch(w, node, &always, 1, 0);
}

/* Jumps from here if the test fails; to where, branch_here() tells. */
static uint32_t add_skip(struct writer *w, const npurt_graph_node *node)
{
	struct rt_test test = node->test;

	if (test.condition == NPU_SEM_GE) {
		add_branch(w, node, &test, 2, 0);
		return add_jump(w, node);
	}
	test.condition = test.condition == NPU_SEM_EQ ? NPU_SEM_NE : NPU_SEM_EQ;
	return add_branch(w, node, &test, 1, 0);
}

static void add_graph(struct writer *w, const npurt_graph *graph);

static void add_condition(struct writer *w, const npurt_graph_node *node)
{
	const uint32_t skip = add_skip(w, node);
	uint32_t jump;

	add_graph(w, node->body);
	if (!node->otherwise) {
		branch_here(w, skip);
		return;
	}
	jump = add_jump(w, node);
	branch_here(w, skip);
	add_graph(w, node->otherwise);
	branch_here(w, jump);
}

static void add_loop_while(struct writer *w, const npurt_graph_node *node)
{
	const uint32_t skip = add_skip(w, node), first = w->commands;

	add_graph(w, node->body);
	if (w->commands == first)
		add_op(w, &(struct rt_op){ .kind = NPURT_COMMAND_UNKNOWN }, 0);
	add_branch(w, node, &node->test, (int32_t)(first - w->commands), node->timeout_us);
	branch_here(w, skip);
}

static void add_loop_rounds(struct writer *w, const npurt_graph_node *node)
{
	const uint64_t own = w->va + w->program->counters + 8ULL * w->counters;
	const uint64_t address = node->counter ? node->counter : own;
	const struct rt_op start = {
		.kind = NPURT_COMMAND_WRITE,
		.name = node->label,
		.write = { .address = address, .value = 0, .bytes = 8 },
	};
	const struct rt_op count = {
		.kind = NPURT_COMMAND_SIGNAL,
		.name = node->label,
		.sem = { .address = address, .value = 1, .op = NPU_SEM_ADD },
	};
	const struct rt_test again = { address, node->rounds, NPU_SEM_NE };
	uint32_t at[3], first;

	w->counters += !node->counter;
	w->barrier = true;
	at[0] = add_op(w, &start, 0);
	first = w->commands;
	w->barrier = true;
	add_graph(w, node->body);
	w->barrier = true;
	at[1] = add_op(w, &count, 0);
	at[2] = add_branch(w, node, &again, (int32_t)(first - w->commands), node->timeout_us);
	for (unsigned int i = 0; i < 3 && !node->counter; i++)
		add_reloc(w, at[i], 0);
}

/* A branch leaves nothing running, so what follows may overlap with what came last inside. */
static void add_node(struct writer *w, const npurt_graph_node *node)
{
	switch (node->kind) {
	case RT_NODE_OP:
		if (node->op.kind == NPURT_COMMAND_HOST_FUNCTION)
			add_host(w, node);
		else
			add_node_op(w, node);
		break;
	case RT_NODE_CHILD:
		add_graph(w, node->body);
		break;
	case RT_NODE_CONDITION:
		w->depth++;
		add_condition(w, node);
		w->depth--;
		break;
	case RT_NODE_LOOP:
		w->depth++;
		if (node->rounds)
			add_loop_rounds(w, node);
		else
			add_loop_while(w, node);
		w->depth--;
		break;
	case RT_NODE_EMPTY:
		break;
	}
}

/* Within a level: engines first, then what is done at once, then what waits or goes elsewhere. */
static unsigned int rank(const npurt_graph_node *node)
{
	if (node->kind == RT_NODE_CONDITION || node->kind == RT_NODE_LOOP)
		return 4;
	if (node->kind == RT_NODE_CHILD)
		return 2;
	if (node->op.kind == NPURT_COMMAND_HOST_FUNCTION)
		return 5;
	if (node->op.kind == NPURT_COMMAND_WAIT)
		return 3;
	return node->op.kind == NPURT_COMMAND_WRITE ? 1 : 0;
}

static int compare(const void *a, const void *b)
{
	const npurt_graph_node *x = *(npurt_graph_node *const *)a;
	const npurt_graph_node *y = *(npurt_graph_node *const *)b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void add_graph(struct writer *w, const npurt_graph *graph)
{
	for (unsigned int i = 0; i < graph->num_nodes; i++) {
		const npurt_graph_node *node = graph->sorted[i];

		if (i && node->level != graph->sorted[i - 1]->level)
			w->barrier = true;
		add_node(w, node);
	}
}

static int sort_nodes(npurt_graph *graph)
{
	const size_t bytes = graph->num_nodes * sizeof(graph->nodes[0]);

	free(graph->sorted);
	graph->sorted = malloc(bytes + !bytes);
	if (!graph->sorted)
		return rt_fail(&graph->context->diag, NPURT_ERROR_HOST_MEMORY, "sort a graph");
	if (bytes)
		memcpy(graph->sorted, graph->nodes, bytes);
	qsort(graph->sorted, graph->num_nodes, sizeof(graph->nodes[0]), compare);
	for (unsigned int i = 0; i < graph->num_nodes; i++) {
		const npurt_graph_node *node = graph->nodes[i];
		int err = 0;

		if (node->body)
			err = sort_nodes(node->body);
		if (!err && node->otherwise)
			err = sort_nodes(node->otherwise);
		if (err)
			return err;
	}
	return 0;
}

static void run(struct writer *w, npurt_graph *graph)
{
	w->barrier = true;
	add_graph(w, graph);
	end_segment(w, NULL);
}

int rt_program_measure(struct rt_program *p, npurt_graph *graph)
{
	struct writer w = { .program = p };
	int err = sort_nodes(graph);

	if (err)
		return err;
	run(&w, graph);
	if (w.misplaced)
		return rt_fail(&graph->context->diag, NPURT_ERROR_UNSUPPORTED,
			       "graph '%s', node %u is a host function in the body of a condition "
			       "or loop, which the device decides", w.misplaced->graph->label,
			       w.misplaced->index);
	p->num_segments = w.segments;
	p->num_hosts = w.hosts;
	p->num_commands = w.commands;
	p->num_places = w.places;
	p->num_relocs = w.relocs;
	p->num_counters = w.counters;
	p->num_barriers = w.barriers;
	p->counters = rt_align((uint64_t)w.commands * sizeof(struct npu_cmd), DATA_ALIGN);
	p->data = rt_align(p->counters + 8ULL * w.counters, DATA_ALIGN);
	p->bytes = p->data + w.data;
	p->places = calloc(w.places + 1, sizeof(*p->places));
	p->relocs = calloc(w.relocs + 1, sizeof(*p->relocs));
	p->tasks = calloc(w.commands, sizeof(*p->tasks));
	p->segments = calloc(w.segments, sizeof(*p->segments));
	if (p->places && p->relocs && p->tasks && p->segments)
		return 0;
	rt_program_free(p);
	return rt_fail(&graph->context->diag, NPURT_ERROR_HOST_MEMORY,
		       "allocate an executable of graph '%s'", graph->label);
}

void rt_program_write(struct rt_program *p, npurt_graph *graph, void *map, uint64_t va,
		      uint64_t tag)
{
	struct writer w = { .program = p, .map = map, .va = va, .tag = tag };

	run(&w, graph);
}

void rt_program_free(struct rt_program *p)
{
	free(p->places);
	free(p->relocs);
	free(p->tasks);
	free(p->segments);
	p->segments = NULL;
	p->places = NULL;
	p->relocs = NULL;
	p->tasks = NULL;
}
