/* SPDX-License-Identifier: MIT */
/* What tests that go through many operators say of each one's operands, in a table. */
#ifndef OP_CALLS_H
#define OP_CALLS_H

#include "op_test.h"

#define OPERANDS 9 /* of an operator at most */

/* What an operand is. */
#define WRITTEN 1
#define COUNTS 2 /* 0, 1, 2 ... */
#define POSITIVE 4 /* in [0, 1), not in [-1, 1) */
#define DENSE 8 /* always: it is not taken otherwise */

struct operand {
	uint32_t dtype, flags, rank; /* of rank 0 there is none */
	uint64_t shape[4];
	uint64_t below; /* integers are; 0: they have any value */
};

#define OPERAND(type, how, ...)                                                                    \
	{                                                                                          \
		.dtype = type, .flags = how, .rank = COUNT(((uint64_t[]){ __VA_ARGS__ })),         \
		.shape = { __VA_ARGS__ },                                                          \
	}
#define BELOW(most, ...)                                                                           \
	{                                                                                          \
		.dtype = NPUOP_S32, .below = most, .rank = COUNT(((uint64_t[]){ __VA_ARGS__ })),   \
		.shape = { __VA_ARGS__ },                                                          \
	}

#endif /* OP_CALLS_H */
