/* SPDX-License-Identifier: MIT */
/* Arguments of firmware/kernels/op/elementwise.c, for the kernel and the library. */
#ifndef NPU_OP_ELEMENTWISE_H
#define NPU_OP_ELEMENTWISE_H

#include "npu/npu_types.h"

#define NPU_OP_OUTER 5 /* dimensions around those of rows and columns */
#define NPU_OP_TILE 4096 /* elements of a tile with what pads its rows, at most */
#define NPU_OP_INPUTS 3

/**
 * struct npu_op_operand - a tensor of a walk; strides are in bytes
 * @address: of its first element
 * @outer: from one to the next in each outer dimension
 * @row: from row to row
 * @col: 1: elements of a row are neighbours; 0: all are the same one
 * @dtype: of npu/npu_tile.h
 */
struct npu_op_operand {
	uint64_t address;
	uint64_t outer[NPU_OP_OUTER];
	uint64_t row;
	uint32_t col;
	uint32_t dtype;
};

/**
 * struct npu_op_walk - the elements of a result, in tiles of rows and columns
 * @outer: extents of @outer_dims dimensions
 * @tile_rows: of a tile; 1 if a row's stride has more than 32 bits
 * @pitch: elements from row to row of a tile in UB, a multiple of 32 bytes of each operand
 */
struct npu_op_walk {
	uint64_t outer[NPU_OP_OUTER];
	uint64_t rows, cols;
	uint32_t tile_rows, tile_cols;
	uint32_t pitch;
	uint32_t outer_dims;
};

/* As enum npuop_unary_op and enum npuop_binary_op. */
enum npu_op_unary {
	NPU_OP_NEG = 0,
	NPU_OP_ABS = 1,
	NPU_OP_RELU = 2,
	NPU_OP_EXP = 3,
	NPU_OP_LN = 4,
	NPU_OP_SQRT = 5,
	NPU_OP_RSQRT = 6,
	NPU_OP_RECIP = 7,
	NPU_OP_TANH = 8,
	NPU_OP_ERF = 9,
	NPU_OP_SQUARE = 10,
	NPU_OP_SIGMOID = 11,
	NPU_OP_SILU = 12,
	NPU_OP_GELU = 13,
	NPU_OP_GELU_TANH = 14,
};

enum npu_op_binary {
	NPU_OP_ADD = 0,
	NPU_OP_SUB = 1,
	NPU_OP_MUL = 2,
	NPU_OP_DIV = 3,
	NPU_OP_MAX = 4,
	NPU_OP_MIN = 5,
	NPU_OP_EQ = 6,
	NPU_OP_NE = 7,
	NPU_OP_LT = 8,
	NPU_OP_LE = 9,
	NPU_OP_GT = 10,
	NPU_OP_GE = 11,
};

/*
 * What is computed of inputs a, b and c; scalar s. Derivatives are of @a and multiply @b.
 * Formulas are of fp32: see npuop_elementwise(3).
 */
enum npu_op_elementwise {
	NPU_OP_UNARY = 0x00, /* + enum npu_op_unary */
	NPU_OP_BACKWARD = 0x20, /* + enum npu_op_unary */
	NPU_OP_BINARY = 0x40, /* + enum npu_op_binary; of a and b */
	NPU_OP_SCALAR = 0x60, /* + enum npu_op_binary; of a and s */
	NPU_OP_SELECT = 0x80, /* a, U8, ? b : c */
	NPU_OP_COPY = 0x81, /* a */
	NPU_OP_FILL = 0x82, /* s */
};

/**
 * struct npu_op_elementwise_args - "op_elementwise"
 * @op: enum npu_op_elementwise
 * @dtype: that of the arithmetic, to which inputs are converted, but not the mask of SELECT
 * @inputs: number of them
 * @scalar: its bits as @dtype
 */
struct npu_op_elementwise_args {
	struct npu_op_walk walk;
	struct npu_op_operand out;
	struct npu_op_operand in[NPU_OP_INPUTS];
	uint32_t op, dtype, inputs, scalar;
};

#endif /* NPU_OP_ELEMENTWISE_H */
