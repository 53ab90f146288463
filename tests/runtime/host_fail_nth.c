// SPDX-License-Identifier: MIT
/*
 * Every public function, and in it every call of the driver and every allocation, fails in
 * turn: the function tells, leaves nothing behind, and works when it is called again.
 */
#include "rt_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "modules/rt_kernels.h"

#define MODULE_FILE MODULES "/rt_kernels.elf"
#define MOST_FAILURES 400 /* a function that never gets through */

/* Allocations of the library's: the linker puts these in the place of malloc and others. */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static atomic_int allocations_left;
static atomic_bool allocation_failed;

static bool fail_allocation(void)
{
	if (atomic_load(&allocations_left) <= 0 || atomic_fetch_sub(&allocations_left, 1) != 1)
		return false;
	errno = ENOMEM;
	return atomic_exchange(&allocation_failed, true) || true;
}

void *__wrap_malloc(size_t size)
{
	return fail_allocation() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fail_allocation() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return fail_allocation() ? NULL : __real_realloc(pointer, size);
}

/* What fails, while a function under test is called. LOST: a call, as the device has gone. */
enum mode { NOTHING, CALL, LOST, ALLOCATION };

static enum mode mode;
static int nth;

static atomic_uint told; /* failures that the device's log function has heard of */

static void hear(enum npurt_log_level level, const char *heard, void *data)
{
	(void)data;
	told += level == NPURT_LOG_ERROR && heard[0];
}

static int arm(void)
{
	told = 0;
	if (mode == CALL || mode == LOST)
		fake_fail_nth((unsigned int)nth, mode == LOST ? ENODEV : ENOMEM);
	if (mode == ALLOCATION) {
		allocation_failed = false;
		allocations_left = nth;
	}
	return 0;
}

static int disarm(int result)
{
	if (mode == CALL || mode == LOST)
		fake_fail_nth(0, 0);
	allocations_left = 0;
	return result;
}

#define TRY(call) (arm(), disarm(call))

/* When the device has gone, what a case does afterwards fails as well, but all can be destroyed. */
static void need_device(int err, const char *what)
{
	if (mode != LOST || !fake_failed())
		need(err, what);
}

#undef NEED
#define NEED(call) need_device(call, #call)

/* What the functions are tried on. */
struct world {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream, *other;
	npurt_memory *hbm, *host;
	npurt_event *event, *later;
	npurt_module *module;
	npurt_kernel *kernel;
};

static uint8_t bytes[4096];

static void open_world(struct world *w)
{
	const npurt_device_attr attr = {
		.size = sizeof(attr), .log = hear, .log_level = NPURT_LOG_ERROR,
	};

	NEED(npurt_device_open(0, &attr, &w->device));
	NEED(npurt_context_create(w->device, NULL, &w->context));
	NEED(npurt_stream_create(w->context, NULL, &w->stream));
	NEED(npurt_stream_create(w->context, NULL, &w->other));
	w->hbm = memory(w->context, NPURT_PLACE_HBM, 4096, "hbm");
	w->host = memory(w->context, NPURT_PLACE_HOST, 4096, "host");
	NEED(npurt_event_create(w->context, NULL, &w->event));
	NEED(npurt_event_create(w->context, NULL, &w->later));
	NEED(npurt_module_load_file(w->context, MODULE_FILE, &w->module));
	NEED(npurt_module_get_kernel(w->module, "store", &w->kernel));
}

static void close_world(struct world *w)
{
	NEED(npurt_module_unload(w->module));
	NEED(npurt_event_destroy(w->event));
	NEED(npurt_event_destroy(w->later));
	NEED(npurt_stream_destroy(w->stream));
	NEED(npurt_stream_destroy(w->other));
	NEED(npurt_memory_destroy(w->hbm));
	NEED(npurt_memory_destroy(w->host));
	NEED(npurt_context_destroy(w->context));
	NEED(npurt_device_close(w->device));
}

/* Each gives what the function gave, and destroys what it made. */
typedef int (*case_fn)(struct world *w);

#define CASE(name) static int try_##name(struct world *w)
#define CASE_ONE(name, call)                                                                       \
	CASE(name)                                                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return TRY(call);                                                                  \
	}

/* Functions without a result of that kind cannot fail. */
#define CASE_VALUE(name, check)                                                                    \
	CASE(name)                                                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		arm();                                                                             \
		return disarm((check) ? 0 : NPURT_ERROR_SYSTEM);                                   \
	}

CASE_VALUE(npurt_version, npurt_version() == NPURT_VERSION)
CASE_VALUE(npurt_strerror, npurt_strerror(0)[0])
CASE_VALUE(npurt_error_name, npurt_error_name(0)[0])
CASE_VALUE(npurt_memory_address, npurt_memory_address(w->hbm))
CASE_VALUE(npurt_memory_size, npurt_memory_size(w->hbm) == 4096)
CASE_VALUE(npurt_memory_context, npurt_memory_context(w->hbm) == w->context)
CASE_VALUE(npurt_module_kernel_count, npurt_module_kernel_count(w->module) > 0)
CASE_VALUE(npurt_kernel_name, npurt_kernel_name(w->kernel)[0])

static char text[64];

CASE_ONE(npurt_device_error_message, npurt_device_error_message(w->device, text, sizeof(text)))
CASE_ONE(npurt_context_error_message, npurt_context_error_message(w->context, text, sizeof(text)))
CASE_ONE(npurt_stream_error_message, npurt_stream_error_message(w->stream, text, sizeof(text)))

static unsigned int count;

CASE_ONE(npurt_device_count, npurt_device_count(&count))

static int opened(int err, npurt_device *device)
{
	if (!err)
		NEED(npurt_device_close(device));
	return err;
}

CASE(npurt_device_open)
{
	npurt_device *device = NULL;
	const int err = TRY(npurt_device_open(0, NULL, &device));

	(void)w;
	return opened(err, device);
}

CASE(npurt_device_open_bus_id)
{
	npurt_device_properties p = { .size = sizeof(p) };
	npurt_device *device = NULL;
	int err;

	NEED(npurt_device_get_properties(w->device, &p));
	err = TRY(npurt_device_open_bus_id(p.bus_id, NULL, &device));
	return opened(err, device);
}

