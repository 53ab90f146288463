/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library share. Names begin with rt_; none of them is
 * visible outside of it.
 *
 * Locks, in the order in which they are taken: that of what kernels print, an executable's, a stream's, an event's, a
 * capture's, a pool's, that of imports, that of host functions, a device's, a context's,
 * that of a stream's queue. No two of one kind are held together.
 */
#ifndef NPURT_INTERNAL_H
#define NPURT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <npu/npu_module.h>
#include <npu/npu_queue.h>
#include <npurt/npurt.h>

#include "call.h"
#include "command.h"
#include "kmd.h"
#include "trace.h"

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
	char text[1024];
};

void rt_diag_init(struct rt_diag *diag, npurt_device *device);
void rt_diag_fini(struct rt_diag *diag);
/* Keeps and logs the text; gives @error back. */
int rt_fail(struct rt_diag *diag, int error, const char *format, ...) RT_PRINTF(3, 4);
/* The same for a failed call of the kernel: adds its errno's text, gives npurt's code. */
int rt_fail_errno(struct rt_diag *diag, int err, const char *format, ...) RT_PRINTF(3, 4);
/*
 * The same for one that may have wanted more HBM than there is (ENOSPC): adds who holds it.
 * Takes the device's lock.
 */
int rt_fail_memory(struct rt_diag *diag, int err, const char *format, ...) RT_PRINTF(3, 4);

/* For a call that met a limit of the driver's: which, whose, and how much is used. */
enum rt_limit {
	RT_LIMIT_VMS,
	RT_LIMIT_QUEUES,
	RT_LIMIT_PINNED,
};

int rt_fail_limit(struct rt_diag *diag, enum rt_limit limit, const char *what);
/*
 * For an errno of a limit that the kernel has for every process, or of no memory: its error,
 * and in @text what was met; else 0.
 */
int rt_errno_limit(int err, char *text, size_t size);

/* Keeps a text that was logged before. */
void rt_diag_keep(struct rt_diag *diag, const char *text);
int rt_diag_copy(struct rt_diag *diag, char *text, size_t size);
const char *rt_status_text(uint32_t status);

void rt_log(npurt_device *device, enum npurt_log_level level, const char *format, ...)
	RT_PRINTF(3, 4);
uint32_t rt_log_default_level(void);

/* quarantine.c: free() of the object that a handle was, if any. */
void rt_object_free(void *object);
void rt_object_after_fork(void);

/* attr.c: structures that begin with {size, flags}. */

/* Copies @src (NULL: all zero) to the library's own @dst of @dst_size bytes. */
int rt_attr_take(struct rt_diag *diag, const char *name, uint32_t known_flags, void *dst,
		 uint32_t dst_size, const void *src);
/* Fills the caller's @dst from @src, cut or zero-extended to the size it states. */
int rt_attr_give(struct rt_diag *diag, const char *name, void *dst, const void *src,
		 uint32_t src_size);
void rt_label_copy(char label[NPURT_LABEL_SIZE], const char *text);

static inline void rt_op_label(const struct rt_op *op, char label[NPURT_LABEL_SIZE])
{
	if (op->name)
		memcpy(label, op->name, NPURT_LABEL_SIZE);
	else if (op->label)
		rt_label_copy(label, op->label);
	else
		label[0] = '\0';
}

/* clock.c */

struct rt_reading {
	uint64_t device; /* ns */
	uint64_t before, after; /* CLOCK_MONOTONIC in ns around it */
	uint64_t tick; /* ns that the device's clock goes on by, rounded up */
};

#define RT_READINGS 32
struct rt_clock {
	struct rt_reading readings[RT_READINGS]; /* the last ones, a ring */
	unsigned int count; /* so far */
};

/* device.c */

struct rt_worker;

struct npurt_device {
	struct kmd_file *kmd;
	/* In a page that a fork wipes: zero in a child. */
	_Atomic uint32_t *owner;
	atomic_uint contexts;
	pthread_mutex_t lock; /* of all that follows, up to the next empty line */
	struct rt_list context_list;
	struct rt_list handles; /* memory_share.c */
	struct rt_worker *_Atomic worker; /* hostfn.c; NULL until it is needed */
	struct rt_clock clock;

