/* SPDX-License-Identifier: MIT */
/*
 * libnpurt: the runtime of the open NPU. See npurt(7) for an overview and the
 * section 3 manual pages for each group of functions.
 *
 * Every function that returns int gives 0 or a negative enum npurt_error.
 * Structures begin with {size, flags}: set size to sizeof() of the structure and
 * the rest to zero before filling in what you want. A structure that is longer
 * than the library knows is taken if the unknown tail is zero.
 *
 * Threads: all functions may be called from any thread. Commands that several
 * threads put on one stream are not torn, but their order is the threads' affair.
 * An object must not be destroyed while another thread still uses it.
 *
 * Fork: in a forked child every call on a handle of the parent's gives
 * NPURT_ERROR_FORKED and changes nothing; the child can open the device itself.
 */
#ifndef NPURT_H
#define NPURT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NPURT_VERSION_MAJOR 1
#define NPURT_VERSION_MINOR 2
#define NPURT_VERSION_PATCH 0
#define NPURT_VERSION_NUMBER(major, minor, patch) \
	(((uint32_t)(major) << 16) | ((uint32_t)(minor) << 8) | (uint32_t)(patch))
#define NPURT_VERSION \
	NPURT_VERSION_NUMBER(NPURT_VERSION_MAJOR, NPURT_VERSION_MINOR, NPURT_VERSION_PATCH)

/* Version of the library that runs, as NPURT_VERSION. */
uint32_t npurt_version(void);

typedef struct npurt_device npurt_device;
typedef struct npurt_context npurt_context;
typedef struct npurt_memory npurt_memory;
typedef struct npurt_stream npurt_stream;
typedef struct npurt_event npurt_event;
typedef struct npurt_module npurt_module;
typedef struct npurt_kernel npurt_kernel;
typedef struct npurt_graph npurt_graph;
typedef struct npurt_graph_node npurt_graph_node;
typedef struct npurt_graph_exec npurt_graph_exec;
typedef struct npurt_range npurt_range;
typedef struct npurt_pool npurt_pool;
typedef struct npurt_communicator npurt_communicator;
typedef struct npurt_trace npurt_trace;

#define NPURT_INFINITE UINT64_MAX /* a time-out that never ends */
#define NPURT_LABEL_SIZE 40 /* of a label with its NUL; longer ones are cut */

/* Errors: npurt_errors(3). */

enum npurt_error {
	NPURT_SUCCESS = 0,
	NPURT_ERROR_INVALID = -1, /* an argument cannot be right */
	NPURT_ERROR_RANGE = -2, /* outside of the memory object */
	NPURT_ERROR_NO_DEVICE = -3, /* no such device */
	NPURT_ERROR_ACCESS = -4, /* not permitted */
	NPURT_ERROR_HOST_MEMORY = -5, /* out of system memory */
	NPURT_ERROR_DEVICE_MEMORY = -6, /* out of HBM */
	NPURT_ERROR_RESOURCE = -7, /* the system has none left, such as threads */
	NPURT_ERROR_NOT_FOUND = -8, /* no such file or kernel */
	NPURT_ERROR_NOT_READY = -9, /* the answer to a query: not done yet */
	NPURT_ERROR_TIMED_OUT = -10, /* the caller's time-out passed */
	NPURT_ERROR_BUSY = -11, /* other objects still use it */
	NPURT_ERROR_MODULE = -12, /* not a module that can be loaded */
	NPURT_ERROR_UNSUPPORTED = -13, /* the driver or the library cannot do it */
	NPURT_ERROR_FORKED = -14, /* the handle belongs to the parent process */
	NPURT_ERROR_STREAM_FAULT = -15, /* sticky: a command of the stream failed */
	NPURT_ERROR_STREAM_TIMEOUT = -16, /* sticky: a command of the stream took too long */
	NPURT_ERROR_STREAM_LOST = -17, /* sticky: a device reset stopped the stream */
	NPURT_ERROR_DEVICE_LOST = -18, /* the device is gone or does not recover */
	NPURT_ERROR_SYSTEM = -19, /* any other failure of the operating system */
	NPURT_ERROR_CANCELED = -20, /* stopped by the caller */
	NPURT_ERROR_CONTEXT_LOST = -21, /* sticky: the context's memory or addresses are gone */
	NPURT_ERROR_CAPTURE = -22, /* not possible while capturing, or the capture is broken */
	NPURT_ERROR_LIMIT = -23, /* a limit that the message names is reached */
	NPURT_ERROR_COLLECTIVE = -24, /* a peer failed, aborted or timed out */
	NPURT_ERROR_VALIDATE = -25, /* misuse that $NPURT_VALIDATE found */
	NPURT_ERROR_LAST = NPURT_ERROR_VALIDATE
};

/* What a code means. Never NULL. */
const char *npurt_strerror(int error);
/* Its name, such as "NPURT_ERROR_INVALID". Never NULL. */
const char *npurt_error_name(int error);

/*
 * The detail of the last call that failed on a device, a context (with its memory,
 * events and modules) or a stream: copied to @text, cut to @size, always terminated.
 */
int npurt_device_error_message(npurt_device *device, char *text, size_t size);
int npurt_context_error_message(npurt_context *context, char *text, size_t size);
int npurt_stream_error_message(npurt_stream *stream, char *text, size_t size);

/* Devices: npurt_device(3). */

enum npurt_log_level {
	NPURT_LOG_NONE = 0,
	NPURT_LOG_ERROR = 1,
	NPURT_LOG_WARNING = 2,
	NPURT_LOG_INFO = 3,
	NPURT_LOG_DEBUG = 4,
};

typedef void (*npurt_log_fn)(enum npurt_log_level level, const char *text, void *data);

typedef struct npurt_device_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	npurt_log_fn log; /* gets what log_level lets through; NULL: stderr, as $NPURT_LOG says */
	void *log_data;
	uint32_t log_level; /* enum npurt_log_level, used with log */
	uint32_t reserved;
} npurt_device_attr;

typedef struct npurt_device_properties {
	uint32_t size;
	uint32_t flags;
	char name[32];
	char bus_id[32]; /* PCI address, "0000:01:00.0" */
	char node[32]; /* "/dev/accel/accel0" */
	uint64_t serial;
	uint32_t hw_version; /* major in the upper, minor in the lower half */
	uint32_t cores;
	uint64_t core_mask;
	uint32_t core_clock_mhz;
	uint32_t ub_size; /* bytes of the buffers of one core */
	uint32_t l1_size;
	uint32_t l0a_size;
	uint32_t l0b_size;
	uint32_t l0c_size;
	uint32_t max_queues;
	int32_t max_priority; /* enum npurt_priority that this process may use */
	uint64_t timestamp_frequency; /* Hz */
	uint32_t driver_major;
	uint32_t driver_minor;
} npurt_device_properties;

typedef struct npurt_memory_info {
	uint32_t size;
	uint32_t flags;
	uint64_t hbm_size; /* bytes that buffers can have */
	uint64_t hbm_used; /* by all processes */
	uint64_t hbm_physical;
	uint64_t system_used;
} npurt_memory_info;

typedef struct npurt_firmware_info {
	uint32_t size;
	uint32_t flags;
	char version[48];
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t boot_post;
	uint32_t heartbeat;
	uint32_t reset_count;
} npurt_firmware_info;

