// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Another kernel takes the machine over while jobs write to memory without end. Needs npu-vm
 * --no-driver, whose initrd runs the same command again: what begins in the first kernel is told
 * in the second.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/reboot.h>

#include <npu/npu_regs.h>

#include "npu_util.h"
#include "kselftest_harness.h"

/* How the second kernel is told from the first. */
#define MARK "npu_test.kexec"

static bool second_kernel(void)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "re");
	bool found = f && fgets(line, sizeof(line), f) && strstr(line, MARK);

	if (f)
		fclose(f);
	return found;
}

static int load_driver(void)
{
	return system("m=${NPU_MODULE:-$NPU_BUILD/driver/npu.ko} && "
		      "modprobe -a $(modinfo -F depends $m | tr , ' ') && insmod $m");
}

/* Jobs that fill system memory again and again. */
static int write_endlessly(struct npu_ctx *ctx)
{
	const uint64_t size = 0x400000, va = TEST_VA + 0x10000000;
	struct npu_mem target;
	int ret;

	ret = npu_mem_create(ctx->fd, ctx->vm, size, DRM_NPU_BO_SYSTEM, va, &target);
	if (ret)
		return ret;
	*(volatile uint64_t *)ctx->data.cpu = 0;
	cmd_fill(npu_ctx_cmd(ctx, 0), va, size, 0x5a5a5a5a);
	cmd_branch(npu_ctx_cmd(ctx, 1), CTX_DATA_VA, 1, -1);
	npu_ctx_cmd(ctx, 1)->timeout_us = 60000000;
	ret = npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, 0);
	while (!ret && *((volatile uint64_t *)target.cpu + size / 8 - 1) != 0x5a5a5a5a5a5a5a5a)
		usleep(1000);
	return ret;
}

/* Load the second kernel: the same one, with the initrd of the first. */
static int load_kernel(void)
{
	const char *build = getenv("NPU_BUILD"), *initrd = getenv("NPU_VM_INITRD");
	char path[4096], line[4096] = "", *end;
	int kernel_fd, initrd_fd;
	FILE *f;

	if (!build || !initrd)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/kernel/vmlinuz", build);
	kernel_fd = open(path, O_RDONLY | O_CLOEXEC);
	initrd_fd = open(initrd, O_RDONLY | O_CLOEXEC);
	f = fopen("/proc/cmdline", "re");
	if (kernel_fd < 0 || initrd_fd < 0 || !f || !fgets(line, sizeof(line) - sizeof(MARK), f))
		return -ENOENT;
	fclose(f);
	end = line + strcspn(line, "\n");
	strcpy(end, " " MARK);
	if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(line) + 1, line, 0UL))
		return -errno;
	return 0;
}

static const char *go_to_second_kernel(void)
{
	struct npu_ctx ctx;

	if (load_kernel())
		return "the second kernel cannot be loaded";
	if (load_driver() || npu_ctx_open(&ctx))
		return "the driver cannot be loaded";
	if (write_endlessly(&ctx))
		return "the device does not work";
	reboot(LINUX_REBOOT_CMD_KEXEC);
	return "the second kernel does not start";
}

/* Go to the folder of the device, which nobody has bound yet. */
static bool enter_device(void)
{
	char id[32], line[64];
	bool found = false;
	glob_t devices;

	snprintf(id, sizeof(id), "PCI_ID=%04X:%04X\n", NPU_PCI_VENDOR_ID, NPU_PCI_DEVICE_ID);
	glob("/sys/bus/pci/devices/*", 0, NULL, &devices);
	for (size_t i = 0; i < devices.gl_pathc && !found; i++) {
		FILE *f = chdir(devices.gl_pathv[i]) ? NULL : fopen("uevent", "re");

		while (f && !found && fgets(line, sizeof(line), f))
			found = !strcmp(line, id);
		if (f)
			fclose(f);
	}
	globfree(&devices);
	return found;
}

static uint16_t read_command(void)
{
	int fd = open("config", O_RDONLY | O_CLOEXEC);
	uint16_t command = 0xffff;

	if (pread(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		command = 0xffff;
	close(fd);
	return command;
}

/* A register, read past the driver that is not there. */
static uint32_t read_register(unsigned int offset)
{
	volatile uint32_t *regs;
	uint32_t value = ~0U;
	int fd;

	write_file("enable", "1");
	fd = open("resource0", O_RDWR | O_CLOEXEC);
	regs = mmap(NULL, 0x1000, PROT_READ, MAP_SHARED, fd, 0);
	if (regs != MAP_FAILED) {
		value = regs[offset / 4];
		munmap((void *)regs, 0x1000);
	}
	close(fd);
	write_file("enable", "0");
	return value;
}

TEST(the_next_kernel_finds_a_device_that_is_quiet)
{
	struct npu_ctx ctx;
	uint32_t status;

	if (!second_kernel())
		SKIP(return, "needs npu-vm");
	ASSERT_TRUE(enter_device());
	EXPECT_EQ(0, read_command() & PCI_COMMAND_MASTER);
	status = read_register(NPU_REG_DEV_STATUS);
	ASSERT_NE(~0U, status);
	EXPECT_EQ(0, status & (NPU_DEV_STATUS_FW_RUNNING | NPU_DEV_STATUS_FW_DEAD));

	ASSERT_EQ(0, load_driver());
	ASSERT_EQ(0, npu_ctx_open(&ctx));
	EXPECT_TRUE(npu_ctx_works(&ctx));
	npu_ctx_close(&ctx);
}

int main(int argc, char **argv)
{
	if (!second_kernel() && getenv("NPU_VM_INITRD")) {
		printf("1..1\nnot ok 1 %s\n", go_to_second_kernel());
		return 1;
	}
	return test_harness_run(argc, argv);
}
