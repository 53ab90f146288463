// SPDX-License-Identifier: MIT
/*
 * Module files (include/npu/npu_module.h). Nothing in a file is believed: each
 * offset, size and string is checked against the bytes that are there.
 */
#include "internal.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_log.h>
#include <npu/npu_module.h>

#define MAX_KERNELS 4096
#define MAX_MODULE_BYTES (256ULL << 20)

#ifndef EM_RISCV
#define EM_RISCV 243
#endif

struct file {
	const uint8_t *bytes;
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Shdr strings; /* of section names */
	const char *why;
};

static int reject(struct file *file, const char *why)
{
	file->why = why;
	return NPURT_ERROR_MODULE;
}

/* @count elements of @size at @offset; NULL if they are not all in the file. */
static const void *at(const struct file *file, uint64_t offset, uint64_t count, uint64_t size)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || offset > file->size ||
	    bytes > file->size - offset)
		return NULL;
	return file->bytes + offset;
}

/* A terminated string in a string table; NULL if there is none. */
static const char *string_at(const struct file *file, const Elf64_Shdr *table, uint64_t offset)
{
	const char *text = at(file, table->sh_offset, table->sh_size, 1);

	if (!text || offset >= table->sh_size ||
	    !memchr(text + offset, '\0', table->sh_size - offset))
		return NULL;
	return text + offset;
}

static int read_header(struct file *file)
{
	Elf64_Ehdr *h = &file->header;
	const void *bytes = at(file, 0, 1, sizeof(*h));

	if (!bytes)
		return reject(file, "shorter than an ELF header");
	memcpy(h, bytes, sizeof(*h));
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return reject(file, "not an ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_ident[EI_VERSION] != EV_CURRENT || h->e_machine != EM_RISCV)
		return reject(file, "not a 64-bit little-endian RISC-V file");
	if (h->e_type != ET_EXEC)
		return reject(file, "not a linked, static file");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_shentsize != sizeof(Elf64_Shdr))
		return reject(file, "program or section headers of a wrong size");
	if (!at(file, h->e_phoff, h->e_phnum, sizeof(Elf64_Phdr)) ||
	    !at(file, h->e_shoff, h->e_shnum, sizeof(Elf64_Shdr)))
		return reject(file, "program or section headers outside of the file");
	return 0;
}

static Elf64_Phdr program_header(const struct file *file, unsigned int index)
{
	Elf64_Phdr header;

	memcpy(&header, file->bytes + file->header.e_phoff + index * sizeof(header),
	       sizeof(header));
	return header;
}

static Elf64_Shdr section_header(const struct file *file, unsigned int index)
{
	Elf64_Shdr header;

	memcpy(&header, file->bytes + file->header.e_shoff + index * sizeof(header),
	       sizeof(header));
	return header;
}

static int take_segment(struct file *file, const Elf64_Phdr *ph, struct rt_elf *elf)
{
	if (elf->segment)
		return reject(file, "more than one loadable segment");
	if (ph->p_vaddr != 0)
		return reject(file, "not linked at address 0");
	if (ph->p_flags & PF_W)
		return reject(file, "writable data");
	if (!ph->p_filesz || ph->p_memsz < ph->p_filesz || ph->p_memsz > MAX_MODULE_BYTES)
		return reject(file, "segment of an impossible size");
	elf->segment = at(file, ph->p_offset, ph->p_filesz, 1);
	if (!elf->segment)
		return reject(file, "segment outside of the file");
	elf->file_bytes = ph->p_filesz;
	elf->memory_bytes = ph->p_memsz;
	return 0;
}

static int find_segment(struct file *file, struct rt_elf *elf)
{
	for (unsigned int i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr ph = program_header(file, i);
		int err = 0;

		if (ph.p_type == PT_DYNAMIC || ph.p_type == PT_INTERP || ph.p_type == PT_TLS)
			return reject(file, "needs dynamic linking or thread-local storage");
		if (ph.p_type == PT_LOAD)
			err = take_segment(file, &ph, elf);
		if (err)
			return err;
	}
	return elf->segment ? 0 : reject(file, "no loadable segment");
}