typedef struct npurt_telemetry {
	uint32_t size;
	uint32_t flags;
	uint64_t timestamp; /* device time of the sample, ticks */
	uint64_t samples;
	uint64_t aicore_busy_ns; /* since boot, summed over cores */
	uint64_t sdma_busy_ns;
	uint64_t hbm_read_bytes;
	uint64_t hbm_write_bytes;
	uint64_t tasks_done;
	uint64_t tasks_failed;
	uint64_t hbm_ce; /* corrected and uncorrected HBM errors */
	uint64_t hbm_ue;
	uint32_t temperature_mc; /* millidegrees Celsius */
	uint32_t power_mw;
	uint32_t voltage_mv;
	uint32_t aicore_mhz;
	uint32_t hbm_mhz;
	uint32_t health; /* 0 OK, 1 warning, 2 alarm, 3 critical */
	uint32_t period_ms; /* between samples */
	uint16_t aicore_permille; /* busy share of the last period */
	uint16_t cube_permille;
	uint16_t vector_permille;
	uint16_t sdma_permille;
	uint16_t mcu_permille;
	uint16_t hbm_permille;
} npurt_telemetry;

int npurt_device_count(unsigned int *count);
int npurt_device_open(unsigned int index, const npurt_device_attr *attr, npurt_device **device);
int npurt_device_open_bus_id(const char *bus_id, const npurt_device_attr *attr,
			     npurt_device **device);
int npurt_device_close(npurt_device *device);
int npurt_device_get_properties(npurt_device *device, npurt_device_properties *properties);
int npurt_device_get_memory_info(npurt_device *device, npurt_memory_info *info);
int npurt_device_get_firmware(npurt_device *device, npurt_firmware_info *info);
int npurt_device_get_telemetry(npurt_device *device, npurt_telemetry *telemetry);
/* Device time in ns, as events report it, and CLOCK_MONOTONIC in ns at that moment. */
int npurt_device_get_time(npurt_device *device, uint64_t *device_ns, uint64_t *monotonic_ns);

/* Contexts: npurt_context(3). An address space and all that lives in it. */

/* Flags of npurt_context_attr. */
#define NPURT_CONTEXT_STRICT (1U << 0) /* launches are in strict mode: see npurt_strict(7) */

typedef struct npurt_context_attr {
	uint32_t size;
	uint32_t flags;
} npurt_context_attr;

int npurt_context_create(npurt_device *device, const npurt_context_attr *attr,
			 npurt_context **context);
int npurt_context_destroy(npurt_context *context);

/* Of streams, and of memory when HBM is short. */
enum npurt_priority {
	NPURT_PRIORITY_LOW = -1,
	NPURT_PRIORITY_NORMAL = 0,
	NPURT_PRIORITY_HIGH = 1, /* for streams HIGH and REALTIME need a privilege */
	NPURT_PRIORITY_REALTIME = 2, /* for streams only */
};

/* Memory: npurt_memory(3). New memory reads as zero. */

enum npurt_placement {
	NPURT_PLACE_HBM = 0, /* on the device */
	NPURT_PLACE_HOST = 1, /* system memory, cached and coherent */
};

#define NPURT_MEMORY_READONLY (1u << 0) /* the device may not write */
#define NPURT_MEMORY_EXPORTABLE (1u << 1) /* other contexts, devices, processes may use it */

typedef struct npurt_memory_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_MEMORY_* */
	uint32_t placement; /* enum npurt_placement */
	uint32_t reserved;
	const char *label; /* named in reports of faults; copied */
	const char *tag; /* the group that reports of memory count it to; copied */
	int32_t priority; /* LOW leaves HBM first when it is short, HIGH last */
	uint32_t reserved2;
} npurt_memory_attr;

int npurt_memory_create(npurt_context *context, uint64_t bytes, const npurt_memory_attr *attr,
			npurt_memory **memory);
int npurt_memory_destroy(npurt_memory *memory);
uint64_t npurt_memory_address(const npurt_memory *memory); /* for kernels; 0 for NULL */
uint64_t npurt_memory_size(const npurt_memory *memory);
npurt_context *npurt_memory_context(const npurt_memory *memory); /* NULL for NULL */
/* CPU pointer to the whole of it, the same each time, valid until it is destroyed. */
int npurt_memory_map(npurt_memory *memory, void **pointer);

/*
 * Memory of the process, wherever it is, for the device to use in place. It stays the
 * caller's: destroying the object leaves it alone.
 */
int npurt_memory_register(npurt_context *context, void *host, uint64_t bytes,
			  const npurt_memory_attr *attr, npurt_memory **memory);

enum npurt_advice {
	NPURT_ADVISE_WILLNEED = 0, /* contents are wanted */
	NPURT_ADVISE_DONTNEED = 1, /* contents may be dropped until WILLNEED */
	NPURT_ADVISE_EVICT_FIRST = 2, /* leaves HBM before others when it is short */
	NPURT_ADVISE_EVICT_NORMAL = 3,
	NPURT_ADVISE_EVICT_LAST = 4, /* after others */
};

/* @retained, if not NULL: 0 if the contents were dropped and now read as zero, else 1. */
int npurt_memory_advise(npurt_memory *memory, enum npurt_advice advice, int *retained);
/* A hint: brings back to HBM, or into system memory, what was moved away. */
int npurt_memory_prefetch(npurt_memory *memory, uint64_t offset, uint64_t bytes);

/* What the memory objects of one tag have; "untagged" and "npurt" (the library's own) too. */
typedef struct npurt_memory_holder {
	uint32_t size;
	uint32_t flags;
	char tag[NPURT_LABEL_SIZE];
	uint64_t objects;
	uint64_t hbm_bytes;
	uint64_t hbm_peak_bytes; /* the most that it had */
	uint64_t host_bytes;
	uint64_t foreign_bytes; /* registered or imported */
} npurt_memory_holder;

typedef void (*npurt_memory_report_fn)(const npurt_memory_holder *holder, void *data);

/* Calls @fn for each tag of the context, the one with most HBM first. */
int npurt_context_memory_report(npurt_context *context, npurt_memory_report_fn fn, void *data);

/* Sharing: npurt_share(3). File descriptors are dma-bufs, to be passed on and closed. */

/* Of memory that was created with NPURT_MEMORY_EXPORTABLE. */
int npurt_memory_export_fd(npurt_memory *memory, int *fd);
/* @fd stays the caller's; @attr may have a label, a tag and READONLY. */
int npurt_memory_import_fd(npurt_context *context, int fd, const npurt_memory_attr *attr,
			   npurt_memory **memory);

/* Ranges: npurt_range(3). Device addresses that memory is mapped to, a part at a time. */

#define NPURT_RANGE_GRANULARITY 4096u /* of all offsets and sizes */
#define NPURT_RANGE_SPARSE (1u << 0) /* what is not mapped reads as zero, and takes writes */

typedef struct npurt_range_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_RANGE_* */
	uint64_t alignment; /* of the address, a power of two; 0: any */
	const char *label; /* named in reports of faults; copied */
} npurt_range_attr;

int npurt_range_reserve(npurt_context *context, uint64_t bytes, const npurt_range_attr *attr,
			npurt_range **range);