CASE(npurt_device_close)
{
	npurt_device *device = NULL;

	(void)w;
	NEED(npurt_device_open(0, NULL, &device));
	return TRY(npurt_device_close(device));
}

static npurt_device_properties properties = { .size = sizeof(properties) };
static npurt_memory_info memory_info = { .size = sizeof(memory_info) };
static npurt_firmware_info firmware_info = { .size = sizeof(firmware_info) };
static npurt_telemetry telemetry = { .size = sizeof(telemetry) };
static uint64_t device_ns, monotonic_ns;

CASE_ONE(npurt_device_get_properties, npurt_device_get_properties(w->device, &properties))
CASE_ONE(npurt_device_get_memory_info, npurt_device_get_memory_info(w->device, &memory_info))
CASE_ONE(npurt_device_get_firmware, npurt_device_get_firmware(w->device, &firmware_info))
CASE_ONE(npurt_device_get_telemetry, npurt_device_get_telemetry(w->device, &telemetry))
CASE_ONE(npurt_device_get_time, npurt_device_get_time(w->device, &device_ns, &monotonic_ns))

CASE(npurt_context_create)
{
	npurt_context *context = NULL;
	const int err = TRY(npurt_context_create(w->device, NULL, &context));

	if (!err)
		NEED(npurt_context_destroy(context));
	return err;
}

CASE(npurt_context_destroy)
{
	npurt_context *context = NULL;

	NEED(npurt_context_create(w->device, NULL, &context));
	return TRY(npurt_context_destroy(context));
}

static void count_holder(const npurt_memory_holder *holder, void *data)
{
	(void)holder;
	++*(unsigned int *)data;
}

CASE_ONE(npurt_context_memory_report, npurt_context_memory_report(w->context, count_holder, &count))

static npurt_context_status context_status = { .size = sizeof(context_status) };

CASE_ONE(npurt_context_get_status, npurt_context_get_status(w->context, &context_status))
CASE_VALUE(npurt_error_scope, npurt_error_scope(0) == NPURT_SCOPE_CALL)

/* If there is no queue, it can be tried again. */
CASE(npurt_context_recover)
{
	int err;

	NEED(npurt_stream_abort(w->stream));
	NEED(npurt_stream_abort(w->other));
	err = TRY(npurt_context_recover(w->context, NULL));
	if (err)
		NEED(npurt_context_recover(w->context, NULL));
	return err;
}

CASE(npurt_memory_create)
{
	npurt_memory *m = NULL;
	const int err = TRY(npurt_memory_create(w->context, 8192, NULL, &m));

	if (!err)
		NEED(npurt_memory_destroy(m));
	return err;
}

CASE(npurt_memory_destroy)
{
	npurt_memory *m = memory(w->context, NPURT_PLACE_HOST, 8192, "short-lived");

	mapped(m);
	return TRY(npurt_memory_destroy(m));
}

static uint8_t pages[8192] __attribute__((aligned(4096)));

CASE(npurt_memory_register)
{
	npurt_memory *m = NULL;
	const int err = TRY(npurt_memory_register(w->context, pages, sizeof(pages), NULL, &m));

	if (!err)
		NEED(npurt_memory_destroy(m));
	return err;
}

static npurt_memory *shared(npurt_context *context)
{
	const npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	npurt_memory *m = NULL;

	NEED(npurt_memory_create(context, 4096, &attr, &m));
	return m;
}

CASE(npurt_memory_export_fd)
{
	npurt_memory *m = shared(w->context);
	int fd = -1;
	const int err = TRY(npurt_memory_export_fd(m, &fd));

	if (!err)
		close(fd);
	NEED(npurt_memory_destroy(m));
	return err;
}

CASE(npurt_memory_import_fd)
{
	npurt_memory *m = shared(w->context), *same = NULL;
	int fd = -1, err;

	NEED(npurt_memory_export_fd(m, &fd));
	err = TRY(npurt_memory_import_fd(w->context, fd, NULL, &same));
	if (!err)
		NEED(npurt_memory_destroy(same));
	close(fd);
	NEED(npurt_memory_destroy(m));
	return err;
}

static int retained;

CASE_ONE(npurt_memory_advise, npurt_memory_advise(w->hbm, NPURT_ADVISE_EVICT_FIRST, &retained))
CASE_ONE(npurt_memory_prefetch, npurt_memory_prefetch(w->hbm, 0, 4096))

static npurt_pool *pool_of(struct world *w)
{
	npurt_pool *pool = NULL;

	NEED(npurt_pool_create(w->context, NULL, &pool));
	return pool;
}

static npurt_memory *allocated(struct world *w, npurt_pool *pool)
{
	npurt_memory *m = NULL;

	NEED(npurt_pool_alloc_async(pool, w->stream, 8192, NULL, &m));
	return m;
}

CASE(npurt_pool_create)
{
	npurt_pool *pool = NULL;
	const int err = TRY(npurt_pool_create(w->context, NULL, &pool));

	if (!err)
		NEED(npurt_pool_destroy(pool));
	return err;
}

/* If it has to wait for a stream and cannot, the pool stays. */
CASE(npurt_pool_destroy)
{
	npurt_pool *pool = pool_of(w);
	int err;

	NEED(npurt_memory_free_async(allocated(w, pool), w->stream));
	err = TRY(npurt_pool_destroy(pool));
	if (err)
		NEED(npurt_pool_destroy(pool));
	return err;
}

CASE(npurt_pool_alloc_async)
{
	npurt_pool *pool = pool_of(w);
	npurt_memory *m = NULL;
	const int err = TRY(npurt_pool_alloc_async(pool, w->stream, 8192, NULL, &m));

	if (!err)
		NEED(npurt_memory_free_async(m, w->stream));
	NEED(npurt_pool_destroy(pool));
	return err;
}

CASE(npurt_memory_free_async)
{
	npurt_pool *pool = pool_of(w);
	npurt_memory *m = allocated(w, pool);
	int err;

	NEED(npurt_fill_async(w->stream, m, 0, 1, 1, 4096));
	err = TRY(npurt_memory_free_async(m, w->stream));
	if (err)
		NEED(npurt_memory_free_async(m, w->stream));
	NEED(npurt_pool_destroy(pool));
	return err;
}

