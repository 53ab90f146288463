// SPDX-License-Identifier: MIT
/*
 * Graphs: nodes and what they depend on.
 */
#include "graph.h"
#include "validate.h"

#include <stdlib.h>

int rt_graph_new(npurt_context *context, const char *label, npurt_graph **result)
{
	npurt_graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a graph");
	graph->context = context;
	atomic_init(&graph->refs, 1);
	rt_label_copy(graph->label, label);
	pthread_mutex_lock(&context->lock);
	context->num_graphs++;
	pthread_mutex_unlock(&context->lock);
	*result = graph;
	return 0;
}

npurt_graph *rt_graph_get(npurt_graph *graph)
{
	if (graph)
		atomic_fetch_add(&graph->refs, 1);
	return graph;
}

static void free_node(npurt_graph_node *node)
{
	rt_graph_put(node->body);
	rt_graph_put(node->otherwise);
	free(node->deps);
	free(node->data);
	if (rt_unlikely(rt_watched() & RT_WATCH_VALIDATE))
		rt_validate_gone(node);
	rt_object_free(node);
}

void rt_graph_put(npurt_graph *graph)
{
	npurt_context *context;

	if (!graph || atomic_fetch_sub(&graph->refs, 1) != 1)
		return;
	context = graph->context;
	for (unsigned int i = 0; i < graph->num_nodes; i++)
		free_node(graph->nodes[i]);
	free(graph->nodes);
	free(graph->sorted);
	rt_object_free(graph);
	pthread_mutex_lock(&context->lock);
	context->num_graphs--;
	pthread_mutex_unlock(&context->lock);
}

static int check_deps(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps)
{
	struct rt_diag *diag = &graph->context->diag;

	if (num_deps && !deps)
		return rt_fail(diag, NPURT_ERROR_INVALID, "dependencies are NULL");
	for (unsigned int i = 0; i < num_deps; i++) {
		if (!deps[i] || deps[i]->graph != graph)
			return rt_fail(diag, NPURT_ERROR_INVALID,
				       "dependency %u is no node of graph '%s'", i, graph->label);
	}
	return 0;
}

static void *copy_of(const void *data, size_t bytes)
{
	void *copy = bytes ? malloc(bytes) : NULL;

	if (copy)
		memcpy(copy, data, bytes);
	return copy;
}

static npurt_graph_node *new_node(npurt_graph_node *const *deps, unsigned int num_deps,
				  const npurt_graph_node *template)
{
	npurt_graph_node *node = malloc(sizeof(*node));

	if (!node)
		return NULL;
	*node = *template;
	node->data = copy_of(template->data, template->data_bytes);
	node->deps = copy_of(deps, num_deps * sizeof(deps[0]));
	if ((template->data_bytes && !node->data) || (num_deps && !node->deps)) {
		free(node->data);
		free(node->deps);
		free(node);
		return NULL;
	}
	node->num_deps = num_deps;
	node->body = rt_graph_get(template->body);
	node->otherwise = rt_graph_get(template->otherwise);
	rt_op_label(&template->op, node->label);
	node->op.name = node->label;
	node->op.label = NULL;
	if (node->op.kind == NPURT_COMMAND_KERNEL) {
		node->op.kernel.args = node->data;
		node->module = node->op.kernel.kernel->module->number;
	}
	return node;
}

static void link_node(npurt_graph *graph, npurt_graph_node *node)
{
	node->graph = graph;
	node->index = graph->num_nodes;
	node->level = 0;
	node->num_users = 0;
	for (unsigned int i = 0; i < node->num_deps; i++) {
		node->deps[i]->num_users++;
		if (node->level <= node->deps[i]->level)
			node->level = node->deps[i]->level + 1;
	}
	graph->nodes[graph->num_nodes++] = node;
}

