// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

static void *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	void *data = NULL;
	long size;

	if (!file) {
		perror(path);
		return NULL;
	}
	if (!fseek(file, 0, SEEK_END) && (size = ftell(file)) > 0) {
		rewind(file);
		data = malloc(size);
		if (data && fread(data, size, 1, file) != 1) {
			free(data);
			data = NULL;
		}
	}
	fclose(file);
	return data;
}

/* Find section .npu_kernels. */
static const Elf64_Shdr *find_kernels(const uint8_t *elf)
{
	const Elf64_Ehdr *header = (const void *)elf;
	const Elf64_Shdr *sections = (const void *)(elf + header->e_shoff);
	const char *names = (const char *)elf + sections[header->e_shstrndx].sh_offset;

	for (unsigned int i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, NPU_MODULE_SECTION))
			return &sections[i];
	return NULL;
}

bool module_read(struct module_file *file, const char *path)
{
	uint8_t *elf = read_file(path);
	const Elf64_Shdr *kernels;
	const Elf64_Phdr *segment;

	if (!elf)
		return false;
	segment = (const void *)(elf + ((const Elf64_Ehdr *)elf)->e_phoff);
	kernels = find_kernels(elf);
	if (!kernels || segment->p_type != PT_LOAD || segment->p_vaddr) {
		fprintf(stderr, "%s: not a kernel module\n", path);
		free(elf);
		return false;
	}
	*file = (struct module_file) {
		.image = calloc(1, segment->p_memsz),
		.bytes = segment->p_memsz,
		.count = kernels->sh_size / sizeof(*file->kernels),
	};
	if (!file->image) {
		perror(path);
		free(elf);
		return false;
	}
	memcpy(file->image, elf + segment->p_offset, segment->p_filesz);
	file->kernels = (const void *)(file->image + kernels->sh_addr);
	free(elf);
	return true;
}

void module_free(struct module_file *file)
{
	free(file->image);
}

const struct npu_kernel_desc *module_kernel(const struct module_file *file, const char *name,
					    size_t args_size)
{
	for (size_t i = 0; i < file->count; i++) {
		const struct npu_kernel_desc *kernel = &file->kernels[i];

		if (!strcmp(kernel->name, name) && kernel->abi == NPU_MODULE_ABI &&
		    kernel->args_size == args_size)
			return kernel;
	}
	fprintf(stderr, "no kernel %s with %zu bytes of arguments\n", name, args_size);
	return NULL;
}
