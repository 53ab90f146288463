/* SPDX-License-Identifier: MIT */
/*
 * Graphs: what a stream would be given, kept, to be given again and again.
 *
 * A graph is what the program builds or captures; it is changed by one thread at a time. An
 * executable of it is a command list in memory of its own, and any stream may run it.
 */
#ifndef NPURT_GRAPH_H
#define NPURT_GRAPH_H

#include "internal.h"

enum rt_node_kind {
	RT_NODE_OP,
	RT_NODE_EMPTY,
	RT_NODE_CHILD,
	RT_NODE_CONDITION,
	RT_NODE_LOOP,
};

/* A word of memory that is compared. */
struct rt_test {
	uint64_t address, value;
	uint32_t condition;
};

struct npurt_graph_node {
	npurt_graph *graph;
	unsigned int index; /* in graph->nodes; those it depends on have lower ones */
	unsigned int level; /* length of the longest way to it */
	enum rt_node_kind kind;
	struct rt_op op;
	uint64_t module; /* of a kernel, by its number: the address may be another one's later */
	void *data; /* arguments of a kernel, or what an upload copies */
	uint64_t data_bytes;
	char label[NPURT_LABEL_SIZE];
	uint32_t stream; /* that it was captured on; 0: none */
	npurt_graph_node **deps;
	unsigned int num_deps, num_users;
	/* Of conditions, loops and children: */
	npurt_graph *body, *otherwise;
	struct rt_test test;
	uint64_t rounds; /* of a loop that counts; 0: it tests */
	uint64_t counter; /* address; 0: the executable's own */
	uint32_t timeout_us; /* of all rounds */
};

struct npurt_graph {
	npurt_context *context;
	atomic_uint refs; /* of the handle, of graphs that it is a part of, of executables */
	npurt_graph_node **nodes, **sorted; /* as they were made, and as they run */
	unsigned int num_nodes;
	char label[NPURT_LABEL_SIZE];
};

/* graph.c */
int rt_graph_new(npurt_context *context, const char *label, npurt_graph **graph);
npurt_graph *rt_graph_get(npurt_graph *graph);
void rt_graph_put(npurt_graph *graph);
/*
 * Adds a copy of @template: its kind, operation, data and what else is set. The node takes
 * references to its bodies.
 */
int rt_graph_add(npurt_graph *graph, npurt_graph_node *const *deps, unsigned int num_deps,
		 const npurt_graph_node *template, npurt_graph_node **node);

/* graph_encode.c */

/* Where a node's first command and its data are in an executable. */
struct rt_place {
	const npurt_graph_node *node;
	uint32_t command;
	bool conditional; /* in the body of a condition or loop */
	uint64_t data; /* offset */
};

/* A word of a command that holds an address in the executable's own memory. */
struct rt_reloc {
	uint32_t command, word;
};

/* Commands that are handed over at once, and the host function that comes after them. */
struct rt_segment {
	uint32_t first, count;
	const npurt_graph_node *host; /* NULL: none */
};

/* A graph as commands; all of it is for the executable to keep. */
struct rt_program {
	struct rt_place *places;
	struct rt_task *tasks; /* by command */
	struct rt_reloc *relocs;
	struct rt_segment *segments;
	uint32_t num_places, num_commands, num_relocs, num_counters;
	uint32_t num_segments, num_hosts;
	uint32_t num_barriers; /* commands that wait for those before them */
	uint64_t counters, data, bytes; /* offsets: commands are at 0 */
	bool has_kernels, has_branches;
};

/* What it takes; allocates the arrays. */
int rt_program_measure(struct rt_program *program, npurt_graph *graph);
/* Writes the commands to @map, which the device sees at @va; their tags are @tag and up. */
void rt_program_write(struct rt_program *program, npurt_graph *graph, void *map, uint64_t va,
		      uint64_t tag);
void rt_program_free(struct rt_program *program);

/*
 * validate_graph.c, under the locks of executable and stream: an error if it must not be
 * launched.
 */
int rt_validate_launch(npurt_stream *stream, const npurt_graph_exec *exec,
		       const struct rt_program *program, const uint8_t *image);
/* Until others change memory. */
bool rt_program_waits(const struct rt_program *program);

/* graph_exec.c: calls @fn for launches that have not ended, under the context's lock. */
typedef void (*rt_graph_launch_fn)(npurt_stream *stream, uint64_t point,
				   const struct npu_cmd *commands, uint32_t count, void *data);
void rt_graph_each_in_flight(npurt_context *context, rt_graph_launch_fn fn, void *data);

#endif /* NPURT_GRAPH_H */
