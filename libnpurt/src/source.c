// SPDX-License-Identifier: MIT
/*
 * From an address in a module to a line of its source. elfutils' libdw reads the debug
 * information; it is loaded when a fault is to be reported, and not needed otherwise.
 */
#include "internal.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#if __has_include(<elfutils/libdw.h>)
#include <dwarf.h>
#include <elfutils/libdw.h>

#define FUNCTIONS(f)                                                                               \
	f(elf_version) f(elf_memory) f(elf_end) f(dwarf_begin_elf) f(dwarf_end) f(dwarf_nextcu)    \
	f(dwarf_offdie) f(dwarf_getsrc_die) f(dwarf_linesrc) f(dwarf_lineno) f(dwarf_getscopes)    \
	f(dwarf_getscopes_die) f(dwarf_tag) f(dwarf_attr) f(dwarf_formudata)                       \
	f(dwarf_getsrcfiles) f(dwarf_filesrc)

struct libdw {
	void *handle;
#define POINTER(name) __typeof__(name) *name;
	FUNCTIONS(POINTER)
#undef POINTER
};

static bool load(struct libdw *dw)
{
	bool all = true;

	/* It stays, to be there again at once. */
	dw->handle = dlopen("libdw.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
	if (!dw->handle)
		return false;
	/* Those of libelf come with it. POSIX has void * and functions be of one size. */
#define SYMBOL(name)                                                                               \
	*(void **)(void *)&dw->name = dlsym(dw->handle, #name);                                    \
	all &= dw->name != NULL;
	FUNCTIONS(SYMBOL)
#undef SYMBOL
	if (!all)
		dlclose(dw->handle);
	return all;
}

/* The unit that has @address, and the line. */
static Dwarf_Line *find_line(const struct libdw *dw, Dwarf *dwarf, uint64_t address,
			     Dwarf_Die *unit)
{
	Dwarf_Off at = 0, next;
	size_t header;

	while (dw->dwarf_nextcu(dwarf, at, &next, &header, NULL, NULL, NULL) == 0) {
		Dwarf_Line *line = NULL;

		if (dw->dwarf_offdie(dwarf, at + header, unit))
			line = dw->dwarf_getsrc_die(unit, address);
		if (line)
			return line;
		at = next;
	}
	return NULL;
}

static void add(char *text, size_t size, const char *before, const char *path, uint64_t line)
{
	const size_t used = strlen(text);
	const char *slash = strrchr(path, '/');

	snprintf(text + used, size - used, "%s%s:%" PRIu64, before, slash ? slash + 1 : path, line);
}

/* Where the function was called that @scope is the body of. */
static void add_caller(const struct libdw *dw, Dwarf_Die *unit, Dwarf_Die *scope, char *text,
		       size_t size)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	const char *path;
	size_t count;

	if (!dw->dwarf_attr(scope, DW_AT_call_file, &attr) ||
	    dw->dwarf_formudata(&attr, &file) ||
	    !dw->dwarf_attr(scope, DW_AT_call_line, &attr) ||
	    dw->dwarf_formudata(&attr, &line) || dw->dwarf_getsrcfiles(unit, &files, &count))
		return;
	path = file < count ? dw->dwarf_filesrc(files, file, NULL, NULL) : NULL;
	if (path)
		add(text, size, text[0] ? ", by " : "", path, line);
}

/* The innermost scope of @address, and all that it was put into: dwarf_getscopes() goes one up. */
static int find_scopes(const struct libdw *dw, Dwarf_Die *unit, uint64_t address,
		       Dwarf_Die **scopes)
{
	Dwarf_Die *inner = NULL;
	int count = dw->dwarf_getscopes(unit, address, &inner);

	if (count > 0)
		count = dw->dwarf_getscopes_die(&inner[0], scopes);
	free(inner);
	return count;
}

/* The kernel's own line comes last: much of what it does is inline functions'. */
static void describe(const struct libdw *dw, Dwarf *dwarf, uint64_t address, char *text,
		     size_t size)
{
	Dwarf_Die unit, *scopes = NULL;
	Dwarf_Line *line = find_line(dw, dwarf, address, &unit);
	const char *path = line ? dw->dwarf_linesrc(line, NULL, NULL) : NULL;
	int number = 0, count;

	if (!path || dw->dwarf_lineno(line, &number) || number <= 0)
		return;
	add(text, size, "", path, (uint64_t)number);
	count = find_scopes(dw, &unit, address, &scopes);
	for (int i = 0; i < count; i++) {
		if (dw->dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine)
			add_caller(dw, &unit, &scopes[i], text, size);
	}
	free(scopes);
}

void rt_source_line(const void *image, size_t bytes, uint64_t address, char *text, size_t size)
{
	struct libdw dw;
	Dwarf *dwarf;
	Elf *elf;

	text[0] = '\0';
	if (!load(&dw))
		return;
	dw.elf_version(EV_CURRENT);
	elf = dw.elf_memory((char *)(uintptr_t)image, bytes);
	dwarf = elf ? dw.dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
	if (dwarf) {
		describe(&dw, dwarf, address, text, size);
		dw.dwarf_end(dwarf);
	}
	if (elf)
		dw.elf_end(elf);
	dlclose(dw.handle);
}

#else

void rt_source_line(const void *image, size_t bytes, uint64_t address, char *text, size_t size)
{
	(void)image;
	(void)bytes;
	(void)address;
	if (size)
		text[0] = '\0';
}

#endif