CASE(npurt_pool_trim)
{
	npurt_pool *pool = pool_of(w);
	int err;

	NEED(npurt_memory_free_async(allocated(w, pool), w->stream));
	NEED(npurt_stream_synchronize(w->stream));
	err = TRY(npurt_pool_trim(pool, 0));
	NEED(npurt_pool_destroy(pool));
	return err;
}

static npurt_pool_info pool_info = { .size = sizeof(pool_info) };

CASE(npurt_pool_get_info)
{
	npurt_pool *pool = pool_of(w);
	const int err = TRY(npurt_pool_get_info(pool, &pool_info));

	NEED(npurt_pool_destroy(pool));
	return err;
}

static npurt_range *range_of(struct world *w)
{
	npurt_range *range = NULL;

	NEED(npurt_range_reserve(w->context, 65536, NULL, &range));
	return range;
}

CASE(npurt_range_reserve)
{
	const npurt_range_attr attr = { .size = sizeof(attr), .flags = NPURT_RANGE_SPARSE };
	npurt_range *range = NULL;
	const int err = TRY(npurt_range_reserve(w->context, 65536, &attr, &range));

	if (!err)
		NEED(npurt_range_release(range));
	return err;
}

CASE(npurt_range_release)
{
	npurt_range *range = range_of(w);

	NEED(npurt_range_map(range, 4096, w->hbm, 0, 4096, 0));
	return TRY(npurt_range_release(range));
}

CASE(npurt_range_map)
{
	npurt_range *range = range_of(w);
	const int err = TRY(npurt_range_map(range, 4096, w->hbm, 0, 4096, 0));

	NEED(npurt_range_release(range));
	return err;
}

CASE(npurt_range_unmap)
{
	npurt_range *range = range_of(w);
	int err;

	NEED(npurt_range_map(range, 4096, w->hbm, 0, 4096, 0));
	err = TRY(npurt_range_unmap(range, 4096, 4096));
	NEED(npurt_range_release(range));
	return err;
}

CASE(npurt_range_memory)
{
	npurt_range *range = range_of(w);
	npurt_memory *m;

	arm();
	m = npurt_range_memory(range);
	disarm(0);
	NEED(npurt_range_release(range));
	return m ? 0 : NPURT_ERROR_SYSTEM;
}

static void *pointer;

CASE_ONE(npurt_memory_map, npurt_memory_map(w->host, &pointer))

CASE(npurt_stream_create)
{
	npurt_stream *stream = NULL;
	const int err = TRY(npurt_stream_create(w->context, NULL, &stream));

	if (!err)
		NEED(npurt_stream_destroy(stream));
	return err;
}

CASE(npurt_stream_destroy)
{
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(w->context, NULL, &stream));
	NEED(npurt_fill_async(stream, w->host, 0, 1, 1, 4096));
	return TRY(npurt_stream_destroy(stream));
}

/* A command that is still in the batch when the function is called. */
static npurt_stream *with_work(struct world *w)
{
	NEED(npurt_fill_async(w->stream, w->host, 0, 1, 1, 2048));
	NEED(npurt_fill_async(w->stream, w->host, 0, 2, 1, 2048));
	return w->stream;
}

static int query(npurt_stream *stream)
{
	int err;

	do {
		err = TRY(npurt_stream_query(stream));
	} while (err == NPURT_ERROR_NOT_READY);
	return err;
}

static npurt_fault fault = { .size = sizeof(fault) };

static int get_fault(struct world *w)
{
	const int err = TRY(npurt_stream_get_fault(w->stream, &fault));

	return err == NPURT_ERROR_NOT_READY ? 0 : err;
}

CASE(npurt_stream_flush)
{
	npurt_stream *stream = with_work(w);

	return TRY(npurt_stream_flush(stream));
}

CASE(npurt_stream_query)
{
	return query(with_work(w));
}

CASE(npurt_stream_wait)
{
	npurt_stream *stream = with_work(w);

	return TRY(npurt_stream_wait(stream, 10 * S));
}

CASE(npurt_stream_synchronize)
{
	npurt_stream *stream = with_work(w);

	return TRY(npurt_stream_synchronize(stream));
}

CASE(npurt_stream_wait_event)
{
	NEED(npurt_event_record(w->event, with_work(w)));
	return TRY(npurt_stream_wait_event(w->other, w->event));
}

CASE(npurt_stream_get_fault)
{
	return get_fault(w);
}

CASE(npurt_stream_abort)
{
	npurt_stream *stream = with_work(w);
	const int err = TRY(npurt_stream_abort(stream));

	NEED(npurt_stream_reset(stream));
	return err;
}

/* If there is no queue, it can be tried again. */
CASE(npurt_stream_reset)
{
	npurt_stream *stream = with_work(w);
	int err;

	NEED(npurt_stream_abort(stream));
	err = TRY(npurt_stream_reset(stream));
	if (err)
		NEED(npurt_stream_reset(stream));
	return err;
}

static npurt_stream_info stream_info = { .size = sizeof(stream_info) };

CASE(npurt_stream_get_info)
{
	npurt_stream *stream = with_work(w);

	return TRY(npurt_stream_get_info(stream, &stream_info));
}

static void call_nothing(void *data, int error)
{
	(void)data;
	(void)error;
}

CASE_ONE(npurt_stream_host_function,
	 npurt_stream_host_function(w->stream, call_nothing, NULL))
CASE_ONE(npurt_write_value_async, npurt_write_value_async(w->stream, w->host, 0, 1, 8))
CASE_ONE(npurt_wait_value_async,
	 npurt_wait_value_async(w->stream, w->host, 4088, 0, NPURT_CONDITION_EQ, 0))

CASE(npurt_memcpy_peer_async)
{
	npurt_context *other = NULL;
	npurt_memory *m;
	int err;

	NEED(npurt_context_create(w->device, NULL, &other));
	m = shared(other);
	err = TRY(npurt_memcpy_peer_async(w->stream, w->hbm, 0, m, 0, 4096));
	npurt_stream_synchronize(w->stream);
	NEED(npurt_memory_destroy(m));
	NEED(npurt_context_destroy(other));
	return err;
}

