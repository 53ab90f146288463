// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mcu.h>
#include <npu/npu_regs.h>

#include "fw_image.h"

static uint8_t *load_file(const char *name, size_t *size)
{
	GError *error = NULL;
	gchar *data;
	gsize len;

	if (!g_file_get_contents(name, &data, &len, &error)) {
		printf("Bail out! %s\n", error->message);
		exit(1);
	}
	*size = len;
	return (uint8_t *)data;
}

struct fw_image fw_image_load(void)
{
	struct fw_image image;

	image.data = load_file(FW_IMAGE, &image.size);
	return image;
}

struct fw_image fw_image_make(const uint32_t *insns, size_t count)
{
	size_t payload = count * sizeof(*insns);
	struct fw_image image = { .size = sizeof(struct npu_fw_header) + payload };

	image.data = g_malloc0(image.size);
	*fw_image_header(&image) = (struct npu_fw_header){
		.magic = NPU_FW_MAGIC,
		.header_version = NPU_FW_HEADER_VERSION,
		.header_size = sizeof(struct npu_fw_header),
		.abi_major = NPU_FW_ABI_VERSION_MAJOR,
		.hw_version = NPU_HW_VERSION_1_0,
		.payload_size = payload,
		.load_address = NPU_MCU_SRAM_BASE,
		.entry = NPU_MCU_SRAM_BASE,
		.version = "test",
	};
	memcpy(fw_image_payload(&image), insns, payload);
	fw_image_seal(&image);
	return image;
}

void fw_image_free(struct fw_image *image)
{
	g_free(image->data);
}

void fw_image_seal(struct fw_image *image)
{
	struct npu_fw_header *header = fw_image_header(image);
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize len = sizeof(header->digest);

	g_checksum_update(sum, image->data, offsetof(struct npu_fw_header, digest));
	g_checksum_update(sum, fw_image_payload(image), image->size - sizeof(*header));
	g_checksum_get_digest(sum, header->digest, &len);
	g_checksum_free(sum);
}

static const Elf64_Shdr *find_section(const uint8_t *elf, uint32_t type)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)elf;
	const Elf64_Shdr *sh = (const Elf64_Shdr *)(elf + eh->e_shoff);

	for (int i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_type == type)
			return &sh[i];
	return NULL;
}

static uint64_t symbol_address(const uint8_t *elf, const char *name)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)elf;
	const Elf64_Shdr *symtab = find_section(elf, SHT_SYMTAB);
	const Elf64_Sym *sym = (const Elf64_Sym *)(elf + symtab->sh_offset);
	const Elf64_Shdr *sh = (const Elf64_Shdr *)(elf + eh->e_shoff);
	const char *strings = (const char *)elf + sh[symtab->sh_link].sh_offset;

	for (size_t i = 0; i < symtab->sh_size / sizeof(*sym); i++)
		if (!strcmp(strings + sym[i].st_name, name))
			return sym[i].st_value;
	printf("Bail out! no symbol %s\n", name);
	exit(1);
}

uint8_t *fw_image_function(struct fw_image *image, const char *name)
{
	size_t size;
	uint8_t *elf = load_file(FW_ELF, &size);
	uint64_t address = symbol_address(elf, name);

	g_free(elf);
	return fw_image_payload(image) + (address - fw_image_header(image)->load_address);
}
