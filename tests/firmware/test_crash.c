// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Firmware that crashes, hangs or misbehaves: the host is told, the device can be reset and
 * boots again, and nothing of it reaches the host itself.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include <npu/npu_mcu.h>

#include "fw_host.h"
#include "tap.h"

/* Instructions for payloads made by hand. */
#define ILLEGAL 0x00000000
#define LUI_A0(value) (0x00000537 | (value)) /* a0 = value, low 12 bits zero */
#define LI_A1(value) (0x00000593 | (value) << 20)
#define SW_A1_A0(offset) (0x00b52023 | ((offset) & 0x1f) << 7 | ((offset) >> 5) << 25)
#define LW_A1_A0(offset) (0x00052583 | (offset) << 20)
#define SLLI_A0(n) (0x00051513 | (n) << 20)
#define JR_A0 0x00050067
#define JUMP_SELF 0x0000006f
#define EBREAK 0x00100073
#define ECALL 0x00000073

#define OFFSET(reg) ((reg) - NPU_MCU_PERIPH_BASE)
#define PERIPH LUI_A0(NPU_MCU_PERIPH_BASE)
#define POST_READY PERIPH, LI_A1(NPU_POST_FW_READY), SW_A1_A0(OFFSET(NPU_MCU_HOST_POST))

static void expect_recovery(struct fw_host *host, const char *what)
{
	struct fw_image good = fw_image_load();

	fw_write(host, NPU_REG_BOOT_CMD, NPU_BOOT_CMD_START);
	ok(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD,
	   "%s: stays dead until reset", what);
	npu_core_reset(host->core);
	ok(fw_read(host, NPU_REG_DEV_STATUS) == NPU_DEV_STATUS_ROM_READY, "%s: reset", what);
	ok(fw_boot(host, &good) == NPU_POST_FW_READY, "%s: boots again", what);
	fw_image_free(&good);
}

/* @post: expected; an image that crashes after it was ready keeps that. */
static void expect_crash(const char *what, const uint32_t *insns, size_t count, uint32_t post,
			 bool sync)
{
	struct fw_host *host = fw_host_new(sync);
	struct fw_image image = fw_image_make(insns, count);
	int tries = 0;

	fw_write(host, NPU_REG_IRQ_ENABLE, NPU_IRQ_CAUSE_FW_DEAD);
	fw_boot(host, &image);
	/* It is the last thing that the device does about a crash. */
	while (!fw_irqs(host) && tries++ < 10000)
		g_usleep(1000);
	ok(fw_read(host, NPU_REG_BOOT_POST) == post, "%s: POST %#x", what,
	   fw_read(host, NPU_REG_BOOT_POST));
	ok((fw_read(host, NPU_REG_DEV_STATUS) &
	    (NPU_DEV_STATUS_FW_DEAD | NPU_DEV_STATUS_FW_RUNNING)) == NPU_DEV_STATUS_FW_DEAD,
	   "%s: the firmware is dead", what);
	ok(fw_read(host, NPU_REG_IRQ_CAUSE) == NPU_IRQ_CAUSE_FW_DEAD && fw_irqs(host) == 1,
	   "%s: the host is interrupted", what);
	expect_recovery(host, what);
	fw_image_free(&image);
	fw_host_free(host);
}

#define EXPECT_CRASH(what, post, sync, ...) do {				\
	static const uint32_t insns_[] = { __VA_ARGS__ };			\
										\
	expect_crash(what, insns_, sizeof(insns_) / 4, post, sync);		\
} while (0)

static void test_tiny_images(void)
{
	EXPECT_CRASH("illegal instruction", NPU_POST_ERR_CRASH, true, ILLEGAL);
	EXPECT_CRASH("illegal instruction, threaded", NPU_POST_ERR_CRASH, false, ILLEGAL);
	EXPECT_CRASH("breakpoint", NPU_POST_ERR_CRASH, true, EBREAK);
	EXPECT_CRASH("environment call", NPU_POST_ERR_CRASH, true, ECALL);
	EXPECT_CRASH("after ready", NPU_POST_FW_READY, true, POST_READY, ILLEGAL);
	EXPECT_CRASH("after ready, threaded", NPU_POST_FW_READY, false, POST_READY, ILLEGAL);
	EXPECT_CRASH("no such register", NPU_POST_ERR_CRASH, true, PERIPH, LW_A1_A0(0x7fc));
	EXPECT_CRASH("write-only register", NPU_POST_ERR_CRASH, true, PERIPH,
		     LW_A1_A0(OFFSET(NPU_MCU_CONSOLE_TX)));
	EXPECT_CRASH("half of a wide register", NPU_POST_ERR_CRASH, true, PERIPH,
		     LW_A1_A0(OFFSET(NPU_MCU_TIME)));
	EXPECT_CRASH("code in peripherals", NPU_POST_ERR_CRASH, true, PERIPH, JR_A0);
	EXPECT_CRASH("code in HBM", NPU_POST_ERR_CRASH, true, LUI_A0(0x40000000), SLLI_A0(32),
		     JR_A0);
	EXPECT_CRASH("jump into nothing", NPU_POST_ERR_CRASH, true, LUI_A0(0x70000000), JR_A0);
	EXPECT_CRASH("dead by its own word", NPU_POST_ERR_CRASH, true, PERIPH, LI_A1(2),
		     SW_A1_A0(OFFSET(NPU_MCU_HOST_DEAD)), JUMP_SELF);
}

