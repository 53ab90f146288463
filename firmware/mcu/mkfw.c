// SPDX-License-Identifier: MIT
/*
 * npu-mkfw: makes a firmware image from an ELF file: the loadable segment behind a header with
 * its digest. Runs on the build machine.
 */
#include <elf.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_fw.h>
#include <npu/npu_mcu.h>
#include <npu/npu_regs.h>

static const char *elf_name;

static void G_GNUC_NORETURN die(const char *what)
{
	fprintf(stderr, "npu-mkfw: %s: %s\n", elf_name, what);
	exit(1);
}

/* The one segment that has to be loaded. */
static const Elf64_Phdr *find_segment(const char *elf, size_t size)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)elf;
	const Elf64_Phdr *ph, *found = NULL;

	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_RISCV)
		die("not a 64-bit RISC-V ELF file");
	if (eh->e_phentsize != sizeof(*ph) || eh->e_phoff > size ||
	    (size - eh->e_phoff) / sizeof(*ph) < eh->e_phnum)
		die("bad program headers");

	ph = (const Elf64_Phdr *)(elf + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		if (found)
			die("more than one segment to load");
		found = &ph[i];
	}
	if (!found)
		die("nothing to load");
	if (found->p_filesz > found->p_memsz || found->p_offset > size ||
	    found->p_filesz > size - found->p_offset)
		die("bad segment");
	return found;
}

static void check_placement(const Elf64_Phdr *seg, uint64_t entry)
{
	if (seg->p_paddr < NPU_MCU_SRAM_BASE || seg->p_memsz > NPU_MCU_SRAM_SIZE ||
	    seg->p_paddr - NPU_MCU_SRAM_BASE > NPU_MCU_SRAM_SIZE - seg->p_memsz)
		die("does not fit into SRAM");
	if (sizeof(struct npu_fw_header) + seg->p_filesz > NPU_FW_IMAGE_MAX)
		die("larger than an image may be");
	if (entry < seg->p_paddr || entry - seg->p_paddr >= seg->p_filesz)
		die("entry point outside the image");
}

static void make_digest(struct npu_fw_header *header, const void *payload)
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize len = sizeof(header->digest);

	g_checksum_update(sum, (const guchar *)header, offsetof(struct npu_fw_header, digest));
	g_checksum_update(sum, payload, header->payload_size);
	g_checksum_get_digest(sum, header->digest, &len);
	g_checksum_free(sum);
}

static void write_image(const char *name, const struct npu_fw_header *header, const void *payload)
{
	FILE *f = fopen(name, "wb");

	if (!f || fwrite(header, sizeof(*header), 1, f) != 1 ||
	    fwrite(payload, header->payload_size, 1, f) != 1 || fclose(f)) {
		perror(name);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct npu_fw_header header = {
		.magic = NPU_FW_MAGIC,
		.header_version = NPU_FW_HEADER_VERSION,
		.header_size = sizeof(header),
		.abi_major = NPU_FW_ABI_VERSION_MAJOR,
		.abi_minor = NPU_FW_ABI_VERSION_MINOR,
		.hw_version = NPU_HW_VERSION_1_0,
	};
	const Elf64_Phdr *seg;
	char *elf;
	gsize size;

	if (argc != 4) {
		fprintf(stderr, "usage: npu-mkfw VERSION ELF IMAGE\n");
		return 2;
	}
	elf_name = argv[2];
	if (strlen(argv[1]) >= sizeof(header.version))
		die("version string too long");
	if (!g_file_get_contents(elf_name, &elf, &size, NULL))
		die("cannot be read");

	seg = find_segment(elf, size);
	header.payload_size = seg->p_filesz;
	header.bss_size = seg->p_memsz - seg->p_filesz;
	header.load_address = seg->p_paddr;
	header.entry = ((const Elf64_Ehdr *)elf)->e_entry;
	check_placement(seg, header.entry);
	strcpy(header.version, argv[1]);
	make_digest(&header, elf + seg->p_offset);
	write_image(argv[3], &header, elf + seg->p_offset);
	g_free(elf);
	return 0;
}
