// SPDX-License-Identifier: MIT
/* Recovery from failures that npu-inject brings about. */
#include "rt_test.h"

#include <inttypes.h>
#include <unistd.h>

#define PAGE 4096u

static bool inject(const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "%s %s", NPU_INJECT, what);
	return system(command) == 0;
}

/* One read goes wrong; the device reads all of it well afterwards. */
static void test_memory_error(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 1 << 20, "matrix");
	npurt_memory *host = memory(f->context, NPURT_PLACE_HOST, 4096, "host");
	npurt_recovery r = { .size = sizeof(r) };
	npurt_stream *other;
	uint64_t value = 0;
	char text[512];

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_fill_async(f->stream, m, 0, 42, 8, 1 << 20));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(inject("fault npu0 hbm-ue 1") ? 0 : NPURT_ERROR_SYSTEM);
	NEED(npurt_memcpy_async(f->stream, host, 0, m, 0, 4096));
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_CONTEXT_LOST);
	GIVES(npurt_fill_async(other, host, 0, 1, 1, 1), NPURT_ERROR_CONTEXT_LOST);
	NEED(npurt_stream_error_message(other, text, sizeof(text)));
	ok(strstr(text, "'matrix'") != NULL, "another stream is told the first fault: %s", text);
	ok(status_of(f->context).scope == NPURT_SCOPE_CONTEXT, "it reaches the context");
	WORKS(npurt_context_recover(f->context, &r));
	ok(r.streams_reset == 1 && r.memory_kept >= 1 && !r.memory_lost,
	   "the device can read all %u memory objects again: they stay", r.memory_kept);
	WORKS(npurt_download(f->stream, &value, m, 4096, sizeof(value)));
	ok(value == 42, "with their contents");
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(host));
}

/* The firmware crashes while two streams have work: the device is reset. */
static void test_device_reset(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 1 << 20, "matrix");
	npurt_memory *gate = memory(f->context, NPURT_PLACE_HOST, 4096, "gate");
	npurt_recovery r = { .size = sizeof(r) };
	npurt_context_status status;
	npurt_stream *other;
	uint64_t value = 0;

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_fill_async(f->stream, m, 0, 43, 8, 1 << 20));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_wait_value_async(f->stream, gate, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_wait_value_async(other, gate, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_stream_flush(f->stream));
	NEED(npurt_stream_flush(other));
	NEED(inject("fault npu0 fw-crash 1") ? 0 : NPURT_ERROR_SYSTEM);
	GIVES(npurt_stream_wait(f->stream, 50 * S), NPURT_ERROR_STREAM_LOST);
	GIVES(npurt_stream_wait(other, 50 * S), NPURT_ERROR_STREAM_LOST);
	status = status_of(f->context);
	ok(status.scope == NPURT_SCOPE_DEVICE && status.failed_streams == 2 &&
		   status.device_resets >= 1,
	   "a reset of the device is told: %s", status.message);
	WORKS(npurt_context_recover(f->context, &r));
	ok(r.streams_reset == 2, "both streams have fresh queues");
	WORKS(npurt_download(other, &value, m, (1 << 20) - 8, sizeof(value)));
	ok(value == 43, "and memory is what it was");
	WORKS(npurt_stream_synchronize(f->stream));
	ok(!status_of(f->context).error, "all is well again");
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(gate));
}

static bool poison(uint64_t offset, uint64_t bytes)
{
	char request[96];

	snprintf(request, sizeof(request), "set npu0 hbm-poison %#" PRIx64 "+%" PRIu64, offset,
		 bytes);
	return inject(request);
}

/* Of @page: whether it lies in that part of HBM, by having that poisoned for a moment. */
static bool lies_in(struct fixture *f, npurt_memory *m, uint64_t page, npurt_memory *host,
		    uint64_t offset, uint64_t bytes)
{
	int err;

	NEED(poison(offset, bytes) ? 0 : NPURT_ERROR_SYSTEM);
	NEED(npurt_memcpy_async(f->stream, host, 0, m, page, PAGE));
	err = npurt_stream_synchronize(f->stream);
	NEED(poison(0, 0) ? 0 : NPURT_ERROR_SYSTEM);
	if (err)
		NEED(npurt_context_recover(f->context, NULL));
	return err == NPURT_ERROR_CONTEXT_LOST;
}

/* The HBM offset of a page of memory, which nobody tells. */
static uint64_t hbm_offset(struct fixture *f, npurt_memory *m, uint64_t page, npurt_memory *host)
{
	npurt_memory_info info = { .size = sizeof(info) };
	uint64_t offset = 0, bytes = PAGE;

	NEED(npurt_device_get_memory_info(f->device, &info));
	while (bytes < info.hbm_physical)
		bytes *= 2;
	while (bytes > PAGE) {
		bytes /= 2;
		if (!lies_in(f, m, page, host, offset, bytes))
			offset += bytes;
	}
	return offset;
}

struct losses {
	unsigned int count;
	npurt_memory *memory;
};

static void lose(npurt_memory *memory, const char *label, void *data)
{
	struct losses *losses = data;

	(void)label;
	losses->count++;
	losses->memory = memory;
}

