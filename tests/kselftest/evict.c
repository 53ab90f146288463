// SPDX-License-Identifier: GPL-2.0 OR MIT
/* More memory than HBM has: buffers go to system memory and come back. Wants a small HBM. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

/* HBM in pieces; how many one VM has room for, page tables of many VMs considered. */
#define PIECES 16
#define FITTING 14
/* For more than this the tests take long, and the machine lacks the memory. */
#define HBM_MAX (256ULL << 20)

#define PIECE_VA(ctx, i) ((ctx)->va + (uint64_t)(i) * (ctx)->piece)

/**
 * struct set - a VM with a queue, a command list and pieces of HBM
 */
struct set {
	int fd;
	uint32_t vm;
	uint32_t queue;
	struct npu_mem list;
	uint64_t piece;
	uint64_t va;
	unsigned int count;
	uint32_t handles[4 * PIECES];
};

static uint64_t hbm_size(int fd)
{
	struct drm_npu_dev_memory memory = { 0 };

	return npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)) ? 0 :
	       memory.hbm_size;
}

static uint64_t hbm_used(int fd)
{
	struct drm_npu_dev_memory memory = { 0 };

	return npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)) ? 0 :
	       memory.hbm_used;
}

static int set_open(struct set *set)
{
	static unsigned int opened;
	int ret;

	memset(set, 0, sizeof(*set));
	/* Addresses of its own, so that the device need not forget those of others. */
	set->va = TEST_VA + (1ULL << 30) + opened++ * (uint64_t)PIECES * (4 << 20);
	set->fd = npu_open();
	if (set->fd < 0)
		return -errno;
	set->piece = hbm_size(set->fd) / PIECES & ~0xfffULL;
	ret = npu_vm_create(set->fd, &set->vm);
	if (!ret)
		ret = npu_queue_create(set->fd, set->vm, &set->queue);
	if (!ret)
		ret = npu_mem_create(set->fd, set->vm, 0x10000, DRM_NPU_BO_SYSTEM, TEST_VA,
				     &set->list);
	return ret;
}

static void set_close(struct set *set)
{
	munmap(set->list.cpu, set->list.size);
	close(set->fd);
}

/* Another piece, mapped behind the others; private ones are of the VM alone. */
static int set_add(struct set *set, bool private)
{
	unsigned int i = set->count;
	int ret = npu_bo_create_in(set->fd, private ? set->vm : 0, set->piece, DRM_NPU_BO_HBM,
				   &set->handles[i]);

	if (!ret)
		ret = npu_vm_map(set->fd, set->vm, set->handles[i], 0, PIECE_VA(set, i), set->piece,
				 0);
	if (!ret)
		set->count++;
	return ret;
}

static int set_grow(struct set *set, unsigned int count, bool private)
{
	int ret = 0;

	while (!ret && set->count < count)
		ret = set_add(set, private);
	return ret;
}

static struct npu_cmd *set_cmd(struct set *set, unsigned int i)
{
	return (struct npu_cmd *)set->list.cpu + i;
}

static int set_run(struct set *set, unsigned int count)
{
	return npu_run(set->fd, set->queue, set->list.va, count);
}

static int set_fill(struct set *set, unsigned int piece, uint32_t pattern)
{
	cmd_fill(set_cmd(set, 0), PIECE_VA(set, piece), set->piece, pattern);
	return set_run(set, 1);
}

/* Bytes of a piece that are not as a fill would leave them, as the CPU sees it. */
static uint64_t set_wrong(struct set *set, unsigned int piece, uint32_t pattern)
{
	const uint32_t *data = npu_bo_mmap(set->fd, set->handles[piece], set->piece);
	uint64_t wrong = 0;

	if (data == MAP_FAILED)
		return ~0ULL;
	for (size_t i = 0; i < set->piece / 4; i++)
		wrong += data[i] != pattern;
	munmap((void *)data, set->piece);
	return wrong;
}

static int set_state(struct set *set, struct drm_npu_vm_get_state *state)
{
	memset(state, 0, sizeof(*state));
	state->id = set->vm;
	return npu_ioctl(set->fd, DRM_IOCTL_NPU_VM_GET_STATE, state);
}

static uint64_t set_evictions(struct set *set)
{
	struct drm_npu_vm_get_state state;

	return set_state(set, &state) ? ~0ULL : state.evictions;
}

FIXTURE(evict)
{
	struct set set;
};

FIXTURE_VARIANT(evict)
{
	bool private;
};

