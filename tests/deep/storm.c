// SPDX-License-Identifier: MIT
/*
 * storm MODE COUNT: processes work on the NPU while it is taken away from them:
 *
 *   kill SECONDS    64 processes, one killed at random every few milliseconds
 *   reset TIMES     resets of the device through sysfs
 *   bind TIMES      the driver is unbound and bound
 *   reload TIMES    the module is unloaded and loaded (NPU_MODULE names it)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

#define MAX_WORKERS 64
#define DRIVER "/sys/bus/pci/drivers/npu/"

static pid_t workers[MAX_WORKERS];
static char device[64];
/* Jobs that were blamed for a fault, though there was none in them; all workers count. */
static atomic_uint *wronged;

static void look_for_blame(struct npu_ctx *ctx)
{
	struct drm_npu_queue_get_state state;

	if (!npu_queue_state(ctx->fd, ctx->queue, &state) && state.state == DRM_NPU_QUEUE_FAULT &&
	    state.guilty)
		atomic_fetch_add(wronged, 1);
}

/* Copies, jobs that wait for what never comes, faults: each of them may be the one that is cut. */
static void work_once(struct npu_ctx *ctx, unsigned int kind)
{
	bool guilty = kind == 2;
	uint32_t count = 1;

	switch (kind) {
	case 0:
		for (count = 0; count < 64; count++)
			cmd_copy(npu_ctx_cmd(ctx, count), ctx->data.va, ctx->data.va + 0x200000,
				 0x100000);
		break;
	case 1:
		cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x1000, 1);
		npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, 0);
		usleep(1000);
		return;
	case 2:
		cmd_write(npu_ctx_cmd(ctx, 0), 0x7000000000, 1);
		break;
	default:
		cmd_nop(npu_ctx_cmd(ctx, 0));
	}
	if (npu_run(ctx->fd, ctx->queue, ctx->list.va, count) && !guilty)
		look_for_blame(ctx);
}

static void work(unsigned int seed)
{
	struct npu_ctx ctx;

	srand(seed);
	for (;;) {
		if (!npu_ctx_open(&ctx)) {
			unsigned int kind = 0;

			/* A queue takes no jobs after a fault. */
			for (int i = 0; i < 8 && kind != 2; i++) {
				kind = rand() % 6;
				work_once(&ctx, kind);
			}
		} else {
			usleep(200000);
		}
		npu_ctx_close(&ctx);
	}
}

static void start(unsigned int i)
{
	unsigned int seed = rand();

	workers[i] = fork();
	if (!workers[i]) {
		work(seed);
		_exit(0);
	}
}

static void stop(unsigned int i)
{
	kill(workers[i], SIGKILL);
	waitpid(workers[i], NULL, 0);
}

static void start_all(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		start(i);
}

static void stop_all(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		stop(i);
}

static struct drm_npu_dev_resets resets(void)
{
	struct drm_npu_dev_resets resets = { 0 };
	int fd = npu_open();

	npu_query(fd, DRM_NPU_DEV_QUERY_RESETS, &resets, sizeof(resets));
	close(fd);
	return resets;
}

/* What has been done to the device was none of its doing, and the counters say so. */
static bool nothing_but(const struct drm_npu_dev_resets *before, unsigned int times)
{
	struct drm_npu_dev_resets now = resets();

	printf("# %" PRIu64 " tasks, %" PRIu64 " queues, %" PRIu64 " cores, %" PRIu64
	       " devices; %" PRIu64 " interrupts lost, %" PRIu64 " bad completions, %" PRIu64
	       " crashes\n", (uint64_t)(now.tasks - before->tasks),
	       (uint64_t)(now.queues - before->queues), (uint64_t)(now.cores - before->cores),
	       (uint64_t)(now.devices - before->devices),
	       (uint64_t)(now.lost_interrupts - before->lost_interrupts),
	       (uint64_t)(now.bad_completions - before->bad_completions),
	       (uint64_t)(now.firmware_crashes - before->firmware_crashes));
	return now.devices - before->devices == times && !now.wedged &&
	       now.bad_completions == before->bad_completions &&
	       now.firmware_crashes == before->firmware_crashes;
}