int rt_graph_add(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
		 const npurt_graph_node *template, npurt_graph_node **result)
{
	const size_t bytes = (graph->num_nodes + 1) * sizeof(graph->nodes[0]);
	npurt_graph_node **nodes, *node;
	int err = check_deps(graph, deps, num_deps);

	if (err)
		return err;
	nodes = realloc(graph->nodes, bytes);
	if (nodes)
		graph->nodes = nodes;
	node = nodes ? new_node(deps, num_deps, template) : NULL;
	if (!node)
		return rt_fail(&graph->context->diag, NPURT_ERROR_HOST_MEMORY,
			       "allocate a node of graph '%s'", graph->label);
	if (!node->op.site.file)
		node->op.site = rt_call_site();
	link_node(graph, node);
	if (result)
		*result = node;
	return 0;
}

/* Is @part in @graph, at any depth? */
static bool contains(const npurt_graph *graph, const npurt_graph *part)
{
	if (!graph)
		return false;
	if (graph == part)
		return true;
	for (unsigned int i = 0; i < graph->num_nodes; i++) {
		if (contains(graph->nodes[i]->body, part) ||
		    contains(graph->nodes[i]->otherwise, part))
			return true;
	}
	return false;
}

static int check_body(const npurt_graph *graph, const npurt_graph *body)
{
	struct rt_diag *diag = &graph->context->diag;

	if (body->context != graph->context)
		return rt_fail(diag, NPURT_ERROR_INVALID, "graph '%s' is of another context",
			       body->label);
	if (contains(body, graph))
		return rt_fail(diag, NPURT_ERROR_INVALID, "graph '%s' would be a part of itself",
			       graph->label);
	return 0;
}

