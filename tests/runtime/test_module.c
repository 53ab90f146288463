// SPDX-License-Identifier: MIT
/* Modules: loading, finding kernels, and files that are not modules. */
#include "rt_test.h"

static uint8_t *read_whole(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	need(f ? 0 : NPURT_ERROR_NOT_FOUND, path);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc((size_t)size);
	*bytes = fread(data, 1, (size_t)size, f);
	fclose(f);
	return data;
}

static void test_load(npurt_context *context)
{
	npurt_module *module;
	npurt_kernel *kernel = NULL, *same = NULL;
	unsigned int found = 0;
	char text[256];

	WORKS(npurt_module_load_file(context, MODULES "/rt_kernels.elf", &module));
	ok(npurt_module_kernel_count(module) == 6, "it has all of its kernels");
	WORKS(npurt_module_get_kernel(module, "spin", &kernel));
	ok(strcmp(npurt_kernel_name(kernel), "spin") == 0, "a kernel knows its name");
	for (unsigned int i = 0; i < npurt_module_kernel_count(module); i++) {
		NEED(npurt_module_get_kernel_at(module, i, &same));
		found += same == kernel;
	}
	ok(found == 1, "by index it is found once");
	GIVES(npurt_module_get_kernel_at(module, 6, &same), NPURT_ERROR_NOT_FOUND);
	GIVES(npurt_module_get_kernel(module, "spi", &kernel), NPURT_ERROR_NOT_FOUND);
	WORKS(npurt_context_error_message(context, text, sizeof(text)));
	ok(strstr(text, "'spi'") && strstr(text, "rt_kernels.elf"), "the message has both: %s",
	   text);
	GIVES(npurt_context_destroy(context), NPURT_ERROR_BUSY);
	WORKS(npurt_module_unload(module));
	GIVES(npurt_module_unload(NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_module_load_file(context, "/no/such/file", &module), NPURT_ERROR_NOT_FOUND);
	GIVES(npurt_module_load_file(context, "/proc", &module), NPURT_ERROR_MODULE);
	GIVES(npurt_module_load_file(context, "/proc/self/exe", &module), NPURT_ERROR_MODULE);
	GIVES(npurt_module_load_data(context, "", 0, &module), NPURT_ERROR_INVALID);
	GIVES(npurt_module_load_data(context, "\177ELF", 4, &module), NPURT_ERROR_MODULE);
}

/* Whatever a file holds, it loads or it is refused, and what loads can be unloaded. */
static void test_damage(npurt_context *context)
{
	size_t bytes;
	uint8_t *good = read_whole(MODULES "/rt_kernels.elf", &bytes);
	uint8_t *bad = malloc(bytes);
	unsigned int refused = 0, other = 0;
	uint64_t seed = 11;
	npurt_module *module;

	for (size_t cut = 0; cut < bytes; cut += 1 + bytes / 300) {
		const int err = cut ? npurt_module_load_data(context, good, cut, &module)
				    : NPURT_ERROR_MODULE;

		refused += err == NPURT_ERROR_MODULE;
		other += err != NPURT_ERROR_MODULE;
	}
	ok(refused > 0 && other == 0, "a file that was cut short is refused");

	refused = other = 0;
	for (int i = 0; i < 3000; i++) {
		const uint32_t changes = 1 + rt_random(&seed) % 4;
		int err;

		memcpy(bad, good, bytes);
		for (uint32_t j = 0; j < changes; j++) {
			/* Headers are at both ends. */
			const uint32_t near = rt_random(&seed) % 512;
			const size_t at = rt_random(&seed) % 2 ? near : bytes - 1 - near;

			bad[at] = (uint8_t)rt_random(&seed);
		}
		err = npurt_module_load_data(context, bad, bytes, &module);
		if (!err)
			err = npurt_module_unload(module);
		refused += err == NPURT_ERROR_MODULE;
		other += err != 0 && err != NPURT_ERROR_MODULE && err != NPURT_ERROR_DEVICE_MEMORY;
	}
	ok(refused > 0 && other == 0, "of 3000 damaged files %u are refused, none with harm",
	   refused);
	free(good);
	free(bad);
}

int main(void)
{
	struct fixture f = fixture_open();

	test_load(f.context);
	test_damage(f.context);
	fixture_close(&f);
	return rt_done();
}
