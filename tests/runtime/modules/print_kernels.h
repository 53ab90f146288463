/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels in print_kernels.c. */
#ifndef PRINT_KERNELS_H
#define PRINT_KERNELS_H

#include <stdint.h>

/* "talk": prints what it is given, once a block. */
struct talk_args {
	double number;
	float single;
	int32_t negative;
	uint64_t large;
};

/* "many": prints count records of twelve values a block. */
struct many_args {
	uint64_t count;
};

/* "limit": asserts that n < 8. */
struct limit_args {
	uint64_t n;
};

#endif /* PRINT_KERNELS_H */