FIXTURE_VARIANT_ADD(evict, private)
{
	.private = true,
};

FIXTURE_VARIANT_ADD(evict, shared)
{
	.private = false,
};

FIXTURE_SETUP(evict)
{
	ASSERT_EQ(0, set_open(&self->set));
	if (hbm_size(self->set.fd) > HBM_MAX)
		SKIP(return, "HBM is too large");
}

FIXTURE_TEARDOWN(evict)
{
	set_close(&self->set);
}

TEST_F(evict, idle_buffers_are_kept_for_the_cpu)
{
	struct set *set = &self->set;
	uint32_t *data;

	for (unsigned int i = 0; i < 2 * PIECES; i++) {
		ASSERT_EQ(0, npu_bo_create_in(set->fd, variant->private ? set->vm : 0, set->piece,
					      DRM_NPU_BO_HBM, &set->handles[i]));
		data = npu_bo_mmap(set->fd, set->handles[i], set->piece);
		ASSERT_NE(MAP_FAILED, data);
		for (size_t j = 0; j < set->piece / 4; j++)
			data[j] = 0x1000 + i;
		munmap(data, set->piece);
	}
	for (unsigned int i = 0; i < 2 * PIECES; i++) {
		EXPECT_EQ(0, set_wrong(set, i, 0x1000 + i)) TH_LOG("buffer %u", i);
	}
}

TEST_F(evict, idle_buffers_come_back_for_the_device)
{
	struct set *set = &self->set;

	for (unsigned int i = 0; i < 2 * PIECES; i++) {
		ASSERT_EQ(0, set_add(set, variant->private));
		ASSERT_EQ(0, set_fill(set, i, 0x2000 + i));
		/* A VM needs all that it maps. */
		ASSERT_EQ(0, npu_vm_unmap(set->fd, set->vm, PIECE_VA(set, i), set->piece));
	}
	/* The device moves each by one word, so both directions are seen. */
	for (unsigned int i = 0; i < 2 * PIECES; i++) {
		ASSERT_EQ(0, npu_vm_map(set->fd, set->vm, set->handles[i], 0, PIECE_VA(set, i),
					set->piece, 0));
		cmd_copy(set_cmd(set, 0), set->list.va + 0x8000, PIECE_VA(set, i) + set->piece - 8, 8);
		cmd_fill(set_cmd(set, 1), PIECE_VA(set, i), set->piece, 0x3000 + i);
		ASSERT_EQ(0, set_run(set, 2));
		EXPECT_EQ(0x2000 + i, *(volatile uint32_t *)(set->list.cpu + 0x8000));
		ASSERT_EQ(0, npu_vm_unmap(set->fd, set->vm, PIECE_VA(set, i), set->piece));
	}
	for (unsigned int i = 0; i < 2 * PIECES; i++) {
		EXPECT_EQ(0, set_wrong(set, i, 0x3000 + i)) TH_LOG("buffer %u", i);
	}
}

TEST_F(evict, cpu_mapping_stays_over_moves)
{
	struct set *set = &self->set;
	volatile uint32_t *data;

	ASSERT_EQ(0, set_add(set, variant->private));
	data = npu_bo_mmap(set->fd, set->handles[0], set->piece);
	ASSERT_NE(MAP_FAILED, data);
	data[0] = 1;
	/* Out of the way of others, where the CPU goes on, and back for a job. */
	for (unsigned int round = 0; round < 3; round++) {
		struct set other;

		ASSERT_EQ(0, set_open(&other));
		ASSERT_EQ(0, set_grow(&other, PIECES - 1, true));
		ASSERT_EQ(0, set_fill(&other, 0, 1));
		EXPECT_LT(round, set_evictions(set));
		data[0]++;
		cmd_copy(set_cmd(set, 0), PIECE_VA(set, 0) + 4, PIECE_VA(set, 0), 4);
		ASSERT_EQ(0, set_run(set, 1));
		EXPECT_EQ(round + 2, data[1]);
		set_close(&other);
	}
	munmap((void *)data, set->piece);
}

