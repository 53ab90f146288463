// SPDX-License-Identifier: GPL-2.0 OR MIT
/* One process cannot reach another's memory, by any command list or kernel. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SECRET 0x5ec2e75ec2e75ec2ULL

FIXTURE(isolation)
{
	struct npu_ctx victim;
	struct npu_ctx attacker;
	struct npu_mem hbm;
	struct npu_mem host;
};

#define HBM_VA 0x500000000ULL
#define HOST_VA 0x600000000ULL
#define SIZE 0x10000

FIXTURE_SETUP(isolation)
{
	uint64_t *data;

	ASSERT_EQ(0, npu_ctx_open(&self->victim));
	ASSERT_EQ(0, npu_ctx_open(&self->attacker));
	/* The victim's memory is where the attacker knows: only the tables are in the way. */
	ASSERT_EQ(0, npu_mem_create(self->victim.fd, self->victim.vm, SIZE, DRM_NPU_BO_HBM, HBM_VA,
				    &self->hbm));
	ASSERT_EQ(0, npu_mem_create(self->victim.fd, self->victim.vm, SIZE, DRM_NPU_BO_SYSTEM,
				    HOST_VA, &self->host));
	for (size_t i = 0; i < SIZE / 8; i++) {
		data = self->hbm.cpu;
		data[i] = SECRET;
		data = self->host.cpu;
		data[i] = SECRET;
	}
	/* The victim's own queue can read it. */
	cmd_copy(npu_ctx_cmd(&self->victim, 0), self->victim.data.va, HBM_VA, 8);
	ASSERT_EQ(0, npu_ctx_run(&self->victim, 1));
	ASSERT_EQ(SECRET, *(volatile uint64_t *)self->victim.data.cpu);
}

FIXTURE_TEARDOWN(isolation)
{
	npu_ctx_close(&self->attacker);
	npu_ctx_close(&self->victim);
}

static bool intact(const struct npu_mem *mem)
{
	const volatile uint64_t *data = mem->cpu;

	for (size_t i = 0; i < SIZE / 8; i++)
		if (data[i] != SECRET)
			return false;
	return true;
}

static bool leaked(struct npu_ctx *ctx)
{
	const volatile uint64_t *data = ctx->data.cpu;

	for (size_t i = 0; i < SIZE / 8; i++)
		if (data[i] == SECRET)
			return true;
	return false;
}

static int fresh_queue(struct npu_ctx *ctx)
{
	int ret = npu_queue_destroy(ctx->fd, ctx->queue);

	return ret ? ret : npu_queue_create(ctx->fd, ctx->vm, &ctx->queue);
}

static const uint64_t targets[] = { HBM_VA, HOST_VA };

TEST_F(isolation, commands_cannot_read)
{
	struct npu_ctx *ctx = &self->attacker;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, targets[i], SIZE);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
	}
	EXPECT_FALSE(leaked(ctx));
}

TEST_F(isolation, commands_cannot_write)
{
	struct npu_ctx *ctx = &self->attacker;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		cmd_copy(npu_ctx_cmd(ctx, 0), targets[i], ctx->data.va, SIZE);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
		cmd_fill(npu_ctx_cmd(ctx, 0), targets[i], SIZE, 0);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
		cmd_write(npu_ctx_cmd(ctx, 0), targets[i], 0);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
		cmd_timestamp(npu_ctx_cmd(ctx, 0), targets[i]);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
		cmd_sem_signal(npu_ctx_cmd(ctx, 0), targets[i], 1);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
	}
	EXPECT_TRUE(intact(&self->hbm));
	EXPECT_TRUE(intact(&self->host));
}

