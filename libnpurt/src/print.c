// SPDX-License-Identifier: MIT
/*
 * What kernels print: the ring of a module whose kernels do (include/npu/npu_log.h), and records
 * from it, as text, to the application. Kernels write the ring, so nothing in it is believed.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <npu/npu_log.h>

#define HW_VERSION_LOG 0x00010002u
#define SLOTS 4096u /* of a ring: 256 KiB */
#define MAX_LABELS 256u /* of launches of a module; those of more come without theirs */

/* Launches of a kernel that have the same label. */
struct labelled {
	const npurt_kernel *kernel;
	char label[NPURT_LABEL_SIZE];
};

struct rt_print {
	struct rt_list link; /* in context->prints */
	const npurt_module *module;
	npurt_memory *memory;
	struct npu_log_ring *ring; /* the device's */
	const struct npu_log_record *slots;
	uint64_t tail; /* as in the ring */
	uint64_t dropped; /* that were told */
	pthread_mutex_t labels_lock; /* of what follows; an inner lock */
	struct npu_log *logs; /* the device's: of each kernel, and then of each label */
	struct labelled labels[MAX_LABELS];
	unsigned int num_labels;
};

/* A record, out of the device's reach. */
struct record {
	struct npu_log_record head;
	struct npu_log_site site;
	const char *file, *format;
	uint64_t args[NPU_LOG_MAX_ARGS];
};

/* To the application's function, else to that of the log, else to stderr. */
static void deliver(npurt_context *context, const npurt_print *print)
{
	const npurt_device *device = context->device;
	char text[sizeof(print->text) + 128];

	if (context->print) {
		context->print(print, context->print_data);
		return;
	}
	if (print->kernel[0])
		snprintf(text, sizeof(text), "kernel %s%s%s%s, block %u: %s", print->kernel,
			 print->label[0] ? " (" : "", print->label, print->label[0] ? ")" : "",
			 print->block, print->text);
	else
		snprintf(text, sizeof(text), "module %s: %s", print->module, print->text);
	if (device->log)
		device->log(NPURT_LOG_INFO, text, device->log_data);
	else
		fprintf(stderr, "npurt: %s\n", text);
}

static npurt_print of_module(const struct rt_print *print)
{
	npurt_print out = { .size = sizeof(out) };

	rt_label_copy(out.module, print->module->code->label);
	return out;
}

/* The library's own line about a module. */
static void say(struct rt_print *print, const char *format, ...) RT_PRINTF(2, 3);

static void say(struct rt_print *print, const char *format, ...)
{
	npurt_print out = of_module(print);
	va_list args;

	va_start(args, format);
	vsnprintf(out.text, sizeof(out.text), format, args);
	va_end(args);
	deliver(print->module->context, &out);
}

/* Its place in the program; false if there is none at that address. */
static bool find_site(const struct rt_print *print, struct record *record)
{
	const struct rt_elf *elf = &print->module->elf;
	const uint64_t offset = record->head.site - print->module->code->va;
	const char *end = (const char *)elf->log + elf->log_bytes;

	if (offset > elf->log_bytes || elf->log_bytes - offset < sizeof(record->site))
		return false;
	memcpy(&record->site, elf->log + offset, sizeof(record->site));
	record->file = (const char *)elf->log + offset + sizeof(record->site);
	record->format = memchr(record->file, '\0', (size_t)(end - record->file));
	return record->site.magic == NPU_LOG_SITE_MAGIC &&
	       record->site.num_args <= NPU_LOG_MAX_ARGS && record->format++ &&
	       memchr(record->format, '\0', (size_t)(end - record->format));
}

static const char *find_string(const void *module, uint64_t address)
{
	return rt_module_string(module, address);
}

static uint64_t slots_of(const struct record *record)
{
	return npu_log_slots(record->site.num_args);
}

static void copy_args(const struct rt_print *print, struct record *record)
{
	const uint64_t *words = (const uint64_t *)(const void *)print->slots;
	const uint64_t first = print->tail * NPU_LOG_SLOT_ARGS + NPU_LOG_RECORD_ARGS;

	for (unsigned int i = 0; i < record->site.num_args; i++)
		record->args[i] = words[(first + i) % (SLOTS * NPU_LOG_SLOT_ARGS)];
}

/* Clears what has been read; after that kernels may have it. */
static void advance(struct rt_print *print, uint64_t slots)
{
	for (; slots; slots--, print->tail++)
		memset((void *)(uintptr_t)&print->slots[print->tail % SLOTS], 0,
		       sizeof(print->slots[0]));
	__atomic_store_n(&print->ring->tail, print->tail, __ATOMIC_RELEASE);
}

