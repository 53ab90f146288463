/* SPDX-License-Identifier: MIT */
/* Arguments of the kernel in rt_strict.c. */
#ifndef RT_STRICT_H
#define RT_STRICT_H

#include <stdint.h>

/* What it does wrong. */
enum {
	STRICT_NONE,
	STRICT_FLAG, /* V does not wait for MTE2 */
	STRICT_LOCAL, /* V reads what was not written */
	STRICT_RANGE, /* V leaves UB */
	STRICT_LEFT, /* a flag is not waited for */
	STRICT_OVERLAP, /* all blocks write the same */
};

struct strict_args {
	uint64_t in, out;
	uint32_t what, pad;
};

#endif /* RT_STRICT_H */
