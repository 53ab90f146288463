// SPDX-License-Identifier: MIT
/* From an address in a module to a line of its source, and what is left without one. */
#include "internal.h"
#include "rt_test.h"

#include "modules/rt_kernels.h"

#define MODULE_FILE MODULES "/rt_kernels.elf"

int main(void)
{
	struct fixture f = fixture_open();
	npurt_module *module = NULL;
	npurt_kernel *kernel = NULL;
	uint8_t *image;
	char text[96];

	NEED(npurt_module_load_file(f.context, MODULE_FILE, &module));
	NEED(npurt_module_get_kernel(module, "store", &kernel));
	rt_module_describe_source(f.context, kernel->entry, text, sizeof(text));
	ok(strncmp(text, "npu_kernel.h:", 13) == 0 && strstr(text, ", by rt_kernels.c:"),
	   "a kernel begins at %s", text);
	rt_module_describe_source(f.context, 4096, text, sizeof(text));
	ok(!text[0], "what is in no module is at no line");

	/* Nothing in a file is believed: each byte of its second half is turned over. */
	image = malloc(module->image_bytes);
	for (size_t i = module->image_bytes / 2; i < module->image_bytes; i += 7) {
		memcpy(image, module->image, module->image_bytes);
		image[i] ^= 0xff;
		rt_source_line(image, module->image_bytes, kernel->entry - module->code->va, text,
			       sizeof(text));
	}
	ok(memchr(text, '\0', sizeof(text)) != NULL, "broken debug information does no harm");
	free(image);
	NEED(npurt_module_unload(module));
	fixture_close(&f);
	return rt_done();
}