/* Who wrote it; nobody if there is no such writer. */
static void name_writer(struct rt_print *print, unsigned int writer, npurt_print *out)
{
	const npurt_module *module = print->module;
	const npurt_kernel *kernel = NULL;

	if (writer < module->num_kernels) {
		kernel = &module->kernels[writer];
	} else {
		writer -= module->num_kernels;
		pthread_mutex_lock(&print->labels_lock);
		if (writer < print->num_labels) {
			kernel = print->labels[writer].kernel;
			memcpy(out->label, print->labels[writer].label, sizeof(out->label));
		}
		pthread_mutex_unlock(&print->labels_lock);
	}
	if (kernel)
		snprintf(out->kernel, sizeof(out->kernel), "%s", kernel->name);
}

static void deliver_record(struct rt_print *print, const struct record *record)
{
	const npurt_module *module = print->module;
	const struct rt_print_strings strings = { find_string, module };
	npurt_print out = of_module(print);

	out.block = record->head.block;
	out.core = record->head.core;
	out.time_ns = rt_ticks_to_ns(module->context->device, record->head.time);
	out.line = record->site.line;
	snprintf(out.file, sizeof(out.file), "%s", record->file);
	name_writer(print, record->head.writer, &out);
	rt_print_format(out.text, sizeof(out.text), record->format, &record->site, record->args,
			&strings);
	deliver(module->context, &out);
}

/* The record at the tail, if it has been written; it takes at most @left slots. */
static bool take_record(struct rt_print *print, uint64_t left)
{
	const struct npu_log_record *slot = &print->slots[print->tail % SLOTS];
	struct record record;

	if (__atomic_load_n(&slot->position, __ATOMIC_ACQUIRE) != print->tail + 1)
		return false;
	record.head = *slot;
	if (!find_site(print, &record) || slots_of(&record) > left) {
		advance(print, 1);
		say(print, "a bad record in the log, of place 0x%" PRIx64, record.head.site);
		return true;
	}
	copy_args(print, &record);
	advance(print, slots_of(&record));
	deliver_record(print, &record);
	return true;
}

static void tell_dropped(struct rt_print *print)
{
	const uint64_t dropped = __atomic_load_n(&print->ring->dropped, __ATOMIC_RELAXED);

	if (dropped == print->dropped)
		return;
	say(print, "%" PRIu64 " records were lost: the log was full", dropped - print->dropped);
	print->dropped = dropped;
}

/* Does none of the context's streams have kernels at work? */
static bool at_rest(npurt_context *context)
{
	unsigned int count;
	npurt_stream **streams = rt_streams_get(context, &count);
	bool rests = streams;

	for (unsigned int i = 0; i < count && rests; i++)
		rests = !rt_stream_in_flight(streams[i]);
	if (streams)
		rt_streams_put(streams, count);
	return rests;
}

/*
 * A record that is not written holds up those after it as long as there may be a kernel that
 * writes it. With @ended there is none; nor is there if all that could have begun it have ended.
 */
static void drain(struct rt_print *print, bool ended)
{
	uint64_t head = __atomic_load_n(&print->ring->head, __ATOMIC_ACQUIRE);

	if (head - print->tail > SLOTS) {
		say(print, "the log was overwritten: what was in it is lost");
		head = print->tail;
		__atomic_store_n(&print->ring->head, head, __ATOMIC_RELEASE);
	}
	while (print->tail != head) {
		if (take_record(print, head - print->tail))
			continue;
		if (ended)
			advance(print, 1);
		else if (at_rest(print->module->context))
			ended = true;
		else
			break;
	}
	tell_dropped(print);
}

/* A function of the application's that calls the library comes here again. */
static bool enter(npurt_context *context)
{
	pthread_mutex_lock(&context->print_lock);
	if (!context->printing) {
		context->printing = true;
		return true;
	}
	pthread_mutex_unlock(&context->print_lock);
	return false;
}

static void leave(npurt_context *context)
{
	context->printing = false;
	pthread_mutex_unlock(&context->print_lock);
}

bool rt_print_shows(npurt_context *context)
{
	if (!atomic_load_explicit(&context->num_prints, memory_order_relaxed))
		return false;
	if (!enter(context))
		return true;
	leave(context);
	return false;
}

void rt_print_drain_all(npurt_context *context)
{
	struct rt_list *node;

	if (!enter(context))
		return;
	rt_list_for_each(node, &context->prints)
		drain(rt_container(node, struct rt_print, link), false);
	leave(context);
}

void rt_print_make_room(const npurt_module *module)
{
	struct rt_print *print = module->print;

	if (!enter(module->context))
		return;
	if (__atomic_load_n(&print->ring->head, __ATOMIC_RELAXED) - print->tail > SLOTS / 2)
		drain(print, false);
	leave(module->context);
}

