// SPDX-License-Identifier: MIT
/* npuop_unary(), npuop_binary() and the like: the checks and types; walk.c has the geometry. */
#include <math.h>
#include <string.h>

#include "transpose.h"
#include "walk.h"

#define LEAST_TILES 2 /* that are worth a block */
#define SIGNED (OP_ALL_TYPES & ~OP_TYPE(NPUOP_U8))

_Static_assert((int)NPUOP_GELU_TANH == (int)NPU_OP_GELU_TANH, "unary operations differ");
_Static_assert((int)NPUOP_GE == (int)NPU_OP_GE, "binary operations differ");

/* A call: its operation, the result, and up to three inputs. */
struct call {
	const char *out_name;
	const npuop_tensor *out;
	struct {
		const char *name;
		const npuop_tensor *tensor;
	} in[NPU_OP_INPUTS];
	uint32_t inputs;
	uint32_t op, dtype, scalar;
};

static int launch(npuop *ops, const struct call *call)
{
	struct npu_op_elementwise_args args = {
		.op = call->op,
		.dtype = call->dtype,
		.inputs = call->inputs,
		.scalar = call->scalar,
	};
	const npuop_tensor *tensors[OP_WALK_TENSORS] = { call->out };
	struct npu_op_operand *operands[OP_WALK_TENSORS] = { &args.out };
	npuop_tensor turned[NPU_OP_INPUTS];
	struct op_dims dims;
	uint64_t used = 0;

	if (!npuop_tensor_elements(call->out))
		return 0;
	for (uint32_t i = 0; i < call->inputs; i++) {
		int err = 0;

		tensors[1 + i] = call->in[i].tensor;
		operands[1 + i] = &args.in[i];
		if (op_turn(ops, call->out, call->in[i].tensor, &used, &turned[i], &err))
			tensors[1 + i] = &turned[i];
		if (err)
			return err;
	}
	dims = op_dims(tensors, 1 + call->inputs);
	args.walk = op_walk(&dims, tensors, operands, 1 + call->inputs);
	return op_launch(ops, OP_KERNEL_op_elementwise,
			 op_blocks(ops, op_walk_tiles(&args.walk), LEAST_TILES), &args,
			 sizeof(args));
}

/* Forms, shapes and places of all tensors. */
static int check(npuop *ops, const struct call *call, uint32_t out_types, uint32_t in_types)
{
	int err = op_write(ops, call->out_name, call->out, out_types);

	for (uint32_t i = 0; !err && i < call->inputs; i++) {
		const npuop_tensor *in = call->in[i].tensor;

		err = op_read(ops, call->in[i].name, in, in_types);
		if (!err)
			err = op_repeats(ops, call->in[i].name, in, call->out_name, call->out);
		if (!err)
			err = op_over(ops, call->out, call->in[i].name, in);
	}
	return err;
}

static int type_error(npuop *ops, const char *name, const char *other)
{
	return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
		       "%s: its type does not go with that of %s: integers of one type, or floats",
		       name, other);
}

/* The type of the arithmetic: that of all, or F32 where floats are mixed. */
static int common_type(npuop *ops, struct call *call, uint32_t first)
{
	call->dtype = call->in[first].tensor->dtype;
	for (uint32_t i = first + 1; i < call->inputs; i++) {
		const uint32_t dtype = call->in[i].tensor->dtype;

		if (dtype == call->dtype)
			continue;
		if (!op_is_float(dtype) || !op_is_float(call->dtype))
			return type_error(ops, call->in[i].name, call->in[first].name);
		call->dtype = NPUOP_F32;
	}
	return 0;
}

/* And of the result, where that is no other one by nature. */
static int result_type(npuop *ops, struct call *call, uint32_t first)
{
	const uint32_t dtype = call->out->dtype;

	if (dtype == call->dtype)
		return 0;
	if (!op_is_float(dtype) || !op_is_float(call->dtype))
		return type_error(ops, call->out_name, call->in[first].name);
	call->dtype = NPUOP_F32;
	return 0;
}

static int no_operation(npuop *ops, uint32_t op)
{
	return op_fail(ops, NPURT_ERROR_INVALID, "op: there is no operation %u", op);
}

static uint32_t unary_types(enum npuop_unary_op op)
{
	switch (op) {
	case NPUOP_NEG:
	case NPUOP_ABS:
	case NPUOP_RELU:
		return SIGNED;
	case NPUOP_SQUARE:
		return OP_ALL_TYPES;
	default:
		return OP_FLOATS;
	}
}

int npuop_unary(npuop *ops, enum npuop_unary_op op, const npuop_tensor *x, const npuop_tensor *out)
{
	struct call call = {
		.out_name = "out",
		.out = out,
		.in = { { "x", x } },
		.inputs = 1,
		.op = NPU_OP_UNARY + op,
	};
	int err;

	if ((uint32_t)op > NPUOP_GELU_TANH)
		return no_operation(ops, op);
	err = check(ops, &call, unary_types(op), unary_types(op));
	if (!err)
		err = op_same(ops, "x", x, "out", out);
	if (!err)
		err = common_type(ops, &call, 0);
	if (!err)
		err = result_type(ops, &call, 0);
	if (err)
		return err;
	if (op >= NPUOP_SIGMOID) /* several steps, of which only the last one may round */
		call.dtype = NPUOP_F32;
	return launch(ops, &call);
}

