// SPDX-License-Identifier: MIT
/* Modules: loading, finding kernels, and files that are not modules. */
#include "rt_test.h"

#include "modules/rt_kernels.h"

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
	ok(npurt_module_kernel_count(module) == 7, "it has all of its kernels");
	WORKS(npurt_module_get_kernel(module, "spin", &kernel));
	ok(strcmp(npurt_kernel_name(kernel), "spin") == 0, "a kernel knows its name");
	for (unsigned int i = 0; i < npurt_module_kernel_count(module); i++) {
		NEED(npurt_module_get_kernel_at(module, i, &same));
		found += same == kernel;
	}
	ok(found == 1, "by index it is found once");
	GIVES(npurt_module_get_kernel_at(module, 7, &same), NPURT_ERROR_NOT_FOUND);
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

static void test_info(struct fixture *f)
{
	npurt_kernel_info info = { .size = sizeof(info) };
	npurt_kernel_arg arg = { .size = sizeof(arg) };
	npurt_module *module;
	npurt_kernel *kernel;

	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	NEED(npurt_module_get_kernel(module, "echo", &kernel));
	WORKS(npurt_kernel_get_info(kernel, &info));
	ok(strcmp(info.name, "echo") == 0 && strcmp(info.module, "rt_kernels.elf") == 0 &&
		   info.args_bytes == sizeof(struct echo_args) && info.num_args == 2,
	   "a kernel tells its name, module and arguments");
	WORKS(npurt_kernel_get_arg(kernel, 0, &arg));
	ok(strcmp(arg.name, "address") == 0 && arg.offset == 0 && arg.bytes == 8 &&
		   arg.type == NPURT_ARG_U64 && arg.count == 1 &&
		   arg.use == (NPURT_ARG_ADDRESS | NPURT_ARG_WRITE),
	   "an address that it writes to");
	WORKS(npurt_kernel_get_arg(kernel, 1, &arg));
	ok(strcmp(arg.name, "values") == 0 && arg.offset == 8 && arg.bytes == 4 * ECHO_WORDS &&
		   arg.type == NPURT_ARG_U32 && arg.count == ECHO_WORDS && arg.use == 0,
	   "an array of numbers");
	GIVES(npurt_kernel_get_arg(kernel, 2, &arg), NPURT_ERROR_NOT_FOUND);
	GIVES(npurt_kernel_get_info(NULL, &info), NPURT_ERROR_INVALID);
	NEED(npurt_module_get_kernel(module, "spin", &kernel));
	WORKS(npurt_kernel_get_info(kernel, &info));
	ok(info.args_bytes == sizeof(struct spin_args) && info.num_args == 0,
	   "one that does not tell has a size only");
	GIVES(npurt_launch(f->stream, kernel, 1, &info, 7, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_module_unload(module));
}

static void test_occupancy(struct fixture *f)
{
	npurt_device_properties p = { .size = sizeof(p) };
	npurt_occupancy o = { .size = sizeof(o) };
	npurt_module *module;
	npurt_kernel *kernel;

	NEED(npurt_device_get_properties(f->device, &p));
	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	NEED(npurt_module_get_kernel(module, "stamp", &kernel));
	WORKS(npurt_kernel_get_occupancy(kernel, 2 * p.cores + 1, 0, 0, &o));
	ok(o.cores == p.cores && o.resident_blocks == p.cores && o.rounds == 3 &&
		   o.idle_cores == p.cores - 1,
	   "two blocks a core and one more take three rounds");
	WORKS(npurt_kernel_get_occupancy(kernel, 1, 0x3, 0, &o));
	ok(o.cores == 2 && o.resident_blocks == 1 && o.rounds == 1 && o.idle_cores == 1,
	   "one block on two cores leaves one idle");
	WORKS(npurt_kernel_get_occupancy(kernel, 6, 0, 2, &o));
	ok(o.cores == 2 && o.rounds == 3 && o.idle_cores == 0, "at most two cores");
	GIVES(npurt_kernel_get_occupancy(kernel, 0, 0, 0, &o), NPURT_ERROR_INVALID);
	GIVES(npurt_kernel_get_occupancy(kernel, 1, ~p.core_mask, 0, &o), NPURT_ERROR_INVALID);
	NEED(npurt_module_unload(module));
}

/* Streams still have launches of a module that is unloaded. */
static void test_unload(struct fixture *f)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_memory *word = memory(f->context, NPURT_PLACE_HOST, 4096, "word");
	const struct store_args args = { npurt_memory_address(word) };
	npurt_stream *lazy, *dropped;
	npurt_module *module;
	npurt_kernel *kernel;

	NEED(npurt_stream_create(f->context, &attr, &lazy));
	NEED(npurt_stream_create(f->context, &attr, &dropped));
	for (int i = 0; i < 3; i++) {
		NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
		NEED(npurt_module_get_kernel(module, "store", &kernel));
		NEED(npurt_launch(lazy, kernel, 1, &args, sizeof(args), NULL));
		NEED(npurt_launch(dropped, kernel, 1, &args, sizeof(args), NULL));
		WORKS(npurt_module_unload(module));
	}
	WORKS(npurt_stream_synchronize(lazy));
#ifndef FAKE_KMD
	ok(*(uint32_t *)mapped(word) == 1, "a launch runs though its module was unloaded");
#endif
	NEED(npurt_stream_destroy(lazy));
	NEED(npurt_stream_destroy(dropped));
	NEED(npurt_memory_destroy(word));
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
	test_info(&f);
	test_occupancy(&f);
	test_unload(&f);
	test_damage(f.context);
	fixture_close(&f);
	return rt_done();
}