	struct rt_diag diag;
	struct rt_trace_hub hub;
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
void rt_clock_init(npurt_device *device);
int rt_clock_read(npurt_device *device, struct rt_reading *reading);
/* The time at @ticks, that is past, and by how much it may be wrong. */
int rt_clock_to_monotonic(npurt_device *device, uint64_t ticks, uint64_t *ns, uint64_t *error);
/* The same between two readings, of which there may be no first one. */
void rt_clock_place(const struct rt_reading *from, const struct rt_reading *to, uint64_t device,
		    uint64_t *ns, uint64_t *error);
/* Absolute time for kmd_syncobj_wait(). */
int64_t rt_deadline(uint64_t timeout_ns);

/* va.c: allocator of a context's device addresses, under the context's lock. */

struct rt_hole;
struct rt_va {
	struct rt_hole *holes; /* the root */
	uint64_t used; /* bytes */
	uint32_t seed;
};

int rt_va_init(struct rt_va *va, uint64_t start, uint64_t end);
void rt_va_fini(struct rt_va *va);
/* 0 if there is no room; @bytes and @alignment are multiples of RT_PAGE. */
uint64_t rt_va_alloc(struct rt_va *va, uint64_t bytes, uint64_t alignment);
void rt_va_free(struct rt_va *va, uint64_t start, uint64_t bytes);

/* process.c */

struct rt_process {
	int pid;
	uint64_t hbm_bytes;
	char name[20];
};

/* Others that have HBM of that device, largest first; gives their number. */
unsigned int rt_processes(const char *bus_id, struct rt_process *processes, unsigned int max);

/* report.c: a group of memory objects, and what it has. */

enum rt_holding {
	RT_HOLDING_HBM,
	RT_HOLDING_HOST,
	RT_HOLDING_FOREIGN, /* not the context's own: registered, imported */
};

struct rt_tag {
	struct rt_list link; /* in context->tags */
	char name[NPURT_LABEL_SIZE];
	uint64_t objects;
	uint64_t hbm_bytes, hbm_peak_bytes;
	uint64_t host_bytes;
	uint64_t foreign_bytes;
};

#define RT_INTERNAL_TAG "npurt" /* of the library's own memory */

/* Under the context's lock. A tag stays as long as the context. */
struct rt_tag *rt_tag_find(npurt_context *context, const char *name);
void rt_tag_add(struct rt_tag *tag, enum rt_holding holding, uint64_t bytes);
void rt_tag_sub(struct rt_tag *tag, enum rt_holding holding, uint64_t bytes);
void rt_tags_init(npurt_context *context);
void rt_tags_fini(npurt_context *context);

/* memory.c */

enum rt_memory_kind {
	RT_MEMORY_BUFFER,
	RT_MEMORY_IMPORTED, /* a buffer that came by a file descriptor */
	RT_MEMORY_REGISTERED, /* memory of the process */
	RT_MEMORY_RANGE, /* addresses that others are mapped to */
	RT_MEMORY_POOLED, /* a block of a pool */
};

struct npurt_memory {
	npurt_context *context;
	struct rt_list link; /* in context->memory */
	enum rt_memory_kind kind;
	uint64_t bytes; /* as asked for */
	uint64_t bo_bytes; /* as allocated and bound */
	uint64_t va;
	uint64_t base; /* the page it begins in: what is bound */
	uint64_t va_bytes; /* from base on, with the guard at the end */
	uint32_t handle; /* 0: none */
	uint32_t placement;
	bool internal; /* the library's own */
	bool readonly; /* for the device */
	bool shared; /* the handle is counted, see memory_share.c */
	bool map_by_fd;
	bool backing; /* others are parts of it */
	bool lost; /* the device cannot read it any more */
	npurt_pool *pool; /* of a block */
	struct rt_block *block;
	void *host; /* of registered memory */
	struct rt_list imports; /* peer.c: by other contexts */
	enum rt_holding holding;
	struct rt_tag *tag;
	void *map; /* under the context's lock */
	char label[NPURT_LABEL_SIZE];
};

struct rt_memory_desc {
	enum rt_memory_kind kind;
	uint64_t bytes;
	uint64_t alignment; /* of the address, if the size does not ask for more; 0: any */
	enum npurt_placement placement;
	void *host; /* registered */
	uint32_t handle; /* imported */
	bool sparse; /* range */
	bool backing;
	bool exportable;
	const char *label;
	const char *tag;
	int32_t priority; /* enum npurt_priority, in HBM */
	bool internal;
	uint32_t flags; /* DRM_NPU_VM_BIND_OP_* */
};

int rt_memory_create(npurt_context *context, const struct rt_memory_desc *desc,
		     npurt_memory **memory);
void rt_memory_destroy(npurt_memory *memory);
int rt_memory_map(npurt_memory *memory, void **pointer);
/* At the end of a context: what it kept as nobody was to get it. */
void rt_memory_free_unreadable(npurt_context *context);
/* Is an object at @address? */
bool rt_memory_there(npurt_context *context, uint64_t address);
/*
 * To and from the context's list, for a part of another object whose tag is @whole: what the
 * part has counts as @tag's, NULL: as that of the whole.
 */
void rt_memory_add_part(npurt_memory *memory, struct rt_tag *whole, const char *tag);
void rt_memory_remove_part(npurt_memory *memory, struct rt_tag *whole);
/* Of a caller's @attr, for rt_memory_create(). */
int rt_memory_take_attr(npurt_context *context, const npurt_memory_attr *attr,
			uint32_t known_flags, struct rt_memory_desc *desc);
/* 0 or a negative errno. */
int rt_vm_bind(npurt_context *context, struct drm_npu_vm_bind_op *ops, unsigned int count);

/*
 * Reads words of system memory that the CPU has mapped; false if it has not. Takes the
 * context's lock.
 */
bool rt_memory_peek(npurt_context *context, uint64_t address, uint64_t *words,
		    unsigned int count);

/* nearest.c: memory around an address */

/* Under the context's lock: keeps what a report of a use after that needs. */
void rt_memory_bury(const npurt_memory *memory);
/* "64 bytes past the end of 'weights' (...)"; empty if nothing is near. */
void rt_memory_describe(npurt_context *context, uint64_t address, char *text, size_t size);
/* What is on the other side of an address that is in none; empty if nothing is near. */
void rt_memory_describe_other(npurt_context *context, uint64_t address, char *text, size_t size);

/* memory_share.c: the first three give 0 or a negative errno. */

int rt_handle_add(npurt_device *device, uint32_t handle);
int rt_handle_import(npurt_device *device, int fd, uint32_t *handle);
int rt_memory_map_import(npurt_memory *memory);
void rt_memory_unmap_import(npurt_memory *memory);
void rt_handle_put(npurt_device *device, uint32_t handle);
/* Exportable memory of another context. */
int rt_memory_import(npurt_context *context, npurt_memory *remote, npurt_memory **memory);

/* peer.c */

void rt_imports_drop_memory(npurt_memory *memory);
void rt_imports_drop_context(npurt_context *context);

/* pool.c */

void rt_pool_free(npurt_memory *memory);
int rt_pool_map(npurt_memory *memory, void **pointer);

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
	const struct rt_tag *tag; /* as long as the context */
	char label[NPURT_LABEL_SIZE];
};

