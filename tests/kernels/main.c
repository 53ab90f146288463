// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels on one core of the device library, against plain C: test_kernels DIRECTORY. */
#include <stdarg.h>

#include "ref.h"

#define MEMORY (64u << 20)

static unsigned int points, failures;

void ok(bool pass, const char *format, ...)
{
	va_list args;

	printf("%s %u - ", pass ? "ok" : "not ok", ++points);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	failures += !pass;
}

static struct kernel_module *load(struct core *core, const char *directory, const char *name)
{
	struct kernel_module *module;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.elf", directory, name);
	module = core_load(core, path);
	if (!module)
		exit(1);
	return module;
}

int main(int argc, char **argv)
{
	struct core *core = core_new(MEMORY, true);
	struct modules modules;
	struct {
		struct kernel_module **module;
		const char *name;
	} table[] = {
		{ &modules.gemm, "gemm" }, { &modules.elementwise, "elementwise" },
		{ &modules.bias_relu, "bias_relu" }, { &modules.softmax_xent, "softmax_xent" },
		{ &modules.reduce, "reduce" }, { &modules.sgd, "sgd" }, { &modules.cast, "cast" },
		{ &modules.vector_add, "vector_add" },
		{ &modules.scale, "examples/scale" }, { &modules.row_sum, "examples/row_sum" },
		{ &modules.matmul, "examples/matmul" },
		{ &modules.flash_attention, "examples/flash_attention" },
		{ &modules.intrinsics, "tests/intrinsics" },
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		*table[i].module = load(core, argv[1], table[i].name);
	test_gemm(core, &modules);
	test_elementwise(core, &modules);
	test_rows(core, &modules);
	test_examples(core, &modules);
	test_intrinsics(core, &modules);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		kernel_module_free(*table[i].module);
	core_free(core);
	printf("1..%u\n", points);
	return failures != 0;
}
