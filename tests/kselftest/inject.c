// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A device that fails on command: who is told what, who notices nothing, and that the device works
 * after it. Needs npu-vm, as the host does the failing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "npu_util.h"
#include "npu_vm.h"
#include "kselftest_harness.h"

#define CODE 0x100000
#define FOREVER UINT64_MAX
#define TIMEOUT_S 120
#define QUEUES 8
#define MARK 0x6d61726b

/* What a fault of this test leaves behind is called off by name. */
static char armed[32];

static int arm(const char *fault, uint64_t times)
{
	snprintf(armed, sizeof(armed), "%s", fault);
	return vm_ask("fault npu0 %s %llu", fault, (unsigned long long)times);
}

static int disarm(void)
{
	int ret = *armed ? vm_ask("fault npu0 %s 0", armed) : 0;

	*armed = '\0';
	return ret;
}

static int64_t struck(const char *fault)
{
	char property[48];

	snprintf(property, sizeof(property), "injected-%s", fault);
	return vm_get(property);
}

/* Queues of CPU 0 have the first vector of completions, 1. */
static int stay_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Waits for what nothing but a query tells. */
#define WAIT_UNTIL(condition) ({					\
	int64_t end_ = now_ns() + WAIT_NS;				\
	bool there_;							\
									\
	while (!(there_ = (condition)) && now_ns() < end_)		\
		usleep(20000);						\
	there_;								\
})

FIXTURE(inject)
{
	struct npu_ctx ctx;
	struct npu_ctx other;
	struct drm_npu_dev_resets before;
};

static struct drm_npu_dev_resets resets(int fd)
{
	struct drm_npu_dev_resets now = { 0 };

	npu_query(fd, DRM_NPU_DEV_QUERY_RESETS, &now, sizeof(now));
	return now;
}

static struct drm_npu_dev_telemetry telemetry(int fd)
{
	struct drm_npu_dev_telemetry now = { 0 };

	npu_query(fd, DRM_NPU_DEV_QUERY_TELEMETRY, &now, sizeof(now));
	return now;
}

FIXTURE_SETUP(inject)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, stay_on_cpu(0));
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_ctx_open(&self->other));
	self->before = resets(self->ctx.fd);
	EXPECT_EQ(0, self->before.wedged);
}

FIXTURE_TEARDOWN(inject)
{
	EXPECT_EQ(0, disarm());
	npu_ctx_close(&self->ctx);
	npu_ctx_close(&self->other);
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	npu_ctx_close(&self->ctx);
}

/* Hardware that fails is nobody's fault. */
static bool guilty(uint32_t status, uint32_t fault)
{
	switch (fault) {
	case NPU_ST_BUS:
	case NPU_ST_HBM_ECC:
	case NPU_ST_CORE_LOST:
		return false;
	default:
		return status == DRM_NPU_QUEUE_FAULT || status == DRM_NPU_QUEUE_TIMEOUT;
	}
}

static void expect_state(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t status,
			 uint32_t fault)
{
	struct drm_npu_queue_get_state state;

	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(status, state.state);
	EXPECT_EQ(fault, state.fault_status);
	EXPECT_EQ(guilty(status, fault), state.guilty);
}

static int new_queue(struct npu_ctx *ctx)
{
	return npu_queue_destroy(ctx->fd, ctx->queue) ?:
	       npu_queue_create(ctx->fd, ctx->vm, &ctx->queue);
}

/*
 * The device is reset while the neighbour waits: that ends with an error and is not its fault, its
 * memory stays what it was, and a new queue works.
 */
static void expect_device_reset(struct __test_metadata *_metadata, FIXTURE_DATA(inject) *self,
				uint32_t syncobj)
{
	volatile uint64_t *data = self->other.data.cpu;

	EXPECT_EQ(-ECANCELED, npu_ctx_finish(&self->other, syncobj));
	expect_state(_metadata, &self->other, DRM_NPU_QUEUE_LOST, NPU_ST_OK);
	EXPECT_TRUE(WAIT_UNTIL(!new_queue(&self->other)));
	EXPECT_EQ(MARK, data[100]);
	EXPECT_TRUE(npu_ctx_works(&self->other));
	EXPECT_EQ(0, resets(self->other.fd).wedged);
	EXPECT_LT(self->before.devices, resets(self->other.fd).devices);
}

static void mark(struct npu_ctx *ctx)
{
	((volatile uint64_t *)ctx->data.cpu)[100] = MARK;
}

