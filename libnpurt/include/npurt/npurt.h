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
#define NPURT_VERSION_MINOR 0
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
	NPURT_ERROR_RESOURCE = -7, /* out of queues, address space or handles */
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
	NPURT_ERROR_LAST = NPURT_ERROR_SYSTEM
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

typedef struct npurt_context_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
} npurt_context_attr;

int npurt_context_create(npurt_device *device, const npurt_context_attr *attr,
			 npurt_context **context);
int npurt_context_destroy(npurt_context *context);

/* Memory: npurt_memory(3). New memory reads as zero. */

enum npurt_placement {
	NPURT_PLACE_HBM = 0, /* on the device */
	NPURT_PLACE_HOST = 1, /* system memory, cached and coherent */
};

#define NPURT_MEMORY_READONLY (1u << 0) /* the device may not write */

typedef struct npurt_memory_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_MEMORY_* */
	uint32_t placement; /* enum npurt_placement */
	uint32_t reserved;
	const char *label; /* named in reports of faults; copied */
} npurt_memory_attr;

int npurt_memory_create(npurt_context *context, uint64_t bytes, const npurt_memory_attr *attr,
			npurt_memory **memory);
int npurt_memory_destroy(npurt_memory *memory);
uint64_t npurt_memory_address(const npurt_memory *memory); /* for kernels; 0 for NULL */
uint64_t npurt_memory_size(const npurt_memory *memory);
/* CPU pointer to the whole of it, the same each time, valid until it is destroyed. */
int npurt_memory_map(npurt_memory *memory, void **pointer);

/* Streams: npurt_stream(3). Commands of a stream run in order. */

enum npurt_priority {
	NPURT_PRIORITY_LOW = -1,
	NPURT_PRIORITY_NORMAL = 0,
	NPURT_PRIORITY_HIGH = 1, /* HIGH and REALTIME need a privilege */
	NPURT_PRIORITY_REALTIME = 2,
};

#define NPURT_STREAM_COPY_ONLY (1u << 0) /* takes no kernels */
#define NPURT_STREAM_NO_AUTO_FLUSH (1u << 1) /* see npurt_stream(3), "When commands start" */

typedef struct npurt_stream_attr {
	uint32_t size;
	uint32_t flags; /* NPURT_STREAM_* */
	int32_t priority; /* enum npurt_priority */
	uint32_t timeout_ms; /* of a command; 0: the driver's default */
	uint64_t core_mask; /* AI cores to use; 0: all */
	uint32_t wait_timeout_ms; /* of a wait for an event; 0: 30 seconds */
	uint32_t reserved;
	const char *label; /* copied */
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
/* What comes next on @stream starts after the last record of @event, on the device. */
int npurt_stream_wait_event(npurt_stream *stream, npurt_event *event);

enum npurt_command {
	NPURT_COMMAND_UNKNOWN = 0,
	NPURT_COMMAND_KERNEL = 1,
	NPURT_COMMAND_COPY = 2,
	NPURT_COMMAND_FILL = 3,
	NPURT_COMMAND_EVENT_RECORD = 4,
	NPURT_COMMAND_EVENT_WAIT = 5,
	NPURT_COMMAND_PROGRESS = 6, /* the runtime's own */
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
} npurt_fault;

/* Why the stream stopped; NPURT_ERROR_NOT_READY if it has not. */
int npurt_stream_get_fault(npurt_stream *stream, npurt_fault *fault);

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

#define NPURT_MAX_BLOCKS 65535
#define NPURT_MAX_ARGS_SIZE 4096

typedef struct npurt_launch_attr {
	uint32_t size;
	uint32_t flags; /* none defined */
	uint32_t timeout_us; /* 0: the stream's */
	uint32_t max_cores; /* 0: all that the stream may use */
	uint64_t tag; /* the caller's own, comes back in a fault */
	const char *label; /* copied */
} npurt_launch_attr;

/* @args is copied; the kernel gets the copy's address. */
int npurt_launch(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks,
		 const void *args, size_t args_size, const npurt_launch_attr *attr);

#ifdef __cplusplus
}
#endif

#endif /* NPURT_H */
