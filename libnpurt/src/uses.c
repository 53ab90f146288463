// SPDX-License-Identifier: MIT
#include "uses.h"

#include "internal.h"

/* Words that the CPU and the device may tell each other something by while a kernel runs. */
#define WORD_BYTES 8

bool rt_find_memory(npurt_context *context, uint64_t address, struct rt_found *found)
{
	struct rt_list *node;

	*found = (struct rt_found){ NULL, 0, 0, false };
	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory) {
		const npurt_memory *m = rt_container(node, npurt_memory, link);

		if (!m->internal && address >= m->va && address - m->va < m->bytes)
			*found = (struct rt_found){ m, m->va, m->bytes, m->readonly };
	}
	pthread_mutex_unlock(&context->lock);
	return found->memory;
}

/* Areas. */

static bool overlap(const struct rt_area *a, const struct rt_area *b)
{
	uint64_t apart;

	if (a->start >= rt_area_end(b) || b->start >= rt_area_end(a))
		return false;
	if (a->rows == 1 && b->rows == 1)
		return true;
	/* Columns of one matrix need not meet; of two layouts it is not known. */
	if (a->rows == 1 || b->rows == 1 || a->pitch != b->pitch)
		return false;
	apart = (b->start - a->start) % a->pitch;
	return apart < a->row_bytes || a->pitch - apart < b->row_bytes;
}

/* Whatever a kernel uses of @some, it is in @all. */
static bool covers(const struct rt_use *all, const struct rt_use *some)
{
	const struct rt_area *a = &all->area, *b = &some->area;

	return (a->rows == 1 || a->pitch == a->row_bytes) && a->start <= b->start &&
	       rt_area_end(a) >= rt_area_end(b) && b->row_bytes > WORD_BYTES;
}

bool rt_uses_meet(const struct rt_use *a, const struct rt_use *b)
{
	if (a->extent == RT_USES_ALL && b->extent == RT_USES_ALL)
		return overlap(&a->area, &b->area);
	if (a->extent == RT_USES_ALL && b->extent == RT_USES_SOME)
		return covers(a, b);
	return a->extent == RT_USES_SOME && b->extent == RT_USES_ALL && covers(b, a);
}

/* Operations. */

static int use_pointer(npurt_context *context, const struct rt_op_kernel *kernel,
		       const struct npu_arg_desc *arg, rt_use_fn fn, void *data)
{
	struct rt_use use = {
		.area = { .rows = 1 },
		.write = arg->flags & NPU_ARG_WRITE,
		.extent = RT_USES_SOME,
		.argument = arg->name,
	};
	struct rt_found memory;

	if (arg->size != sizeof(use.area.start) ||
	    arg->offset + sizeof(use.area.start) > kernel->args_bytes)
		return 0;
	memcpy(&use.area.start, (const uint8_t *)kernel->args + arg->offset, arg->size);
	if (rt_find_memory(context, use.area.start, &memory))
		use.area.row_bytes = memory.start + memory.bytes - use.area.start;
	return fn(&use, data);
}

static int uses_of_kernel(npurt_context *context, const struct rt_op_kernel *kernel, rt_use_fn fn,
			  void *data)
{
	int err = 0;

	for (unsigned int i = 0; i < kernel->kernel->num_args && !err; i++) {
		const struct npu_arg_desc *arg = &kernel->kernel->args[i];

		if (arg->flags & NPU_ARG_ADDRESS)
			err = use_pointer(context, kernel, arg, fn, data);
	}
	return err;
}

static bool is_empty(const struct rt_area *area)
{
	return !area->rows || !area->row_bytes;
}

int rt_uses_of(npurt_context *context, const struct rt_op *op, rt_use_fn fn, void *data)
{
	struct rt_use to = { .write = true }, from = { .write = false };
	int err;

	switch (op->kind) {
	case NPURT_COMMAND_KERNEL:
		return uses_of_kernel(context, &op->kernel, fn, data);
	case NPURT_COMMAND_COPY:
		to.area = (struct rt_area){ op->copy.dst, op->copy.row_bytes, op->copy.rows,
					    op->copy.dst_pitch };
		from.area = (struct rt_area){ op->copy.src, op->copy.row_bytes, op->copy.rows,
					      op->copy.src_pitch };
		break;
	case NPURT_COMMAND_REDUCE:
		to.area = (struct rt_area){ op->reduce.dst, op->reduce.bytes, 1, 0 };
		from.area = (struct rt_area){ op->reduce.src, op->reduce.bytes, 1, 0 };
		break;
	case NPURT_COMMAND_FILL:
		to.area = (struct rt_area){ op->fill.dst, op->fill.row_bytes, op->fill.rows,
					    op->fill.dst_pitch };
		break;
	case NPURT_COMMAND_WAIT:
		/* To change such a word meanwhile is what it is there for. */
		from.area = (struct rt_area){ op->sem.address, sizeof(op->sem.value), 1, 0 };
		from.extent = RT_USES_PERHAPS;
		break;
	default:
		return 0;
	}
	err = is_empty(&to.area) ? 0 : fn(&to, data);
	return err || is_empty(&from.area) ? err : fn(&from, data);
}