TEST_F_TIMEOUT(inject, firmware_crash, TIMEOUT_S)
{
	uint32_t syncobj;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("fw-crash", 1));
	expect_device_reset(_metadata, self, syncobj);
	EXPECT_EQ(self->before.firmware_crashes + 1, resets(self->ctx.fd).firmware_crashes);
	EXPECT_EQ(self->before.devices + 1, resets(self->ctx.fd).devices);
}

TEST_F_TIMEOUT(inject, firmware_hang, TIMEOUT_S)
{
	uint32_t syncobj;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("fw-hang", 1));
	expect_device_reset(_metadata, self, syncobj);
}

TEST_F_TIMEOUT(inject, firmware_that_crashes_again, TIMEOUT_S)
{
	uint32_t syncobj;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("fw-crash", 2));
	expect_device_reset(_metadata, self, syncobj);
}

TEST_F_TIMEOUT(inject, lost_interrupt, TIMEOUT_S)
{
	int64_t before = struck("irq-lost");

	/* Vector 0 is the firmware's. */
	ASSERT_EQ(0, vm_ask("fault npu0 irq-lost 1 1"));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	EXPECT_EQ(before + 1, struck("irq-lost"));
	EXPECT_EQ(self->before.lost_interrupts + 1, resets(self->ctx.fd).lost_interrupts);
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_OK, NPU_ST_OK);
}

TEST_F_TIMEOUT(inject, lost_interrupt_of_the_firmware, TIMEOUT_S)
{
	uint32_t syncobj, queue;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, vm_ask("fault npu0 irq-lost 1 0"));
	EXPECT_EQ(0, npu_queue_create(self->ctx.fd, self->ctx.vm, &queue));
	EXPECT_EQ(0, npu_queue_destroy(self->ctx.fd, queue));
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
}

TEST_F_TIMEOUT(inject, stuck_doorbell, TIMEOUT_S)
{
	int64_t before = struck("doorbell-lost");

	ASSERT_EQ(0, arm("doorbell-lost", 1));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	EXPECT_EQ(before + 1, struck("doorbell-lost"));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
	EXPECT_EQ(self->before.queues, resets(self->ctx.fd).queues);
}

/* Nobody knows how the job ended, so that it counts as failed; nobody else is concerned. */
TEST_F_TIMEOUT(inject, lost_completion, TIMEOUT_S)
{
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("cqe-lost", 1));
	cmd_nop(npu_ctx_cmd(&self->ctx, 0));
	EXPECT_EQ(-EIO, npu_ctx_run(&self->ctx, 1));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_LOST, NPU_ST_OK);
	EXPECT_EQ(self->before.bad_completions + 1, resets(self->ctx.fd).bad_completions);
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
	ASSERT_EQ(0, new_queue(&self->ctx));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

FIXTURE(corrupt)
{
	struct npu_ctx ctx;
	struct drm_npu_dev_resets before;
};

FIXTURE_VARIANT(corrupt)
{
	const char *fault;
	int error;
};

FIXTURE_VARIANT_ADD(corrupt, cookie)
{
	.fault = "cqe-cookie",
	.error = -ECANCELED,
};

FIXTURE_VARIANT_ADD(corrupt, queue)
{
	.fault = "cqe-queue",
	.error = -ECANCELED,
};

FIXTURE_VARIANT_ADD(corrupt, ring_index)
{
	.fault = "cqe-head",
	.error = -ECANCELED,
};

FIXTURE_VARIANT_ADD(corrupt, status)
{
	.fault = "cqe-status",
	.error = -ECANCELED,
};

FIXTURE_VARIANT_ADD(corrupt, twice)
{
	.fault = "cqe-twice",
	.error = 0,
};

FIXTURE_VARIANT_ADD(corrupt, phase)
{
	.fault = "cqe-phase",
	.error = -EIO,
};

FIXTURE_SETUP(corrupt)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, stay_on_cpu(0));
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->before = resets(self->ctx.fd);
}

FIXTURE_TEARDOWN(corrupt)
{
	EXPECT_EQ(0, disarm());
	npu_ctx_close(&self->ctx);
}

/* A ring that cannot be believed costs a reset, and the job that it was about. */
TEST_F_TIMEOUT(corrupt, completion, TIMEOUT_S)
{
	struct npu_ctx *ctx = &self->ctx;

	ASSERT_EQ(0, arm(variant->fault, 1));
	cmd_nop(npu_ctx_cmd(ctx, 0));
	EXPECT_EQ(variant->error, npu_ctx_run(ctx, 1));
	EXPECT_TRUE(WAIT_UNTIL(resets(ctx->fd).devices > self->before.devices));
	EXPECT_LT(self->before.bad_completions, resets(ctx->fd).bad_completions);
	expect_state(_metadata, ctx, DRM_NPU_QUEUE_LOST, NPU_ST_OK);
	ASSERT_TRUE(WAIT_UNTIL(!new_queue(ctx)));
	for (int i = 0; i < 10; i++) {
		EXPECT_TRUE(npu_ctx_works(ctx));
	}
	EXPECT_EQ(0, resets(ctx->fd).wedged);
}