static bool find_section(const struct file *file, const char *name, Elf64_Shdr *section)
{
	for (unsigned int i = 0; i < file->header.e_shnum; i++) {
		const char *its_name;

		*section = section_header(file, i);
		its_name = string_at(file, &file->strings, section->sh_name);
		if (its_name && strcmp(its_name, name) == 0)
			return true;
	}
	return false;
}

static int take_kernel(struct file *file, const struct npu_kernel_desc *desc,
		       const struct rt_elf *elf, struct rt_elf_kernel *kernel)
{
	if (desc->abi != NPU_MODULE_ABI)
		return reject(file, "a kernel of another module ABI");
	if (!desc->name[0] || !memchr(desc->name, '\0', sizeof(desc->name)))
		return reject(file, "a kernel without a terminated name");
	if (desc->entry >= elf->file_bytes || desc->entry & 1)
		return reject(file, "a kernel whose entry is not in the segment");
	if (desc->args_size > NPURT_MAX_ARGS_SIZE)
		return reject(file, "a kernel with more arguments than can be passed");
	kernel->name = desc->name;
	kernel->entry = desc->entry;
	kernel->args_bytes = desc->args_size;
	return 0;
}

/* The descriptors are read in place: they must be aligned, as the linker has them. */
static int read_kernels(struct file *file, struct rt_elf *elf)
{
	const struct npu_kernel_desc *descs;
	Elf64_Shdr section;
	uint64_t count;
	int err = 0;

	if (!find_section(file, NPU_MODULE_SECTION, &section))
		return reject(file, "no section " NPU_MODULE_SECTION ": use NPU_KERNEL()");
	count = section.sh_size / sizeof(*descs);
	descs = at(file, section.sh_offset, section.sh_size, 1);
	if (section.sh_type != SHT_PROGBITS || !descs || section.sh_size % sizeof(*descs) ||
	    section.sh_offset % _Alignof(struct npu_kernel_desc) || !count || count > MAX_KERNELS)
		return reject(file, "malformed section " NPU_MODULE_SECTION);
	elf->kernels = calloc(count, sizeof(*elf->kernels));
	if (!elf->kernels)
		return NPURT_ERROR_HOST_MEMORY;
	elf->num_kernels = (unsigned int)count;
	for (uint64_t i = 0; i < count && !err; i++)
		err = take_kernel(file, &descs[i], elf, &elf->kernels[i]);
	return err;
}

static struct rt_elf_kernel *find_kernel(struct rt_elf *elf, const char *name)
{
	for (unsigned int i = 0; i < elf->num_kernels; i++) {
		if (strcmp(elf->kernels[i].name, name) == 0)
			return &elf->kernels[i];
	}
	return NULL;
}

/* @kernel: whose fields come now, or NULL before the first. */
static int take_arg(struct file *file, const struct npu_arg_desc *desc, struct rt_elf *elf,
		    struct rt_elf_kernel **kernel)
{
	struct rt_elf_kernel *k = *kernel;

	if (!desc->name[0] || !memchr(desc->name, '\0', sizeof(desc->name)))
		return reject(file, "an argument without a terminated name");
	if (desc->type == NPU_ARG_KERNEL) {
		k = find_kernel(elf, desc->name);
		if (!k || k->args || desc->size != k->args_bytes)
			return reject(file, "arguments that are not those of a kernel");
		k->args = desc + 1;
		*kernel = k;
		return 0;
	}
	if (!k || desc->offset > k->args_bytes || desc->size > k->args_bytes - desc->offset)
		return reject(file, "an argument outside of its kernel's");
	k->num_args++;
	return 0;
}

