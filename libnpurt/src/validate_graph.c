// SPDX-License-Identifier: MIT
/*
 * Launches of graphs: what their nodes refer to must be there, and what they use in order with
 * what other streams have in flight.
 */
#include "graph.h"
#include "race.h"

#include <inttypes.h>
#include <stdio.h>

/* A node at its place in the executable. */
struct visit {
	struct rt_user *user;
	const struct rt_handle_record *exec;
	uint64_t known; /* what was there then is what the node refers to */
	const struct rt_place *place;
};

/* As the executable has it after its updates. */
static struct rt_op op_of(const struct rt_place *place, const uint8_t *image)
{
	struct rt_op op = place->node->op;

	if (op.kind == NPURT_COMMAND_KERNEL)
		op.kernel.args = image + place->data;
	else
		memcpy(op.payload, ((const struct npu_cmd *)(const void *)image +
				    place->command)->raw, sizeof(op.payload));
	return op;
}

static int report(const struct visit *v, const char *what, const struct rt_handle_record *record)
{
	char place[RT_PLACE_BYTES];

	rt_site_describe(&record->destroyed, place, sizeof(place));
	return rt_validate_report(v->user->call, v->exec->device,
				  "%s %s '%s', which was destroyed by %s at %s; it was %s, and the "
				  "executable %s", v->user->who, what, record->label,
				  record->destroyer, place, rt_validate_maker(record),
				  rt_validate_maker(v->exec));
}

/* Memory at an address that is gone, and was there when the node was made. */
struct search {
	const void *context;
	uint64_t address, known;
	const struct rt_handle_record *found;
};

static void look_at_record(struct rt_handle_record *record, void *data)
{
	struct search *search = data;

	if (record->kind == RT_OBJECT_MEMORY && !record->alive &&
	    record->context == search->context && record->born < search->known &&
	    record->died > search->known && search->address >= record->start &&
	    search->address - record->start < record->bytes)
		search->found = record;
}

static int check_memory(const struct rt_use *use, void *data)
{
	const struct visit *v = data;
	npurt_context *context = v->user->stream->context;
	struct search search = { context, use->area.start, v->known, NULL };
	const struct rt_handle_record *now;
	struct rt_found found;

	if (rt_find_memory(context, use->area.start, &found)) {
		now = rt_validate_find(found.memory);
		if (!now || !now->alive || now->born < v->known)
			return 0;
	}
	rt_validate_for_each(look_at_record, &search);
	return search.found ? report(v, "refers to memory", search.found) : 0;
}

static void name_node(struct visit *v)
{
	const npurt_graph_node *node = v->place->node;
	const struct rt_handle_record *record = rt_validate_find(node);
	char place[RT_PLACE_BYTES];

	rt_site_describe(&node->op.site, place, sizeof(place));
	snprintf(v->user->who, sizeof(v->user->who), "node %u '%s', of %s,", node->index,
		 node->label, place);
	v->user->perhaps = v->place->conditional;
	v->known = v->exec->born;
	if (record && record->alive && record->changed > v->known)
		v->known = record->changed;
}

/* One whose kernel is gone uses nothing that could be known. */
static bool has_kernel(const struct visit *v, const struct rt_op *op, int *err)
{
	const struct rt_handle_record *record;

	if (op->kind != NPURT_COMMAND_KERNEL)
		return true;
	record = rt_validate_find(op->kernel.kernel);
	if (!record || (record->alive && record->born < v->exec->born))
		return true;
	if (!record->alive && !v->place->conditional)
		*err = report(v, "is of kernel", record);
	return false;
}

static int check_place(struct visit *v, const struct rt_op *op)
{
	int err = 0;

	name_node(v);
	if (!has_kernel(v, op, &err))
		return err;
	if (!v->place->conditional)
		err = rt_uses_of(v->user->stream->context, op, check_memory, v);
	if (!err && !v->place->conditional && op->kind == NPURT_COMMAND_KERNEL)
		err = rt_validate_args(v->user, &op->kernel);
	return err ? err : rt_race_check(v->user, op);
}

static void add_place(struct visit *v, const struct rt_op *op)
{
	int err = 0;

	name_node(v);
	if (has_kernel(v, op, &err) && !err)
		rt_race_add(v->user, op);
}

static int check_launch(struct visit *v, const struct rt_program *p, const uint8_t *image)
{
	for (uint32_t i = 0; i < p->num_places; i++) {
		const struct rt_op op = op_of(&p->places[i], image);
		int err;

		v->place = &p->places[i];
		err = check_place(v, &op);
		if (err)
			return err;
	}
	for (uint32_t i = 0; i < p->num_places; i++) {
		const struct rt_op op = op_of(&p->places[i], image);

		v->place = &p->places[i];
		add_place(v, &op);
	}
	return 0;
}

int rt_validate_launch(npurt_stream *stream, const npurt_graph_exec *exec,
		       const struct rt_program *program, const uint8_t *image)
{
	struct rt_user user;
	struct visit v = { .user = &user };
	int err = 0;

	rt_validate_lock();
	v.exec = rt_validate_find(exec);
	if (rt_race_begin(&user, stream) && v.exec && v.exec->alive)
		err = check_launch(&v, program, image);
	rt_validate_unlock();
	return err;
}

bool rt_program_waits(const struct rt_program *program)
{
	for (uint32_t i = 0; i < program->num_places; i++) {
		if (program->places[i].node->op.kind == NPURT_COMMAND_WAIT)
			return true;
	}
	return program->has_branches;
}