/* Two ranks: the world's context, and another one of the same device. */
struct pair {
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *hbm;
	npurt_communicator *comms[2];
};

static int create_comms(struct world *w, struct pair *p)
{
	npurt_context *contexts[] = { w->context, p->context };

	return npurt_communicator_create(contexts, 2, NULL, p->comms);
}

static void open_pair_context(struct world *w, struct pair *p)
{
	NEED(npurt_context_create(w->device, NULL, &p->context));
	NEED(npurt_stream_create(p->context, NULL, &p->stream));
	p->hbm = memory(p->context, NPURT_PLACE_HBM, 4096, "hbm");
}

static void open_pair(struct world *w, struct pair *p)
{
	open_pair_context(w, p);
	NEED(create_comms(w, p));
}

static void close_pair_context(struct pair *p)
{
	NEED(npurt_memory_destroy(p->hbm));
	NEED(npurt_stream_destroy(p->stream));
	NEED(npurt_context_destroy(p->context));
}

static void close_pair(struct pair *p)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (p->comms[i])
			NEED(npurt_communicator_destroy(p->comms[i]));
	}
	close_pair_context(p);
}

/* Rank 1 does its part, if rank 0 did. */
#define CASE_PAIR(name, first, second)                                                             \
	CASE(name)                                                                                 \
	{                                                                                          \
		struct pair p = { NULL };                                                          \
		int err;                                                                           \
                                                                                                   \
		open_pair(w, &p);                                                                  \
		err = TRY(first);                                                                  \
		if (!err) {                                                                        \
			NEED(second);                                                              \
			NEED(npurt_stream_synchronize(w->stream));                                 \
			NEED(npurt_stream_synchronize(p.stream));                                  \
		}                                                                                  \
		close_pair(&p);                                                                    \
		return err;                                                                        \
	}

CASE_PAIR(npurt_all_reduce_async,
	  npurt_all_reduce_async(p.comms[0], w->stream, w->hbm, 0, w->hbm, 0, 1000, NPURT_F32, 0),
	  npurt_all_reduce_async(p.comms[1], p.stream, p.hbm, 0, p.hbm, 0, 1000, NPURT_F32, 0))
CASE_PAIR(npurt_reduce_scatter_async,
	  npurt_reduce_scatter_async(p.comms[0], w->stream, w->hbm, 0, w->hbm, 0, 500, NPURT_F32, 0),
	  npurt_reduce_scatter_async(p.comms[1], p.stream, p.hbm, 2000, p.hbm, 0, 500, NPURT_F32, 0))
CASE_PAIR(npurt_all_gather_async,
	  npurt_all_gather_async(p.comms[0], w->stream, w->hbm, 0, w->hbm, 0, 2000),
	  npurt_all_gather_async(p.comms[1], p.stream, p.hbm, 0, p.hbm, 2000, 2000))
CASE_PAIR(npurt_all_to_all_async,
	  npurt_all_to_all_async(p.comms[0], w->stream, w->hbm, 0, w->hbm, 0, 2000),
	  npurt_all_to_all_async(p.comms[1], p.stream, p.hbm, 0, p.hbm, 0, 2000))
CASE_PAIR(npurt_broadcast_async,
	  npurt_broadcast_async(p.comms[0], w->stream, w->hbm, 0, NULL, 0, 2000, 1),
	  npurt_broadcast_async(p.comms[1], p.stream, p.hbm, 0, p.hbm, 0, 2000, 1))
CASE_PAIR(npurt_send_async, npurt_send_async(p.comms[0], w->stream, w->hbm, 0, 2000, 1),
	  npurt_receive_async(p.comms[1], p.stream, p.hbm, 0, 2000, 0))
CASE_PAIR(npurt_receive_async, npurt_receive_async(p.comms[0], w->stream, w->hbm, 0, 2000, 1),
	  npurt_send_async(p.comms[1], p.stream, p.hbm, 0, 2000, 0))
CASE_PAIR(npurt_send_receive_async,
	  npurt_send_receive_async(p.comms[0], w->stream, w->hbm, 0, 2000, 1, w->hbm, 2000, 2000, 1),
	  npurt_send_receive_async(p.comms[1], p.stream, p.hbm, 0, 2000, 0, p.hbm, 2000, 2000, 0))

CASE(npurt_communicator_create)
{
	struct pair p = { NULL };
	int err;

	open_pair_context(w, &p);
	err = TRY(create_comms(w, &p));
	close_pair(&p);
	return err;
}

CASE(npurt_communicator_destroy)
{
	struct pair p = { NULL };
	int err;

	open_pair(w, &p);
	NEED(npurt_all_gather_async(p.comms[0], w->stream, w->hbm, 0, w->hbm, 0, 2000));
	NEED(npurt_all_gather_async(p.comms[1], p.stream, p.hbm, 0, p.hbm, 2000, 2000));
	NEED(npurt_stream_synchronize(w->stream));
	err = TRY(npurt_communicator_destroy(p.comms[0]));
	p.comms[0] = NULL;
	close_pair(&p);
	return err;
}

static npurt_communicator_info communicator_info = { .size = sizeof(communicator_info) };

CASE_PAIR(npurt_communicator_abort, npurt_communicator_abort(p.comms[0]), 0)
CASE_PAIR(npurt_communicator_query, npurt_communicator_query(p.comms[0]), 0)
CASE_PAIR(npurt_communicator_get_info,
	  npurt_communicator_get_info(p.comms[0], &communicator_info), 0)
CASE_PAIR(npurt_communicator_error_message,
	  npurt_communicator_error_message(p.comms[0], text, sizeof(text)), 0)

static npurt_copy copy_of(struct world *w, uint64_t offset)
{
	return (npurt_copy){
		.size = sizeof(npurt_copy),
		.dst = w->hbm,
		.src = w->host,
		.dst_offset = offset,
		.row_bytes = 64,
		.slices = 2,
		.dst_slice_pitch = 1024,
		.src_slice_pitch = 1024,
	};
}

CASE(npurt_memcpy_3d_async)
{
	const npurt_copy copy = copy_of(w, 0);

	return TRY(npurt_memcpy_3d_async(w->stream, &copy));
}