struct npurt_context {
	npurt_device *device;
	struct rt_list link; /* in device->context_list */
	struct rt_list imports; /* peer.c: of other contexts' memory */
	struct rt_diag diag;
	uint32_t vm_id;
	atomic_uint next_stream_id, next_graph_id, next_communicator_id;
	atomic_ullong modules_loaded; /* so far */
	atomic_uint num_communicators;
	uint64_t canary; /* in strict mode, what memory holds that nobody has written; else 0 */
	atomic_bool strict; /* there have been launches in strict mode, or are to be */
	atomic_bool strict_incomplete; /* it was told that the device has not looked at all */
	pthread_mutex_t lock; /* of all that follows */
	struct rt_va va;
	struct rt_slot_pool slots;
	struct rt_list memory;
	struct rt_list tags;
	struct rt_tag untagged;
	struct rt_list modules;
	struct rt_list graph_execs;
	struct rt_image *dying_images; /* of executables that were destroyed in flight */
	unsigned int num_graphs;
	struct rt_list retired; /* modules that were unloaded, but may still be executed */
	struct rt_list streams;
	struct rt_list communicators;
	struct rt_grave graves[RT_GRAVES];
	unsigned int next_grave;
	_Atomic int error; /* sticky: NPURT_ERROR_CONTEXT_LOST */
	char reason[512]; /* of it */
	pthread_mutex_t print_lock; /* recursive; of what follows up to the next empty line */
	struct rt_list prints;
	atomic_uint num_prints; /* of modules whose kernels print */
	bool printing;
	npurt_print_fn print;
	void *print_data;