/* Modules need not tell. */
static int read_args(struct file *file, struct rt_elf *elf)
{
	struct rt_elf_kernel *kernel = NULL;
	const struct npu_arg_desc *descs;
	Elf64_Shdr section;
	uint64_t count;
	int err = 0;

	if (!find_section(file, NPU_ARGS_SECTION, &section))
		return 0;
	count = section.sh_size / sizeof(*descs);
	descs = at(file, section.sh_offset, section.sh_size, 1);
	if (section.sh_type != SHT_PROGBITS || !descs || section.sh_size % sizeof(*descs) ||
	    section.sh_offset % _Alignof(struct npu_arg_desc))
		return reject(file, "malformed section " NPU_ARGS_SECTION);
	for (uint64_t i = 0; i < count && !err; i++)
		err = take_arg(file, &descs[i], elf, &kernel);
	return err;
}

/* Its places are looked at when a record names them. */
static int read_log(struct file *file, struct rt_elf *elf)
{
	Elf64_Shdr section;

	if (!find_section(file, NPU_LOG_SECTION, &section))
		return 0;
	elf->log = at(file, section.sh_offset, section.sh_size, 1);
	if (section.sh_type != SHT_PROGBITS || !elf->log)
		return reject(file, "malformed section " NPU_LOG_SECTION);
	elf->log_bytes = section.sh_size;
	return 0;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct rt_elf_symbol *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* A symbol table only helps reports, so what is wrong in it is left out. */
static int read_symbols(struct file *file, const Elf64_Shdr *section, struct rt_elf *elf)
{
	const uint64_t count = section->sh_size / sizeof(Elf64_Sym);
	const uint8_t *symbols = at(file, section->sh_offset, count, sizeof(Elf64_Sym));
	Elf64_Shdr strings;

	if (!symbols || !count || section->sh_link >= file->header.e_shnum)
		return 0;
	strings = section_header(file, section->sh_link);
	elf->symbols = calloc(count, sizeof(*elf->symbols));
	if (!elf->symbols)
		return NPURT_ERROR_HOST_MEMORY;
	for (uint64_t i = 0; i < count; i++) {
		const char *name;
		Elf64_Sym symbol;

		memcpy(&symbol, symbols + i * sizeof(symbol), sizeof(symbol));
		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
		    symbol.st_value >= elf->memory_bytes)
			continue;
		name = string_at(file, &strings, symbol.st_name);
		if (name)
			elf->symbols[elf->num_symbols++] =
				(struct rt_elf_symbol){ name, symbol.st_value, symbol.st_size };
	}
	qsort(elf->symbols, elf->num_symbols, sizeof(*elf->symbols), compare_symbols);
	return 0;
}

static int read_sections(struct file *file, struct rt_elf *elf)
{
	int err = 0;

	if (file->header.e_shstrndx >= file->header.e_shnum)
		return reject(file, "no section names");
	file->strings = section_header(file, file->header.e_shstrndx);
	for (unsigned int i = 0; i < file->header.e_shnum; i++) {
		const Elf64_Shdr section = section_header(file, i);

		if (section.sh_type == SHT_RELA || section.sh_type == SHT_REL)
			return reject(file, "relocations left over");
		if (section.sh_type == SHT_SYMTAB && !elf->symbols)
			err = read_symbols(file, &section, elf);
		if (err)
			return err;
	}
	err = read_kernels(file, elf);
	if (!err)
		err = read_args(file, elf);
	return err ? err : read_log(file, elf);
}

int rt_elf_parse(const void *image, size_t bytes, struct rt_elf *elf, const char **why)
{
	struct file file = { .bytes = image, .size = bytes, .why = "out of memory" };
	int err;

	memset(elf, 0, sizeof(*elf));
	err = read_header(&file);
	if (!err)
		err = find_segment(&file, elf);
	if (!err)
		err = read_sections(&file, elf);
	if (err)
		rt_elf_free(elf);
	*why = file.why;
	return err;
}

void rt_elf_free(struct rt_elf *elf)
{
	free(elf->kernels);
	free(elf->symbols);
	memset(elf, 0, sizeof(*elf));
}