TEST_F(evict, what_does_not_fit_is_refused)
{
	struct set *set = &self->set;
	struct drm_npu_vm_get_state state;

	ASSERT_EQ(0, set_grow(set, PIECES + 1, variant->private));
	cmd_nop(set_cmd(set, 0));
	EXPECT_EQ(-ENOSPC, set_run(set, 1));
	ASSERT_EQ(0, set_state(set, &state));
	EXPECT_EQ((PIECES + 1) * set->piece + set->list.size, state.mapped);
	EXPECT_GT(state.mapped, state.resident);

	for (unsigned int i = FITTING; i <= PIECES; i++) {
		ASSERT_EQ(0, npu_vm_unmap(set->fd, set->vm, PIECE_VA(set, i), set->piece));
	}
	EXPECT_EQ(0, set_fill(set, 0, 7));
	EXPECT_EQ(0, set_wrong(set, 0, 7));
	ASSERT_EQ(0, set_state(set, &state));
	EXPECT_EQ(FITTING * set->piece + set->list.size, state.mapped);
	EXPECT_EQ(state.mapped, state.resident);
}

/* Bring back @count pieces from @first on; @done: asynchronously, with a syncobj for its end. */
static int set_prefetch(struct set *set, unsigned int first, unsigned int count, uint32_t done)
{
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = done };
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_PREFETCH,
		.va = PIECE_VA(set, first), .size = count * set->piece,
	};

	return done ? npu_vm_bind_async(set->fd, set->vm, &op, 1, &sync, 1) :
		      npu_vm_bind(set->fd, set->vm, &op, 1);
}