	struct rt_list unreadable; /* memory that was lost and destroyed: for nobody else to get */
	unsigned int num_memory, num_streams, num_events, num_modules, num_pools; /* the caller's */
};

/* strict.c */

#define RT_STRICT_ALIGN 64u

/* Of a new context, as @flags of its attributes and the environment have it. */
int rt_strict_init(npurt_context *context, uint32_t flags);
/* A launch asks for it itself. */
int rt_strict_launch(struct rt_diag *diag, npurt_context *context);
/* New memory, if it is the caller's own. */
int rt_strict_fill(npurt_memory *memory);
/* A block of a pool, when @stream gets there. */
int rt_strict_fill_block(npurt_stream *stream, const npurt_memory *memory);
/* What the device has found, in @fault. */
void rt_strict_explain(npurt_context *context, const struct drm_npu_queue_get_state *state,
		       npurt_fault *fault);
/* And in a sentence; fault->pipe is known. */
void rt_strict_say(const npurt_fault *fault, char *text, size_t size);
/* Did the device look at all that the first @commands in @memory have done? */
void rt_strict_review(const npurt_memory *memory, uint32_t commands);

/* stream.c: commands are written into chunks, from the bottom, and arguments from the top. */

#define RT_CHUNK_BYTES 65536u
#define RT_CHUNK_COMMANDS (RT_CHUNK_BYTES / sizeof(struct npu_cmd))
#define RT_MAX_CHUNKS 8

struct rt_chunk {
	npurt_memory *memory;
	struct npu_cmd *commands;
	struct rt_task *tasks; /* by index of the command */
	uint32_t first; /* command of the open batch */
	uint32_t cut; /* command that is in none of its jobs yet */
	uint32_t next; /* command to write */
	uint32_t args; /* offset of the lowest argument block */
	uint64_t point; /* last batch that used it */
};

struct rt_staging;

/* graph_capture.c: what the next command of a stream that is captured depends on. */
struct rt_capture;
struct rt_frontier {
	struct rt_capture *capture; /* a reference; NULL: none */
	npurt_graph_node **nodes;
	unsigned int count;
};

/* sync.c: what the next batch waits for and signals, beyond the stream's own. */

struct rt_syncobj {
	npurt_device *device;
	uint32_t handle;
	atomic_uint refs;
};

#define RT_MAX_SYNCS 16

struct rt_sync {
	uint32_t flags; /* DRM_NPU_SYNC_* */
	struct rt_syncobj *syncobj; /* a reference */
	uint64_t point;
};

/* What is handed over: commands of the stream's, and lists of graphs between them. */

#define RT_BATCH_JOBS 64

struct rt_work {
	const struct drm_npu_job *jobs;
	uint32_t num_jobs;
	unsigned int num_syncs;
	const struct rt_sync *syncs;
};

/* batch.c: what was handed over and has not ended. */

struct rt_batch {
	uint64_t point;
	uint64_t commands; /* of the stream's, up to its end */
	/* NULL unless it may have to be handed over again */
	struct drm_npu_job *jobs;
	struct rt_sync *waits;
	uint32_t num_jobs;
	unsigned int num_waits;
};

struct rt_batches {
	struct rt_batch *ring;
	uint32_t size, first, count;
};

/* Batches that were not done and will not be. */
struct rt_loss {
	uint64_t first, last;
	int error;
};

#define RT_LOSSES 16

struct npurt_stream {
	npurt_context *context;
	struct rt_list link; /* in context->streams, under the context's lock */
	atomic_uint refs; /* of the handle, and of events recorded last here */
	uint32_t id;
	struct rt_diag diag;
	pthread_mutex_t queue_lock; /* of what follows up to the next empty line; an inner lock */
	uint32_t queue_id;
	bool has_queue;
	bool aborted; /* it was taken away */
	atomic_uint num_losses; /* so far; written under both locks */
	struct rt_loss losses[RT_LOSSES];
	uint64_t forgotten; /* the last point of earlier losses */