/* The real firmware with a broken function tells in its log where it died. */
static void test_real_crash(void)
{
	struct fw_host *host = fw_host_new(true);
	struct fw_image image = fw_image_load();

	memset(fw_image_function(&image, "heartbeat_tick"), 0, 4);
	fw_image_seal(&image);
	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "broken firmware: ready at first");
	ok(!(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD), "it runs");
	fw_advance(host, 100 * MS);
	ok(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD, "the first beat kills it");
	ok(fw_said(host, "E trap: illegal instruction (mcause 2)"), "it says why");
	ok(fw_said(host, "E trap: pc 00000000800"), "and where");
	ok(fw_said(host, "E trap: x28: "), "with all registers");
	expect_recovery(host, "broken firmware");
	fw_image_free(&image);
	fw_host_free(host);
}

/* Firmware that hangs: the host goes on, sees no heartbeat, and can reset the device. */
static void test_hang(bool sync)
{
	static const uint32_t insns[] = { POST_READY, JUMP_SELF };
	const char *mode = sync ? "sync" : "threaded";
	struct fw_host *host = fw_host_new(sync);
	struct fw_image image = fw_image_make(insns, sizeof(insns) / 4);
	struct fw_image good = fw_image_load();

	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "%s: hanging firmware", mode);
	fw_admin_setup(host);
	fw_write(host, NPU_REG_ASQ_TAIL, 1);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) == 0, "%s: has no heartbeat", mode);
	npu_core_pause(host->core);
	npu_core_resume(host->core);
	npu_core_reset(host->core);
	ok(fw_boot(host, &good) == NPU_POST_FW_READY, "%s: and is replaced after a reset", mode);
	fw_image_free(&good);
	fw_image_free(&image);
	fw_host_free(host);
}

static bool comes_to(struct fw_host *host, uint32_t status)
{
	int tries = 0;

	while (!(fw_read(host, NPU_REG_DEV_STATUS) & status) && tries++ < 5000) {
		if (host->sync)
			npu_core_poll(host->core);
		else
			g_usleep(1000);
	}
	return fw_read(host, NPU_REG_DEV_STATUS) & status;
}

/* Faults on command, of the firmware that runs. */
static void test_injected(bool sync)
{
	const char *mode = sync ? "sync" : "threaded";
	struct fw_host *host = fw_host_identified(sync);
	struct npu_admin_cmd cmd = { .opcode = NPU_ADMIN_QUEUE_QUERY };
	struct fw_image good = fw_image_load();

	npu_core_inject(host->core, NPU_INJECT_FW_CRASH, 1, NPU_INJECT_ANY);
	ok(comes_to(host, NPU_DEV_STATUS_FW_DEAD) &&
	   npu_core_injected(host->core, NPU_INJECT_FW_CRASH) == 1, "%s: crash on command", mode);
	ok(fw_said(host, "E trap: illegal instruction (mcause 2)"), "it says so");
	expect_recovery(host, mode);

	npu_core_inject(host->core, NPU_INJECT_FW_HANG, 1, NPU_INJECT_ANY);
	fw_admin_setup(host);
	ok(fw_admin(host, cmd).status == FW_NO_COMPLETION &&
	   npu_core_injected(host->core, NPU_INJECT_FW_HANG) == 1, "%s: hang on command", mode);
	ok(!(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD), "which is no crash");
	npu_core_inject(host->core, NPU_INJECT_BOOT_FAIL, 1, NPU_INJECT_ANY);
	npu_core_reset(host->core);
	ok(fw_boot(host, &good) == NPU_POST_ERR_DIGEST, "%s: boot fails on command", mode);
	ok(fw_boot(host, &good) == NPU_POST_FW_READY, "%s: and not again", mode);
	fw_image_free(&good);
	fw_host_free(host);
}

int main(void)
{
	test_injected(true);
	test_injected(false);
	test_tiny_images();
	test_real_crash();
	test_hang(true);
	test_hang(false);
	return tap_done();
}