/* Unmaps what is still mapped. */
int npurt_range_release(npurt_range *range);
/* Replaces what was mapped there; @flags: NPURT_MEMORY_READONLY or 0. */
int npurt_range_map(npurt_range *range, uint64_t offset, npurt_memory *memory,
		    uint64_t memory_offset, uint64_t bytes, uint32_t flags);
int npurt_range_unmap(npurt_range *range, uint64_t offset, uint64_t bytes);
/* All of it as a memory object, for copies and its address; NULL for NULL. */
npurt_memory *npurt_range_memory(npurt_range *range);

/* Streams: npurt_stream(3). Commands of a stream run in order. */

#define NPURT_STREAM_COPY_ONLY (1u << 0) /* takes no kernels */
#define NPURT_STREAM_NO_AUTO_FLUSH (1u << 1) /* see npurt_stream(3), "When commands start" */
#define NPURT_STREAM_DEPTH_WAIT (1u << 2) /* at its depth a call waits instead of failing */

/* What becomes of a stream with a command that fails. */
enum npurt_failure_mode {
	NPURT_FAIL_STOP = 0, /* it stops, until npurt_stream_reset() */
	NPURT_FAIL_CONTINUE = 1, /* the batch with that command is lost, later ones are done */
};

typedef struct npurt_stream_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_STREAM_* */
	int32_t priority; /* enum npurt_priority */
	uint32_t timeout_ms; /* of a command; 0: the driver's default */
	uint64_t core_mask; /* AI cores to use; 0: all */
	uint32_t wait_timeout_ms; /* of a wait for an event; 0: 30 seconds */
	uint32_t reserved;
	const char *label; /* copied */
	uint32_t depth; /* the most commands that have not ended; 0: no limit but memory */
	uint32_t failure_mode; /* enum npurt_failure_mode */
} npurt_stream_attr;

int npurt_stream_create(npurt_context *context, const npurt_stream_attr *attr,
			npurt_stream **stream);
/* Does not wait: commands that have not ended are stopped. */
int npurt_stream_destroy(npurt_stream *stream);
/* Hands to the device what is still batched. */
int npurt_stream_flush(npurt_stream *stream);
/* Flushes; 0 if all is done, NPURT_ERROR_NOT_READY if not. */
int npurt_stream_query(npurt_stream *stream);
/* Flushes and waits, at most @timeout_ns (NPURT_ERROR_TIMED_OUT). */
int npurt_stream_wait(npurt_stream *stream, uint64_t timeout_ns);
int npurt_stream_synchronize(npurt_stream *stream);
/*
 * Stops it at once: what has not ended ends with NPURT_ERROR_CANCELED, and so does every call
 * until npurt_stream_reset(). For one that another thread waits for, too.
 */
int npurt_stream_abort(npurt_stream *stream);
/* Makes a stream that has failed, or was aborted, work again; what it had not done is lost. */
int npurt_stream_reset(npurt_stream *stream);

enum npurt_stream_state {
	NPURT_STREAM_IDLE = 0,
	NPURT_STREAM_BUSY = 1, /* has commands that have not ended */
	NPURT_STREAM_FAILED = 2,
	NPURT_STREAM_CAPTURING = 3,
};

typedef struct npurt_stream_info {
	uint32_t size;
	uint32_t flags;
	uint32_t id; /* as messages have it */
	uint32_t state; /* enum npurt_stream_state */
	int32_t error; /* the sticky one, or the first since the last reset; 0: none */
	int32_t priority; /* enum npurt_priority */
	uint32_t failure_mode; /* enum npurt_failure_mode */
	uint32_t depth; /* as asked for */
	uint32_t depth_used; /* commands that have not ended */
	uint32_t batched; /* of them not handed to the device yet */
	uint64_t submitted; /* commands that were handed to the device */
	uint64_t done; /* of them ended, well or not */
	uint64_t batches; /* that they were handed over in */
	uint64_t faults; /* so far */
	uint64_t core_mask;
	uint32_t timeout_ms;
	uint32_t wait_timeout_ms;
	char label[NPURT_LABEL_SIZE];
} npurt_stream_info;

int npurt_stream_get_info(npurt_stream *stream, npurt_stream_info *info);
/* What comes next on @stream starts after the last record of @event, on the device. */
int npurt_stream_wait_event(npurt_stream *stream, npurt_event *event);

/* Of a 64-bit word in memory, unsigned. */
enum npurt_condition {
	NPURT_CONDITION_GE = 0, /* memory >= value */
	NPURT_CONDITION_EQ = 1,
	NPURT_CONDITION_NE = 2,
};

/*
 * Called by a thread of the library's when what is on the stream so far has ended, with 0 or
 * the stream's error; what comes next on the stream starts when it has returned. It must not
 * use streams nor wait for the device.
 */
typedef void (*npurt_host_fn)(void *data, int error);
int npurt_stream_host_function(npurt_stream *stream, npurt_host_fn fn, void *data);

/* A value of 4 or 8 bytes. */
int npurt_write_value_async(npurt_stream *stream, npurt_memory *memory, uint64_t offset,
			    uint64_t value, uint32_t bytes);
/* @timeout_ms 0: the stream's wait_timeout_ms. When it passes the stream fails. */
int npurt_wait_value_async(npurt_stream *stream, npurt_memory *memory, uint64_t offset,
			   uint64_t value, enum npurt_condition condition, uint32_t timeout_ms);

enum npurt_command {
	NPURT_COMMAND_UNKNOWN = 0,
	NPURT_COMMAND_KERNEL = 1,
	NPURT_COMMAND_COPY = 2,
	NPURT_COMMAND_FILL = 3,
	NPURT_COMMAND_EVENT_RECORD = 4,
	NPURT_COMMAND_EVENT_WAIT = 5,
	NPURT_COMMAND_PROGRESS = 6, /* the runtime's own */
	NPURT_COMMAND_REDUCE = 7,
	NPURT_COMMAND_WRITE = 8, /* of a value */
	NPURT_COMMAND_WAIT = 9, /* for a value */
	NPURT_COMMAND_BRANCH = 10, /* of a condition or a loop in a graph */
	NPURT_COMMAND_SIGNAL = 11, /* counts the rounds of a loop */
	NPURT_COMMAND_TIMESTAMP = 12, /* of a trace */
	NPURT_COMMAND_COLLECTIVE = 13, /* of a communicator */
	NPURT_COMMAND_HOST_FUNCTION = 14, /* the wait for its end */
};

