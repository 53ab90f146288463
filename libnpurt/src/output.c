// SPDX-License-Identifier: MIT
#include "output.h"

#include <stdarg.h>
#include <stdio.h>

void rt_put(struct rt_output *out, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!out->error && n > 0)
		out->error = out->write(text, rt_min((uint64_t)n, sizeof(text) - 1), out->data);
}
