// SPDX-License-Identifier: MIT
/* Arguments by name: what goes where, and what is refused, by name. */
#include "rt_test.h"

#include "modules/rt_kernels.h"

#define MODULE_FILE MODULES "/rt_kernels.elf"
#define BYTES 4096

static const uint16_t list[3] = { 1, 2, 3000 };

/* All that "types" takes, in another order than its own. */
static const npurt_arg_value right[] = {
	{ .name = "single", .kind = NPURT_VALUE_REAL, .real = 0.5 },
	{ .name = "small", .kind = NPURT_VALUE_INTEGER, .integer = 255 },
	{ .name = "tiny", .kind = NPURT_VALUE_INTEGER, .integer = -128 },
	{ .name = "list", .kind = NPURT_VALUE_DATA, .data = list, .bytes = sizeof(list) },
	{ .name = "real", .kind = NPURT_VALUE_REAL, .real = 2.25 },
	{ .name = "out", .kind = NPURT_VALUE_MEMORY },
};

#define COUNT_RIGHT COUNT(right)
#define OUT (COUNT_RIGHT - 1)

static void test_values(struct fixture *f, npurt_kernel *kernel)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, BYTES, "results");
	npurt_arg_value values[COUNT_RIGHT];
	struct types_args args;

	memcpy(values, right, sizeof(values));
	values[OUT].memory = m;
	values[OUT].bytes = 64;
	memset(&args, 0xff, sizeof(args));
	WORKS(npurt_kernel_pack(kernel, values, COUNT_RIGHT, &args, sizeof(args)));
	ok(args.out == npurt_memory_address(m) + 64 && args.real == 2.25 && args.single == 0.5f &&
		   args.tiny == -128 && args.small == 255 &&
		   !memcmp(args.list, list, sizeof(list)) && !args.reserved,
	   "each value is in its place, and what is reserved is zero");
	WORKS(npurt_launch_named(f->stream, kernel, 1, values, COUNT_RIGHT, NULL));
	WORKS(npurt_stream_synchronize(f->stream));
#ifndef FAKE_KMD
	ok(((float *)mapped(m))[16] == 2.75f && ((int32_t *)mapped(m))[17] == 3127,
	   "and the kernel gets it");
#endif
	NEED(npurt_memory_destroy(m));
}

static void refused(struct fixture *f, npurt_kernel *kernel, const npurt_arg_value *values,
		    unsigned int count, const char *what)
{
	char args[sizeof(struct types_args)], text[256] = "";
	int err = npurt_kernel_pack(kernel, values, count, args, sizeof(args));

	npurt_context_error_message(f->context, text, sizeof(text));
	ok(err == NPURT_ERROR_INVALID && strstr(text, what), "refused: %s", text);
	err = npurt_launch_named(f->stream, kernel, 1, values, count, NULL);
	npurt_stream_error_message(f->stream, text, sizeof(text));
	if (err != NPURT_ERROR_INVALID || !strstr(text, what))
		ok(false, "and so is a launch: %s", text);
}

/* With another value at @index. */
static void refused_value(struct fixture *f, npurt_kernel *kernel, unsigned int index,
			  npurt_arg_value value, const char *what)
{
	npurt_arg_value values[COUNT_RIGHT];

	memcpy(values, right, sizeof(values));
	values[index] = value;
	refused(f, kernel, values, COUNT_RIGHT, what);
}