typedef struct npurt_fault {
	uint32_t size;
	uint32_t flags;
	int32_t error; /* the stream's sticky error */
	uint32_t status; /* device status code, enum npu_status */
	uint32_t command; /* enum npurt_command */
	uint32_t access; /* enum npu_access */
	uint32_t unit; /* enum npu_unit */
	uint32_t core;
	uint32_t block;
	uint32_t reset_count;
	uint64_t sequence; /* number of the command on its stream, from 1 */
	uint64_t tag; /* of npurt_launch_attr */
	uint64_t pc;
	uint64_t address;
	uint64_t time_ns; /* device time */
	char kernel[64]; /* name, empty if it was not a kernel */
	char label[NPURT_LABEL_SIZE]; /* of the launch, the memory copy or the event */
	char location[96]; /* pc as symbol+offset */
	char nearest[128]; /* the allocation nearest to the address */
	char message[512]; /* all of it in a sentence */
	uint64_t time_monotonic_ns; /* the same moment as time_ns in CLOCK_MONOTONIC; 0: not known */
	char source[96]; /* line of the kernel, "kernel.c:12", if its module has debug information */
	char site[128]; /* where the program launched it: see npurt_stream(3), "Launch sites" */
	char neighbour[128]; /* the allocation on the other side of the address */
	/* What strict mode tells, see npurt_strict(7). */
	uint32_t pipe; /* enum npu_pipe of the access; NPURT_NO_PIPE: not known */
	uint32_t other_pipe; /* of the one that it meets; NPURT_NO_PIPE: none */
	uint32_t other_access; /* enum npu_access */
	uint32_t other_block;
	uint64_t other_pc; /* 0: not known */
	uint64_t bytes; /* from address on, where they meet */
	char buffer[8]; /* the local buffer of the address, "UB"; empty: global memory */
	char other_source[96]; /* line of other_pc, or its symbol+offset */
} npurt_fault;

#define NPURT_NO_PIPE 0xffffffffu

/* Why the stream stopped; NPURT_ERROR_NOT_READY if it has not. */
int npurt_stream_get_fault(npurt_stream *stream, npurt_fault *fault);

/* Recovery: npurt_context(3). */

/* How far a failure reaches. */
enum npurt_scope {
	NPURT_SCOPE_CALL = 0, /* the call that gave the error, and no more */
	NPURT_SCOPE_STREAM = 1, /* npurt_stream_reset() helps */
	NPURT_SCOPE_CONTEXT = 2, /* npurt_context_recover() does */
	NPURT_SCOPE_DEVICE = 3, /* so it does here, if the device has come back */
};

enum npurt_scope npurt_error_scope(int error);

typedef struct npurt_context_status {
	uint32_t size;
	uint32_t flags;
	int32_t error; /* the one that reaches farthest; 0: all is well */
	uint32_t scope; /* enum npurt_scope */
	uint32_t streams;
	uint32_t failed_streams;
	uint64_t device_resets; /* since the driver was bound */
	char message[512]; /* of that error */
} npurt_context_status;

int npurt_context_get_status(npurt_context *context, npurt_context_status *status);

/* @memory: to be destroyed, as its contents are gone; NULL: the library's own. */
typedef void (*npurt_lost_fn)(npurt_memory *memory, const char *label, void *data);

typedef struct npurt_recovery {
	uint32_t size;
	uint32_t flags; /* none defined */
	npurt_lost_fn lost; /* called for each memory object that was lost; may be NULL */
	void *data;
	uint32_t streams_reset; /* from here on: what was done */
	uint32_t memory_kept; /* if memory was in doubt: objects in HBM that were read */
	uint32_t memory_lost;
	uint32_t reserved;
	uint64_t bytes_kept;
	uint64_t bytes_lost;
} npurt_recovery;

/*
 * Makes a context work again as far as the device does: streams that have failed get fresh
 * queues, and memory stays but for what the device cannot read. No other thread may use the
 * context meanwhile. @recovery may be NULL.
 */
int npurt_context_recover(npurt_context *context, npurt_recovery *recovery);

/* Pools: npurt_pool(3). Memory that comes and goes in the order of streams. */

#define NPURT_POOL_NO_WAITS (1u << 0) /* no stream waits for another one's memory */

typedef struct npurt_pool_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_POOL_* */
	uint32_t placement; /* enum npurt_placement */
	uint32_t reserved;
	uint64_t release_threshold; /* bytes that stay when unused; 0: all, until a trim */
	const char *label; /* copied, as the tag */
	const char *tag; /* what reports of memory count it to */
} npurt_pool_attr;

typedef struct npurt_pool_info {
	uint32_t size;
	uint32_t flags;
	uint64_t reserved_bytes; /* of the driver's */
	uint64_t reserved_peak_bytes;
	uint64_t used_bytes; /* by memory objects */
	uint64_t used_peak_bytes;
	uint64_t allocations; /* memory objects now */
	uint64_t reused_in_order; /* so far: by the stream that freed it */
	uint64_t reused_idle; /* when nobody used it any more */
	uint64_t reused_by_wait; /* after a wait on the device */
	uint64_t grown; /* new from the driver */
} npurt_pool_info;

int npurt_pool_create(npurt_context *context, const npurt_pool_attr *attr, npurt_pool **pool);
/* Waits for commands that use what was freed. */
int npurt_pool_destroy(npurt_pool *pool);
/* For commands that follow on @stream; contents are undefined. @attr: label and tag. */
int npurt_pool_alloc_async(npurt_pool *pool, npurt_stream *stream, uint64_t bytes,
			   const npurt_memory_attr *attr, npurt_memory **memory);
/* What is on @stream by now may still use it; the object is gone. */
int npurt_memory_free_async(npurt_memory *memory, npurt_stream *stream);
/* Gives unused memory back to the driver, until at most @keep_bytes of it are left. */
int npurt_pool_trim(npurt_pool *pool, uint64_t keep_bytes);
int npurt_pool_get_info(npurt_pool *pool, npurt_pool_info *info);

/* Copies: npurt_copy(3). Offsets, sizes and pitches are in bytes. */

int npurt_memcpy_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		       npurt_memory *src, uint64_t src_offset, uint64_t bytes);
int npurt_memcpy_2d_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			  uint64_t dst_pitch, npurt_memory *src, uint64_t src_offset,
			  uint64_t src_pitch, uint64_t row_bytes, uint64_t rows);
int npurt_memcpy(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		 npurt_memory *src, uint64_t src_offset, uint64_t bytes);
int npurt_memcpy_2d(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		    uint64_t dst_pitch, npurt_memory *src, uint64_t src_offset,
		    uint64_t src_pitch, uint64_t row_bytes, uint64_t rows);

/*
 * The same, where one of the two or both may be of another context, of this NPU or another
 * one, if it was created with NPURT_MEMORY_EXPORTABLE.
 */
int npurt_memcpy_peer_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			    npurt_memory *src, uint64_t src_offset, uint64_t bytes);

/*
 * Boxes of @row_bytes x @rows x @slices: rows are a pitch apart, slices a slice pitch. What
 * is not set copies less: a 2D copy has one slice, a 1D copy one row.
 */
typedef struct npurt_copy {
	uint32_t size;
	uint32_t flags; /* none defined */
	npurt_memory *dst, *src;
	uint64_t dst_offset, src_offset;
	uint64_t row_bytes;
	uint64_t rows; /* 0: 1 */
	uint64_t slices; /* 0: 1 */
	uint64_t dst_pitch, src_pitch;
	uint64_t dst_slice_pitch, src_slice_pitch;
} npurt_copy;

int npurt_memcpy_3d_async(npurt_stream *stream, const npurt_copy *copy);
/* All or, if an argument is wrong, none; they must not overlap, as they may run at once. */
int npurt_memcpy_batch_async(npurt_stream *stream, const npurt_copy *copies, size_t count);

enum npurt_dtype {
	NPURT_F32 = 0,
	NPURT_F16 = 1,
	NPURT_BF16 = 2,
	NPURT_S32 = 3,
	NPURT_S8 = 4,
	NPURT_U8 = 5,
	NPURT_S16 = 6,
};

