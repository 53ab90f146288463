// SPDX-License-Identifier: MIT
/* Tensors: views, and the checks that operators make of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define NO_TYPE UINT32_MAX

static uint32_t type_bits(uint32_t dtype)
{
	switch (dtype) {
	case NPUOP_F32:
	case NPUOP_S32:
		return 32;
	case NPUOP_F16:
	case NPUOP_BF16:
	case NPUOP_S16:
		return 16;
	case NPUOP_S8:
	case NPUOP_U8:
		return 8;
	case NPUOP_S4:
		return 4;
	default:
		return 0;
	}
}

static const char *type_name(uint32_t dtype)
{
	static const char *const names[] = { "F32", "F16", "BF16", "S32", "S8", "U8", "S16" };

	if (dtype < sizeof(names) / sizeof(names[0]))
		return names[dtype];
	return dtype == NPUOP_S4 ? "S4" : "unknown";
}

uint64_t npuop_dtype_bytes(enum npuop_dtype dtype, uint64_t elements)
{
	/* Not the other way round, which overflows sooner. */
	return type_bits(dtype) == 4 ? elements / 2 : elements * (type_bits(dtype) / 8);
}

npuop_tensor npuop_tensor_dense(npurt_memory *memory, uint64_t offset, enum npuop_dtype dtype,
				uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t = { .memory = memory, .offset = offset, .dtype = dtype, .rank = rank };
	uint64_t stride = 1;

	if (rank > NPUOP_MAX_RANK)
		return t;
	for (uint32_t i = rank; i--; stride *= shape[i]) {
		t.shape[i] = shape[i];
		t.stride[i] = stride;
	}
	return t;
}

/* What no operator takes. */
static npuop_tensor no_tensor(void)
{
	return (npuop_tensor){ .dtype = NO_TYPE };
}

npuop_tensor npuop_tensor_transpose(const npuop_tensor *tensor, uint32_t dim0, uint32_t dim1)
{
	npuop_tensor t = *tensor;

	if (t.rank > NPUOP_MAX_RANK || dim0 >= t.rank || dim1 >= t.rank)
		return no_tensor();
	t.shape[dim0] = tensor->shape[dim1];
	t.stride[dim0] = tensor->stride[dim1];
	t.shape[dim1] = tensor->shape[dim0];
	t.stride[dim1] = tensor->stride[dim0];
	return t;
}

npuop_tensor npuop_tensor_slice(const npuop_tensor *tensor, uint32_t dim, uint64_t begin,
				uint64_t count)
{
	npuop_tensor t = *tensor;

	if (t.rank > NPUOP_MAX_RANK || dim >= t.rank || begin > t.shape[dim] ||
	    count > t.shape[dim] - begin)
		return no_tensor();
	/* Half a byte is no offset. */
	if (t.dtype == NPUOP_S4 && begin * t.stride[dim] % 2)
		return no_tensor();
	t.offset += npuop_dtype_bytes(t.dtype, begin * t.stride[dim]);
	t.shape[dim] = count;
	return t;
}

npuop_tensor npuop_tensor_reshape(const npuop_tensor *tensor, uint32_t rank, const uint64_t *shape)
{
	const npuop_tensor t =
		npuop_tensor_dense(tensor->memory, tensor->offset, tensor->dtype, rank, shape);

	if (tensor->rank > NPUOP_MAX_RANK || rank > NPUOP_MAX_RANK || !op_is_dense(tensor) ||
	    npuop_tensor_elements(&t) != npuop_tensor_elements(tensor))
		return no_tensor();
	return t;
}

uint64_t npuop_tensor_elements(const npuop_tensor *tensor)
{
	uint64_t count = 1;

	for (uint32_t i = 0; i < tensor->rank && i < NPUOP_MAX_RANK; i++)
		count *= tensor->shape[i];
	return count;
}

uint64_t op_address(const npuop_tensor *tensor)
{
	return tensor ? npurt_memory_address(tensor->memory) + tensor->offset : 0;
}

