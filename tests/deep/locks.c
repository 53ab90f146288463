// SPDX-License-Identifier: MIT
/*
 * On a kernel with lockdep: which locks do two processes take while they submit, each to a queue
 * of its own? lockdep's events give the address of each. There must be none that both take, but
 * for those of the kernel's core that are listed below; locks that are only tried make nobody
 * wait. When two processes share a file and a queue it is seen that they share its locks, so that
 * the method works.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deep.h"

#define TRACEFS "/sys/kernel/tracing/"
#define ROUNDS 8
#define BATCH 256
#define PROCESSES 2
#define MAX_LOCKS 65536 /* each fence has one */
#define NAME_LENGTH 80

/* What both processes may take, and why none of the driver's users waits for another there. */
static const struct {
	const char *name;
	const char *why;
} core_locks[] = {
	{ "rcu_read_lock", "no lock: lockdep's mark of RCU" },
	{ "rcu_read_lock_sched", "no lock: lockdep's mark of RCU" },
	{ "rcu_callback", "no lock: lockdep's mark of RCU" },
	{ "drm_unplug_srcu", "no lock: lockdep's mark of SRCU, whose counters are per CPU" },
	{ "dma_fence_map", "no lock: lockdep's mark of the fence contract" },
	{ "fs_reclaim", "no lock: lockdep's mark of allocation" },
	{ "mmu_notifier_invalidate_range_start", "no lock: lockdep's mark of allocation" },
	{ "tk_core.seq.seqcount", "no lock: a reader of the time looks again" },
	{ "jiffies_seq.seqcount", "no lock: a reader of the time looks again" },
	{ "&zone->lock", "the page allocator's, for many pages at once" },
	{ "&pcp->lock", "the page allocator's, of a CPU" },
	{ "&n->list_lock", "the slab allocator's, for many objects at once" },
	{ "rcu_node_0", "RCU's, when a CPU reports to it" },
	{ "&rq->__lock", "the CPU scheduler's, of a CPU" },
	{ "&base->lock", "the timers', of a CPU" },
	{ "&pool->lock", "the workqueues', of a CPU or for all work without one" },
	{ "kmemleak_lock", "of the debug kernel: kmemleak" },
	{ "pool_lock", "of the debug kernel: stack depot and debug objects" },
	{ "&obj_hash[i].lock", "of the debug kernel: debug objects" },
	{ "quarantine_lock", "of the debug kernel: KASAN" },
	{ "sb_writers", "of the mark in the trace: a write to a file" },
	{ "&pid_list->lock", "of the tracing" },
};

/* Shared between the processes. */
struct shared {
	atomic_uint ready;
	atomic_bool go;
};

static struct shared *shared;

struct lock {
	char address[24];
	char name[NAME_LENGTH];
	unsigned int takers;
};

/* By address; those without a name are free. */
static struct lock locks[MAX_LOCKS];
static unsigned int num_locks;
static int marker;

/*
 * What a process submits with: a file and a queue, its own or shared, for what has nothing to wait
 * for, and two queues, one of which waits for the other.
 */
struct submitter {
	int fd;
	uint32_t queue;
	struct npu_ctx ctx;
	uint32_t second;
	uint32_t first_done;
	uint32_t timeline;
	uint64_t point;
};

static int tracefs(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "%s", name);
	return file_write(path, text);
}

/* Only what is between these is looked at. Before the tracing has begun they are refused. */
static void note(const char *text)
{
	ssize_t n = write(marker, text, strlen(text));

	(void)n;
}

static int submitter_open(struct submitter *s)
{
	int ret = npu_ctx_open(&s->ctx);

	s->fd = s->ctx.fd;
	s->queue = s->ctx.queue;
	s->point = 0;
	for (unsigned int i = 0; !ret && i < BATCH; i++)
		cmd_nop(npu_ctx_cmd(&s->ctx, i));
	return ret ?: npu_queue_create(s->ctx.fd, s->ctx.vm, &s->second) ?:
	       npu_syncobj_create(s->ctx.fd, &s->first_done) ?:
	       npu_syncobj_create(s->ctx.fd, &s->timeline);
}

static int submit_noted(int fd, uint32_t queue, const struct drm_npu_job *jobs, uint32_t count,
			const struct drm_npu_sync *syncs, uint32_t num_syncs)
{
	int ret;

	note("submit begins");
	ret = npu_submit_syncs(fd, queue, jobs, count, syncs, num_syncs);
	note("submit ends");
	return ret;
}

