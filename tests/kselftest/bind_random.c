// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Any sequence of binds: what the device finds is what a plain array has */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

/* On both sides of where 1 GiB ends, so that pages of all sizes but that one meet. */
#define PAGES 960
#define VA (0x7740000000ULL - PAGES / 2 * PAGE)
#define PAGE 4096ULL
#define BUFFERS 3
#define ROUNDS 24
#define CALLS 4
#define MAX_OPS 8

/* What is mapped at a page. */
enum source {
	NOTHING, SPARSE, USER, BUFFER
};

struct page {
	uint32_t source;
	uint32_t page;
};

FIXTURE(bind_random)
{
	struct npu_ctx ctx;
	uint32_t handles[BUFFERS];
	uint64_t *user;
	struct page model[PAGES];
	unsigned int seed;
};

FIXTURE_VARIANT(bind_random)
{
	bool async;
};

FIXTURE_VARIANT_ADD(bind_random, sync)
{
	.async = false,
};

FIXTURE_VARIANT_ADD(bind_random, async)
{
	.async = true,
};

/* The first word of each page tells where it is from. */
static uint64_t stamp(uint32_t source, uint32_t page)
{
	return source >= USER ? (uint64_t)source << 32 | (page + 1) : 0;
}

static void stamp_all(uint64_t *data, uint32_t source)
{
	for (uint32_t page = 0; page < PAGES; page++)
		data[page * PAGE / 8] = stamp(source, page);
}

FIXTURE_SETUP(bind_random)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	for (unsigned int i = 0; i < BUFFERS; i++) {
		uint64_t *data;

		ASSERT_EQ(0, npu_bo_create(self->ctx.fd, PAGES * PAGE,
					   i ? DRM_NPU_BO_HBM : DRM_NPU_BO_SYSTEM,
					   &self->handles[i]));
		data = npu_bo_mmap(self->ctx.fd, self->handles[i], PAGES * PAGE);
		ASSERT_NE(MAP_FAILED, data);
		stamp_all(data, BUFFER + i);
		munmap(data, PAGES * PAGE);
	}
	self->user = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	ASSERT_NE(MAP_FAILED, self->user);
	stamp_all(self->user, USER);
	self->seed = 1;
}

FIXTURE_TEARDOWN(bind_random)
{
	npu_ctx_close(&self->ctx);
	munmap(self->user, PAGES * PAGE);
}

/* An operation at random, which the model follows. */
static struct drm_npu_vm_bind_op some_op(FIXTURE_DATA(bind_random) *self)
{
	uint32_t source = rand_r(&self->seed) % (BUFFER + BUFFERS);
	uint32_t first = rand_r(&self->seed) % PAGES;
	uint32_t count = 1 + rand_r(&self->seed) % (PAGES - first);
	uint32_t page = rand_r(&self->seed) % (PAGES - count + 1);
	struct drm_npu_vm_bind_op op = { .va = VA + first * PAGE, .size = count * PAGE };

	/* Often aligned as the address is, for large pages. */
	if (rand_r(&self->seed) % 2 && first + count <= PAGES)
		page = first;
	switch (source) {
	case NOTHING:
		op.op = DRM_NPU_VM_BIND_OP_UNMAP;
		break;
	case SPARSE:
		op.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE;
		break;
	case USER:
		op.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR;
		op.bo_offset = (uintptr_t)self->user + page * PAGE;
		break;
	default:
		op.op = DRM_NPU_VM_BIND_OP_MAP;
		op.bo_handle = self->handles[source - BUFFER];
		op.bo_offset = page * PAGE;
	}
	for (uint32_t i = 0; i < count; i++)
		self->model[first + i] = (struct page){ source, page + i };
	return op;
}

static int bind_some(FIXTURE_DATA(bind_random) *self, struct drm_npu_sync *done)
{
	unsigned int count = 1 + rand_r(&self->seed) % MAX_OPS;
	struct drm_npu_vm_bind_op ops[MAX_OPS];

	for (unsigned int i = 0; i < count; i++)
		ops[i] = some_op(self);
	if (!done)
		return npu_vm_bind(self->ctx.fd, self->ctx.vm, ops, count);
	return npu_vm_bind_async(self->ctx.fd, self->ctx.vm, ops, count, done, 1);
}

/* The device copies a word of each page that is mapped, after the binds. */
static int copy_words(FIXTURE_DATA(bind_random) *self, uint32_t after)
{
	struct drm_npu_sync syncs[2] = { { .flags = DRM_NPU_SYNC_SIGNAL },
					 { .flags = DRM_NPU_SYNC_WAIT, .handle = after } };
	struct drm_npu_job job = { .list = self->ctx.list.va };
	struct npu_ctx *ctx = &self->ctx;
	int ret;

	memset(ctx->data.cpu, 0xff, PAGES * 8);
	for (unsigned int i = 0; i < PAGES; i++)
		if (self->model[i].source != NOTHING)
			cmd_copy(npu_ctx_cmd(ctx, job.count++), ctx->data.va + i * 8, VA + i * PAGE,
				 8);
	if (!job.count)
		return 0;
	ret = npu_syncobj_create(ctx->fd, &syncs[0].handle) ?:
	      npu_submit_syncs(ctx->fd, ctx->queue, &job, 1, syncs, after ? 2 : 1) ?:
	      npu_ctx_finish(ctx, syncs[0].handle);
	npu_syncobj_destroy(ctx->fd, syncs[0].handle);
	return ret;
}

/* Index of a page where nothing is mapped, from some place on; PAGES if there is none. */
static unsigned int some_hole(FIXTURE_DATA(bind_random) *self)
{
	unsigned int start = rand_r(&self->seed) % PAGES;

	for (unsigned int i = 0; i < PAGES; i++)
		if (self->model[(start + i) % PAGES].source == NOTHING)
			return (start + i) % PAGES;
	return PAGES;
}

/* The device must not find anything in a hole, and its queue stops for the attempt. */
static void expect_hole(struct __test_metadata *_metadata, FIXTURE_DATA(bind_random) *self)
{
	unsigned int hole = some_hole(self);
	struct drm_npu_queue_get_state state;
	struct npu_ctx *ctx = &self->ctx;

	if (hole == PAGES)
		return;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, VA + hole * PAGE, 8);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1)) TH_LOG("page %u", hole);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(VA + hole * PAGE, state.fault_address);
	ASSERT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
}

TEST_F_TIMEOUT(bind_random, device_sees_what_the_model_has, 300)
{
	struct drm_npu_sync done = { .flags = DRM_NPU_SYNC_SIGNAL };
	const volatile uint64_t *words = self->ctx.data.cpu;
	struct drm_npu_vm_get_state state = { .id = self->ctx.vm };
	unsigned int mapped = 0;

	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &done.handle));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int call = 0; call < CALLS; call++)
			ASSERT_EQ(0, bind_some(self, variant->async ? &done : NULL));
		ASSERT_EQ(0, copy_words(self, variant->async ? done.handle : 0));
		for (unsigned int i = 0; i < PAGES; i++) {
			const struct page *page = &self->model[i];

			if (page->source != NOTHING)
				ASSERT_EQ(stamp(page->source, page->page), words[i])
					TH_LOG("round %u, page %u", round, i);
		}
		expect_hole(_metadata, self);
	}

	for (unsigned int i = 0; i < PAGES; i++)
		mapped += self->model[i].source >= USER;
	ASSERT_EQ(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(mapped * PAGE + CTX_LIST_SIZE + CTX_DATA_SIZE, state.mapped);
}

TEST_HARNESS_MAIN
