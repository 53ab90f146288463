/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels in rt_kernels.c. */
#ifndef RT_KERNELS_H
#define RT_KERNELS_H

#include <stdint.h>

/* "stamp": each block writes its number + base to words[block]. */
struct stamp_args {
	uint64_t words;
	uint32_t base;
	uint32_t pad;
};

/* "increment": adds by to the word. */
struct increment_args {
	uint64_t word;
	uint32_t by;
	uint32_t pad;
};

/* "store": writes to the address, wherever that is. */
struct store_args {
	uint64_t address;
};

/* "echo": copies the values to the address. */
#define ECHO_WORDS 100
struct echo_args {
	uint64_t address;
	uint32_t values[ECHO_WORDS];
};

/* "types": stores single + real as a float, and tiny + small + list[2]. */
struct types_args {
	uint64_t out;
	double real;
	float single;
	int8_t tiny;
	uint8_t small;
	uint16_t list[3];
	uint32_t reserved;
};

/* "raise": ends with an error of that code. */
struct raise_args {
	uint64_t code;
};

/* "spin": does not end. */
struct spin_args {
	uint64_t unused;
};

#endif /* RT_KERNELS_H */
