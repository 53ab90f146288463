// SPDX-License-Identifier: MIT
/*
 * Modules: a file of kernels, placed in HBM where the device may execute it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (512LL << 20)

static int place_code(npurt_module *module, const char *label)
{
	const struct rt_memory_desc desc = {
		.bytes = module->elf.memory_bytes,
		.placement = NPURT_PLACE_HBM,
		.label = label,
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_READONLY,
	};
	void *map;
	int err = rt_memory_create(module->context, &desc, &module->code);

	if (err)
		return err;
	err = rt_memory_map(module->code, &map);
	if (err) {
		rt_memory_destroy(module->code);
		return err;
	}
	memcpy(map, module->elf.segment, module->elf.file_bytes);
	return 0;
}

static int make_kernels(npurt_module *module)
{
	const struct rt_elf *elf = &module->elf;

	module->kernels = calloc(elf->num_kernels, sizeof(*module->kernels));
	if (!module->kernels)
		return rt_fail(&module->context->diag, NPURT_ERROR_HOST_MEMORY,
			       "allocate %u kernels", elf->num_kernels);
	module->num_kernels = elf->num_kernels;
	for (unsigned int i = 0; i < elf->num_kernels; i++) {
		module->kernels[i] = (npurt_kernel){
			.module = module,
			.name = elf->kernels[i].name,
			.entry = module->code->va + elf->kernels[i].entry,
			.args_bytes = elf->kernels[i].args_bytes,
			.args = elf->kernels[i].args,
			.num_args = elf->kernels[i].num_args,
		};
	}
	return 0;
}

static void free_module(npurt_module *module)
{
	free(module->marks);
	rt_object_free(module->kernels);
	rt_elf_free(&module->elf);
	free(module->image);
	rt_object_free(module);
}

/* Takes @image over, in success and in failure. */
static int load(npurt_context *context, void *image, size_t bytes, const char *label,
		npurt_module **result)
{
	npurt_module *module = calloc(1, sizeof(*module));
	const char *why;
	int err;

	if (!module) {
		free(image);
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a module");
	}
	rt_module_reap(context, false);
	module->context = context;
	module->number = atomic_fetch_add(&context->modules_loaded, 1) + 1;
	module->image = image;
	module->image_bytes = bytes;
	err = rt_elf_parse(image, bytes, &module->elf, &why);
	if (err) {
		rt_fail(&context->diag, err, "module %s: %s", label, why);
		goto fail;
	}
	err = place_code(module, label);
	if (err)
		goto fail;
	err = make_kernels(module);
	if (!err)
		err = rt_print_create(module);
	if (err) {
		rt_memory_destroy(module->code);
		goto fail;
	}

	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->modules, &module->link);
	context->num_modules++;
	pthread_mutex_unlock(&context->lock);
	*result = module;
	return 0;

fail:
	free_module(module);
	return err;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
	while (size) {
		const ssize_t n = read(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_file(npurt_context *context, const char *path, void **image, size_t *bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return rt_fail_errno(&context->diag, -errno, "open module %s", path);
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > MAX_FILE_BYTES)
		err = -EINVAL;
	if (!err) {
		*bytes = (size_t)st.st_size;
		*image = malloc(*bytes);
		err = *image ? read_all(fd, *image, *bytes) : -ENOMEM;
		if (err)
			free(*image);
	}
	close(fd);
	if (err == -EINVAL)
		return rt_fail(&context->diag, NPURT_ERROR_MODULE,
			       "module %s: not a file, empty, or too long", path);
	return err ? rt_fail_errno(&context->diag, err, "read module %s", path) : 0;
}

int npurt_module_load_file(npurt_context *context, const char *path, npurt_module **module)
{
	const char *slash;
	void *image = NULL;
	size_t bytes = 0;
	int err;

	if (!context || !path || !module)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = read_file(context, path, &image, &bytes);
	if (err)
		return err;
	slash = strrchr(path, '/');
	return load(context, image, bytes, slash ? slash + 1 : path, module);
}

int npurt_module_load_data(npurt_context *context, const void *image, size_t bytes,
			   npurt_module **module)
{
	void *copy;

	if (!context || !image || !bytes || !module)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	copy = malloc(bytes);
	if (!copy)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "copy a module");
	memcpy(copy, image, bytes);
	return load(context, copy, bytes, "in memory", module);
}

/* Unloading. The code stays until all streams have passed what they had at that time. */

static bool passed(const struct rt_module_mark *mark)
{
	return rt_slot_value(mark->stream->progress) >= mark->point || mark->stream->error;
}