static uint64_t log_va(const struct rt_print *print, unsigned int writer)
{
	return print->memory->va + sizeof(*print->ring) + SLOTS * sizeof(*print->slots) +
	       writer * sizeof(*print->logs);
}

static void write_log(struct rt_print *print, unsigned int writer)
{
	print->logs[writer] = (struct npu_log){
		.ring = print->memory->va,
		.writer = (uint16_t)writer,
	};
}

/* The ring, and behind its slots what launches are given. */
static void fill(struct rt_print *print, npurt_module *module, void *map)
{
	print->ring = map;
	print->slots = (const struct npu_log_record *)(const void *)(print->ring + 1);
	print->logs = (struct npu_log *)(uintptr_t)(print->slots + SLOTS);
	print->ring->slots = SLOTS;
	for (unsigned int i = 0; i < module->num_kernels; i++) {
		write_log(print, i);
		module->kernels[i].log = log_va(print, i);
	}
}

/* Under labels_lock: its number, or that of none. */
static unsigned int find_label(struct rt_print *print, const npurt_kernel *kernel,
			       const char *label)
{
	unsigned int i = 0;

	while (i < print->num_labels &&
	       (print->labels[i].kernel != kernel || strcmp(print->labels[i].label, label) != 0))
		i++;
	return i;
}

uint64_t rt_print_log(const npurt_kernel *kernel, const char label[NPURT_LABEL_SIZE])
{
	const unsigned int kernels = kernel->module->num_kernels;
	struct rt_print *print = kernel->module->print;
	uint64_t va = kernel->log;
	unsigned int i;

	/* That of a node of a graph which was given none is the kernel's name. */
	if (!label[0] || strcmp(label, kernel->name) == 0)
		return va;
	pthread_mutex_lock(&print->labels_lock);
	i = find_label(print, kernel, label);
	if (i == print->num_labels && i < MAX_LABELS) {
		print->labels[i].kernel = kernel;
		memcpy(print->labels[i].label, label, NPURT_LABEL_SIZE);
		write_log(print, kernels + i);
		print->num_labels++;
	}
	if (i < MAX_LABELS)
		va = log_va(print, kernels + i);
	pthread_mutex_unlock(&print->labels_lock);
	return va;
}

static int create_ring(struct rt_print *print, npurt_module *module)
{
	const struct rt_memory_desc desc = {
		.bytes = sizeof(*print->ring) + SLOTS * sizeof(*print->slots) +
			 (module->num_kernels + MAX_LABELS) * sizeof(struct npu_log),
		.placement = NPURT_PLACE_HBM,
		.label = "npurt: log of kernels",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	void *map;
	int err = rt_memory_create(module->context, &desc, &print->memory);

	if (err)
		return err;
	err = rt_memory_map(print->memory, &map);
	if (err)
		rt_memory_destroy(print->memory);
	else
		fill(print, module, map);
	return err;
}

int rt_print_create(npurt_module *module)
{
	npurt_context *context = module->context;
	struct rt_print *print;
	int err;

	if (!module->elf.log_bytes)
		return 0;
	if (context->device->info.hw_version < HW_VERSION_LOG)
		return rt_fail(&context->diag, NPURT_ERROR_UNSUPPORTED,
			       "module %s: its kernels print, and this device has no log for them",
			       module->code->label);
	print = calloc(1, sizeof(*print));
	if (!print)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a log");
	err = create_ring(print, module);
	if (err) {
		free(print);
		return err;
	}
	print->module = module;
	pthread_mutex_init(&print->labels_lock, NULL);
	module->print = print;
	pthread_mutex_lock(&context->print_lock);
	rt_list_add(&context->prints, &print->link);
	atomic_fetch_add(&context->num_prints, 1);
	pthread_mutex_unlock(&context->print_lock);
	return 0;
}

void rt_print_destroy(npurt_module *module)
{
	npurt_context *context = module->context;
	struct rt_print *print = module->print;

	if (!print)
		return;
	pthread_mutex_lock(&context->print_lock);
	context->printing = true;
	drain(print, true);
	context->printing = false;
	rt_list_del(&print->link);
	atomic_fetch_sub(&context->num_prints, 1);
	pthread_mutex_unlock(&context->print_lock);
	rt_memory_destroy(print->memory);
	pthread_mutex_destroy(&print->labels_lock);
	free(print);
}

int npurt_context_set_print(npurt_context *context, npurt_print_fn fn, void *data)
{
	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	pthread_mutex_lock(&context->print_lock);
	context->print = fn;
	context->print_data = data;
	pthread_mutex_unlock(&context->print_lock);
	return 0;
}