/* A job that waits on the device, and one in the other queue that the scheduler holds back. */
static int submit_held(struct submitter *s, const struct drm_npu_job *job)
{
	struct npu_ctx *ctx = &s->ctx;
	volatile uint64_t *semaphore = (void *)npu_ctx_cmd(ctx, BATCH + 1);
	struct drm_npu_job blocked = { .list = ctx->list.va + BATCH * sizeof(struct npu_cmd),
				       .count = 1 };
	struct drm_npu_sync first = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = s->first_done };
	struct drm_npu_sync second[] = {
		{ .flags = DRM_NPU_SYNC_WAIT, .handle = s->first_done },
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = s->timeline, .point = ++s->point },
	};
	int ret;

	*semaphore = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, BATCH), blocked.list + sizeof(struct npu_cmd), 1);
	ret = submit_noted(ctx->fd, ctx->queue, &blocked, 1, &first, 1) ?:
	      submit_noted(ctx->fd, s->second, job, 1, second, 2);
	*semaphore = 1;
	return ret ?: npu_syncobj_wait(ctx->fd, s->timeline, s->point, WAIT_NS);
}

/* Each way into the ring: one job, as many as go into a call, those of the scheduler. */
static int submit_rounds(struct submitter *s, const struct drm_npu_job *jobs)
{
	int ret = 0;

	for (unsigned int i = 0; i < ROUNDS && !ret; i++)
		ret = submit_noted(s->fd, s->queue, jobs, 1, NULL, 0) ?:
		      submit_noted(s->fd, s->queue, jobs, BATCH, NULL, 0) ?:
		      submit_held(s, jobs);
	return ret;
}

static int submitter_run(struct submitter *s)
{
	static struct drm_npu_job jobs[BATCH];
	int ret;

	for (unsigned int i = 0; i < BATCH; i++) {
		jobs[i].list = s->ctx.list.va + i * sizeof(struct npu_cmd);
		jobs[i].count = 1;
	}
	/* Not what is done once: pages that are touched, tables that grow. */
	ret = submit_rounds(s, jobs);
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go))
		sched_yield();
	return ret ?: submit_rounds(s, jobs);
}

/* A process on a CPU of its own; if @common is given its file and queue are used as well. */
static pid_t start(unsigned int cpu, const struct submitter *common)
{
	struct submitter s;
	cpu_set_t cpus;
	pid_t pid = fork();
	int ret;

	if (pid)
		return pid;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	ret = sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : submitter_open(&s);
	if (!ret && common) {
		s.fd = common->fd;
		s.queue = common->queue;
	}
	if (ret)
		atomic_fetch_add(&shared->ready, 1);
	_exit(ret || submitter_run(&s));
}

static struct lock *lock_of(const char *address, const char *name)
{
	unsigned int i = strtoull(address, NULL, 16) * 0x9e3779b97f4a7c15ULL >> 48;

	for (; *locks[i].name; i = (i + 1) % MAX_LOCKS) {
		if (!strcmp(locks[i].address, address) && !strcmp(locks[i].name, name))
			return &locks[i];
	}
	/* One stays free for the search to end at. */
	if (num_locks == MAX_LOCKS - 1)
		return NULL;
	num_locks++;
	snprintf(locks[i].address, sizeof(locks[i].address), "%s", address);
	snprintf(locks[i].name, sizeof(locks[i].name), "%s", name);
	return &locks[i];
}

/* An event is "comm-pid [cpu] flags time: event: text". */
static bool event_parse(char *line, pid_t *pid, char *context, char **event, char **text)
{
	char *cpu = strstr(line, " ["), *dash, *colon;

	if (!cpu)
		return false;
	*cpu = '\0';
	dash = strrchr(line, '-');
	cpu = strstr(cpu + 1, "] ");
	if (!dash || !cpu || strlen(cpu) < 8)
		return false;
	*pid = atoi(dash + 1);
	*context = cpu[4];
	colon = strstr(cpu, ": ");
	if (!colon)
		return false;
	*event = colon + 2;
	colon = strstr(*event, ": ");
	if (!colon)
		return false;
	*colon = '\0';
	*text = colon + 2;
	(*text)[strcspn(*text, "\n")] = '\0';
	return true;
}