enum npurt_reduce_op {
	NPURT_REDUCE_ADD = 0,
	NPURT_REDUCE_MIN = 1,
	NPURT_REDUCE_MAX = 2,
};

/* dst = dst op src, for each of @count elements; offsets are in bytes. */
int npurt_reduce_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		       npurt_memory *src, uint64_t src_offset, uint64_t count,
		       enum npurt_dtype dtype, enum npurt_reduce_op op);

/* @pattern's low @pattern_bytes (1, 2, 4 or 8), over and over. */
int npurt_fill_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		     uint64_t pattern, uint32_t pattern_bytes, uint64_t bytes);
int npurt_fill_2d_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			uint64_t dst_pitch, uint64_t pattern, uint32_t pattern_bytes,
			uint64_t row_bytes, uint64_t rows);

/*
 * From and to ordinary memory, through a staging buffer. An upload returns when
 * @host may be changed again, the copy itself is in order on the stream; a
 * download returns when the data are there.
 */
int npurt_upload(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		 const void *host, uint64_t bytes);
int npurt_upload_2d(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		    uint64_t dst_pitch, const void *host, uint64_t host_pitch,
		    uint64_t row_bytes, uint64_t rows);
int npurt_download(npurt_stream *stream, void *host, npurt_memory *src, uint64_t src_offset,
		   uint64_t bytes);
int npurt_download_2d(npurt_stream *stream, void *host, uint64_t host_pitch, npurt_memory *src,
		      uint64_t src_offset, uint64_t src_pitch, uint64_t row_bytes,
		      uint64_t rows);

/* Events: npurt_event(3). */

typedef struct npurt_event_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	const char *label; /* copied */
} npurt_event_attr;

int npurt_event_create(npurt_context *context, const npurt_event_attr *attr,
		       npurt_event **event);
int npurt_event_destroy(npurt_event *event);
int npurt_event_record(npurt_event *event, npurt_stream *stream);
/* Of the last record; one that was never recorded counts as done. */
int npurt_event_query(npurt_event *event);
int npurt_event_wait(npurt_event *event, uint64_t timeout_ns);
int npurt_event_time(npurt_event *event, uint64_t *device_ns);
int npurt_event_elapsed(npurt_event *start, npurt_event *end, int64_t *ns);
/* In CLOCK_MONOTONIC, and by how much that may be wrong at most (@error_ns may be NULL). */
int npurt_event_time_monotonic(npurt_event *event, uint64_t *ns, uint64_t *error_ns);
/* Adds 1 to @eventfd, which stays the caller's, when the last record has happened or failed. */
int npurt_event_eventfd(npurt_event *event, int eventfd);

/*
 * Events of others: npurt_share(3). Records are numbered from 1; a later one stands for those
 * before it, too. Once an event is exported, a record flushes the stream.
 */

/* A syncobj, for other contexts, NPUs and processes; the caller's to close. */
int npurt_event_export_fd(npurt_event *event, int *fd);
/* @fd stays the caller's. The event can be waited for, but not recorded. */
int npurt_event_import_fd(npurt_context *context, int fd, const npurt_event_attr *attr,
			  npurt_event **event);
/* The number of the last record; 0: there is none. */
int npurt_event_get_point(npurt_event *event, uint64_t *point);
/* Until record @point was made and has happened, or only until it was made. */
int npurt_event_wait_point(npurt_event *event, uint64_t point, uint64_t timeout_ns);
int npurt_event_wait_recorded(npurt_event *event, uint64_t point, uint64_t timeout_ns);
/* As npurt_stream_wait_event(), for a record that was made (else NPURT_ERROR_NOT_READY). */
int npurt_stream_wait_event_point(npurt_stream *stream, npurt_event *event, uint64_t point);

/* Modules and kernels: npurt_module(3). */

int npurt_module_load_file(npurt_context *context, const char *path, npurt_module **module);
int npurt_module_load_data(npurt_context *context, const void *image, size_t bytes,
			   npurt_module **module);
int npurt_module_unload(npurt_module *module);
/* A kernel lives as long as its module. */
int npurt_module_get_kernel(npurt_module *module, const char *name, npurt_kernel **kernel);
unsigned int npurt_module_kernel_count(const npurt_module *module);
int npurt_module_get_kernel_at(npurt_module *module, unsigned int index, npurt_kernel **kernel);
const char *npurt_kernel_name(const npurt_kernel *kernel);

typedef struct npurt_kernel_info {
	uint32_t size;
	uint32_t flags;
	char name[48];
	char module[NPURT_LABEL_SIZE]; /* name of its file */
	uint64_t entry; /* device address */
	uint32_t args_bytes; /* as npurt_launch() wants them */
	uint32_t num_args; /* 0 if args_bytes is not: the module does not tell */
} npurt_kernel_info;

enum npurt_arg_type {
	NPURT_ARG_UNKNOWN = 0,
	NPURT_ARG_U8 = 1,
	NPURT_ARG_S8 = 2,
	NPURT_ARG_U16 = 3,
	NPURT_ARG_S16 = 4,
	NPURT_ARG_U32 = 5,
	NPURT_ARG_S32 = 6,
	NPURT_ARG_U64 = 7,
	NPURT_ARG_S64 = 8,
	NPURT_ARG_F32 = 9,
	NPURT_ARG_F64 = 10,
};

#define NPURT_ARG_ADDRESS (1u << 0) /* a device address, of what the kernel ... */
#define NPURT_ARG_READ (1u << 1) /* ... reads */
#define NPURT_ARG_WRITE (1u << 2) /* ... writes */

/* A field of a kernel's argument structure. */
typedef struct npurt_kernel_arg {
	uint32_t size;
	uint32_t flags;
	char name[48];
	uint32_t offset;
	uint32_t bytes;
	uint32_t type; /* enum npurt_arg_type, of an element */
	uint32_t count; /* of elements, 1 if it is no array */
	uint32_t use; /* NPURT_ARG_ADDRESS and others */
	uint32_t reserved;
} npurt_kernel_arg;

int npurt_kernel_get_info(npurt_kernel *kernel, npurt_kernel_info *info);
int npurt_kernel_get_arg(npurt_kernel *kernel, unsigned int index, npurt_kernel_arg *arg);

/* What a launch of so many blocks makes of the cores. */
typedef struct npurt_occupancy {
	uint32_t size;
	uint32_t flags;
	uint32_t cores; /* that may be used */
	uint32_t resident_blocks; /* that run at the same time */
	uint32_t rounds; /* until all have run, if they take equally long */
	uint32_t idle_cores; /* in the last round */
} npurt_occupancy;

/* @core_mask as in npurt_stream_attr, @max_cores as in npurt_launch_attr; 0: all. */
int npurt_kernel_get_occupancy(npurt_kernel *kernel, uint32_t blocks, uint64_t core_mask,
			       uint32_t max_cores, npurt_occupancy *occupancy);