/* Drops the marks that have passed; true if none is left. */
static bool drop_marks(npurt_module *module)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < module->num_marks; i++) {
		if (passed(&module->marks[i]))
			rt_stream_put(module->marks[i].stream);
		else
			module->marks[left++] = module->marks[i];
	}
	module->num_marks = left;
	return !left;
}

static void take_marks(npurt_module *module)
{
	npurt_context *context = module->context;
	struct rt_list *node;

	rt_list_for_each(node, &context->streams) module->marks[module->num_marks++].stream =
		rt_stream_get(rt_container(node, npurt_stream, link));
}

/* Without memory for marks the code stays as long as the context. */
static bool mark_streams(npurt_module *module)
{
	npurt_context *context = module->context;

	pthread_mutex_lock(&context->lock);
	module->marks = calloc(context->num_streams + 1, sizeof(*module->marks));
	if (module->marks)
		take_marks(module);
	pthread_mutex_unlock(&context->lock);
	for (unsigned int i = 0; i < module->num_marks; i++)
		module->marks[i].point = rt_stream_last_point(module->marks[i].stream);
	return module->marks;
}

static void destroy_module(npurt_module *module)
{
	for (unsigned int i = 0; i < module->num_marks; i++)
		rt_stream_put(module->marks[i].stream);
	rt_print_destroy(module);
	rt_memory_destroy(module->code);
	free_module(module);
}

/* Takes the retired modules out of the context, so that they are looked at without its lock. */
static void take_retired(npurt_context *context, struct rt_list *retired)
{
	rt_list_init(retired);
	pthread_mutex_lock(&context->lock);
	while (context->retired.next != &context->retired) {
		struct rt_list *node = context->retired.next;

		rt_list_del(node);
		rt_list_add(retired, node);
	}
	pthread_mutex_unlock(&context->lock);
}

static void retire(npurt_module *module)
{
	npurt_context *context = module->context;

	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->retired, &module->link);
	pthread_mutex_unlock(&context->lock);
}

void rt_module_reap(npurt_context *context, bool all)
{
	struct rt_list retired;

	if (rt_print_shows(context))
		return;
	take_retired(context, &retired);
	while (retired.next != &retired) {
		npurt_module *module = rt_container(retired.next, npurt_module, link);

		rt_list_del(&module->link);
		if (all || (module->marks && drop_marks(module)))
			destroy_module(module);
		else
			retire(module);
	}
}

int npurt_module_unload(npurt_module *module)
{
	npurt_context *context;
	int err;

	if (!module)
		return NPURT_ERROR_INVALID;
	context = module->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_host_function_refuse(&context->diag);
	if (!err && rt_print_shows(context))
		err = rt_fail(&context->diag, NPURT_ERROR_INVALID,
			      "not from the function that is told what kernels print");
	if (err)
		return err;
	pthread_mutex_lock(&context->lock);
	rt_list_del(&module->link);
	context->num_modules--;
	pthread_mutex_unlock(&context->lock);
	/* Before the marks: what is launched until then is among what they wait for. */
	rt_graph_lose_module(context, module);
	if (mark_streams(module) && drop_marks(module))
		destroy_module(module);
	else
		retire(module);
	rt_module_reap(context, false);
	return 0;
}

int npurt_module_get_kernel(npurt_module *module, const char *name, npurt_kernel **kernel)
{
	if (!module || !name || !kernel)
		return NPURT_ERROR_INVALID;
	if (rt_forked(module->context->device))
		return NPURT_ERROR_FORKED;
	for (unsigned int i = 0; i < module->num_kernels; i++) {
		if (strcmp(module->kernels[i].name, name) == 0) {
			*kernel = &module->kernels[i];
			return 0;
		}
	}
	return rt_fail(&module->context->diag, NPURT_ERROR_NOT_FOUND, "no kernel '%s' in module %s",
		       name, module->code->label);
}

unsigned int npurt_module_kernel_count(const npurt_module *module)
{
	return module ? module->num_kernels : 0;
}

int npurt_module_get_kernel_at(npurt_module *module, unsigned int index, npurt_kernel **kernel)
{
	if (!module || !kernel)
		return NPURT_ERROR_INVALID;
	if (rt_forked(module->context->device))
		return NPURT_ERROR_FORKED;
	if (index >= module->num_kernels)
		return rt_fail(&module->context->diag, NPURT_ERROR_NOT_FOUND,
			       "kernel %u of %u in module %s", index, module->num_kernels,
			       module->code->label);
	*kernel = &module->kernels[index];
	return 0;
}