static void storm_kill(unsigned int seconds)
{
	struct drm_npu_dev_resets before = resets();
	time_t end = time(NULL) + seconds;
	unsigned int kills = 0;

	start_all(MAX_WORKERS);
	for (; time(NULL) < end; kills++) {
		unsigned int i = rand() % MAX_WORKERS;

		stop(i);
		start(i);
		usleep(rand() % 20000);
	}
	stop_all(MAX_WORKERS);
	result(kills >= MAX_WORKERS, "%u processes killed in %u seconds", kills, seconds);
	result(nothing_but(&before, 0), "the driver has counted no reset");
	result(!*wronged, "no job is blamed for another's: %u", *wronged);
}

static void storm_reset(unsigned int times)
{
	struct drm_npu_dev_resets before = resets();
	char path[128];
	unsigned int i;
	int ret = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", device);
	start_all(8);
	for (i = 0; i < times && !ret; i++) {
		ret = file_write(path, "1");
		usleep(rand() % 50000);
	}
	stop_all(8);
	result(!ret, "%u resets", i);
	result(nothing_but(&before, times), "the driver has counted them, and nothing else");
	result(!*wronged, "no job is blamed for a reset: %u", *wronged);
}

static bool node_is_there(void)
{
	return !access("/sys/class/accel/accel0", F_OK);
}

static void storm_bind(unsigned int times)
{
	unsigned int i;
	int ret = 0;

	start_all(8);
	for (i = 0; i < times && !ret; i++) {
		usleep(rand() % 20000);
		ret = file_write(DRIVER "unbind", device);
		if (!ret)
			ret = file_write(DRIVER "bind", device);
		if (ret)
			printf("# round %u: %s\n", i, strerror(-ret));
	}
	stop_all(8);
	result(!ret && node_is_there(), "unbound and bound %u times", i);
}

static int load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		ret = -errno;
	close(fd);
	return ret;
}

/* A file that a dying process has not let go of yet keeps the module for a moment. */
static int unload(void)
{
	for (int i = 0; i < 1000; i++) {
		if (!syscall(SYS_delete_module, "npu", O_NONBLOCK))
			return 0;
		if (errno != EAGAIN && errno != EBUSY)
			break;
		usleep(10000);
	}
	return -errno;
}

static void storm_reload(unsigned int times)
{
	const char *module = getenv("NPU_MODULE");
	unsigned int i;
	int ret = module ? 0 : -ENOENT;

	for (i = 0; i < times && !ret; i++) {
		start_all(8);
		usleep(100000 + rand() % 100000);
		stop_all(8);
		ret = unload();
		if (!ret)
			ret = load(module);
		if (ret)
			printf("# round %u: %s\n", i, strerror(-ret));
	}
	result(!ret && node_is_there(), "unloaded and loaded %u times", i);
}

static const struct {
	const char *name;
	void (*run)(unsigned int count);
} storms[] = {
	{ "kill", storm_kill },
	{ "reset", storm_reset },
	{ "bind", storm_bind },
	{ "reload", storm_reload },
};

int main(int argc, char **argv)
{
	struct drm_npu_dev_memory before;

	if (!pci_device(device, sizeof(device))) {
		printf("1..0 # SKIP no NPU\n");
		return 4;
	}
	wronged = mmap(NULL, sizeof(*wronged), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (wronged == MAP_FAILED) {
		perror("storm: mmap");
		return 1;
	}
	memory_query(&before);
	for (unsigned int i = 0; argc == 3 && i < sizeof(storms) / sizeof(storms[0]); i++) {
		if (strcmp(argv[1], storms[i].name))
			continue;
		storms[i].run(atoi(argv[2]));
		result(device_works(), "the device works after");
		result(memory_is_back(&before), "all memory is back");
		return done();
	}
	fprintf(stderr, "usage: storm kill SECONDS | reset TIMES | bind TIMES | reload TIMES\n");
	return 2;
}