	pthread_mutex_t lock; /* of all that follows */
	uint32_t syncobj;
	uint32_t flags;
	uint32_t wait_timeout_us;
	npurt_stream_attr attr; /* of its queues; without a label */
	_Atomic int error; /* sticky */
	_Atomic int first_error; /* of one that goes on after a fault, until a reset */
	npurt_fault fault; /* the first one, once there is an error */
	uint64_t faults; /* that it has gone on after */
	struct rt_slot *progress; /* the last batch that ended */
	_Atomic uint64_t submitted; /* the last batch that was handed over; pools read it, too */
	uint64_t reset_point; /* that at the last reset */
	_Atomic uint64_t fence_offset; /* from a batch to its point of the syncobj */
	uint64_t sequence; /* of the device's commands */
	uint64_t commands, handed, ended; /* as the caller counts them; added, handed over, ended */
	struct rt_batches batches;
	struct rt_chunk chunks[RT_MAX_CHUNKS];
	unsigned int num_chunks;
	struct rt_chunk *chunk; /* being written */
	struct drm_npu_job jobs[RT_BATCH_JOBS]; /* of the open batch, but for its last commands */
	uint32_t num_jobs;
	uint32_t auto_flush; /* commands that make an idle stream flush */
	struct rt_staging *staging;
	struct rt_sync syncs[RT_MAX_SYNCS]; /* of the open batch */
	unsigned int num_syncs;
	struct rt_slot *host_slot; /* calls of host functions that have returned; NULL: none yet */
	unsigned int host_calls; /* to come; under the worker's lock */
	struct rt_frontier frontier;
	struct rt_spans *spans; /* NULL: never traced */
	char label[NPURT_LABEL_SIZE];
	/* For who must not wait for the lock: its holder sleeps, and all can be read. */
	pthread_mutex_t park_lock;
	bool parked;
};

/* Takes the stream's lock, unless the stream has failed. */
int rt_stream_enter(npurt_stream *stream);
void rt_stream_leave(npurt_stream *stream);

/* The point of the syncobj that signals when batch @point has ended. */
static inline uint64_t rt_stream_fence(const npurt_stream *stream, uint64_t point)
{
	return point + stream->fence_offset;
}

/* Under the lock; the open batch becomes point submitted + 1. */
int rt_stream_flush(npurt_stream *stream);
/* If batch @point has not been handed over. */
int rt_stream_flush_to_locked(npurt_stream *stream, uint64_t point);
/* Adds the @count commands at @list. @label: of the graph that they are. */
int rt_stream_add_list(npurt_stream *stream, uint64_t list, uint32_t count, const char *label);
/* And flushes; without the list if that fails. */
int rt_stream_run_list(npurt_stream *stream, uint64_t list, uint32_t count, const char *label);
/* After a list was added: starts it if the device has nothing else of this stream. */
int rt_stream_start(npurt_stream *stream);
/* Likewise after a command, if there are enough of them. */
int rt_stream_kick(npurt_stream *stream);
int rt_stream_wait_locked(npurt_stream *stream, uint64_t point);
/* What is added next waits for the point, for which work must have been submitted. */
int rt_stream_wait_syncobj(npurt_stream *stream, struct rt_syncobj *syncobj, uint64_t point);
/* Hands over what is open, or a batch of nothing: its end signals the point. */
int rt_stream_signal_syncobj(npurt_stream *stream, struct rt_syncobj *syncobj, uint64_t point);
/* Asks the kernel whether the queue stopped; the sticky error, or 0: it works, maybe again. */
int rt_stream_check(npurt_stream *stream);
/* Counts as one command of @stream, or gives an error if it may not have more. */
int rt_stream_check_depth(npurt_stream *stream);
/* Hands a batch over to the queue that the stream has now; 0 or a negative errno. */
int rt_stream_submit(npurt_stream *stream, uint64_t point, const struct rt_work *work);
/* Commands that have not ended. */
uint32_t rt_stream_commands(npurt_stream *stream);
/* Room for one more batch, which rt_batch_close() adds; NULL without memory. */
struct rt_batch *rt_batch_open(npurt_stream *stream);
void rt_batch_drop(struct rt_batch *batch);
void rt_batch_close(npurt_stream *stream);
/* The first one from @point on, if it has not ended. */
struct rt_batch *rt_batch_from(npurt_stream *stream, uint64_t point);
void rt_batches_free(struct rt_batches *batches);
/* Those from @first to @last are over; the device must have stopped. */
void rt_stream_lose(npurt_stream *stream, uint64_t first, uint64_t last, int error);
/* Likewise all that was handed over and has not ended. */
void rt_stream_lose_rest(npurt_stream *stream, int error);