CASE(npurt_memcpy_batch_async)
{
	const npurt_copy copies[] = { copy_of(w, 0), copy_of(w, 64) };

	return TRY(npurt_memcpy_batch_async(w->stream, copies, COUNT(copies)));
}

CASE_ONE(npurt_reduce_async,
	 npurt_reduce_async(w->stream, w->hbm, 0, w->host, 0, 64, NPURT_F32, NPURT_REDUCE_ADD))
CASE_ONE(npurt_memcpy_async, npurt_memcpy_async(w->stream, w->hbm, 0, w->host, 0, 4096))
CASE_ONE(npurt_memcpy_2d_async,
	 npurt_memcpy_2d_async(w->stream, w->hbm, 0, 64, w->host, 0, 64, 32, 8))
CASE_ONE(npurt_memcpy, npurt_memcpy(w->stream, w->hbm, 0, w->host, 0, 4096))
CASE_ONE(npurt_memcpy_2d, npurt_memcpy_2d(w->stream, w->hbm, 0, 64, w->host, 0, 64, 32, 8))
CASE_ONE(npurt_fill_async, npurt_fill_async(w->stream, w->hbm, 0, 1, 1, 4096))
CASE_ONE(npurt_fill_2d_async, npurt_fill_2d_async(w->stream, w->hbm, 0, 64, 1, 1, 32, 8))
CASE_ONE(npurt_upload, npurt_upload(w->stream, w->hbm, 0, bytes, 4096))
CASE_ONE(npurt_upload_2d, npurt_upload_2d(w->stream, w->hbm, 0, 64, bytes, 32, 32, 8))
CASE_ONE(npurt_download, npurt_download(w->stream, bytes, w->hbm, 0, 4096))
CASE_ONE(npurt_download_2d, npurt_download_2d(w->stream, bytes, 32, w->hbm, 0, 64, 32, 8))

CASE(npurt_event_create)
{
	npurt_event *event = NULL;
	const int err = TRY(npurt_event_create(w->context, NULL, &event));

	if (!err)
		NEED(npurt_event_destroy(event));
	return err;
}

CASE(npurt_event_destroy)
{
	npurt_event *event = NULL;

	NEED(npurt_event_create(w->context, NULL, &event));
	NEED(npurt_event_record(event, w->stream));
	return TRY(npurt_event_destroy(event));
}

static void record(npurt_event *event, npurt_stream *stream)
{
	NEED(npurt_event_record(event, stream));
	NEED(npurt_stream_synchronize(stream));
}

static int64_t elapsed;

CASE_ONE(npurt_event_record, npurt_event_record(w->event, w->stream))

CASE(npurt_event_query)
{
	int err;

	NEED(npurt_event_record(w->event, with_work(w)));
	do {
		err = TRY(npurt_event_query(w->event));
	} while (err == NPURT_ERROR_NOT_READY);
	return err;
}

CASE(npurt_event_wait)
{
	NEED(npurt_event_record(w->event, with_work(w)));
	return TRY(npurt_event_wait(w->event, 10 * S));
}

CASE(npurt_event_time)
{
	record(w->event, w->stream);
	return TRY(npurt_event_time(w->event, &device_ns));
}

CASE(npurt_event_elapsed)
{
	record(w->event, w->stream);
	record(w->later, w->stream);
	return TRY(npurt_event_elapsed(w->event, w->later, &elapsed));
}

static int loaded(int err, npurt_module *module)
{
	if (!err)
		NEED(npurt_module_unload(module));
	return err;
}

CASE(npurt_module_load_file)
{
	npurt_module *module = NULL;
	const int err = TRY(npurt_module_load_file(w->context, MODULE_FILE, &module));

	return loaded(err, module);
}

CASE(npurt_module_load_data)
{
	static uint8_t image[1 << 20];
	npurt_module *module = NULL;
	FILE *f = fopen(MODULE_FILE, "rb");
	size_t size;
	int err;

	NEED(f ? 0 : NPURT_ERROR_NOT_FOUND);
	size = fread(image, 1, sizeof(image), f);
	fclose(f);
	err = TRY(npurt_module_load_data(w->context, image, size, &module));
	return loaded(err, module);
}

CASE(npurt_module_unload)
{
	npurt_module *module = NULL;

	NEED(npurt_module_load_file(w->context, MODULE_FILE, &module));
	return TRY(npurt_module_unload(module));
}

static npurt_kernel *kernel;

CASE_ONE(npurt_module_get_kernel, npurt_module_get_kernel(w->module, "spin", &kernel))
CASE_ONE(npurt_module_get_kernel_at, npurt_module_get_kernel_at(w->module, 0, &kernel))

static npurt_kernel_info kernel_info = { .size = sizeof(kernel_info) };
static npurt_kernel_arg kernel_arg = { .size = sizeof(kernel_arg) };
static npurt_occupancy occupancy = { .size = sizeof(occupancy) };

CASE_ONE(npurt_context_set_print, npurt_context_set_print(w->context, NULL, NULL))
CASE_ONE(npurt_kernel_get_info, npurt_kernel_get_info(w->kernel, &kernel_info))
CASE_ONE(npurt_kernel_get_arg, npurt_kernel_get_arg(w->kernel, 0, &kernel_arg))
CASE_ONE(npurt_kernel_get_occupancy, npurt_kernel_get_occupancy(w->kernel, 9, 0, 0, &occupancy))

CASE(npurt_kernel_pack)
{
	const npurt_arg_value value = { .name = "address", .memory = w->hbm };
	struct store_args args;

	return TRY(npurt_kernel_pack(w->kernel, &value, 1, &args, sizeof(args)));
}

CASE(npurt_launch_named)
{
	const npurt_arg_value value = { .name = "address", .memory = w->hbm };

	return TRY(npurt_launch_named(w->stream, w->kernel, 1, &value, 1, NULL));
}

CASE(npurt_launch)
{
	const struct store_args args = { npurt_memory_address(w->hbm) };

	return TRY(npurt_launch(w->stream, w->kernel, 1, &args, sizeof(args), NULL));
}

/* Graphs: one with a node of each kind, and what is made of it. */

