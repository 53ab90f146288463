/* SPDX-License-Identifier: MIT */
/* What the examples share: a way out on errors, and where the kernels are. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <npurt/npurt.h>

/* Ends the program with the runtime's own words when a call fails. */
static void check(int err, const char *call, npurt_context *context, npurt_stream *stream)
{
	char text[512] = "";

	if (!err)
		return;
	if (stream)
		npurt_stream_error_message(stream, text, sizeof(text));
	else if (context)
		npurt_context_error_message(context, text, sizeof(text));
	fprintf(stderr, "%s: %s: %s\n", call, npurt_strerror(err), text);
	exit(1);
}

#define CHECK_DEVICE(call) check(call, #call, NULL, NULL)
#define CHECK(context, call) check(call, #call, context, NULL)
#define CHECK_STREAM(stream, call) check(call, #call, NULL, stream)

/* The kernel modules lie beside the programs: ../kernels, or ../share/npu/kernels. */
static inline void kernel_path(const char *module, char *path, size_t size)
{
	static const char *const places[] = { "../kernels", "../share/npu/kernels" };
	char program[1024];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n < 0 ? 0 : n] = '\0';
	if (strrchr(program, '/'))
		*strrchr(program, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s/%s/%s", program, places[i], module);
		if (access(path, R_OK) == 0)
			return;
	}
}

/* Repeatable numbers from -1 to 1. */
static inline float next_number(unsigned int *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (float)(*state >> 8) / (float)(1 << 23) - 1.0f;
}

#endif /* EXAMPLE_H */