/* "address name", "address read name", or with "try", which waits for nobody. */
static void lock_taken(char *text, unsigned int taker)
{
	char *name = strchr(text, ' ');
	struct lock *lock;

	if (!name)
		return;
	*name++ = '\0';
	if (!strncmp(name, "try ", 4))
		return;
	if (!strncmp(name, "read ", 5))
		name += 5;
	lock = lock_of(text, name);
	if (lock)
		lock->takers |= 1 << taker;
}

/*
 * What the processes have taken in their calls themselves: interrupts that come meanwhile, and
 * what those have put off, are nobody's call.
 */
static bool collect(const pid_t *pids)
{
	bool inside[PROCESSES] = {};
	FILE *f = fopen(TRACEFS "trace", "r");
	char line[1024], context, *event, *text;
	unsigned int calls = 0;
	pid_t pid;

	memset(locks, 0, sizeof(locks));
	num_locks = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int who = 0;

		if (!event_parse(line, &pid, &context, &event, &text))
			continue;
		while (who < PROCESSES && pids[who] != pid)
			who++;
		if (who == PROCESSES)
			continue;
		if (!strcmp(event, "tracing_mark_write")) {
			inside[who] = !strcmp(text, "submit begins");
			calls += inside[who];
		} else if (inside[who] && context == '.' && !strcmp(event, "lock_acquire")) {
			lock_taken(text, who);
		}
	}
	if (f)
		fclose(f);
	printf("# %u calls, %u locks\n", calls, num_locks);
	return calls == PROCESSES * ROUNDS * 4 && num_locks < MAX_LOCKS - 1;
}

/* It is empty once it has been opened so. */
static bool trace_clear(void)
{
	int fd = open(TRACEFS "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

static bool observe(const struct submitter *common)
{
	pid_t pids[PROCESSES];
	char text[64];
	bool good;
	int status;

	atomic_store(&shared->ready, 0);
	atomic_store(&shared->go, false);
	for (unsigned int i = 0; i < PROCESSES; i++)
		pids[i] = start(i, common);
	while (atomic_load(&shared->ready) < PROCESSES)
		sched_yield();
	snprintf(text, sizeof(text), "%d %d", pids[0], pids[1]);
	good = !tracefs("set_event_pid", text) && trace_clear() &&
	       !tracefs("events/lock/lock_acquire/enable", "1") && !tracefs("tracing_on", "1");
	atomic_store(&shared->go, true);
	for (unsigned int i = 0; i < PROCESSES; i++)
		good &= waitpid(pids[i], &status, 0) == pids[i] && status == 0;
	tracefs("tracing_on", "0");
	tracefs("events/lock/lock_acquire/enable", "0");
	return good && collect(pids);
}

static const char *why_not(const struct lock *lock)
{
	for (unsigned int i = 0; i < sizeof(core_locks) / sizeof(*core_locks); i++) {
		if (!strcmp(lock->name, core_locks[i].name))
			return core_locks[i].why;
	}
	return NULL;
}

/* How many locks both have taken; of that name, if given. */
static unsigned int common_locks(const char *name)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < MAX_LOCKS; i++) {
		const char *why = why_not(&locks[i]);

		if (locks[i].takers != (1 << PROCESSES) - 1 ||
		    (name && strcmp(locks[i].name, name)))
			continue;
		printf("# both: %s %s%s%s\n", locks[i].address, locks[i].name, why ? ": " : "",
		       why ?: "");
		count += !why;
	}
	return count;
}

static bool was_taken(const char *name)
{
	for (unsigned int i = 0; i < MAX_LOCKS; i++) {
		if (!strcmp(locks[i].name, name))
			return true;
	}
	return false;
}

int main(void)
{
	struct submitter common;

	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	marker = open(TRACEFS "trace_marker", O_WRONLY | O_CLOEXEC);
	if (shared == MAP_FAILED || marker < 0 || access(TRACEFS "events/lock/lock_acquire", F_OK) ||
	    submitter_open(&common)) {
		printf("1..0 # SKIP no NPU, or a kernel without lockdep\n");
		return 0;
	}
	tracefs("tracing_on", "0");
	tracefs("buffer_size_kb", "32768");

	result(observe(NULL), "two processes submit, each to queues of its own");
	result(was_taken("&queue->submit_lock") && was_taken("&queue->lock") &&
	       was_taken("reservation_ww_class_mutex"), "the locks of a submission were seen");
	result(!common_locks(NULL), "no lock is taken by both");

	result(observe(&common), "two processes submit to one queue");
	result(common_locks("&queue->submit_lock") == 1, "its lock is taken by both");
	return done();
}