/* What a kernel printed. */
typedef struct npurt_print {
	uint32_t size;
	uint32_t flags;
	char kernel[64]; /* name; empty if this is the library's own word about a module's log */
	char module[NPURT_LABEL_SIZE]; /* name of its file */
	char label[NPURT_LABEL_SIZE]; /* of the launch */
	char file[64]; /* of its source, with the line */
	uint32_t line;
	uint32_t block;
	uint32_t core;
	uint32_t reserved;
	uint64_t time_ns; /* device time */
	char text[512]; /* formatted, without a newline at the end; longer ones are cut */
} npurt_print;

typedef void (*npurt_print_fn)(const npurt_print *print, void *data);

/* NULL: to the device's log function, else to stderr. */
int npurt_context_set_print(npurt_context *context, npurt_print_fn fn, void *data);

#define NPURT_MAX_BLOCKS 65535
#define NPURT_MAX_ARGS_SIZE 4096

/* Flags of npurt_launch_attr. */
#define NPURT_LAUNCH_STRICT (1U << 0) /* this one is in strict mode: see npurt_strict(7) */

typedef struct npurt_launch_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_LAUNCH_* */
	uint32_t timeout_us; /* 0: the stream's */
	uint32_t max_cores; /* 0: all that the stream may use */
	uint64_t tag; /* the caller's own, comes back in a fault */
	const char *label; /* copied */
	/* Where it is launched, for the report of a fault: see NPURT_SITE. Not copied. */
	const char *file;
	uint32_t line;
	uint32_t reserved;
} npurt_launch_attr;

/* Initialisers of file and line: { .size = sizeof(attr), NPURT_SITE }. */
#define NPURT_SITE .file = __FILE__, .line = __LINE__

/* @args is copied; the kernel gets the copy's address. */
int npurt_launch(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks,
		 const void *args, size_t args_size, const npurt_launch_attr *attr);

/* Arguments by name, for kernels that tell theirs. */
enum npurt_value_kind {
	NPURT_VALUE_MEMORY = 0, /* with an offset in bytes; NULL is address 0 */
	NPURT_VALUE_ADDRESS = 1, /* on the device */
	NPURT_VALUE_INTEGER = 2, /* for a field of an integer type that it fits into */
	NPURT_VALUE_REAL = 3, /* for f32 and f64 */
	NPURT_VALUE_DATA = 4, /* as it is, of the field's size: arrays, and any other */
};

typedef struct npurt_arg_value {
	const char *name;
	uint32_t kind; /* enum npurt_value_kind */
	uint32_t reserved;
	uint64_t bytes; /* offset into memory, or size of data */
	union {
		npurt_memory *memory;
		uint64_t address;
		int64_t integer;
		double real;
		const void *data;
	};
} npurt_arg_value;

/* Writes the argument structure; each field is given once, but reserved ones need not be. */
int npurt_kernel_pack(npurt_kernel *kernel, const npurt_arg_value *values, unsigned int count,
		      void *args, size_t args_size);
/* npurt_launch() with it. */
int npurt_launch_named(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks,
		       const npurt_arg_value *values, unsigned int count,
		       const npurt_launch_attr *attr);

/* Graphs: npurt_graph(3). Commands that are put together once, and launched as one. */

typedef struct npurt_graph_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	const char *label; /* copied */
} npurt_graph_attr;

int npurt_graph_create(npurt_context *context, const npurt_graph_attr *attr, npurt_graph **graph);
/* Executables, and graphs that it is a part of, keep what they need of it. */
int npurt_graph_destroy(npurt_graph *graph);

/*
 * Commands that @stream and those that join it are given become a graph and are not run. A
 * stream joins by waiting for an event that was recorded in the capture, and has to be
 * waited for in turn before the capture ends, on the stream where it began.
 */
int npurt_stream_begin_capture(npurt_stream *stream, uint32_t flags); /* none defined */
int npurt_stream_end_capture(npurt_stream *stream, npurt_graph **graph);
int npurt_stream_is_capturing(npurt_stream *stream, int *capturing);

/*
 * A node starts when the nodes that it depends on have ended; others may run at the same
 * time. A node lives as long as its graph. @node may be NULL.
 */
int npurt_graph_add_kernel(npurt_graph *graph, npurt_graph_node *const *deps,
			   unsigned int num_deps, npurt_kernel *kernel, uint32_t blocks,
			   const void *args, size_t args_size, const npurt_launch_attr *attr,
			   npurt_graph_node **node);
int npurt_graph_add_copy(npurt_graph *graph, npurt_graph_node *const *deps,
			 unsigned int num_deps, npurt_memory *dst, uint64_t dst_offset,
			 npurt_memory *src, uint64_t src_offset, uint64_t bytes,
			 npurt_graph_node **node);
int npurt_graph_add_fill(npurt_graph *graph, npurt_graph_node *const *deps,
			 unsigned int num_deps, npurt_memory *dst, uint64_t dst_offset,
			 uint64_t pattern, uint32_t pattern_bytes, uint64_t bytes,
			 npurt_graph_node **node);
/* A value of 4 or 8 bytes. */
int npurt_graph_add_write(npurt_graph *graph, npurt_graph_node *const *deps,
			  unsigned int num_deps, npurt_memory *memory, uint64_t offset,
			  uint64_t value, uint32_t bytes, npurt_graph_node **node);
/* @timeout_ms 0: 30 seconds. */
int npurt_graph_add_wait(npurt_graph *graph, npurt_graph_node *const *deps,
			 unsigned int num_deps, npurt_memory *memory, uint64_t offset,
			 uint64_t value, enum npurt_condition condition, uint32_t timeout_ms,
			 npurt_graph_node **node);
int npurt_graph_add_reduce(npurt_graph *graph, npurt_graph_node *const *deps,
			   unsigned int num_deps, npurt_memory *dst, uint64_t dst_offset,
			   npurt_memory *src, uint64_t src_offset, uint64_t count,
			   enum npurt_dtype dtype, enum npurt_reduce_op op,
			   npurt_graph_node **node);
/* As npurt_stream_host_function(), in each launch. Not in bodies of conditions and loops. */
int npurt_graph_add_host_function(npurt_graph *graph, npurt_graph_node *const *deps,
				  unsigned int num_deps, npurt_host_fn fn, void *data,
				  npurt_graph_node **node);
int npurt_graph_add_empty(npurt_graph *graph, npurt_graph_node *const *deps,
			  unsigned int num_deps, npurt_graph_node **node);
int npurt_graph_add_child(npurt_graph *graph, npurt_graph_node *const *deps,
			  unsigned int num_deps, npurt_graph *child, npurt_graph_node **node);

/* If a word is so, then @body, else @otherwise; the device looks when it gets there. */
typedef struct npurt_graph_conditional {
	uint32_t size;
	uint32_t flags; /* none defined */
	npurt_memory *memory;
	uint64_t offset; /* of the word */
	uint64_t value;
	uint32_t condition; /* enum npurt_condition */
	uint32_t reserved;
	npurt_graph *body;
	npurt_graph *otherwise; /* may be NULL */
} npurt_graph_conditional;

/*
 * @body @rounds times; or, with rounds 0, while a word is so. With rounds and memory the word
 * counts them, from 0, for kernels to see.
 */
typedef struct npurt_graph_loop {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint64_t rounds;
	npurt_memory *memory;
	uint64_t offset;
	uint64_t value;
	uint32_t condition; /* enum npurt_condition */
	uint32_t timeout_ms; /* of all rounds together; 0: 30 seconds */
	npurt_graph *body;
} npurt_graph_loop;