/* Elements from the first to behind the last; false if there are too many to say in bits. */
static bool extent(const npuop_tensor *t, uint64_t *count)
{
	uint64_t step, last = 0;

	*count = 0;
	for (uint32_t i = 0; i < t->rank; i++)
		if (!t->shape[i])
			return true;
	for (uint32_t i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &step) ||
		    __builtin_add_overflow(last, step, &last))
			return false;
	*count = last + 1;
	return last < UINT64_MAX / 64;
}

uint64_t op_span(const npuop_tensor *tensor)
{
	uint64_t count;

	if (!extent(tensor, &count))
		return UINT64_MAX;
	return (count * type_bits(tensor->dtype) + 7) / 8;
}

/* Of a tensor whose form is good: does it lie in its memory? */
static int check_place(npuop *ops, const char *name, const npuop_tensor *t)
{
	const uint64_t size = npurt_memory_size(t->memory), span = op_span(t);
	const uint32_t bytes = type_bits(t->dtype) > 8 ? type_bits(t->dtype) / 8 : 1;

	if (t->offset % bytes)
		return op_fail(ops, NPURT_ERROR_INVALID,
			       "%s: offset %" PRIu64 " is not a multiple of the element's %u bytes",
			       name, t->offset, bytes);
	if (span && (t->offset > size || span > size - t->offset))
		return op_fail(ops, NPURT_ERROR_RANGE,
			       "%s: %" PRIu64 " bytes at offset %" PRIu64
			       " of memory that has %" PRIu64,
			       name, span, t->offset, size);
	return 0;
}

int op_read(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t types)
{
	uint64_t count = 1;

	if (!ops)
		return NPURT_ERROR_INVALID;
	if (!tensor)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s is NULL", name);
	if (!type_bits(tensor->dtype))
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: there is no dtype %u", name,
			       tensor->dtype);
	if (!(types & OP_TYPE(tensor->dtype)))
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: %s is not a type for it", name,
			       type_name(tensor->dtype));
	if (tensor->rank > NPUOP_MAX_RANK)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: rank %u, more than %u", name,
			       tensor->rank, NPUOP_MAX_RANK);
	if (!tensor->memory)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: memory is NULL", name);
	if (npurt_memory_context(tensor->memory) != ops->context)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: its memory is of another context",
			       name);
	for (uint32_t i = 0; i < tensor->rank; i++)
		if (__builtin_mul_overflow(count, tensor->shape[i], &count))
			return op_fail(ops, NPURT_ERROR_INVALID, "%s: more than 2^64 elements",
				       name);
	return check_place(ops, name, tensor);
}

/* In ascending order of strides each dimension has to step over all of those before it. */
static bool writes_twice(const npuop_tensor *t)
{
	uint64_t reach = 0, step;
	uint32_t done = 0;

	for (uint32_t n = 0; n < t->rank; n++) {
		uint32_t least = NPUOP_MAX_RANK;

		for (uint32_t i = 0; i < t->rank; i++)
			if (!(done & 1u << i) &&
			    (least == NPUOP_MAX_RANK || t->stride[i] < t->stride[least]))
				least = i;
		done |= 1u << least;
		if (t->shape[least] == 1)
			continue;
		if (t->stride[least] <= reach)
			return true;
		step = (t->shape[least] - 1) * t->stride[least];
		reach += step;
	}
	return false;
}

int op_write(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t types)
{
	int err = op_read(ops, name, tensor, types);

	if (!err && npuop_tensor_elements(tensor) && writes_twice(tensor))
		err = op_fail(ops, NPURT_ERROR_INVALID,
			      "%s: strides by which elements lie over each other", name);
	return err;
}

int op_rank(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t rank)
{
	if (tensor->rank == rank)
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "%s: rank %u, not %u", name, tensor->rank, rank);
}

struct shape_text {
	char text[NPUOP_MAX_RANK * 22 + 3];
};

