/* SPDX-License-Identifier: MIT */
/* Text that is handed to a caller's function as it comes. */
#ifndef NPURT_OUTPUT_H
#define NPURT_OUTPUT_H

#include "internal.h"

struct rt_output {
	npurt_write_fn write;
	void *data;
	int error; /* the first that @write returned; it is not called after it */
};

/* At most 1023 bytes at a time. */
void rt_put(struct rt_output *out, const char *format, ...) RT_PRINTF(2, 3);

#endif /* NPURT_OUTPUT_H */