/* Each of many contexts faults, again and again; who is left alone notices nothing. */
TEST_F_TIMEOUT(inject, mmu_fault_storm, TIMEOUT_S)
{
	struct npu_ctx storm[QUEUES];

	for (int i = 0; i < QUEUES; i++) {
		ASSERT_EQ(0, npu_ctx_open(&storm[i]));
		cmd_fill(npu_ctx_cmd(&storm[i], 0), storm[i].data.va, 4096, i);
	}
	ASSERT_EQ(0, arm("mmu-fault", FOREVER));
	for (int round = 0; round < 20; round++) {
		uint32_t syncobj[QUEUES];

		for (int i = 0; i < QUEUES; i++) {
			ASSERT_EQ(0, npu_syncobj_create(storm[i].fd, &syncobj[i]));
			ASSERT_EQ(0, npu_submit(storm[i].fd, storm[i].queue, storm[i].list.va, 1,
						syncobj[i]));
		}
		for (int i = 0; i < QUEUES; i++) {
			ASSERT_EQ(-EIO, npu_ctx_finish(&storm[i], syncobj[i]));
			expect_state(_metadata, &storm[i], DRM_NPU_QUEUE_FAULT, NPU_ST_MMU_READ);
			npu_syncobj_destroy(storm[i].fd, syncobj[i]);
			ASSERT_EQ(0, new_queue(&storm[i]));
		}
	}
	EXPECT_EQ(0, disarm());
	for (int i = 0; i < QUEUES; i++) {
		EXPECT_TRUE(npu_ctx_works(&storm[i]));
		npu_ctx_close(&storm[i]);
	}
	EXPECT_TRUE(npu_ctx_works(&self->other));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
}

TEST_F_TIMEOUT(inject, bus_error, TIMEOUT_S)
{
	ASSERT_TRUE(npu_ctx_works(&self->ctx));
	/* 0: not an access of the firmware's. The first one reads the ring. */
	ASSERT_EQ(0, vm_ask("fault npu0 dma-error 1 0"));
	EXPECT_EQ(-EIO, npu_ctx_run(&self->ctx, 1));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_FAULT, NPU_ST_BUS);
	EXPECT_TRUE(npu_ctx_works(&self->other));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
}

/* The ring has a hole then, so that it takes a reset. */
TEST_F_TIMEOUT(inject, completion_that_the_bus_refuses, TIMEOUT_S)
{
	uint32_t syncobj, job;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->ctx, &job));
	ASSERT_EQ(0, vm_ask("fault npu0 dma-error 1 0"));
	EXPECT_EQ(-EIO, npu_ctx_release(&self->ctx, job));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_LOST, NPU_ST_OK);
	expect_device_reset(_metadata, self, syncobj);
}

TEST_F_TIMEOUT(inject, corrected_memory_error, TIMEOUT_S)
{
	struct drm_npu_dev_telemetry before = telemetry(self->ctx.fd);

	ASSERT_EQ(0, arm("hbm-ce", 3));
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(npu_ctx_works(&self->ctx));
	}
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).hbm_ce == before.hbm_ce + 3));
	EXPECT_EQ(before.health, telemetry(self->ctx.fd).health);
}

TEST_F_TIMEOUT(inject, uncorrected_memory_error, TIMEOUT_S)
{
	uint64_t before = telemetry(self->ctx.fd).hbm_ue, va = self->ctx.data.va;
	struct drm_npu_queue_get_state state;

	cmd_copy(npu_ctx_cmd(&self->ctx, 0), va + 0x10000, va + 0x2000, 0x4000);
	ASSERT_EQ(0, arm("hbm-ue", 1));
	EXPECT_EQ(-EIO, npu_ctx_run(&self->ctx, 1));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_FAULT, NPU_ST_HBM_ECC);
	ASSERT_EQ(0, npu_queue_state(self->ctx.fd, self->ctx.queue, &state));
	EXPECT_EQ(va + 0x2000, state.fault_address);
	EXPECT_EQ(NPU_ACCESS_READ, state.fault_access);
	EXPECT_EQ(NPU_UNIT_SDMA, state.fault_unit);

	EXPECT_TRUE(npu_ctx_works(&self->other));
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).hbm_ue == before + 1));
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).health == 2));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
}