/* What was taken away is back before a job needs it: what was asked for, and no more. */
TEST_F(evict, prefetch_brings_back)
{
	const unsigned int count = PIECES / 2;
	struct drm_npu_vm_get_state state;
	struct set *set = &self->set, other;
	uint64_t mapped, resident;
	uint32_t done;

	ASSERT_EQ(0, npu_syncobj_create(set->fd, &done));
	ASSERT_EQ(0, set_grow(set, count, variant->private));
	for (unsigned int i = 0; i < count; i++) {
		ASSERT_EQ(0, set_fill(set, i, 0x7000 + i));
	}
	ASSERT_EQ(0, set_state(set, &state));
	mapped = state.mapped;
	ASSERT_EQ(mapped, state.resident);

	ASSERT_EQ(0, set_open(&other));
	ASSERT_EQ(0, set_grow(&other, FITTING, true));
	ASSERT_EQ(0, set_fill(&other, 0, 1));
	set_close(&other);
	ASSERT_EQ(0, set_state(set, &state));
	resident = state.resident;
	ASSERT_GE(mapped - 4 * set->piece, resident) TH_LOG("the other one took too little");

	/* In the order in which they were taken: the first is away. */
	ASSERT_EQ(0, set_prefetch(set, 0, 1, 0));
	ASSERT_EQ(0, set_state(set, &state));
	EXPECT_EQ(resident + set->piece, state.resident);
	ASSERT_EQ(0, set_prefetch(set, 1, 2, done));
	EXPECT_EQ(0, npu_syncobj_wait(set->fd, done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(set->fd, done));
	ASSERT_EQ(0, set_state(set, &state));
	EXPECT_EQ(resident + 3 * set->piece, state.resident);
	ASSERT_EQ(0, set_prefetch(set, 0, count, 0));
	ASSERT_EQ(0, set_state(set, &state));
	EXPECT_EQ(mapped, state.resident);

	for (unsigned int i = 0; i < count; i++) {
		cmd_copy(set_cmd(set, 0), set->list.va + 0x8000, PIECE_VA(set, i), 8);
		ASSERT_EQ(0, set_run(set, 1));
		EXPECT_EQ(0x7000 + i, *(volatile uint32_t *)(set->list.cpu + 0x8000));
	}
	npu_syncobj_destroy(set->fd, done);
}

static void no_signal(int signum)
{
}

/* An allocation that a signal finds waiting. */
static bool allocation_waits(struct set *set)
{
	const struct itimerval soon = { { 0, 50000 }, { 0, 50000 } }, never = { 0 };
	const struct sigaction action = { .sa_handler = no_signal };
	struct drm_npu_bo_create create = { .size = set->piece };
	int ret, err = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!err) {
		ret = ioctl(set->fd, DRM_IOCTL_NPU_BO_CREATE, &create);
		err = ret ? errno : 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	return err == EINTR;
}

TEST_F(evict, jobs_keep_their_memory)
{
	struct set *set = &self->set, other;
	volatile uint64_t *sem = set->list.cpu + 0x8000;
	uint32_t syncobj;

	ASSERT_EQ(0, set_grow(set, 2, variant->private));
	ASSERT_EQ(0, set_fill(set, 0, 0x44));
	cmd_sem_wait(set_cmd(set, 0), set->list.va + 0x8000, 1);
	cmd_copy(set_cmd(set, 1), PIECE_VA(set, 1), PIECE_VA(set, 0), set->piece);
	ASSERT_EQ(0, npu_syncobj_create(set->fd, &syncobj));
	ASSERT_EQ(0, npu_submit(set->fd, set->queue, set->list.va, 2, syncobj));

	ASSERT_EQ(0, set_open(&other));
	/* Moves the idle ones of its own, until all of the rest is in use by a job. */
	ASSERT_EQ(0, set_grow(&other, PIECES - 3, true));
	cmd_sem_wait(set_cmd(&other, 0), other.list.va + 0x8000, 1);
	ASSERT_EQ(0, npu_submit(other.fd, other.queue, other.list.va, 1, 0));
	EXPECT_TRUE(allocation_waits(&other));
	EXPECT_EQ(0, set_evictions(set));

	*sem = 1;
	EXPECT_EQ(0, npu_syncobj_wait(set->fd, syncobj, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(set->fd, syncobj));
	/* Now it finds room here. */
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t handle;

		EXPECT_EQ(0, npu_bo_create(other.fd, other.piece, DRM_NPU_BO_HBM, &handle));
	}
	EXPECT_LT(0, set_evictions(set));
	EXPECT_EQ(0, set_evictions(&other));
	*(volatile uint64_t *)(other.list.cpu + 0x8000) = 1;
	EXPECT_EQ(0, set_wrong(set, 1, 0x44));
	set_close(&other);
}

TEST_F(evict, least_recently_used_goes_first)
{
	struct set *set = &self->set, other;
	uint32_t handle;

	ASSERT_EQ(0, set_grow(set, PIECES / 2, variant->private));
	ASSERT_EQ(0, set_open(&other));
	ASSERT_EQ(0, set_grow(&other, PIECES / 2 - 1, variant->private));
	/* Used in the other order than made. */
	ASSERT_EQ(0, set_fill(&other, 0, 1));
	ASSERT_EQ(0, set_fill(set, 0, 2));
	ASSERT_EQ(0, npu_bo_create(set->fd, 2 * set->piece, DRM_NPU_BO_HBM, &handle));
	EXPECT_EQ(0, set_evictions(set));
	EXPECT_LT(0, set_evictions(&other));
	set_close(&other);
}

TEST_F(evict, priority_goes_before_use)
{
	struct set *set = &self->set, other;
	struct drm_npu_bo_madvise advice = { 0 };
	uint32_t handle;

	ASSERT_EQ(0, set_open(&other));
	ASSERT_EQ(0, set_grow(&other, PIECES / 2, variant->private));
	ASSERT_EQ(0, set_grow(set, PIECES / 2 - 1, variant->private));
	for (unsigned int i = 0; i < PIECES / 2; i++) {
		advice.handle = other.handles[i];
		advice.advice = DRM_NPU_BO_EVICT_LAST;
		ASSERT_EQ(0, npu_ioctl(other.fd, DRM_IOCTL_NPU_BO_MADVISE, &advice));
	}
	advice.handle = set->handles[0];
	advice.advice = DRM_NPU_BO_EVICT_FIRST;
	ASSERT_EQ(0, npu_ioctl(set->fd, DRM_IOCTL_NPU_BO_MADVISE, &advice));
	ASSERT_EQ(0, set_fill(&other, 0, 1));
	ASSERT_EQ(0, set_fill(set, 0, 2));
	/* Though it is the last that was used. */
	ASSERT_EQ(0, npu_bo_create(set->fd, 3 * set->piece / 2, DRM_NPU_BO_HBM, &handle));
	EXPECT_EQ(1, set_evictions(set));
	EXPECT_EQ(0, set_evictions(&other));
	set_close(&other);
}

/* Copies that bring the first piece's pattern into all others, in jobs of their own. */
static int chain(struct set *set, uint32_t pattern)
{
	int ret = set_fill(set, 0, pattern);

	for (unsigned int i = 1; !ret && i < set->count; i++) {
		cmd_copy(set_cmd(set, 0), PIECE_VA(set, i), PIECE_VA(set, i - 1), set->piece);
		ret = set_run(set, 1);
	}
	return ret;
}

static bool chain_is_right(struct set *set, uint32_t pattern)
{
	for (unsigned int i = 0; i < set->count; i++) {
		if (set_wrong(set, i, pattern))
			return false;
	}
	return true;
}

/* What a process does that shares HBM with others; its exit status says where it failed. */
static int work(bool private, unsigned int seed, unsigned int rounds, int progress)
{
	struct set set;

	if (set_open(&set) || set_grow(&set, FITTING, private))
		return 1;
	for (unsigned int round = 0; round < rounds; round++) {
		uint32_t pattern = seed << 16 | (round & 0xffff);
		int ret = chain(&set, pattern);

		if (ret) {
			fprintf(stderr, "# process %u round %u: %s\n", seed, round, strerror(-ret));
			return 2;
		}
		if (!chain_is_right(&set, pattern))
			return 3;
		if (progress >= 0 && write(progress, "", 1) != 1)
			return 4;
	}
	return 0;
}

TEST_F_TIMEOUT(evict, processes_share_hbm, 120)
{
	pid_t pids[5];
	int status;

	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT_GE(pids[i], 0);
		if (!pids[i])
			_exit(work(variant->private, i + 1, 2, -1));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status) TH_LOG("process %u", i);
	}
}