static const npurt_graph_conditional if_args = { .size = sizeof(if_args) };
static const npurt_graph_loop loop_args = { .size = sizeof(loop_args), .rounds = 3 };

struct graphs {
	npurt_graph *graph, *body;
	npurt_graph_node *kernel, *copy, *fill, *write;
	npurt_graph_exec *exec;
};

static void open_graphs(struct world *w, struct graphs *g)
{
	const struct store_args args = { npurt_memory_address(w->hbm) };

	memset(g, 0, sizeof(*g));
	NEED(npurt_graph_create(w->context, NULL, &g->graph));
	NEED(npurt_graph_create(w->context, NULL, &g->body));
	NEED(npurt_graph_add_fill(g->body, NULL, 0, w->host, 0, 1, 1, 8, NULL));
	NEED(npurt_graph_add_kernel(g->graph, NULL, 0, w->kernel, 1, &args, sizeof(args), NULL,
				    &g->kernel));
	NEED(npurt_graph_add_copy(g->graph, NULL, 0, w->hbm, 0, w->host, 0, 64, &g->copy));
	NEED(npurt_graph_add_fill(g->graph, &g->copy, 1, w->hbm, 0, 1, 1, 64, &g->fill));
	NEED(npurt_graph_add_write(g->graph, &g->fill, 1, w->host, 0, 1, 8, &g->write));
}

static void close_graphs(struct world *w, struct graphs *g)
{
	NEED(npurt_stream_synchronize(w->stream));
	if (g->exec)
		NEED(npurt_graph_exec_destroy(g->exec));
	NEED(npurt_graph_destroy(g->graph));
	NEED(npurt_graph_destroy(g->body));
}

/* @call: on the graph, or with @exec on its executable. */
#define CASE_GRAPH(name, instantiate, call)                                                        \
	CASE(name)                                                                                 \
	{                                                                                          \
		struct graphs g;                                                                   \
		int err;                                                                           \
                                                                                                   \
		open_graphs(w, &g);                                                                \
		if (instantiate)                                                                   \
			NEED(npurt_graph_instantiate(g.graph, NULL, &g.exec));                     \
		err = TRY(call);                                                                   \
		close_graphs(w, &g);                                                               \
		return err;                                                                        \
	}

static int write_nothing(const char *written, size_t size, void *data)
{
	(void)written;
	(void)size;
	(void)data;
	return 0;
}

static const struct store_args stored;
static npurt_graph_node *node;
static npurt_graph_node_info node_info = { .size = sizeof(node_info) };
static npurt_graph_exec_info exec_info = { .size = sizeof(exec_info) };

CASE_GRAPH(npurt_graph_add_kernel, false,
	   npurt_graph_add_kernel(g.graph, &g.write, 1, w->kernel, 1, &stored, sizeof(stored), NULL,
				  NULL))
CASE_GRAPH(npurt_graph_add_copy, false,
	   npurt_graph_add_copy(g.graph, &g.write, 1, w->hbm, 0, w->host, 0, 64, NULL))
CASE_GRAPH(npurt_graph_add_fill, false,
	   npurt_graph_add_fill(g.graph, &g.write, 1, w->hbm, 0, 1, 1, 64, NULL))
CASE_GRAPH(npurt_graph_add_write, false,
	   npurt_graph_add_write(g.graph, &g.write, 1, w->host, 0, 2, 8, NULL))
CASE_GRAPH(npurt_graph_add_wait, false,
	   npurt_graph_add_wait(g.graph, &g.write, 1, w->host, 0, 1, NPURT_CONDITION_GE, 0, NULL))
CASE_GRAPH(npurt_graph_add_reduce, false,
	   npurt_graph_add_reduce(g.graph, &g.write, 1, w->hbm, 0, w->host, 0, 64, NPURT_F32,
				  NPURT_REDUCE_ADD, NULL))
CASE_GRAPH(npurt_graph_add_host_function, false,
	   npurt_graph_add_host_function(g.graph, &g.write, 1, call_nothing, NULL, NULL))
CASE_GRAPH(npurt_graph_add_empty, false, npurt_graph_add_empty(g.graph, &g.write, 1, NULL))
CASE_GRAPH(npurt_graph_add_child, false, npurt_graph_add_child(g.graph, NULL, 0, g.body, NULL))

CASE(npurt_graph_add_conditional)
{
	npurt_graph_conditional args = if_args;
	struct graphs g;
	int err;

	open_graphs(w, &g);
	args.memory = w->host;
	args.body = g.body;
	err = TRY(npurt_graph_add_conditional(g.graph, NULL, 0, &args, NULL));
	close_graphs(w, &g);
	return err;
}

CASE(npurt_graph_add_loop)
{
	npurt_graph_loop args = loop_args;
	struct graphs g;
	int err;

	open_graphs(w, &g);
	args.body = g.body;
	err = TRY(npurt_graph_add_loop(g.graph, NULL, 0, &args, NULL));
	close_graphs(w, &g);
	return err;
}

CASE_GRAPH(npurt_graph_node_count, false, npurt_graph_node_count(g.graph) == 4 ? 0 : 1)
CASE_GRAPH(npurt_graph_get_node, false, npurt_graph_get_node(g.graph, 2, &node))
CASE_GRAPH(npurt_graph_node_get_info, false, npurt_graph_node_get_info(g.fill, &node_info))
CASE_GRAPH(npurt_graph_write_dot, false, npurt_graph_write_dot(g.graph, write_nothing, NULL))
CASE_GRAPH(npurt_graph_write_json, false, npurt_graph_write_json(g.graph, write_nothing, NULL))
CASE_GRAPH(npurt_graph_instantiate, false, npurt_graph_instantiate(g.graph, NULL, &g.exec))
CASE_GRAPH(npurt_graph_launch, true, npurt_graph_launch(g.exec, w->stream))
CASE_GRAPH(npurt_graph_exec_get_info, true, npurt_graph_exec_get_info(g.exec, &exec_info))
CASE_GRAPH(npurt_graph_exec_update_kernel, true,
	   npurt_graph_exec_update_kernel(g.exec, g.kernel, 2, &stored, sizeof(stored)))
CASE_GRAPH(npurt_graph_exec_update_copy, true,
	   npurt_graph_exec_update_copy(g.exec, g.copy, w->hbm, 64, w->host, 64, 64))