/* context_recover.c */
void rt_context_lose(npurt_context *context, const npurt_fault *fault);
/* Its error, with the reason as message. */
int rt_context_refuse(npurt_context *context, struct rt_diag *diag);
/* The streams there are, with a reference to each; NULL without memory. */
npurt_stream **rt_streams_get(npurt_context *context, unsigned int *count);
void rt_streams_put(npurt_stream **streams, unsigned int count);
/* Those of all contexts; under the device's lock. */
unsigned int rt_count_streams(const npurt_device *device);

/* recover.c, under the lock but for the first two. */

/* Not for a stream that was aborted meanwhile: NPURT_ERROR_CANCELED. */
int rt_queue_create(npurt_stream *stream, struct rt_diag *diag);
void rt_queue_destroy(npurt_stream *stream);
/* The queue has stopped for the reason in @state; without a sticky error there is another. */
void rt_stream_stopped(npurt_stream *stream, const struct drm_npu_queue_get_state *state);
/* The queue was taken away by npurt_stream_abort(). */
int rt_stream_canceled(npurt_stream *stream);
int rt_stream_reset(npurt_stream *stream);

/*
 * With or without the lock: 0 unless that batch, which has ended, was lost. Of one so long ago
 * that the stream cannot tell: NPURT_ERROR_STREAM_LOST.
 */
int rt_stream_outcome(npurt_stream *stream, uint64_t point);

/* Under the lock: when it has passed, nothing is left of what the stream has now. */
uint64_t rt_stream_open_point(const npurt_stream *stream);

/* Not under the lock. */
int rt_stream_flush_to(npurt_stream *stream, uint64_t point);
/* 0 when it has ended, well or not. NPURT_ERROR_TIMED_OUT comes without a message. */
int rt_stream_wait_until(npurt_stream *stream, uint64_t point, int64_t deadline);
/* When it has passed, nothing is left of what the stream has now. */
uint64_t rt_stream_last_point(npurt_stream *stream);
/* Has the device something of it that has not ended? */
bool rt_stream_in_flight(npurt_stream *stream);
npurt_stream *rt_stream_get(npurt_stream *stream);
void rt_stream_put(npurt_stream *stream);

/* sync.c */

/* Takes the handle over: closes it when it fails (NULL). */
struct rt_syncobj *rt_syncobj_new(npurt_device *device, uint32_t handle);
struct rt_syncobj *rt_syncobj_get(struct rt_syncobj *syncobj);
void rt_syncobj_put(struct rt_syncobj *syncobj);
/* Under the stream's lock. */
void rt_stream_add_sync(npurt_stream *stream, uint32_t flags, struct rt_syncobj *syncobj,
			uint64_t point);
void rt_stream_drop_last_sync(npurt_stream *stream);
void rt_stream_drop_syncs(npurt_stream *stream);
void rt_syncs_fill(const struct rt_sync *from, unsigned int count, struct drm_npu_sync *to);

/* fault.c, under the stream's lock */
const struct rt_task *rt_stream_find_task(const npurt_stream *stream, uint64_t sequence);
void rt_fault_collect(npurt_stream *stream, const struct drm_npu_queue_get_state *state,
		      npurt_fault *fault);

/* hang.c: not under the lock. What the stream waits for, in a sentence; empty if it cannot tell. */
void rt_hang_describe(npurt_stream *stream, char *text, size_t size);

/* graph_capture.c, under the stream's lock, or that of the event whose frontier it is. */
bool rt_stream_capturing(npurt_stream *stream);
/* @data of @bytes: what an upload copies. */
int rt_capture_add(npurt_stream *stream, const struct rt_op *op, const void *data, uint64_t bytes);
/* An error if the stream is being captured: @what cannot be done then. */
int rt_capture_refuse(npurt_stream *stream, const char *what);
int rt_capture_record(npurt_stream *stream, struct rt_frontier *event);
int rt_capture_wait(npurt_stream *stream, struct rt_frontier *event, const char *label);
int rt_capture_copy(struct rt_frontier *to, struct rt_frontier *from);
void rt_capture_leave(npurt_stream *stream);
void rt_frontier_clear(struct rt_frontier *frontier);

/* graph_exec.c */
#define RT_GRAPH_TAG (1ULL << 63) /* of commands of a graph; others count from 1 */
bool rt_graph_find_task(npurt_context *context, uint64_t tag, struct rt_task *task,
			char label[NPURT_LABEL_SIZE]);