static int check_graph(const npurt_graph *graph)
{
	if (!graph)
		return NPURT_ERROR_INVALID;
	return rt_forked(graph->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_graph_create(npurt_context *context, const npurt_graph_attr *attr, npurt_graph **graph)
{
	npurt_graph_attr a;
	int err;

	if (!context || !graph)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&context->diag, "npurt_graph_attr", 0, &a, sizeof(a), attr);
	return err ? err : rt_graph_new(context, a.label, graph);
}

int npurt_graph_destroy(npurt_graph *graph)
{
	int err = check_graph(graph);

	if (!err)
		rt_graph_put(graph);
	return err;
}

/* Nodes. */

int npurt_graph_add_kernel(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			   npurt_kernel *kernel, uint32_t blocks, const void *args,
			   size_t args_size, const npurt_launch_attr *attr, npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_OP };
	npurt_launch_attr a;
	int err = check_graph(graph);

	if (!err)
		err = rt_launch_attr_take(&graph->context->diag, graph->context, attr, &a);
	if (!err)
		err = rt_launch_check(&graph->context->diag, graph->context, kernel, blocks, args,
				      args_size);
	if (err)
		return err;
	n.op = (struct rt_op){
		.kind = NPURT_COMMAND_KERNEL,
		.timeout_us = a.timeout_us,
		.tag = a.tag,
		.label = a.label ? a.label : kernel->name,
		.site = { a.file, a.line },
		.kernel = { .kernel = kernel, .args_bytes = (uint32_t)args_size, .blocks = blocks,
			    .max_cores = a.max_cores,
			    .strict = a.flags & NPURT_LAUNCH_STRICT || graph->context->canary,
			    .canary = graph->context->canary },
	};
	n.data = (void *)(uintptr_t)args;
	n.data_bytes = args_size;
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

/* @bytes of @memory from @offset on, which the device reads or writes. */
static int check_memory(npurt_graph *graph, const char *name, npurt_memory *memory,
			uint64_t offset, bool write, uint64_t bytes)
{
	const struct rt_region region = { memory, offset, 0 };

	return rt_region_check(&graph->context->diag, graph->context, name, &region, write, bytes,
			       1);
}

int npurt_graph_add_copy(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			 npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			 uint64_t src_offset, uint64_t bytes, npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_OP };
	int err = check_graph(graph);

	if (!err)
		err = check_memory(graph, "dst", dst, dst_offset, true, bytes);
	if (!err)
		err = check_memory(graph, "src", src, src_offset, false, bytes);
	if (err)
		return err;
	n.op = (struct rt_op){
		.kind = NPURT_COMMAND_COPY,
		.name = dst->label,
		.copy = { .dst = dst->va + dst_offset, .src = src->va + src_offset,
			  .row_bytes = bytes, .rows = 1 },
	};
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_fill(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			 npurt_memory *dst, uint64_t dst_offset, uint64_t pattern,
			 uint32_t pattern_bytes, uint64_t bytes, npurt_graph_node **node)
{
	const struct rt_region region = { dst, dst_offset, 0 };
	npurt_graph_node n = { .kind = RT_NODE_OP };
	int err = check_graph(graph);

	if (!err)
		err = rt_pattern_check(&graph->context->diag, pattern_bytes, &region, bytes);
	if (!err)
		err = check_memory(graph, "dst", dst, dst_offset, true, bytes);
	if (err)
		return err;
	n.op = (struct rt_op){
		.kind = NPURT_COMMAND_FILL,
		.name = dst->label,
		.fill = { .dst = dst->va + dst_offset, .row_bytes = bytes, .rows = 1,
			  .pattern = pattern, .pattern_bytes = pattern_bytes },
	};
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

static int check_value(npurt_graph *graph, npurt_memory *memory, uint64_t offset, bool write,
		       uint32_t bytes)
{
	return rt_value_check(&graph->context->diag, graph->context, memory, offset, write, bytes);
}

int npurt_graph_add_write(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			  npurt_memory *memory, uint64_t offset, uint64_t value, uint32_t bytes,
			  npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_OP };
	int err = check_graph(graph);

	if (!err)
		err = check_value(graph, memory, offset, true, bytes);
	if (err)
		return err;
	n.op = (struct rt_op){
		.kind = NPURT_COMMAND_WRITE,
		.name = memory->label,
		.write = { .address = memory->va + offset, .value = value, .bytes = bytes },
	};
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

static int take_test(npurt_graph *graph, npurt_memory *memory, uint64_t offset, uint64_t value,
		     uint32_t condition, struct rt_test *test)
{
	int err = rt_condition_check(&graph->context->diag, condition);

	if (!err)
		err = check_value(graph, memory, offset, false, 8);
	if (!err)
		*test = (struct rt_test){ memory->va + offset, value, condition };
	return err;
}

int npurt_graph_add_wait(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			 npurt_memory *memory, uint64_t offset, uint64_t value,
			 enum npurt_condition condition, uint32_t timeout_ms,
			 npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_OP };
	struct rt_test test;
	int err = check_graph(graph);

	if (!err)
		err = take_test(graph, memory, offset, value, condition, &test);
	if (!err)
		err = rt_timeout_take(&graph->context->diag, timeout_ms, &n.op.timeout_us);
	if (err)
		return err;
	n.op.kind = NPURT_COMMAND_WAIT;
	n.op.name = memory->label;
	n.op.sem = (struct npu_cmd_sem){ .address = test.address, .value = value, .op = condition };
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_reduce(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			   uint64_t src_offset, uint64_t count, enum npurt_dtype dtype,
			   enum npurt_reduce_op op, npurt_graph_node **node)
{
	const struct rt_reduction reduction = { dst, src, dst_offset, src_offset, count, dtype, op };
	npurt_graph_node n = { .kind = RT_NODE_OP };
	int err = check_graph(graph);

	if (!err)
		err = rt_reduction_take(&graph->context->diag, graph->context, &reduction, &n.op);
	return err ? err : rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_host_function(npurt_graph *graph, npurt_graph_node *const *deps,
				  unsigned int num_deps, npurt_host_fn fn, void *data,
				  npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_OP };
	int err = check_graph(graph);

	if (!err && !fn)
		err = rt_fail(&graph->context->diag, NPURT_ERROR_INVALID, "fn is NULL");
	if (err)
		return err;
	n.op.kind = NPURT_COMMAND_HOST_FUNCTION;
	n.op.host = (struct rt_op_host){ fn, data };
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_empty(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			  npurt_graph_node **node)
{
	const npurt_graph_node n = { .kind = RT_NODE_EMPTY };
	int err = check_graph(graph);

	return err ? err : rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_child(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			  npurt_graph *child, npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_CHILD, .body = child };
	int err = check_graph(graph);

	if (!err)
		err = child ? check_body(graph, child) : NPURT_ERROR_INVALID;
	if (err)
		return err;
	n.op.name = child->label;
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_conditional(npurt_graph *graph, npurt_graph_node *const *deps,
				unsigned int num_deps, const npurt_graph_conditional *conditional,
				npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_CONDITION };
	npurt_graph_conditional c;
	int err = check_graph(graph);

	if (!err)
		err = rt_attr_take(&graph->context->diag, "npurt_graph_conditional", 0, &c,
				   sizeof(c), conditional);
	if (!err && !c.body)
		err = rt_fail(&graph->context->diag, NPURT_ERROR_INVALID,
			      "npurt_graph_conditional.body is NULL");
	if (!err)
		err = take_test(graph, c.memory, c.offset, c.value, c.condition, &n.test);
	if (!err)
		err = check_body(graph, c.body);
	if (!err && c.otherwise)
		err = check_body(graph, c.otherwise);
	if (err)
		return err;
	n.body = c.body;
	n.otherwise = c.otherwise;
	n.op.name = c.memory->label;
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

int npurt_graph_add_loop(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
			 const npurt_graph_loop *loop, npurt_graph_node **node)
{
	npurt_graph_node n = { .kind = RT_NODE_LOOP };
	npurt_graph_loop l;
	int err = check_graph(graph);

	if (!err)
		err = rt_attr_take(&graph->context->diag, "npurt_graph_loop", 0, &l, sizeof(l),
				   loop);
	if (!err && (!l.body || (!l.rounds && !l.memory)))
		err = rt_fail(&graph->context->diag, NPURT_ERROR_INVALID,
			      "npurt_graph_loop needs a body, and rounds or a memory");
	if (!err)
		err = check_body(graph, l.body);
	if (!err)
		err = rt_timeout_take(&graph->context->diag, l.timeout_ms, &n.timeout_us);
	if (!err && l.rounds && l.memory)
		err = check_value(graph, l.memory, l.offset, true, 8);
	else if (!err && !l.rounds)
		err = take_test(graph, l.memory, l.offset, l.value, l.condition, &n.test);
	if (err)
		return err;
	n.rounds = l.rounds;
	n.counter = l.rounds && l.memory ? l.memory->va + l.offset : 0;
	n.body = l.body;
	n.op.name = l.rounds ? l.body->label : l.memory->label;
	return rt_graph_add(graph, deps, num_deps, &n, node);
}

unsigned int npurt_graph_node_count(const npurt_graph *graph)
{
	return graph ? graph->num_nodes : 0;
}

int npurt_graph_get_node(npurt_graph *graph, unsigned int index, npurt_graph_node **node)
{
	int err = check_graph(graph);

	if (err)
		return err;
	if (!node || index >= graph->num_nodes)
		return rt_fail(&graph->context->diag, NPURT_ERROR_INVALID,
			       "graph '%s' has %u nodes", graph->label, graph->num_nodes);
	*node = graph->nodes[index];
	return 0;
}

int npurt_graph_node_get_info(npurt_graph_node *node, npurt_graph_node_info *info)
{
	npurt_graph_node_info all = { .size = sizeof(all) };
	int err = node ? check_graph(node->graph) : NPURT_ERROR_INVALID;

	if (err)
		return err;
	all.command = node->op.kind;
	all.index = node->index;
	all.num_dependencies = node->num_deps;
	all.level = node->level;
	all.tag = node->op.tag;
	all.stream = node->stream;
	memcpy(all.label, node->label, sizeof(all.label));
	return rt_attr_give(&node->graph->context->diag, "npurt_graph_node_info", info, &all,
			    sizeof(all));
}