CASE_GRAPH(npurt_graph_exec_update_fill, true, npurt_graph_exec_update_fill(g.exec, g.fill, 7))
CASE_GRAPH(npurt_graph_exec_update_write, true, npurt_graph_exec_update_write(g.exec, g.write, 7))

CASE(npurt_graph_exec_update_wait)
{
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph = NULL;
	npurt_graph_node *wait;
	int err;

	NEED(npurt_graph_create(w->context, NULL, &graph));
	NEED(npurt_graph_add_wait(graph, NULL, 0, w->host, 0, 1, NPURT_CONDITION_GE, 0, &wait));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	err = TRY(npurt_graph_exec_update_wait(exec, wait, 0));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	return err;
}

/* While a launch is in flight, so that it takes another image. */
CASE(npurt_graph_exec_update_reduce)
{
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph = NULL;
	npurt_graph_node *wait, *add;
	int err;

	NEED(npurt_fill_async(w->stream, w->host, 0, 0, 8, 8));
	NEED(npurt_stream_synchronize(w->stream));
	NEED(npurt_graph_create(w->context, NULL, &graph));
	NEED(npurt_graph_add_wait(graph, NULL, 0, w->host, 0, 1, NPURT_CONDITION_GE, 0, &wait));
	NEED(npurt_graph_add_reduce(graph, &wait, 1, w->hbm, 0, w->hbm, 64, 2, NPURT_S32, 0, &add));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, w->stream));
	err = TRY(npurt_graph_exec_update_reduce(exec, add, w->hbm, 8, w->hbm, 64, 2, NPURT_S32, 0));
	*(_Atomic uint64_t *)mapped(w->host) = 1;
	NEED(npurt_stream_synchronize(w->stream));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	return err;
}

CASE(npurt_graph_exec_destroy)
{
	struct graphs g;
	npurt_graph_exec *exec = NULL;
	int err;

	open_graphs(w, &g);
	NEED(npurt_graph_instantiate(g.graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, w->stream));
	NEED(npurt_stream_synchronize(w->stream));
	err = TRY(npurt_graph_exec_destroy(exec));
	close_graphs(w, &g);
	return err;
}

CASE(npurt_graph_create)
{
	npurt_graph *graph = NULL;
	const int err = TRY(npurt_graph_create(w->context, NULL, &graph));

	if (!err)
		NEED(npurt_graph_destroy(graph));
	return err;
}

CASE(npurt_graph_destroy)
{
	npurt_graph *graph = NULL;

	NEED(npurt_graph_create(w->context, NULL, &graph));
	NEED(npurt_graph_add_fill(graph, NULL, 0, w->host, 0, 1, 1, 8, NULL));
	return TRY(npurt_graph_destroy(graph));
}

/* A capture that failed is over when it was ended. */
static npurt_graph *captured(npurt_stream *stream)
{
	npurt_graph *graph = NULL;

	if (npurt_stream_end_capture(stream, &graph))
		return NULL;
	return graph;
}

CASE(npurt_stream_begin_capture)
{
	const int err = TRY(npurt_stream_begin_capture(w->stream, 0));

	if (!err)
		NEED(npurt_graph_destroy(captured(w->stream)));
	return err;
}

CASE(npurt_stream_end_capture)
{
	npurt_graph *graph = NULL;
	int err;

	NEED(npurt_stream_begin_capture(w->stream, 0));
	NEED(npurt_fill_async(w->stream, w->hbm, 0, 1, 1, 64));
	err = TRY(npurt_stream_end_capture(w->stream, &graph));
	if (!err)
		NEED(npurt_graph_destroy(graph));
	return err;
}

static int exported_fd = -1;

CASE(npurt_event_export_fd)
{
	npurt_event *event = NULL;
	int err;

	NEED(npurt_event_create(w->context, NULL, &event));
	NEED(npurt_event_record(event, with_work(w)));
	err = TRY(npurt_event_export_fd(event, &exported_fd));
	if (!err)
		close(exported_fd);
	NEED(npurt_event_destroy(event));
	return err;
}

static npurt_event *imported_event(struct world *w)
{
	npurt_event *event = NULL;

	NEED(npurt_event_export_fd(w->event, &exported_fd));
	NEED(npurt_event_import_fd(w->context, exported_fd, NULL, &event));
	close(exported_fd);
	NEED(npurt_event_record(w->event, w->stream));
	return event;
}

CASE(npurt_event_import_fd)
{
	npurt_event *event = NULL;
	int err;

	NEED(npurt_event_export_fd(w->event, &exported_fd));
	err = TRY(npurt_event_import_fd(w->context, exported_fd, NULL, &event));
	if (!err)
		NEED(npurt_event_destroy(event));
	close(exported_fd);
	return err;
}

static int drop_event(int err, npurt_event *event)
{
	NEED(npurt_event_destroy(event));
	return err;
}

static uint64_t event_point;

CASE(npurt_event_get_point)
{
	npurt_event *event = imported_event(w);

	return drop_event(TRY(npurt_event_get_point(event, &event_point)), event);
}

CASE(npurt_event_wait_point)
{
	npurt_event *event = imported_event(w);

	return drop_event(TRY(npurt_event_wait_point(event, 1, 10 * S)), event);
}

CASE(npurt_event_wait_recorded)
{
	npurt_event *event = imported_event(w);

	return drop_event(TRY(npurt_event_wait_recorded(event, 1, 10 * S)), event);
}

CASE(npurt_stream_wait_event_point)
{
	npurt_event *event = imported_event(w);

	return drop_event(TRY(npurt_stream_wait_event_point(w->other, event, 1)), event);
}

CASE(npurt_event_eventfd)
{
	int fd = eventfd(0, EFD_CLOEXEC), err;

	NEED(npurt_event_record(w->event, with_work(w)));
	err = TRY(npurt_event_eventfd(w->event, fd));
	close(fd);
	return err;
}

CASE(npurt_event_time_monotonic)
{
	record(w->event, w->stream);
	return TRY(npurt_event_time_monotonic(w->event, &monotonic_ns, NULL));
}

static int capturing;