void rt_graph_fini(npurt_context *context);
/* It is being unloaded: executables with its kernels are not launched any more. */
void rt_graph_lose_module(npurt_context *context, const npurt_module *module);

/* source.c: the line that made the code at @address of an ELF file; empty if it is not known. */
void rt_source_line(const void *image, size_t bytes, uint64_t address, char *text, size_t size);

/* coll_fail.c */
#define RT_COLL_TAG (1ULL << 62) /* of commands of a collective */
#define RT_COLL_NUMBER_SHIFT 16

/* Of the operation, from 0, among those of the communicator on this rank. */
static inline uint32_t rt_coll_number(uint64_t tag)
{
	return (uint32_t)(tag >> RT_COLL_NUMBER_SHIFT);
}

static inline bool rt_is_collective(uint64_t tag)
{
	return !(tag & RT_GRAPH_TAG) && tag & RT_COLL_TAG;
}

/* What the device knows by @tag; false if its communicator is gone. */
bool rt_coll_find_task(npurt_context *context, uint64_t tag, struct rt_task *task);
void rt_coll_explain(npurt_stream *stream, uint64_t tag, npurt_fault *fault);
/* Looks after the other ranks of communicators that have one in the context; no lock needed. */
void rt_coll_watch(npurt_context *context);
/* kmd_syncobj_wait() of the stream's, and watches meanwhile. */
int rt_coll_syncobj_wait(npurt_stream *stream, uint64_t point, int64_t deadline);

/* args.c: may it be left out, and is zero? */
bool rt_arg_reserved(const struct npu_arg_desc *arg);

/* launch.c */

/* @own gets the caller's @attr, or none. */
int rt_launch_attr_take(struct rt_diag *diag, npurt_context *context,
			const npurt_launch_attr *attr, npurt_launch_attr *own);
int rt_launch_check(struct rt_diag *diag, const npurt_context *context,
		    const npurt_kernel *kernel, uint32_t blocks, const void *args,
		    size_t args_size);

/* copy.c */

/* Rows in a memory object. */
struct rt_region {
	npurt_memory *memory;
	uint64_t offset, pitch;
};

/* 0 without memory. */
static inline uint64_t rt_region_address(const struct rt_region *region)
{
	return region->memory ? region->memory->va + region->offset : 0;
}

int rt_region_check(struct rt_diag *diag, const npurt_context *context, const char *name,
		    const struct rt_region *region, bool write, uint64_t row_bytes,
		    uint64_t rows);
int rt_pattern_check(struct rt_diag *diag, uint32_t pattern_bytes, const struct rt_region *dst,
		     uint64_t row_bytes);
/* Under the stream's lock. */
int rt_copy_check(npurt_stream *stream, const struct rt_region *dst, const struct rt_region *src,
		  uint64_t row_bytes, uint64_t rows);

/* hostfn.c */

int rt_worker_refuse(const struct rt_worker *worker, struct rt_diag *diag);
void rt_worker_stop(npurt_device *device);
/* Under the stream's lock, and not in a capture. */
int rt_host_function_add(npurt_stream *stream, npurt_host_fn fn, void *data);
/* Waits until all calls that a stream that has failed still had to make have returned. */
void rt_host_functions_finish(npurt_stream *stream);

/* An error in a host function, which must not do what may wait for it. */
static inline int rt_host_function_refuse(struct rt_diag *diag)
{
	const struct rt_worker *worker =
		atomic_load_explicit(&diag->device->worker, memory_order_acquire);

	return worker ? rt_worker_refuse(worker, diag) : 0;
}

/* value.c: what streams, graphs and conditions have in common. */
int rt_value_check(struct rt_diag *diag, const npurt_context *context, npurt_memory *memory,
		   uint64_t offset, bool write, uint32_t bytes);
int rt_condition_check(struct rt_diag *diag, uint32_t condition);
/* In microseconds; 0: the default. */
int rt_timeout_take(struct rt_diag *diag, uint32_t ms, uint32_t *us);

/* copies.c */

struct rt_reduction {
	npurt_memory *dst, *src;
	uint64_t dst_offset, src_offset, count;
	enum npurt_dtype dtype;
	enum npurt_reduce_op op;
};