static void put_code(struct npu_ctx *ctx, uint32_t insn)
{
	volatile uint32_t *code = (void *)((char *)ctx->data.cpu + CODE);

	code[0] = insn;
}

TEST_F_TIMEOUT(inject, lost_core, TIMEOUT_S)
{
	struct drm_npu_queue_get_state state;
	uint32_t core;

	put_code(&self->ctx, RV_ECALL);
	put_code(&self->other, RV_ECALL);
	ASSERT_EQ(0, arm("core-lost", 1));
	cmd_kernel(npu_ctx_cmd(&self->ctx, 0), self->ctx.data.va + CODE, 0, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(&self->ctx, 1));
	ASSERT_EQ(0, npu_queue_state(self->ctx.fd, self->ctx.queue, &state));
	EXPECT_EQ(NPU_ST_CORE_LOST, state.fault_status);
	core = state.fault_core;

	cmd_kernel(npu_ctx_cmd(&self->other, 0), self->other.data.va + CODE, 0, 256);
	EXPECT_EQ(0, npu_ctx_run(&self->other, 1)) TH_LOG("core %u is lost", core);
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).health == 2));
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
}

static int queue_with_timeout(struct npu_ctx *ctx, uint32_t ms)
{
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.engine_class = DRM_NPU_ENGINE_COMPUTE,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.timeout_ms = ms,
	};
	int ret = npu_queue_destroy(ctx->fd, ctx->queue) ?:
		  npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create);

	ctx->queue = create.id;
	return ret;
}

/* A core that nothing but its reset stops: no time-out of the hardware's does. */
TEST_F_TIMEOUT(inject, core_that_hangs, TIMEOUT_S)
{
	struct drm_npu_queue_get_state state;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, queue_with_timeout(&self->ctx, 100));
	put_code(&self->ctx, RV_LOOP);
	ASSERT_EQ(0, arm("core-hang", 1));
	cmd_kernel(npu_ctx_cmd(&self->ctx, 0), self->ctx.data.va + CODE, 0, 1);
	EXPECT_EQ(-ETIME, npu_ctx_run(&self->ctx, 1));
	ASSERT_EQ(0, npu_queue_state(self->ctx.fd, self->ctx.queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_TIMEOUT, state.state);
	EXPECT_EQ(DRM_NPU_RECOVERY_CORE, state.recovery);
	EXPECT_EQ(self->before.cores + 1, resets(self->ctx.fd).cores);
	EXPECT_EQ(self->before.devices, resets(self->ctx.fd).devices);
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
}

TEST_F_TIMEOUT(inject, heat, TIMEOUT_S)
{
	ASSERT_EQ(0, vm_ask("set npu0 ambient 250000"));
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).health >= 1));
	EXPECT_LT(90000, telemetry(self->ctx.fd).temperature_mc);
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	ASSERT_EQ(0, vm_ask("set npu0 ambient 0"));
	EXPECT_TRUE(WAIT_UNTIL(telemetry(self->ctx.fd).temperature_mc < 60000));
	ASSERT_EQ(0, vm_ask("set npu0 ambient 32000"));
}

/* The reset by register does not end: function level reset does it. */
TEST_F_TIMEOUT(inject, reset_that_does_not_end, TIMEOUT_S)
{
	uint32_t syncobj;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("reset-stuck", 1));
	ASSERT_EQ(0, vm_ask("fault npu0 fw-crash 1"));
	expect_device_reset(_metadata, self, syncobj);
}

struct resetter {
	pthread_t thread;
	struct npu_ctx *ctx;
	uint32_t before;
	volatile bool done;
};

static void *wait_for_reset(void *arg)
{
	struct resetter *resetter = arg;
	struct npu_ctx *ctx = resetter->ctx;

	resetter->done = WAIT_UNTIL(resets(ctx->fd).devices > resetter->before) &&
			 WAIT_UNTIL(!new_queue(ctx));
	return NULL;
}