CASE_ONE(npurt_stream_is_capturing, npurt_stream_is_capturing(w->stream, &capturing))

CASE(npurt_graph_exec_update_upload)
{
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph;
	int err;

	NEED(npurt_stream_begin_capture(w->stream, 0));
	NEED(npurt_upload(w->stream, w->hbm, 0, bytes, 64));
	graph = captured(w->stream);
	NEED(npurt_graph_get_node(graph, 0, &node));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	err = TRY(npurt_graph_exec_update_upload(exec, node, bytes, 64));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	return err;
}

static void see_nothing(const npurt_hang *hang, void *data)
{
	(void)hang;
	(void)data;
}

CASE_ONE(npurt_hang_report, npurt_hang_report(w->device, see_nothing, NULL))
CASE_ONE(npurt_hang_write, npurt_hang_write(w->device, write_nothing, NULL))
CASE_ONE(npurt_hang_write_json, npurt_hang_write_json(w->device, write_nothing, NULL))

static void ignore_record(const npurt_trace_record *record, void *data)
{
	(void)record;
	(void)data;
}

static const npurt_trace_attr trace_attr = {
	.size = sizeof(trace_attr),
	.kinds = NPURT_TRACE_ALL,
	.fn = ignore_record,
};

CASE(npurt_trace_subscribe)
{
	npurt_trace *trace = NULL;
	const int err = TRY(npurt_trace_subscribe(w->device, &trace_attr, &trace));

	if (!err)
		NEED(npurt_trace_unsubscribe(trace));
	return err;
}

/* Of work that was traced without memory for records, too. */
CASE(npurt_trace_unsubscribe)
{
	npurt_trace *trace = NULL;
	int err;

	NEED(npurt_trace_subscribe(w->device, &trace_attr, &trace));
	arm();
	err = npurt_fill_async(w->stream, w->hbm, 0, 1, 1, 4096);
	if (!err)
		err = npurt_stream_synchronize(w->stream);
	if (err)
		npurt_trace_unsubscribe(trace);
	else
		err = npurt_trace_unsubscribe(trace);
	return disarm(err);
}

static const struct {
	const char *name;
	case_fn run;
} cases[] = {
#define SYMBOL(name) { #name, try_##name },
#include "fail_nth_cases.h"
#undef SYMBOL
};

/* All that libnpurt.map has. */
static const char *const symbols[] = {
#define SYMBOL(name) #name,
#include "fail_nth_symbols.h"
};

static bool has_case(const char *symbol)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (strcmp(cases[i].name, symbol) == 0)
			return true;
	}
	return false;
}

static void check_complete(void)
{
	unsigned int missing = 0;

	for (size_t i = 0; i < COUNT(symbols); i++) {
		if (!has_case(symbols[i])) {
			printf("# %s has no CASE() in host_fail_nth.c\n", symbols[i]);
			missing++;
		}
	}
	ok(!missing, "each of %zu public functions has its case", COUNT(symbols));
}

static bool failed_once(void)
{
	return mode == CALL || mode == LOST ? fake_failed() : atomic_load(&allocation_failed);
}

/* Without an object, so that there is none to tell of a failure. */
static bool has_object(const char *name)
{
	return strcmp(name, "npurt_device_count") && strcmp(name, "npurt_device_open") &&
	       strcmp(name, "npurt_device_open_bus_id");
}

/* These end what is over anyway, give hints, or tell what they could find out. */
static const char *const content[] = {
	"npurt_communicator_create", "npurt_communicator_destroy", "npurt_context_destroy",
	"npurt_context_get_status", "npurt_event_wait", "npurt_graph_exec_destroy",
	"npurt_hang_report", "npurt_hang_write", "npurt_hang_write_json", "npurt_memory_create",
	"npurt_memory_destroy", "npurt_module_unload", "npurt_pool_destroy", "npurt_pool_trim",
	"npurt_range_release", "npurt_stream_abort", "npurt_stream_destroy",
	"npurt_stream_get_info", "npurt_trace_subscribe",
};

static bool can_do_without(const char *name)
{
	for (size_t i = 0; i < COUNT(content); i++) {
		if (strcmp(content[i], name) == 0)
			return true;
	}
	return false;
}

/* One failure. False if the function gets through without meeting it. */
static bool fail(const char *name, case_fn run, bool *good)
{
	const unsigned int before = fake_leaks();
	struct world w;
	enum mode kept = mode;
	bool met;
	int err;

	open_world(&w);
	err = run(&w);
	met = failed_once();
	*good &= err <= 0 && err >= NPURT_ERROR_LAST && (met || !err);
	if (err && !told && has_object(name)) {
		printf("# nothing is said of failure %d, %s\n", nth, npurt_error_name(err));
		*good = false;
	}
	if (mode == LOST && met && has_object(name) && err != NPURT_ERROR_DEVICE_LOST &&
	    (err || (!can_do_without(name) && !fake_failed_wait()))) {
		printf("# a device that has gone gives %s\n", npurt_error_name(err));
		*good = false;
	}
	if (kept != LOST) {
		mode = NOTHING;
		err = run(&w);
	}
	if (err && kept != LOST)
		printf("# called again after failure %d it gives %s\n", nth, npurt_error_name(err));
	*good &= !err || kept == LOST;
	close_world(&w);
	mode = kept;
	if (fake_leaks() != before)
		printf("# failure %d leaves %u objects\n", nth, fake_leaks() - before);
	*good &= fake_leaks() == before;
	return met;
}

static int fail_each(const char *name, case_fn run, enum mode what, bool *good)
{
	mode = what;
	for (nth = 1; nth <= MOST_FAILURES; nth++) {
		if (!fail(name, run, good))
			return nth - 1;
	}
	*good = false;
	return MOST_FAILURES;
}

int main(void)
{
	check_complete();
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool good = true;
		const char *name = cases[i].name;
		const int calls = fail_each(name, cases[i].run, CALL, &good);
		const int lost = fail_each(name, cases[i].run, LOST, &good);
		const int allocations = fail_each(name, cases[i].run, ALLOCATION, &good);

		ok(good, "%s: %d calls fail in turn, %d of a device that has gone, "
		   "and %d allocations", name, calls, lost, allocations);
	}
	return rt_done();
}