int npuop_unary_backward(npuop *ops, enum npuop_unary_op op, const npuop_tensor *x,
			 const npuop_tensor *grad, const npuop_tensor *grad_x)
{
	struct call call = {
		.out_name = "grad_x",
		.out = grad_x,
		.in = { { "x", x }, { "grad", grad } },
		.inputs = 2,
		.op = NPU_OP_BACKWARD + op,
		.dtype = NPUOP_F32,
	};
	int err;

	if (op != NPUOP_RELU && op != NPUOP_TANH && (op < NPUOP_SIGMOID || op > NPUOP_GELU_TANH))
		return no_operation(ops, op);
	err = check(ops, &call, OP_FLOATS, OP_FLOATS);
	if (!err)
		err = op_same(ops, "x", x, "grad_x", grad_x);
	if (!err)
		err = op_same(ops, "grad", grad, "grad_x", grad_x);
	return err ? err : launch(ops, &call);
}

/* Types that an operation takes, and that of its result: 0 for that of the operands. */
static uint32_t binary_types(enum npuop_binary_op op)
{
	return op == NPUOP_DIV ? OP_FLOATS : OP_ALL_TYPES;
}

static uint32_t binary_result(enum npuop_binary_op op)
{
	return op >= NPUOP_EQ ? OP_TYPE(NPUOP_U8) : binary_types(op);
}

/* Of npuop_binary() and npuop_binary_scalar(). */
static int check_binary(npuop *ops, enum npuop_binary_op op, struct call *call)
{
	int err;

	if ((uint32_t)op > NPUOP_GE)
		return no_operation(ops, op);
	err = check(ops, call, binary_result(op), binary_types(op));
	if (!err)
		err = common_type(ops, call, 0);
	if (!err && op < NPUOP_EQ)
		err = result_type(ops, call, 0);
	return err;
}

int npuop_binary(npuop *ops, enum npuop_binary_op op, const npuop_tensor *x, const npuop_tensor *y,
		 const npuop_tensor *out)
{
	struct call call = {
		.out_name = "out",
		.out = out,
		.in = { { "x", x }, { "y", y } },
		.inputs = 2,
		.op = NPU_OP_BINARY + op,
	};
	int err = check_binary(ops, op, &call);

	return err ? err : launch(ops, &call);
}

static double lowest(uint32_t dtype)
{
	switch (dtype) {
	case NPUOP_S32:
		return INT32_MIN;
	case NPUOP_S16:
		return INT16_MIN;
	case NPUOP_S8:
		return INT8_MIN;
	default:
		return 0;
	}
}

static double highest(uint32_t dtype)
{
	return dtype == NPUOP_U8 ? UINT8_MAX : -1 - lowest(dtype);
}

static uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* A number in fp32 for floats, of which halves are made last; of integers only what they hold. */
static int take_scalar(npuop *ops, struct call *call, const char *name, double value)
{
	if (op_is_float(call->dtype)) {
		call->dtype = NPUOP_F32;
		call->scalar = isnan(value) ? 0x7fc00000 : float_bits((float)value);
		return 0;
	}
	if (!(value >= lowest(call->dtype) && value <= highest(call->dtype)) ||
	    value != trunc(value))
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: %g is not a value of the type", name,
			       value);
	call->scalar = (uint32_t)(int64_t)value;
	return 0;
}

int npuop_binary_scalar(npuop *ops, enum npuop_binary_op op, const npuop_tensor *x, double y,
			const npuop_tensor *out)
{
	struct call call = {
		.out_name = "out",
		.out = out,
		.in = { { "x", x } },
		.inputs = 1,
		.op = NPU_OP_SCALAR + op,
	};
	int err = check_binary(ops, op, &call);

	if (!err)
		err = take_scalar(ops, &call, "y", y);
	return err ? err : launch(ops, &call);
}

int npuop_select(npuop *ops, const npuop_tensor *mask, const npuop_tensor *x, const npuop_tensor *y,
		 const npuop_tensor *out)
{
	struct call call = {
		.out_name = "out",
		.out = out,
		.in = { { "mask", mask }, { "x", x }, { "y", y } },
		.inputs = 3,
		.op = NPU_OP_SELECT,
	};
	int err = check(ops, &call, OP_ALL_TYPES, OP_ALL_TYPES);

	if (!err)
		err = op_read(ops, "mask", mask, OP_TYPE(NPUOP_U8));
	if (!err)
		err = common_type(ops, &call, 1);
	if (!err)
		err = result_type(ops, &call, 1);
	return err ? err : launch(ops, &call);
}

int npuop_fill(npuop *ops, double value, const npuop_tensor *out)
{
	struct call call = { .out_name = "out", .out = out, .op = NPU_OP_FILL };
	int err = op_write(ops, "out", out, OP_ALL_TYPES);

	if (err)
		return err;
	call.dtype = out->dtype;
	err = take_scalar(ops, &call, "value", value);
	return err ? err : launch(ops, &call);
}

int npuop_copy(npuop *ops, const npuop_tensor *x, const npuop_tensor *out)
{
	struct call call = {
		.out_name = "out",
		.out = out,
		.in = { { "x", x } },
		.inputs = 1,
		.op = NPU_OP_COPY,
	};
	int err = check(ops, &call, OP_ALL_TYPES, OP_ALL_TYPES);

	if (err || op_transpose(ops, x, out, &err))
		return err;
	return launch(ops, &call);
}
