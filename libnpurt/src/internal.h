/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library share. Names begin with rt_; none of them is
 * visible outside of it.
 *
 * Locks, in the order in which they are taken: a stream's, an event's, a
 * context's. No two of one kind are held together.
 */
#ifndef NPURT_INTERNAL_H
#define NPURT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <npu/npu_queue.h>
#include <npurt/npurt.h>

#include "kmd.h"

#define RT_PAGE 4096ULL
#define RT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define RT_PRINTF(text, first) __attribute__((format(printf, text, first)))

static inline uint64_t rt_align(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/* In a loop that waits for memory to change. */
static inline void rt_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static inline uint64_t rt_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Doubly linked list, a head by value in its owner. */

struct rt_list {
	struct rt_list *prev, *next;
};

#define rt_container(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#define rt_list_for_each(node, head) \
	for ((node) = (head)->next; (node) != (head); (node) = (node)->next)

static inline void rt_list_init(struct rt_list *head)
{
	head->prev = head->next = head;
}

static inline void rt_list_add(struct rt_list *head, struct rt_list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void rt_list_del(struct rt_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

/* error.c, log.c: failures and their text. */

struct rt_diag {
	npurt_device *device;
	pthread_mutex_t lock;
	char text[512];
};

void rt_diag_init(struct rt_diag *diag, npurt_device *device);
void rt_diag_fini(struct rt_diag *diag);
/* Keeps and logs the text; gives @error back. */
int rt_fail(struct rt_diag *diag, int error, const char *format, ...) RT_PRINTF(3, 4);
/* The same for a failed call of the kernel: adds its errno's text, gives npurt's code. */
int rt_fail_errno(struct rt_diag *diag, int err, const char *format, ...) RT_PRINTF(3, 4);
int rt_diag_copy(struct rt_diag *diag, char *text, size_t size);
const char *rt_status_text(uint32_t status);

void rt_log(npurt_device *device, enum npurt_log_level level, const char *format, ...)
	RT_PRINTF(3, 4);
uint32_t rt_log_default_level(void);

/* attr.c: structures that begin with {size, flags}. */

/* Copies @src (NULL: all zero) to the library's own @dst of @dst_size bytes. */
int rt_attr_take(struct rt_diag *diag, const char *name, uint32_t known_flags, void *dst,
		 uint32_t dst_size, const void *src);
/* Fills the caller's @dst from @src, cut or zero-extended to the size it states. */
int rt_attr_give(struct rt_diag *diag, const char *name, void *dst, const void *src,
		 uint32_t src_size);
void rt_label_copy(char label[NPURT_LABEL_SIZE], const char *text);

/* device.c */

struct npurt_device {
	int fd;
	/* In a page that a fork wipes: zero in a child. */
	_Atomic uint32_t *owner;
	atomic_uint contexts;
	struct rt_diag diag;
	npurt_log_fn log;
	void *log_data;
	uint32_t log_level;
	uint32_t driver_major, driver_minor;
	struct drm_npu_dev_info info;
	struct kmd_node node;
};

static inline bool rt_forked(const npurt_device *device)
{
	return atomic_load_explicit(device->owner, memory_order_relaxed) == 0;
}

uint64_t rt_ticks_to_ns(const npurt_device *device, uint64_t ticks);
/* Absolute time for kmd_syncobj_wait(). */
int64_t rt_deadline(uint64_t timeout_ns);

/* va.c: allocator of a context's device addresses, under the context's lock. */

struct rt_hole;
struct rt_va {
	struct rt_hole *holes; /* by address */
};

int rt_va_init(struct rt_va *va, uint64_t start, uint64_t end);
void rt_va_fini(struct rt_va *va);
/* 0 if there is no room; @bytes and @alignment are multiples of RT_PAGE. */
uint64_t rt_va_alloc(struct rt_va *va, uint64_t bytes, uint64_t alignment);
void rt_va_free(struct rt_va *va, uint64_t start, uint64_t bytes);

/* memory.c */

struct npurt_memory {
	npurt_context *context;
	struct rt_list link; /* in context->memory */
	uint64_t bytes; /* as asked for */
	uint64_t bo_bytes; /* as allocated and bound */
	uint64_t va;
	uint64_t va_bytes; /* with the guard behind it */
	uint32_t handle;
	uint32_t placement;
	bool internal; /* the library's own */
	bool readonly; /* for the device */
	void *map; /* under the context's lock */
	char label[NPURT_LABEL_SIZE];
};

struct rt_memory_desc {
	uint64_t bytes;
	enum npurt_placement placement;
	const char *label;
	bool internal;
	uint32_t flags; /* DRM_NPU_VM_BIND_OP_* */
};

int rt_memory_create(npurt_context *context, const struct rt_memory_desc *desc,
		     npurt_memory **memory);
void rt_memory_destroy(npurt_memory *memory);
int rt_memory_map(npurt_memory *memory, void **pointer);
/* "64 bytes past the end of 'weights' (...)"; empty if nothing is near. */
void rt_memory_describe(npurt_context *context, uint64_t address, char *text, size_t size);

/* slot.c: 64-bit semaphore and timestamp in system memory. */

struct rt_slot {
	struct rt_slot *next; /* free ones */
	_Atomic uint64_t *value; /* only grows, over the slot's whole life */
	_Atomic uint64_t *time;
	uint64_t va; /* of the value; the time is 8 bytes on */
	uint64_t target; /* value after the last signal that was put on a stream */
	bool abandoned; /* its writer has died: target may never come */
};

struct rt_slot_page;
struct rt_slot_pool {
	struct rt_slot_page *pages;
	struct rt_slot *free;
	struct rt_slot **free_tail;
};

void rt_slot_pool_init(struct rt_slot_pool *pool);
void rt_slot_pool_fini(struct rt_slot_pool *pool);
int rt_slot_get(npurt_context *context, struct rt_slot **slot);
void rt_slot_put(npurt_context *context, struct rt_slot *slot, bool abandoned);

static inline uint64_t rt_slot_value(const struct rt_slot *slot)
{
	return atomic_load_explicit(slot->value, memory_order_acquire);
}

/* context.c */

/* What was destroyed last, for the report of a use after that. */
#define RT_GRAVES 64
struct rt_grave {
	uint64_t va, bytes;
	char label[NPURT_LABEL_SIZE];
};

struct npurt_context {
	npurt_device *device;
	struct rt_diag diag;
	uint32_t vm_id;
	atomic_uint next_stream_id;
	pthread_mutex_t lock; /* of all that follows */
	struct rt_va va;
	struct rt_slot_pool slots;
	struct rt_list memory;
	struct rt_list modules;
	struct rt_grave graves[RT_GRAVES];
	unsigned int next_grave;
	unsigned int num_memory, num_streams, num_events, num_modules; /* the caller's */
};

/* stream.c: commands are written into chunks, from the bottom, and arguments from the top. */

#define RT_CHUNK_BYTES 65536u
#define RT_CHUNK_COMMANDS (RT_CHUNK_BYTES / sizeof(struct npu_cmd))
#define RT_MAX_CHUNKS 8

/* What a command was, for the report of its fault. */
struct rt_task {
	uint64_t sequence;
	enum npurt_command command;
	uint64_t tag;
	const npurt_kernel *kernel;
	uint32_t other_stream; /* whose event a wait is for */
	char label[NPURT_LABEL_SIZE];
};

struct rt_chunk {
	npurt_memory *memory;
	struct npu_cmd *commands;
	struct rt_task *tasks; /* by index of the command */
	uint32_t first; /* command of the open batch */
	uint32_t next; /* command to write */
	uint32_t args; /* offset of the lowest argument block */
	uint64_t point; /* last batch that used it */
};

struct rt_staging;

struct npurt_stream {
	npurt_context *context;
	atomic_uint refs; /* of the handle, and of events recorded last here */
	uint32_t id;
	struct rt_diag diag;
	pthread_mutex_t lock; /* of all that follows */
	uint32_t queue_id;
	uint32_t syncobj;
	uint32_t flags;
	uint32_t wait_timeout_us;
	_Atomic int error; /* sticky */
	npurt_fault fault; /* once there is an error */
	struct rt_slot *progress; /* the last batch that ended; also the timeline's point */
	uint64_t submitted; /* the last batch that was handed over */
	uint64_t sequence; /* of commands */
	struct rt_chunk chunks[RT_MAX_CHUNKS];
	unsigned int num_chunks;
	struct rt_chunk *chunk; /* being written */
	uint32_t auto_flush; /* commands that make an idle stream flush */
	struct rt_staging *staging;
	char label[NPURT_LABEL_SIZE];
};

/* A command being written. */
struct rt_command {
	struct npu_cmd *cmd;
	struct rt_task *task;
	void *args;
	uint64_t args_va;
};

/* Takes the stream's lock, unless the stream has failed. */
int rt_stream_enter(npurt_stream *stream);
void rt_stream_leave(npurt_stream *stream);

/* Under the lock; the open batch becomes point submitted + 1. */
int rt_stream_command(npurt_stream *stream, enum npurt_command command, size_t args_bytes,
		      struct rt_command *out);
int rt_stream_flush(npurt_stream *stream);
/* After work was added: starts it if the device has nothing else of this stream. */
int rt_stream_kick(npurt_stream *stream);
int rt_stream_wait_locked(npurt_stream *stream, uint64_t point);
/* Asks the kernel whether the queue stopped; the sticky error, or 0. */
int rt_stream_check(npurt_stream *stream);

/* Not under the lock. */
int rt_stream_flush_to(npurt_stream *stream, uint64_t point);
/* NPURT_ERROR_TIMED_OUT comes without a message. */
int rt_stream_wait_until(npurt_stream *stream, uint64_t point, int64_t deadline);
npurt_stream *rt_stream_get(npurt_stream *stream);
void rt_stream_put(npurt_stream *stream);

/* fault.c */
void rt_fault_collect(npurt_stream *stream, const struct drm_npu_queue_get_state *state);

/* copy.c */

/* Rows in a memory object. */
struct rt_region {
	npurt_memory *memory;
	uint64_t offset, pitch;
};

/* Under the stream's lock. */
int rt_region_check(npurt_stream *stream, const char *name, const struct rt_region *region,
		    bool write, uint64_t row_bytes, uint64_t rows);
int rt_copy_command(npurt_stream *stream, const struct npu_cmd_copy *copy, const char *label);

/* staging.c: a ring of system memory for data on their way, under the stream's lock. */
#define RT_STAGING_BYTES (4u << 20)
#define RT_STAGING_PIECE (512u << 10)
#define RT_STAGING_AHEAD 4 /* pieces of one download in flight */

/* @bytes of at most RT_STAGING_PIECE. */
int rt_staging_alloc(npurt_stream *stream, uint32_t bytes, void **pointer, uint64_t *va);
/* After its copy was added, which may have opened a new batch: keeps it until that ends. */
void rt_staging_used(npurt_stream *stream);
void rt_staging_destroy(struct rt_staging *staging);

/* elf.c: what a module file holds, each offset and size checked. */

struct rt_elf_kernel {
	const char *name; /* in the image */
	uint64_t entry;
	uint32_t args_bytes;
};

struct rt_elf_symbol {
	const char *name;
	uint64_t start, bytes;
};

struct rt_elf {
	const uint8_t *segment; /* the bytes to load */
	uint64_t file_bytes, memory_bytes;
	struct rt_elf_kernel *kernels;
	unsigned int num_kernels;
	struct rt_elf_symbol *symbols; /* functions, by address */
	unsigned int num_symbols;
};

/* On failure *@why tells what is wrong; names point into @image. */
int rt_elf_parse(const void *image, size_t bytes, struct rt_elf *elf, const char **why);
void rt_elf_free(struct rt_elf *elf);

/* module.c */

struct npurt_kernel {
	npurt_module *module;
	const char *name;
	uint64_t entry;
	uint32_t args_bytes;
};

struct npurt_module {
	npurt_context *context;
	struct rt_list link; /* in context->modules */
	void *image; /* what elf's names point into */
	struct rt_elf elf;
	npurt_memory *code;
	npurt_kernel *kernels;
	unsigned int num_kernels;
};

/* "name+0x1c", or empty. */
void rt_module_describe(npurt_context *context, uint64_t pc, char *text, size_t size);
/* False if @kernel's module has been unloaded. */
bool rt_kernel_name(npurt_context *context, const npurt_kernel *kernel, char *name, size_t size);

#endif /* NPURT_INTERNAL_H */