TEST_F(isolation, kernels_cannot_read_or_write)
{
	struct npu_ctx *ctx = &self->attacker;
	volatile uint64_t *data = ctx->data.cpu;
	const uint32_t reader[] = {
		rv_ld(5, 10, 0), rv_ld(5, 5, 0), rv_ld(7, 10, 8), rv_sd(5, 7, 0), RV_ECALL,
	};
	const uint32_t writer[] = { rv_ld(5, 10, 0), rv_sd(0, 5, 0), RV_ECALL };

	memcpy((char *)ctx->data.cpu + 0x100000, reader, sizeof(reader));
	memcpy((char *)ctx->data.cpu + 0x101000, writer, sizeof(writer));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		data[0x40000] = targets[i];
		data[0x40001] = ctx->data.va;
		cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x100000, ctx->data.va + 0x200000, 1);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
		cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x101000, ctx->data.va + 0x200000, 1);
		EXPECT_GT(0, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, fresh_queue(ctx));
	}
	EXPECT_FALSE(leaked(ctx));
	EXPECT_TRUE(intact(&self->hbm));
	EXPECT_TRUE(intact(&self->host));
}

TEST_F(isolation, physical_addresses_are_not_addresses)
{
	struct npu_ctx *ctx = &self->attacker;

	/* Sweep what could be HBM offsets or bus addresses: all fault, none is reached. */
	for (uint64_t va = 0; va < NPU_VA_END; va = va ? va << 1 : 4096) {
		if (va == TEST_VA)
			continue;
		cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, va, 8);
		EXPECT_GT(0, npu_ctx_run(ctx, 1)) TH_LOG("va 0x%llx", (long long)va);
		ASSERT_EQ(0, fresh_queue(ctx));
	}
	EXPECT_FALSE(leaked(ctx));
}

TEST_F(isolation, core_memory_is_not_handed_on)
{
	struct npu_ctx *victim = &self->victim, *ctx = &self->attacker;
	volatile uint64_t *data;
	/* Fill SMEM with the secret: a3 = base; loop: sd t0, 0(a3); addi a3, 8; bltu a3, a4 */
	const uint32_t filler[] = {
		rv_ld(5, 10, 0), rv_ld(13, 10, 8), rv_ld(14, 10, 16), rv_sd(5, 13, 0), 0x00868693,
		0xfee6ece3, RV_ECALL,
	};
	/* Copy it out: loop: ld t0, 0(a3); sd t0, 0(a2); a3 += 8; a2 += 8; bltu a3, a4 */
	const uint32_t reader[] = {
		rv_ld(12, 10, 0), rv_ld(13, 10, 8), rv_ld(14, 10, 16), rv_ld(5, 13, 0),
		rv_sd(5, 12, 0), 0x00868693, 0x00860613, 0xfee6e8e3, RV_ECALL,
	};

	data = victim->data.cpu;
	memcpy((char *)victim->data.cpu + 0x100000, filler, sizeof(filler));
	data[0x40000] = SECRET;
	data[0x40001] = NPU_SMEM_BASE;
	data[0x40002] = NPU_SMEM_BASE + 0x8000;
	cmd_kernel(npu_ctx_cmd(victim, 0), victim->data.va + 0x100000, victim->data.va + 0x200000,
		   64);
	ASSERT_EQ(0, npu_ctx_run(victim, 1));

	data = ctx->data.cpu;
	memcpy((char *)ctx->data.cpu + 0x100000, reader, sizeof(reader));
	data[0x40000] = ctx->data.va;
	data[0x40001] = NPU_SMEM_BASE;
	data[0x40002] = NPU_SMEM_BASE + 0x8000;
	for (int i = 0; i < 64; i++) {
		cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x100000, ctx->data.va + 0x200000, 1);
		ASSERT_EQ(0, npu_ctx_run(ctx, 1));
		ASSERT_FALSE(leaked(ctx));
	}
}

TEST_F(isolation, mapping_needs_the_handle)
{
	struct npu_ctx *ctx = &self->attacker;

	EXPECT_EQ(-ENOENT, npu_vm_map(ctx->fd, ctx->vm, self->hbm.handle + 100, 0, HBM_VA, 4096, 0));
	EXPECT_EQ(-ENOENT, npu_vm_map(ctx->fd, ctx->vm, 0, 0, HBM_VA, 4096, 0));
}

TEST_HARNESS_MAIN