/* That takes memory away from under the CPU for a while: whoever touches it then waits. */
TEST_F_TIMEOUT(inject, memory_while_the_function_is_reset, TIMEOUT_S)
{
	struct resetter resetter = { .ctx = &self->other, .before = self->before.devices };
	volatile uint64_t *data = self->ctx.data.cpu;
	const unsigned int count = CTX_DATA_SIZE / sizeof(*data);
	uint64_t written, lost = 0;

	/* All of it is mapped: a fault waits anyway. */
	for (unsigned int i = 0; i < count; i++)
		data[i] = i;
	ASSERT_EQ(0, arm("reset-stuck", 1));
	ASSERT_EQ(0, vm_ask("fault npu0 fw-crash 1"));
	ASSERT_EQ(0, pthread_create(&resetter.thread, NULL, wait_for_reset, &resetter));
	for (written = 0; !resetter.done; written++) {
		data[written % count] = written;
		lost += data[written % count] != written;
	}
	EXPECT_EQ(0, pthread_join(resetter.thread, NULL));
	EXPECT_EQ(0, lost) TH_LOG("of %llu", (unsigned long long)written);
	EXPECT_EQ(0, new_queue(&self->ctx));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

TEST_F_TIMEOUT(inject, boot_that_fails_once, TIMEOUT_S)
{
	uint32_t syncobj;

	mark(&self->other);
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	ASSERT_EQ(0, arm("boot-fail", 1));
	ASSERT_EQ(0, vm_ask("fault npu0 fw-crash 1"));
	expect_device_reset(_metadata, self, syncobj);
}

FIXTURE(wedge)
{
	struct npu_ctx ctx;
	char device[NPU_NAME_SIZE];
	FILE *kmsg;
};

FIXTURE_VARIANT(wedge)
{
	const char *fault;
};

FIXTURE_VARIANT_ADD(wedge, no_reset_ends)
{
	.fault = "reset-stuck",
};

FIXTURE_VARIANT_ADD(wedge, no_boot_succeeds)
{
	.fault = "boot-fail",
};

FIXTURE_VARIANT_ADD(wedge, registers_are_dead)
{
	.fault = "regs-dead",
};

FIXTURE_SETUP(wedge)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_name(self->ctx.fd, self->device));
	self->kmsg = fopen("/dev/kmsg", "re");
	ASSERT_NE(NULL, self->kmsg);
}

FIXTURE_TEARDOWN(wedge)
{
	fclose(self->kmsg);
	npu_ctx_close(&self->ctx);
}

static bool is_bus_master(const char *device)
{
	uint16_t command = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &command, sizeof(command), 4) != sizeof(command))
		command = UINT16_MAX;
	close(fd);
	return command & 4;
}

/* The PCI core says how it ended, to nobody but the log. */
static void reset_link(struct __test_metadata *_metadata, FILE *kmsg)
{
	char line[1024];

	ASSERT_EQ(0, fseek(kmsg, 0, SEEK_END));
	ASSERT_EQ(0, vm_ask("aer npu0 DLP"));
	do {
		ASSERT_NE(NULL, fgets(line, sizeof(line), kmsg));
	} while (!strstr(line, "device recovery"));
}

/* What cannot be brought back is given up: no call waits for it; binding anew brings it back. */
TEST_F_TIMEOUT(wedge, and_bind_again, TIMEOUT_S)
{
	struct npu_ctx *ctx = &self->ctx, again;
	struct drm_npu_dev_telemetry sample;
	uint32_t syncobj, queue;

	ASSERT_EQ(0, npu_ctx_start_waiting(ctx, &syncobj));
	ASSERT_EQ(0, arm(variant->fault, FOREVER));
	ASSERT_EQ(0, vm_ask("fault npu0 fw-crash 1"));
	EXPECT_GT(0, npu_ctx_finish(ctx, syncobj));
	EXPECT_TRUE(WAIT_UNTIL(resets(ctx->fd).wedged));
	EXPECT_EQ(-EIO, npu_queue_create(ctx->fd, ctx->vm, &queue));
	EXPECT_EQ(-EIO, npu_query(ctx->fd, DRM_NPU_DEV_QUERY_TELEMETRY, &sample, sizeof(sample)));
	cmd_nop(npu_ctx_cmd(ctx, 0));
	EXPECT_GT(0, npu_ctx_run(ctx, 1));

	/* Memory that it could write to is being freed. */
	EXPECT_FALSE(is_bus_master(self->device));
	reset_link(_metadata, self->kmsg);
	EXPECT_FALSE(is_bus_master(self->device));

	EXPECT_EQ(0, disarm());
	EXPECT_EQ(0, npu_driver_write("unbind", self->device));
	EXPECT_EQ(0, npu_driver_write("bind", self->device));
	ASSERT_EQ(0, npu_ctx_open(&again));
	EXPECT_TRUE(npu_ctx_works(&again));
	EXPECT_EQ(0, resets(again.fd).wedged);
	npu_ctx_close(&again);
}

TEST_HARNESS_MAIN