TEST_F_TIMEOUT(evict, killed_in_the_midst, 120)
{
	uint64_t used = hbm_used(self->set.fd);
	pid_t pids[3];
	int pipes[2], status;
	char byte;

	for (unsigned int round = 0; round < 3; round++) {
		ASSERT_EQ(0, pipe(pipes));
		for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
			pids[i] = fork();
			ASSERT_GE(pids[i], 0);
			if (!pids[i])
				_exit(work(variant->private, i + 1, 1 << 16, pipes[1]));
		}
		ASSERT_EQ(1, read(pipes[0], &byte, 1));
		for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++)
			ASSERT_EQ(0, kill(pids[i], SIGKILL));
		for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
			ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
			EXPECT_TRUE(WIFSIGNALED(status)) TH_LOG("status %x", status);
		}
		close(pipes[0]);
		close(pipes[1]);
	}
	EXPECT_EQ(used, hbm_used(self->set.fd)) TH_LOG("device memory was lost");
	EXPECT_EQ(0, work(variant->private, 9, 1, -1));
}

/* Contents of idle buffers, moved all the time; status as that of work(). */
static int keep(bool private, unsigned int seed, int progress, int until)
{
	char byte;
	struct set set;
	unsigned int count = 2 * PIECES;

	if (set_open(&set))
		return 1;
	for (unsigned int i = 0; i < count; i++) {
		uint32_t *data;

		if (npu_bo_create_in(set.fd, private ? set.vm : 0, set.piece, DRM_NPU_BO_HBM,
				     &set.handles[i]))
			return 2;
		data = npu_bo_mmap(set.fd, set.handles[i], set.piece);
		if (data == MAP_FAILED)
			return 3;
		for (size_t j = 0; j < set.piece / 4; j++)
			data[j] = seed + i;
		munmap(data, set.piece);
	}
	for (unsigned int round = 0;; round++) {
		unsigned int i = round % count;
		int ret;

		if (npu_vm_map(set.fd, set.vm, set.handles[i], 0, PIECE_VA(&set, i), set.piece, 0))
			return 4;
		cmd_nop(set_cmd(&set, 0));
		ret = set_run(&set, 1);
		/* A reset loses the queue and nothing else. */
		if (ret == -ECANCELED) {
			npu_queue_destroy(set.fd, set.queue);
			ret = npu_queue_create(set.fd, set.vm, &set.queue);
		}
		if (ret) {
			fprintf(stderr, "# process %u round %u: %s\n", seed, round, strerror(-ret));
			return 5;
		}
		if (npu_vm_unmap(set.fd, set.vm, PIECE_VA(&set, i), set.piece))
			return 6;
		if (i == count - 1 && write(progress, "", 1) != 1)
			return 7;
		if (i == count - 1 && read(until, &byte, 1) == 1)
			break;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (set_wrong(&set, i, seed + i))
			return 8;
	}
	return 0;
}

TEST_F_TIMEOUT(evict, reset_in_the_midst, 120)
{
	int progress[2], until[2], status;
	pid_t pids[2];
	char byte;

	ASSERT_EQ(0, pipe(progress));
	ASSERT_EQ(0, pipe2(until, O_NONBLOCK));
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT_GE(pids[i], 0);
		if (!pids[i])
			_exit(keep(variant->private, (i + 1) << 16, progress[1], until[0]));
	}
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(1, read(progress[0], &byte, 1));
		ASSERT_EQ(0, npu_reset_device(self->set.fd));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		ASSERT_EQ(1, write(until[1], "", 1));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status) TH_LOG("process %u", i);
	}
}

TEST_HARNESS_MAIN