int rt_reduction_take(struct rt_diag *diag, const npurt_context *context,
		      const struct rt_reduction *reduction, struct rt_op *op);

/* staging.c: a ring of system memory for data on their way, under the stream's lock. */
#define RT_STAGING_BYTES (4u << 20)
#define RT_STAGING_PIECE (512u << 10)
#define RT_STAGING_AHEAD 4 /* pieces of one download in flight */

/* @bytes of at most RT_STAGING_PIECE, for a copy that is added before the next call. */
int rt_staging_alloc(npurt_stream *stream, uint32_t bytes, void **pointer, uint64_t *va);
/* After its copy was added: keeps it until the batch of that ends. */
void rt_staging_used(npurt_stream *stream);
void rt_staging_destroy(struct rt_staging *staging);

/* elf.c: what a module file holds, each offset and size checked. */

struct rt_elf_kernel {
	const char *name; /* in the image */
	uint64_t entry;
	uint32_t args_bytes;
	const struct npu_arg_desc *args; /* in the image; NULL if it does not tell */
	unsigned int num_args;
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
	const uint8_t *log; /* section .npu_log */
	uint64_t log_bytes; /* 0: no kernel prints */
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
	const struct npu_arg_desc *args; /* NULL: layout not known */
	unsigned int num_args;
	uint64_t log; /* address of its struct npu_log; 0: its module does not print */
};

/* Where a stream stood when a module was unloaded. */
struct rt_module_mark {
	npurt_stream *stream; /* a reference */
	uint64_t point;
};

struct npurt_module {
	npurt_context *context;
	struct rt_list link; /* in context->modules, then in context->retired */
	uint64_t number; /* no other one of the context has it, before or after */
	struct rt_module_mark *marks; /* of streams that have not passed yet */
	unsigned int num_marks;
	void *image; /* what elf's names point into */
	size_t image_bytes;
	struct rt_elf elf;
	npurt_memory *code;
	npurt_kernel *kernels;
	unsigned int num_kernels;
	struct rt_print *print; /* NULL: its kernels do not */
};

/* Frees what all streams have passed; with @all the others too, when no stream is left. */
void rt_module_reap(npurt_context *context, bool all);
/* "name+0x1c", or empty. */
void rt_module_describe(npurt_context *context, uint64_t pc, char *text, size_t size);
/* "kernel.c:12" of the module's debug information, or empty. */
void rt_module_describe_source(npurt_context *context, uint64_t pc, char *text, size_t size);
/* The text at an address in the module's segment; NULL if there is none. */
const char *rt_module_string(const npurt_module *module, uint64_t address);
/* Of the assertion that a kernel's trap with @code is for; false if it is for none. */
bool rt_module_describe_trap(npurt_context *context, uint64_t code, char *text, size_t size);
/* False if @kernel's module is gone. */
bool rt_kernel_name(npurt_context *context, const npurt_kernel *kernel, char *name, size_t size);
/* By its number. False also if it is unloaded, and there only for what is in flight. */
bool rt_module_loaded(npurt_context *context, uint64_t number);

/* print.c: no lock of the library's may be held. */

/* If its kernels print. */
int rt_print_create(npurt_module *module);
/* No kernel of it runs any more. */
void rt_print_destroy(npurt_module *module);
/* For the command of a launch: address of the struct npu_log of a kernel that has one. */
uint64_t rt_print_log(const npurt_kernel *kernel, const char label[NPURT_LABEL_SIZE]);
/* Between two launches, if half of the module's log is full. */
void rt_print_make_room(const npurt_module *module);
/* Does the caller's thread show what was printed? Then no module may go. */
bool rt_print_shows(npurt_context *context);
void rt_print_drain_all(npurt_context *context);

/* Shows what was printed so far. */
static inline void rt_print_drain(npurt_context *context)
{
	if (atomic_load_explicit(&context->num_prints, memory_order_relaxed))
		rt_print_drain_all(context);
}

/* print_format.c */

struct npu_log_site;

struct rt_print_strings {
	const char *(*find)(const void *data, uint64_t address); /* NULL: none there */
	const void *data;
};

/* As printf(), with "<?>" for what is wrong, and without newlines at the end. */
void rt_print_format(char *to, size_t size, const char *format, const struct npu_log_site *site,
		     const uint64_t *args, const struct rt_print_strings *strings);

#endif /* NPURT_INTERNAL_H */