/* Eight bytes of HBM are broken for good: what lies there is lost, and nothing else. */
static void test_poison(struct fixture *f)
{
	npurt_memory *good = memory(f->context, NPURT_PLACE_HBM, 3 << 20, "good");
	npurt_memory *bad = memory(f->context, NPURT_PLACE_HBM, (2 << 20) + PAGE, "bad");
	npurt_memory *host = memory(f->context, NPURT_PLACE_HOST, PAGE, "host");
	struct losses losses = { 0 };
	npurt_recovery r = { .size = sizeof(r), .lost = lose, .data = &losses };
	npurt_fault fault = { .size = sizeof(fault) };
	uint64_t value = 0, offset;

	NEED(npurt_fill_async(f->stream, good, 0, 44, 8, 3 << 20));
	NEED(npurt_fill_async(f->stream, bad, 0, 45, 8, 2 << 20));
	NEED(npurt_stream_synchronize(f->stream));
	offset = hbm_offset(f, bad, 2 << 20, host) + 8;
	NEED(poison(offset, 8) ? 0 : NPURT_ERROR_SYSTEM);
	NEED(npurt_memcpy_async(f->stream, host, 0, bad, 2 << 20, PAGE));
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_CONTEXT_LOST);
	WORKS(npurt_stream_get_fault(f->stream, &fault));
	ok(fault.status == NPU_ST_HBM_ECC && strstr(fault.message, "'bad'") &&
		   fault.address == npurt_memory_address(bad) + (2 << 20) + 8,
	   "the bytes that cannot be read: %s", fault.message);
	WORKS(npurt_context_recover(f->context, &r));
	ok(losses.count == 1 && losses.memory == bad && r.memory_lost == 1 &&
		   r.bytes_lost == (2 << 20) + PAGE,
	   "what lies there is lost");
	ok(r.memory_kept >= 1 && r.bytes_kept >= 3 << 20, "the rest is kept");
	WORKS(npurt_download(f->stream, &value, good, (3 << 20) - 8, sizeof(value)));
	ok(value == 44, "with its contents");
	WORKS(npurt_memory_destroy(bad));
	bad = memory(f->context, NPURT_PLACE_HBM, (2 << 20) + PAGE, "anew");
	WORKS(npurt_download(f->stream, &value, bad, (2 << 20) + 8, sizeof(value)));
	ok(!value && !status_of(f->context).error, "and what is allocated anew is other memory");
	NEED(poison(0, 0) ? 0 : NPURT_ERROR_SYSTEM);
	NEED(npurt_memory_destroy(good));
	NEED(npurt_memory_destroy(bad));
	NEED(npurt_memory_destroy(host));
}

static bool tell_driver(const char *what, const char *bus_id)
{
	char path[64];
	FILE *file;
	bool told;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/npu/%s", what);
	file = fopen(path, "w");
	if (!file)
		return false;
	told = fputs(bus_id, file) >= 0;
	return fclose(file) == 0 && told;
}

/* Until the driver has given up, which takes it some attempts. */
static npurt_context_status wait_for_wedge(npurt_context *context)
{
	npurt_context_status status;

	for (int i = 0; i < 3000; i++) {
		status = status_of(context);
		if (status.error == NPURT_ERROR_DEVICE_LOST)
			break;
		usleep(20000);
	}
	return status;
}

/*
 * A device that no reset brings back: all that is asked of it is refused at once, all can be
 * destroyed, and when it is bound anew the process goes on with it. From the fault until it is
 * called off nothing ends the program.
 */
static void test_wedge(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 1 << 20, "matrix");
	npurt_memory *gate = memory(f->context, NPURT_PLACE_HOST, PAGE, "gate");
	npurt_device_properties p = { .size = sizeof(p) };
	npurt_context_status status;
	npurt_stream *stream = NULL;
	npurt_memory *none;
	struct fixture again;
	uint64_t value = 0;
	int err;

	NEED(npurt_device_get_properties(f->device, &p));
	NEED(npurt_wait_value_async(f->stream, gate, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_stream_flush(f->stream));
	ok(inject("fault npu0 boot-fail 1000") && inject("fault npu0 fw-crash 1"),
	   "the firmware crashes, and does not boot again");
	err = npurt_stream_wait(f->stream, 50 * S);
	ok(err == NPURT_ERROR_STREAM_LOST || err == NPURT_ERROR_DEVICE_LOST,
	   "who waits is told: %s", npurt_error_name(err));
	status = wait_for_wedge(f->context);
	ok(status.error == NPURT_ERROR_DEVICE_LOST && status.scope == NPURT_SCOPE_DEVICE,
	   "the device is given up: %s", status.message);
	GIVES(npurt_context_recover(f->context, NULL), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_stream_reset(f->stream), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_stream_create(f->context, NULL, &stream), NPURT_ERROR_DEVICE_LOST);
	ok(inject("fault npu0 boot-fail 0") && tell_driver("unbind", p.bus_id),
	   "the driver lets go of it");
	GIVES(npurt_context_recover(f->context, NULL), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_memory_create(f->context, PAGE, NULL, &none), NPURT_ERROR_DEVICE_LOST);
	WORKS(npurt_memory_destroy(m));
	WORKS(npurt_memory_destroy(gate));
	ok(tell_driver("bind", p.bus_id), "and takes it again");
	again = fixture_open();
	m = memory(again.context, NPURT_PLACE_HBM, 1 << 20, "matrix");
	WORKS(npurt_fill_async(again.stream, m, 0, 46, 8, 1 << 20));
	WORKS(npurt_download(again.stream, &value, m, (1 << 20) - 8, sizeof(value)));
	ok(value == 46, "it works for who opens it anew");
	WORKS(npurt_memory_destroy(m));
	fixture_close(&again);
}

int main(void)
{
	struct fixture f = fixture_open();

	test_memory_error(&f);
	test_device_reset(&f);
	test_poison(&f);
	/* The last one: this device does not come back. */
	test_wedge(&f);
	fixture_close(&f);
	return rt_done();
}
