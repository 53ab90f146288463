// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which files the kernels in memory are of. A debugger tells what files there are, as digests of
 * the code that lies behind each entry; a kernel that starts is looked up by them, so that symbols
 * are where the program has put the module, and breakpoints are set before it runs.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"

#define LENGTH_MAX 0x100000

static bool digest_is(const void *data, size_t len, const uint8_t *want)
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t digest[NPU_DEBUG_DIGEST];
	gsize size = sizeof(digest);

	g_checksum_update(sum, data, len);
	g_checksum_get_digest(sum, digest, &size);
	g_checksum_free(sum);
	return !memcmp(digest, want, size);
}

static bool matches(const struct npu_debug_module *m, uint64_t entry, npu_debug_read *read,
		    void *opaque)
{
	void *code = malloc(m->length);
	bool same = code && read(opaque, entry, code, m->length) &&
		    digest_is(code, m->length, m->digest);

	free(code);
	return same;
}

/* Of two that match, the one that was made known last. */
const struct npu_debug_module *npu_debug_find_module(struct npu_debug *d, uint64_t entry,
						     npu_debug_read *read, void *opaque)
{
	unsigned int i = npu_load_acquire(&d->nr_modules);

	while (i--)
		if (d->modules[i].entry <= entry && matches(&d->modules[i], entry, read, opaque))
			return &d->modules[i];
	return NULL;
}

static bool alive(const struct npu_debug *d, const struct npu_debug_library *library)
{
	unsigned int i;

	for (i = 0; i < NPU_MAX_CONTEXTS; i++)
		if (d->core->contexts[i].valid && d->core->contexts[i].serial == library->serial)
			return true;
	return false;
}

static void drop_dead(struct npu_debug *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < d->nr_libraries; i++)
		if (alive(d, &d->libraries[i]))
			d->libraries[n++] = d->libraries[i];
	d->nr_libraries = n;
}

bool npu_debug_add_library(struct npu_debug *d, const struct npu_debug_module *module,
			   uint64_t entry, uint64_t serial)
{
	uint64_t base = entry - module->entry;
	unsigned int i;

	for (i = 0; i < d->nr_libraries; i++) {
		struct npu_debug_library *l = &d->libraries[i];

		if (l->base != base || strcmp(l->module->file, module->file))
			continue;
		if (!alive(d, l))
			l->serial = serial;
		return false;
	}
	drop_dead(d);
	if (d->nr_libraries == NPU_DEBUG_LIBRARIES)
		return false;
	d->libraries[d->nr_libraries++] = (struct npu_debug_library){
		.module = module,
		.base = base,
		.serial = serial,
	};
	return true;
}

bool npu_debug_add_module(struct npu_debug *d, const struct npu_debug_module *module)
{
	struct npu_debug_module *m = &d->modules[d->nr_modules];
	unsigned int i;

	for (i = 0; i < d->nr_modules; i++) {
		const struct npu_debug_module *known = &d->modules[i];

		if (!strcmp(known->file, module->file) && known->entry == module->entry &&
		    known->length == module->length &&
		    !memcmp(known->digest, module->digest, sizeof(known->digest)))
			return true;
	}
	if (d->nr_modules == NPU_DEBUG_MODULES || !module->length || module->length > LENGTH_MAX)
		return false;
	*m = *module;
	m->file = strdup(module->file);
	if (!m->file)
		return false;
	npu_store_release(&d->nr_modules, d->nr_modules + 1);
	return true;
}

/* gdb takes two libraries of one name for one: the second has a name that says the same. */
static void append_library(GString *xml, const struct npu_debug *d, unsigned int index)
{
	const struct npu_debug_library *l = &d->libraries[index];
	char *folder = g_path_get_dirname(l->module->file);
	char *name = g_path_get_basename(l->module->file);
	GString *path = g_string_new(folder);
	char *text;
	unsigned int i;

	g_string_append_c(path, '/');
	for (i = 0; i < index; i++)
		if (!strcmp(d->libraries[i].module->file, l->module->file))
			g_string_append(path, "./");
	g_string_append(path, name);
	text = g_markup_printf_escaped("<library name=\"%s\"><segment address=\"0x%llx\"/>"
				       "</library>", path->str, (unsigned long long)l->base);
	g_string_append(xml, text);
	g_free(text);
	g_string_free(path, TRUE);
	g_free(name);
	g_free(folder);
}

void npu_debug_list_libraries(struct npu_debug *d, char *text, size_t size)
{
	static const char tail[] = "</library-list>";
	GString *xml = g_string_new("<library-list>");
	gsize whole = xml->len;
	unsigned int i;

	drop_dead(d);
	for (i = 0; i < d->nr_libraries; i++) {
		append_library(xml, d, i);
		if (xml->len + sizeof(tail) > size)
			break;
		whole = xml->len;
	}
	g_string_truncate(xml, whole);
	g_string_append(xml, tail);
	g_strlcpy(text, xml->str, size);
	g_string_free(xml, TRUE);
}

void npu_debug_forget_modules(struct npu_debug *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_modules; i++)
		free(d->modules[i].file);
}