int npurt_graph_add_conditional(npurt_graph *graph, npurt_graph_node *const *deps,
				unsigned int num_deps, const npurt_graph_conditional *conditional,
				npurt_graph_node **node);
int npurt_graph_add_loop(npurt_graph *graph, npurt_graph_node *const *deps,
			 unsigned int num_deps, const npurt_graph_loop *loop,
			 npurt_graph_node **node);

typedef struct npurt_graph_node_info {
	uint32_t size;
	uint32_t flags;
	uint32_t command; /* enum npurt_command; UNKNOWN: none of them */
	uint32_t index; /* in the order in which they were added */
	uint32_t num_dependencies;
	uint32_t level; /* nodes on the longest way to it */
	uint32_t stream; /* number of the stream that it was captured on; 0: none */
	uint32_t reserved;
	uint64_t tag; /* of npurt_launch_attr */
	char label[NPURT_LABEL_SIZE]; /* of the launch, or name of the kernel or memory */
} npurt_graph_node_info;

unsigned int npurt_graph_node_count(const npurt_graph *graph);
int npurt_graph_get_node(npurt_graph *graph, unsigned int index, npurt_graph_node **node);
int npurt_graph_node_get_info(npurt_graph_node *node, npurt_graph_node_info *info);

/* Gets a piece of text; anything but 0 ends the writing and is what it returns. */
typedef int (*npurt_write_fn)(const char *text, size_t bytes, void *data);
int npurt_graph_write_dot(npurt_graph *graph, npurt_write_fn write, void *data);
int npurt_graph_write_json(npurt_graph *graph, npurt_write_fn write, void *data);

typedef struct npurt_graph_exec_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
} npurt_graph_exec_attr;

/* An executable of the graph as it is now. It holds no stream. */
int npurt_graph_instantiate(npurt_graph *graph, const npurt_graph_exec_attr *attr,
			    npurt_graph_exec **exec);
/* Launches in flight go on. */
int npurt_graph_exec_destroy(npurt_graph_exec *exec);
/*
 * Adds it to the batch of @stream as one job, which is handed to the device by one call of the
 * kernel, at once if the device has nothing else to do of the stream (npurt_stream(3), "When
 * commands start"), and by one more for what comes after each of its host functions. A launch
 * in flight on another stream ends first.
 */
int npurt_graph_launch(npurt_graph_exec *exec, npurt_stream *stream);

/* For launches that follow; what is in flight is not affected. */
int npurt_graph_exec_update_kernel(npurt_graph_exec *exec, npurt_graph_node *node,
				   uint32_t blocks, const void *args, size_t args_size);
int npurt_graph_exec_update_copy(npurt_graph_exec *exec, npurt_graph_node *node,
				 npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
				 uint64_t src_offset, uint64_t bytes);
int npurt_graph_exec_update_fill(npurt_graph_exec *exec, npurt_graph_node *node,
				 uint64_t pattern);
int npurt_graph_exec_update_write(npurt_graph_exec *exec, npurt_graph_node *node,
				  uint64_t value);
int npurt_graph_exec_update_wait(npurt_graph_exec *exec, npurt_graph_node *node,
				 uint64_t value);
int npurt_graph_exec_update_reduce(npurt_graph_exec *exec, npurt_graph_node *node,
				   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
				   uint64_t src_offset, uint64_t count, enum npurt_dtype dtype,
				   enum npurt_reduce_op op);
/* Of a captured upload, as many bytes as it had. */
int npurt_graph_exec_update_upload(npurt_graph_exec *exec, npurt_graph_node *node,
				   const void *host, uint64_t bytes);

typedef struct npurt_graph_exec_info {
	uint32_t size;
	uint32_t flags;
	uint32_t nodes; /* operations, those of bodies included */
	uint32_t commands; /* of the device */
	uint32_t barriers; /* commands that wait for all before them */
	uint32_t images; /* copies, of which updates in flight need more */
	uint32_t streams; /* that it holds: none */
	uint32_t submits; /* calls of the kernel that a launch is: one, and more with host nodes */
	uint64_t device_bytes; /* memory that the device reads */
	uint64_t host_bytes;
	uint64_t launches;
	uint32_t host_functions;
	uint32_t reserved;
} npurt_graph_exec_info;

int npurt_graph_exec_get_info(npurt_graph_exec *exec, npurt_graph_exec_info *info);

/* Hangs: npurt_hang(3). Why it does not get on. */

enum npurt_activity {
	NPURT_ACTIVITY_IDLE = 0, /* nothing that was flushed is left */
	NPURT_ACTIVITY_READY = 1, /* waits for its turn on the device */
	NPURT_ACTIVITY_RUNNING = 2, /* a command runs */
	NPURT_ACTIVITY_WAITING = 3, /* for an event, or a value in memory */
	NPURT_ACTIVITY_BLOCKED = 4, /* for an event of another process or context */
	NPURT_ACTIVITY_SUSPENDED = 5, /* the driver has suspended it */
	NPURT_ACTIVITY_STOPPED = 6, /* it has failed */
	NPURT_ACTIVITY_UNKNOWN = 7, /* it has work, and the driver does not tell */
};

#define NPURT_HANG_DEADLOCK (1u << 0) /* one of a circle of streams that wait for each other */
#define NPURT_HANG_NEVER (1u << 1) /* nothing that a stream was given ends the wait */
#define NPURT_HANG_NOT_FLUSHED (1u << 2) /* what ends it is in a batch that was not flushed */
#define NPURT_HANG_IN_CALL (1u << 3) /* a thread is in a call on it: the command is not known */

/* What a stream is at. Fields that are not known are 0 or empty. */
typedef struct npurt_hang {
	uint32_t size;
	uint32_t flags; /* NPURT_HANG_* */
	npurt_context *context;
	npurt_stream *stream;
	uint32_t stream_id;
	uint32_t queue; /* of the device, as npu-smi(1) shows it */
	uint32_t activity; /* enum npurt_activity */
	int32_t error; /* the stream's sticky error */
	uint64_t submitted; /* batches that were flushed */
	uint64_t done; /* of them, those that have ended */
	uint32_t batched; /* commands that were not flushed yet */
	uint32_t command; /* enum npurt_command that it is at */
	uint64_t sequence; /* its number on the stream, or in its graph, from 1 */
	uint64_t tag; /* of npurt_launch_attr */
	uint64_t progress; /* commands that the device has ended: it grows if the stream gets on */
	uint64_t still_ns; /* since it was last seen to get on */
	uint64_t cores; /* that run the kernel */
	uint64_t pc; /* where the lowest of them is */
	uint64_t address; /* of the word that it waits for ... */
	uint64_t value; /* ... to be like this, by ... */
	uint64_t found; /* ... and what is there, if the CPU can see it */
	uint32_t condition; /* ... enum npurt_condition */
	uint32_t waits_for_queue; /* if its activity is BLOCKED; 0: not known */
	npurt_stream *waits_for; /* who is to end the wait; NULL: see flags */
	uint32_t waits_for_id;
	uint32_t reserved;
	char label[NPURT_LABEL_SIZE]; /* of the stream */
	char object[NPURT_LABEL_SIZE]; /* of the launch, the memory or the event */
	char kernel[64];
	char location[96]; /* pc as symbol+offset */
	char site[128]; /* where it was launched, see npurt_stream(3) */
	char message[512]; /* all of it in a sentence */
} npurt_hang;

