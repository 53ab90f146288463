/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of kernel modules, of our own build: they are not checked further. */
#ifndef TEST_MODULE_H
#define TEST_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_module.h>

/**
 * struct module_file - a module as it goes to global memory, for any address
 * @image: its bytes, with zeros where the file has none
 * @bytes: of it
 * @kernels: the table of kernels, in @image
 * @count: of these
 */
struct module_file {
	uint8_t *image;
	size_t bytes;
	const struct npu_kernel_desc *kernels;
	size_t count;
};

/* module_read() - false with a message if it is none */
bool module_read(struct module_file *file, const char *path);
void module_free(struct module_file *file);

/* module_kernel() - NULL with a message if there is none that takes @args_size bytes */
const struct npu_kernel_desc *module_kernel(const struct module_file *file, const char *name,
					    size_t args_size);

#endif /* TEST_MODULE_H */