/* The last function that begins at or before @offset. */
static const struct rt_elf_symbol *find_symbol(const struct rt_elf *elf, uint64_t offset)
{
	const struct rt_elf_symbol *best = NULL;

	for (unsigned int i = 0; i < elf->num_symbols && elf->symbols[i].start <= offset; i++)
		best = &elf->symbols[i];
	return best;
}

/* Under the context's lock: calls @found for modules until it is true for one. */
static bool search(npurt_context *context, bool (*found)(const npurt_module *, void *), void *data)
{
	struct rt_list *const lists[] = { &context->modules, &context->retired };
	struct rt_list *node;

	for (size_t i = 0; i < RT_ARRAY_SIZE(lists); i++) {
		rt_list_for_each(node, lists[i])
		{
			if (found(rt_container(node, npurt_module, link), data))
				return true;
		}
	}
	return false;
}

struct place {
	uint64_t pc; /* or address */
	const npurt_kernel *kernel;
	char *text;
	size_t size;
};

static bool has_pc(const npurt_module *module, uint64_t pc)
{
	return pc >= module->code->va && pc - module->code->va < module->elf.memory_bytes;
}

static bool describe_pc(const npurt_module *module, void *data)
{
	const struct place *p = data;
	const uint64_t offset = p->pc - module->code->va;
	const struct rt_elf_symbol *symbol;

	if (!has_pc(module, p->pc))
		return false;
	symbol = find_symbol(&module->elf, offset);
	if (symbol)
		snprintf(p->text, p->size, "%s+0x%" PRIx64, symbol->name, offset - symbol->start);
	else
		snprintf(p->text, p->size, "%s+0x%" PRIx64, module->code->label, offset);
	return true;
}

static bool describe_source(const npurt_module *module, void *data)
{
	const struct place *p = data;

	if (!has_pc(module, p->pc))
		return false;
	rt_source_line(module->image, module->image_bytes, p->pc - module->code->va, p->text,
		       p->size);
	return true;
}

/* By its address: @kernel may be gone. */
static bool has_kernel(const npurt_module *module, const npurt_kernel *kernel)
{
	return kernel >= module->kernels && kernel < module->kernels + module->num_kernels;
}

static bool name_kernel(const npurt_module *module, void *data)
{
	const struct place *p = data;

	if (!has_kernel(module, p->kernel))
		return false;
	snprintf(p->text, p->size, "%s", p->kernel->name);
	return true;
}

const char *rt_module_string(const npurt_module *module, uint64_t address)
{
	const uint64_t offset = address - module->code->va;
	const char *text = (const char *)module->elf.segment + offset;

	if (offset >= module->elf.file_bytes ||
	    !memchr(text, '\0', module->elf.file_bytes - offset))
		return NULL;
	return text;
}

static bool describe_trap(const npurt_module *module, void *data)
{
	const struct place *p = data;
	const char *text = rt_module_string(module, p->pc);

	if (!text)
		return false;
	snprintf(p->text, p->size, "%s", text);
	return true;
}

bool rt_module_describe_trap(npurt_context *context, uint64_t code, char *text, size_t size)
{
	struct place place = { .pc = NPU_GET(NPU_TRAP_ADDRESS, code), .text = text, .size = size };
	bool found;

	if (NPU_GET(NPU_TRAP_KIND, code) != NPU_TRAP_ASSERT)
		return false;
	pthread_mutex_lock(&context->lock);
	found = search(context, describe_trap, &place);
	pthread_mutex_unlock(&context->lock);
	return found;
}

void rt_module_describe(npurt_context *context, uint64_t pc, char *text, size_t size)
{
	struct place place = { .pc = pc, .text = text, .size = size };

	text[0] = '\0';
	pthread_mutex_lock(&context->lock);
	search(context, describe_pc, &place);
	pthread_mutex_unlock(&context->lock);
}

void rt_module_describe_source(npurt_context *context, uint64_t pc, char *text, size_t size)
{
	struct place place = { .pc = pc, .text = text, .size = size };

	text[0] = '\0';
	pthread_mutex_lock(&context->lock);
	search(context, describe_source, &place);
	pthread_mutex_unlock(&context->lock);
}

bool rt_kernel_name(npurt_context *context, const npurt_kernel *kernel, char *name, size_t size)
{
	struct place place = { .kernel = kernel, .text = name, .size = size };
	bool found;

	pthread_mutex_lock(&context->lock);
	found = search(context, name_kernel, &place);
	pthread_mutex_unlock(&context->lock);
	return found;
}

bool rt_module_loaded(npurt_context *context, uint64_t number)
{
	struct rt_list *node;
	bool found = false;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->modules)
		found |= rt_container(node, npurt_module, link)->number == number;
	pthread_mutex_unlock(&context->lock);
	return found;
}
