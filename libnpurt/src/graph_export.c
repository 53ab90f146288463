// SPDX-License-Identifier: MIT
/*
 * Graphs as text: DOT for people, JSON for programs.
 */
#include "graph.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>

struct writer {
	struct rt_output out;
	unsigned int next_id; /* of graphs within graphs */
};

/* Of a label, for both formats. */
static const char *quoted(const char *label, char text[6 * NPURT_LABEL_SIZE])
{
	char *to = text;

	for (; *label; label++) {
		if (*label == '"' || *label == '\\')
			*to++ = '\\';
		if ((unsigned char)*label >= ' ')
			*to++ = *label;
		else
			to += sprintf(to, "\\u%04x", *label);
	}
	*to = '\0';
	return text;
}

static const char *kind_name(const npurt_graph_node *node)
{
	static const char *const operations[] = {
		[NPURT_COMMAND_KERNEL] = "kernel",	[NPURT_COMMAND_COPY] = "copy",
		[NPURT_COMMAND_FILL] = "fill",		[NPURT_COMMAND_REDUCE] = "reduce",
		[NPURT_COMMAND_WRITE] = "write",	[NPURT_COMMAND_WAIT] = "wait",
		[NPURT_COMMAND_HOST_FUNCTION] = "host",
	};

	switch (node->kind) {
	case RT_NODE_EMPTY:
		return "empty";
	case RT_NODE_CHILD:
		return "child";
	case RT_NODE_CONDITION:
		return "conditional";
	case RT_NODE_LOOP:
		return "loop";
	default:
		return node->op.kind == NPURT_COMMAND_COPY && node->data_bytes
			       ? "upload"
			       : operations[node->op.kind];
	}
}

static void dot_graph(struct writer *writer, const npurt_graph *graph, unsigned int id);

static void dot_body(struct writer *writer, const npurt_graph_node *node, const npurt_graph *body,
		     unsigned int id, const char *edge)
{
	char label[6 * NPURT_LABEL_SIZE];
	const unsigned int inner = ++writer->next_id;

	if (!body)
		return;
	rt_put(&writer->out, "subgraph cluster_%u {\nlabel=\"%s\";\ng%u [shape=point];\n", inner,
	       quoted(body->label, label), inner);
	dot_graph(writer, body, inner);
	rt_put(&writer->out, "}\nn%u_%u -> g%u [style=dashed,label=\"%s\"];\n", id, node->index,
	       inner, edge);
}

static void dot_graph(struct writer *writer, const npurt_graph *graph, unsigned int id)
{
	char label[6 * NPURT_LABEL_SIZE];

	for (unsigned int i = 0; i < graph->num_nodes; i++) {
		const npurt_graph_node *node = graph->nodes[i];

		rt_put(&writer->out, "n%u_%u [label=\"%u: %s\\n%s\"];\n", id, i, i, kind_name(node),
		       quoted(node->label, label));
		for (unsigned int j = 0; j < node->num_deps; j++)
			rt_put(&writer->out, "n%u_%u -> n%u_%u;\n", id, node->deps[j]->index, id,
			       i);
		dot_body(writer, node, node->body, id, node->kind == RT_NODE_CONDITION ? "if" : "");
		dot_body(writer, node, node->otherwise, id, "else");
	}
}

static void json_graph(struct writer *writer, const npurt_graph *graph);

static void json_details(struct writer *writer, const npurt_graph_node *node)
{
	const struct rt_op *op = &node->op;

	if (node->kind == RT_NODE_CONDITION || (node->kind == RT_NODE_LOOP && !node->rounds))
		rt_put(&writer->out,
		       ",\"address\":%" PRIu64 ",\"value\":%" PRIu64 ",\"condition\":%u",
		       node->test.address, node->test.value, node->test.condition);
	if (node->kind == RT_NODE_LOOP && node->rounds)
		rt_put(&writer->out, ",\"rounds\":%" PRIu64, node->rounds);
	if (node->kind != RT_NODE_OP)
		return;
	if (op->tag)
		rt_put(&writer->out, ",\"tag\":%" PRIu64, op->tag);
	if (op->kind == NPURT_COMMAND_KERNEL)
		rt_put(&writer->out, ",\"blocks\":%u,\"args_bytes\":%u", op->kernel.blocks,
		       op->kernel.args_bytes);
	else if (op->kind == NPURT_COMMAND_COPY)
		rt_put(&writer->out, ",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64,
		       (uint64_t)op->copy.row_bytes, (uint64_t)op->copy.rows);
	else if (op->kind == NPURT_COMMAND_FILL)
		rt_put(&writer->out, ",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64,
		       (uint64_t)op->fill.row_bytes, (uint64_t)op->fill.rows);
}

static void json_node(struct writer *writer, const npurt_graph_node *node)
{
	char label[6 * NPURT_LABEL_SIZE];

	rt_put(&writer->out, "%s{\"index\":%u,\"kind\":\"%s\",\"label\":\"%s\",\"level\":%u",
	       node->index ? ",\n" : "\n", node->index, kind_name(node), quoted(node->label, label),
	       node->level);
	if (node->stream)
		rt_put(&writer->out, ",\"stream\":%u", node->stream);
	json_details(writer, node);
	rt_put(&writer->out, ",\"dependencies\":[");
	for (unsigned int i = 0; i < node->num_deps; i++)
		rt_put(&writer->out, "%s%u", i ? "," : "", node->deps[i]->index);
	rt_put(&writer->out, "]");
	if (node->body) {
		rt_put(&writer->out, ",\"body\":");
		json_graph(writer, node->body);
	}
	if (node->otherwise) {
		rt_put(&writer->out, ",\"otherwise\":");
		json_graph(writer, node->otherwise);
	}
	rt_put(&writer->out, "}");
}

static void json_graph(struct writer *writer, const npurt_graph *graph)
{
	char label[6 * NPURT_LABEL_SIZE];

	rt_put(&writer->out, "{\"label\":\"%s\",\"nodes\":[", quoted(graph->label, label));
	for (unsigned int i = 0; i < graph->num_nodes; i++)
		json_node(writer, graph->nodes[i]);
	rt_put(&writer->out, "]}");
}

static int check(const npurt_graph *graph, npurt_write_fn write)
{
	if (!graph || !write)
		return NPURT_ERROR_INVALID;
	return rt_forked(graph->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_graph_write_dot(npurt_graph *graph, npurt_write_fn write, void *data)
{
	struct writer writer = { .out = { .write = write, .data = data } };
	char label[6 * NPURT_LABEL_SIZE];
	int err = check(graph, write);

	if (err)
		return err;
	rt_put(&writer.out, "digraph \"%s\" {\nnode [shape=box];\n", quoted(graph->label, label));
	dot_graph(&writer, graph, 0);
	rt_put(&writer.out, "}\n");
	return writer.out.error;
}

int npurt_graph_write_json(npurt_graph *graph, npurt_write_fn write, void *data)
{
	struct writer writer = { .out = { .write = write, .data = data } };
	int err = check(graph, write);

	if (err)
		return err;
	json_graph(&writer, graph);
	rt_put(&writer.out, "\n");
	return writer.out.error;
}
