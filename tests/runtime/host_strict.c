// SPDX-License-Identifier: MIT
/* Strict mode of a device that has none. */
#include "internal.h"
#include "rt_test.h"

#include <npu/npu_regs.h>

static unsigned int warnings;

static void count_warnings(enum npurt_log_level level, const char *text, void *data)
{
	(void)data;
	if (level == NPURT_LOG_WARNING && strstr(text, "NPURT_STRICT"))
		warnings++;
}

int main(void)
{
	npurt_context_attr strict = { .size = sizeof(strict), .flags = NPURT_CONTEXT_STRICT };
	npurt_device_attr attr = { .size = sizeof(attr), .log = count_warnings,
				   .log_level = NPURT_LOG_WARNING };
	npurt_context *context = NULL;
	npurt_device *device;
	char text[256] = "";

	NEED(npurt_device_open(0, &attr, &device));
	device->info.hw_version = NPU_HW_VERSION_1_1;
	GIVES(npurt_context_create(device, &strict, &context), NPURT_ERROR_UNSUPPORTED);
	npurt_device_error_message(device, text, sizeof(text));
	ok(strstr(text, "strict mode needs hardware version 1.2"), "it is said why: %s", text);
	setenv("NPURT_STRICT", "1", 1);
	WORKS(npurt_context_create(device, NULL, &context));
	ok(warnings == 1, "the environment's wish is refused with a warning");
	WORKS(npurt_context_destroy(context));
	setenv("NPURT_STRICT", "0", 1);
	WORKS(npurt_context_create(device, NULL, &context));
	ok(warnings == 1, "which 0 is not");
	WORKS(npurt_context_destroy(context));
	WORKS(npurt_device_close(device));
	return rt_done();
}
