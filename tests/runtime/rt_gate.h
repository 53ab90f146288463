/* SPDX-License-Identifier: MIT */
/* Work that ends when the test says so: a graph that waits for a word in memory. */
#ifndef RT_GATE_H
#define RT_GATE_H

#include "rt_test.h"

struct gate {
	npurt_memory *memory;
	npurt_graph *graph;
	npurt_graph_exec *exec;
};

static inline struct gate gate_make(npurt_context *context)
{
	struct gate g = { memory(context, NPURT_PLACE_HOST, 4096, "gate"), NULL, NULL };

	NEED(npurt_graph_create(context, NULL, &g.graph));
	NEED(npurt_graph_add_wait(g.graph, NULL, 0, g.memory, 0, 1, NPURT_CONDITION_GE, 0, NULL));
	NEED(npurt_graph_instantiate(g.graph, NULL, &g.exec));
	return g;
}

static inline void gate_open(struct gate *g, bool open)
{
	__atomic_store_n((uint64_t *)mapped(g->memory), open, __ATOMIC_RELEASE);
}

static inline void gate_free(struct gate *g)
{
	NEED(npurt_graph_exec_destroy(g->exec));
	NEED(npurt_graph_destroy(g->graph));
	NEED(npurt_memory_destroy(g->memory));
}

#endif /* RT_GATE_H */
