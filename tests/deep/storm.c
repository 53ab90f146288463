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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deep.h"

#define MAX_WORKERS 64
#define DRIVER "/sys/bus/pci/drivers/npu/"

static pid_t workers[MAX_WORKERS];
static char device[64];

/* Copies, jobs that wait for what never comes, faults: each of them may be the one that is cut. */
static void work_once(struct npu_ctx *ctx, unsigned int kind)
{
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
	npu_run(ctx->fd, ctx->queue, ctx->list.va, count);
}

static void work(unsigned int seed)
{
	struct npu_ctx ctx;

	srand(seed);
	for (;;) {
		if (!npu_ctx_open(&ctx)) {
			for (int i = 0; i < 8; i++)
				work_once(&ctx, rand() % 6);
		} else {
			usleep(10000);
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

static uint32_t resets(void)
{
	struct drm_npu_dev_firmware firmware = { 0 };
	int fd = npu_open();

	npu_query(fd, DRM_NPU_DEV_QUERY_FIRMWARE, &firmware, sizeof(firmware));
	close(fd);
	return firmware.reset_count;
}

static void storm_kill(unsigned int seconds)
{
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
	result(kills > seconds, "%u processes killed in %u seconds", kills, seconds);
}

static void storm_reset(unsigned int times)
{
	uint32_t before = resets();
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
	result(resets() - before >= times, "the driver has counted them");
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
