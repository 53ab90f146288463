// SPDX-License-Identifier: MIT
/*
 * The log: to the application's function, else to stderr as $NPURT_LOG asks.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {
	[NPURT_LOG_NONE] = "none",
	[NPURT_LOG_ERROR] = "error",
	[NPURT_LOG_WARNING] = "warning",
	[NPURT_LOG_INFO] = "info",
	[NPURT_LOG_DEBUG] = "debug",
};

uint32_t rt_log_default_level(void)
{
	const char *name = getenv("NPURT_LOG");

	for (uint32_t i = 0; name && i < RT_ARRAY_SIZE(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0)
			return i;
	}
	return NPURT_LOG_NONE;
}

void rt_log(npurt_device *device, enum npurt_log_level level, const char *format, ...)
{
	char text[1200];
	va_list args;

	if (!device || level > device->log_level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (device->log)
		device->log(level, text, device->log_data);
	else
		fprintf(stderr, "npurt: %s: %s\n", level_names[level], text);
}