typedef void (*npurt_hang_fn)(const npurt_hang *hang, void *data);

/* Calls @fn for each stream of all contexts of @device, the oldest first. Waits for none. */
int npurt_hang_report(npurt_device *device, npurt_hang_fn fn, void *data);
/* The same as text for people, which names deadlocks, and as JSON. */
int npurt_hang_write(npurt_device *device, npurt_write_fn write, void *data);
int npurt_hang_write_json(npurt_device *device, npurt_write_fn write, void *data);

/* Traces: npurt_trace(3). What a program calls, and what the device does of it. */

#define NPURT_TRACE_CALL (1u << 0) /* calls of this library */
#define NPURT_TRACE_KERNEL (1u << 1)
#define NPURT_TRACE_COPY (1u << 2) /* copies, reductions and fills */
#define NPURT_TRACE_SYNC (1u << 3) /* all other commands: events, values */
#define NPURT_TRACE_GRAPH (1u << 4) /* launches of graphs, each as a whole */
#define NPURT_TRACE_ALL ((1u << 5) - 1)

/* A call, or a task that it put on a stream. */
typedef struct npurt_trace_record {
	uint32_t size;
	uint32_t flags;
	uint32_t kind; /* one of NPURT_TRACE_* */
	uint32_t command; /* enum npurt_command, of a task */
	int32_t result; /* of a task: 0, or the error of its stream */
	uint32_t thread; /* the system's id of the one that called */
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
	uint64_t end_ns;
	uint64_t device_begin_ns; /* of a task: device time, as events report it */
	uint64_t device_end_ns;
	uint64_t call; /* number of the call in this process */
	uint64_t call_ns; /* when that began */
	uint64_t stream; /* of a task: number of its stream in this process, from 1 */
	uint64_t tag; /* of npurt_launch_attr */
	uint64_t bytes; /* that were copied; of a kernel's arguments */
	uint64_t lost; /* records before this one that there was no room for */
	uint32_t blocks;
	uint32_t stream_id; /* the stream's number in its context, as in messages */
	const char *name; /* of the function or kernel. Valid in the callback, as all texts */
	const char *label; /* of the launch, graph, memory or event */
	const char *stream_label;
} npurt_trace_record;

typedef void (*npurt_trace_fn)(const npurt_trace_record *record, void *data);

typedef struct npurt_trace_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint32_t kinds; /* NPURT_TRACE_* */
	uint32_t reserved;
	npurt_trace_fn fn;
	void *data;
} npurt_trace_attr;

/*
 * @attr->fn is called for each record, by threads that are in a call of this library and as
 * this is about to return, but by one at a time.
 */
int npurt_trace_subscribe(npurt_device *device, const npurt_trace_attr *attr,
			  npurt_trace **trace);
/* What has ended by now is delivered, then nothing any more. */
int npurt_trace_unsubscribe(npurt_trace *trace);

/* Collectives: npurt_collective(3). What several NPUs, a context each, do together. */

#define NPURT_COMMUNICATOR_HBM (1u << 0) /* data on their way go through HBM of the receiver */

typedef struct npurt_communicator_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_COMMUNICATOR_* */
	uint32_t timeout_ms; /* of a wait for another rank; 0: 30 seconds */
	uint32_t reserved;
	uint64_t buffer_bytes; /* for data on their way between two ranks; 0: 1 MiB */
	const char *label; /* copied */
} npurt_communicator_attr;

typedef struct npurt_communicator_info {
	uint32_t size;
	uint32_t flags;
	uint32_t rank;
	uint32_t ranks;
	uint64_t operations; /* of all ranks, that this one was asked for */
	uint64_t pending; /* that this rank has on streams, sends and receives too */
	uint64_t buffer_bytes; /* for data on their way to this rank */
	char label[NPURT_LABEL_SIZE];
} npurt_communicator_info;

/* For each of @contexts, which is its rank, one of @communicators. */
int npurt_communicator_create(npurt_context *const *contexts, unsigned int ranks,
			      const npurt_communicator_attr *attr,
			      npurt_communicator **communicators);
/* If operations of the rank have not ended, the communicator fails at all ranks. */
int npurt_communicator_destroy(npurt_communicator *communicator);
/* Operations that have not ended, of all ranks, end with NPURT_ERROR_COLLECTIVE. */
int npurt_communicator_abort(npurt_communicator *communicator);
/* 0, NPURT_ERROR_NOT_READY if operations of the rank have not ended, or how it failed. */
int npurt_communicator_query(npurt_communicator *communicator);
int npurt_communicator_get_info(npurt_communicator *communicator, npurt_communicator_info *info);
/* Of the last call on @communicator that failed. */
int npurt_communicator_error_message(npurt_communicator *communicator, char *text, size_t size);

/*
 * Each rank calls the same operations in the same order, with a stream and memory of its own
 * context; no call waits for those of other ranks. Offsets and bytes are in bytes.
 */

/* dst of all = op over the ranks' src; in place if they are the same. */
int npurt_all_reduce_async(npurt_communicator *communicator, npurt_stream *stream,
			   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			   uint64_t src_offset, uint64_t count, enum npurt_dtype dtype,
			   enum npurt_reduce_op op);
/* Rank r gets the r-th @count of the elements of that; in place: dst is there in src. */
int npurt_reduce_scatter_async(npurt_communicator *communicator, npurt_stream *stream,
			       npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			       uint64_t src_offset, uint64_t count, enum npurt_dtype dtype,
			       enum npurt_reduce_op op);
/* The @bytes of rank r become the r-th of all ranks' dst; in place: src is there. */
int npurt_all_gather_async(npurt_communicator *communicator, npurt_stream *stream,
			   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			   uint64_t src_offset, uint64_t bytes);
/* The r-th @bytes of rank s become the s-th of rank r; in place if they are the same. */
int npurt_all_to_all_async(npurt_communicator *communicator, npurt_stream *stream,
			   npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			   uint64_t src_offset, uint64_t bytes);
/* @src is used by rank @root only. */
int npurt_broadcast_async(npurt_communicator *communicator, npurt_stream *stream,
			  npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
			  uint64_t src_offset, uint64_t bytes, unsigned int root);

/* The other rank calls the other one of the two. */
int npurt_send_async(npurt_communicator *communicator, npurt_stream *stream, npurt_memory *src,
		     uint64_t src_offset, uint64_t bytes, unsigned int to);
int npurt_receive_async(npurt_communicator *communicator, npurt_stream *stream, npurt_memory *dst,
			uint64_t dst_offset, uint64_t bytes, unsigned int from);
/* Both at once, so that two ranks can exchange data of any size. */
int npurt_send_receive_async(npurt_communicator *communicator, npurt_stream *stream,
			     npurt_memory *dst, uint64_t dst_offset, uint64_t receive_bytes,
			     unsigned int from, npurt_memory *src, uint64_t src_offset,
			     uint64_t send_bytes, unsigned int to);

#ifdef __cplusplus
}
#endif

#endif /* NPURT_H */