static struct shape_text shape_text(uint32_t rank, const uint64_t *shape)
{
	struct shape_text out;
	size_t at = 0;

	for (uint32_t i = 0; i < rank; i++)
		at += (size_t)snprintf(out.text + at, sizeof(out.text) - at, "%s%" PRIu64,
				       i ? ", " : "[", shape[i]);
	snprintf(out.text + at, sizeof(out.text) - at, rank ? "]" : "[]");
	return out;
}

int op_shape(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t rank,
	     const uint64_t *shape)
{
	if (tensor->rank == rank && !memcmp(tensor->shape, shape, rank * sizeof(*shape)))
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "%s: shape %s, not %s", name,
		       shape_text(tensor->rank, tensor->shape).text, shape_text(rank, shape).text);
}

int op_same(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
	    const npuop_tensor *other)
{
	if (tensor->rank == other->rank &&
	    !memcmp(tensor->shape, other->shape, tensor->rank * sizeof(*tensor->shape)))
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "%s: shape %s, not %s as %s", name,
		       shape_text(tensor->rank, tensor->shape).text,
		       shape_text(other->rank, other->shape).text, other_name);
}

bool op_is_dense(const npuop_tensor *tensor)
{
	uint64_t stride = 1;

	for (uint32_t i = tensor->rank; i--; stride *= tensor->shape[i])
		if (tensor->shape[i] > 1 && tensor->stride[i] != stride)
			return false;
	return true;
}

int op_dense(npuop *ops, const char *name, const npuop_tensor *tensor)
{
	if (op_is_dense(tensor))
		return 0;
	return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: is not dense", name);
}

bool op_has_rows(const npuop_tensor *tensor)
{
	const uint32_t last = tensor->rank - 1;

	return !tensor->rank || tensor->shape[last] <= 1 || tensor->stride[last] == 1;
}

int op_inner(npuop *ops, const char *name, const npuop_tensor *tensor)
{
	if (op_has_rows(tensor))
		return 0;
	return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
		       "%s: the last dimension has a stride of %" PRIu64
		       ", not 1: npuop_copy() makes a dense tensor of it",
		       name, tensor->stride[tensor->rank - 1]);
}

/* Bytes that dimensions with strides below @period reach; 0 if others are no multiples of it. */
static uint64_t reach_within(const npuop_tensor *t, uint64_t period)
{
	const uint64_t bytes = npuop_dtype_bytes(t->dtype, 2) / 2;
	uint64_t reach = bytes;

	for (uint32_t i = 0; i < t->rank; i++) {
		if (t->shape[i] == 1)
			continue;
		if (t->stride[i] * bytes < period)
			reach += (t->shape[i] - 1) * t->stride[i] * bytes;
		else if (t->stride[i] * bytes % period)
			return 0;
	}
	return reach;
}

/* Do two tensors keep to different parts of a period, as slices of one tensor do? */
static bool take_turns(const npuop_tensor *a, const npuop_tensor *b)
{
	const npuop_tensor *low = op_address(a) < op_address(b) ? a : b;
	const npuop_tensor *high = low == a ? b : a;
	const uint64_t bytes = npuop_dtype_bytes(a->dtype, 2) / 2;

	for (uint32_t i = 0; i < a->rank; i++) {
		const uint64_t period = a->stride[i] * bytes;
		uint64_t low_reach, high_reach, at;

		if (!period)
			continue;
		low_reach = reach_within(low, period);
		high_reach = reach_within(high, period);
		at = (op_address(high) - op_address(low)) % period;
		if (low_reach && high_reach && at >= low_reach && high_reach <= period - at)
			return true;
	}
	return false;
}

int op_apart(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
	     const npuop_tensor *other)
{
	const uint64_t a = op_address(tensor), b = op_address(other);
	const uint64_t a_end = a + op_span(tensor), b_end = b + op_span(other);

	if (a_end == a || b_end == b || a_end <= b || b_end <= a || take_turns(tensor, other))
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "%s lies over %s", name, other_name);
}