static void test_refused(struct fixture *f, npurt_kernel *kernel)
{
	const npurt_memory_attr attr = { .size = sizeof(attr),
					 .flags = NPURT_MEMORY_READONLY,
					 .label = "table" };
	npurt_memory *table = NULL, *foreign;
	npurt_context *other;
	const struct {
		unsigned int index;
		npurt_arg_value value;
		const char *what;
	} cases[] = {
		{ 0,
		  { .name = "sinlge", .kind = NPURT_VALUE_REAL },
		  "'sinlge': there is none of that name" },
		{ 0, { .name = "tiny", .kind = NPURT_VALUE_INTEGER }, "'tiny': it is given twice" },
		{ 0, { .name = NULL }, "an argument without a name" },
		{ 0,
		  { .name = "single", .kind = NPURT_VALUE_INTEGER },
		  "'single': it is of type f32, not an integer" },
		{ 0,
		  { .name = "single", .kind = NPURT_VALUE_REAL, .real = 1e39 },
		  "'single': the number does not fit into f32" },
		{ 0, { .name = "single", .kind = 99 }, "'single': there is no kind 99" },
		{ 1,
		  { .name = "small", .kind = NPURT_VALUE_INTEGER, .integer = 256 },
		  "'small': 256 does not fit into u8" },
		{ 1,
		  { .name = "small", .kind = NPURT_VALUE_INTEGER, .integer = -1 },
		  "'small': -1 is negative, and it is of type u8" },
		{ 1,
		  { .name = "small", .kind = NPURT_VALUE_REAL, .real = 1 },
		  "'small': it is of type u8, not a real number" },
		{ 2,
		  { .name = "tiny", .kind = NPURT_VALUE_INTEGER, .integer = -129 },
		  "'tiny': -129 does not fit into s8" },
		{ 2,
		  { .name = "tiny", .kind = NPURT_VALUE_INTEGER, .integer = 128 },
		  "'tiny': 128 does not fit into s8" },
		{ 3,
		  { .name = "list", .kind = NPURT_VALUE_INTEGER },
		  "'list': it is an array of 3 u16, not an integer" },
		{ 3,
		  { .name = "list", .kind = NPURT_VALUE_DATA, .data = list, .bytes = 4 },
		  "'list': it takes 6 bytes, not 4" },
		{ 3,
		  { .name = "list", .kind = NPURT_VALUE_DATA, .bytes = 6 },
		  "'list': it takes 6 bytes, not 0" },
		{ OUT,
		  { .name = "out", .kind = NPURT_VALUE_INTEGER },
		  "'out': it is of type address, not an integer" },
		{ OUT, { .name = "out", .bytes = 8 }, "'out': an offset into no memory" },
	};

	NEED(npurt_memory_create(f->context, BYTES, &attr, &table));
	NEED(npurt_context_create(f->device, NULL, &other));
	foreign = memory(other, NPURT_PLACE_HBM, BYTES, "foreign");
	for (size_t i = 0; i < COUNT(cases); i++)
		refused_value(f, kernel, cases[i].index, cases[i].value, cases[i].what);
	refused_value(f, kernel, OUT, (npurt_arg_value){ .name = "out", .memory = table },
		      "'out': it is written, and memory 'table' is read-only");
	refused_value(f, kernel, OUT, (npurt_arg_value){ .name = "out", .memory = foreign },
		      "'out': memory 'foreign' is of another context");
	refused_value(f, kernel, OUT,
		      (npurt_arg_value){ .name = "out", .memory = table, .bytes = BYTES + 1 },
		      "'out': offset 4097 is past the end of memory 'table' of 4096 bytes");
	refused(f, kernel, right, COUNT_RIGHT - 1, "kernel 'types', argument 'out': it is missing");
	refused(f, kernel, NULL, 1, "kernel 'types': values is NULL");
	NEED(npurt_memory_destroy(foreign));
	NEED(npurt_context_destroy(other));
	NEED(npurt_memory_destroy(table));
}

static void test_others(struct fixture *f, npurt_module *module, npurt_kernel *kernel)
{
	struct types_args args;
	npurt_kernel *spin;

	GIVES(npurt_kernel_pack(NULL, right, COUNT_RIGHT, &args, sizeof(args)),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_kernel_pack(kernel, right, COUNT_RIGHT, &args, sizeof(args) - 8),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_launch_named(f->stream, NULL, 1, right, COUNT_RIGHT, NULL),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_launch_named(NULL, kernel, 1, right, COUNT_RIGHT, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_module_get_kernel(module, "spin", &spin));
	GIVES(npurt_kernel_pack(spin, NULL, 0, &args, sizeof(struct spin_args)),
	      NPURT_ERROR_UNSUPPORTED);
}

int main(void)
{
	struct fixture f = fixture_open();
	npurt_module *module = NULL;
	npurt_kernel *kernel = NULL;

	NEED(npurt_module_load_file(f.context, MODULE_FILE, &module));
	NEED(npurt_module_get_kernel(module, "types", &kernel));
	test_values(&f, kernel);
	test_refused(&f, kernel);
	test_others(&f, module, kernel);
	NEED(npurt_module_unload(module));
	fixture_close(&f);
	return rt_done();
}
