// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life of the device: new, reset, pause, free.
 */
#define _GNU_SOURCE /* mutexes that are adaptive */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"
#include "tile_kept.h"

#define HBM_ALIGN	0x200000ULL
#define HBM_MIN		0x4000000ULL
#define DEFAULT_CORES	24

static const char *config_error(const struct npu_core_config *cfg,
				const struct npu_host_ops *ops)
{
	if (!ops->dma_read || !ops->dma_write || !ops->raise || !ops->clock_ns)
		return "a host function is missing";
	if (!cfg->hbm || cfg->hbm_size < HBM_MIN || cfg->hbm_size % HBM_ALIGN ||
	    cfg->hbm_size > NPU_PTE_ADDRESS)
		return "hbm: a multiple of 2 MiB, at least 64 MiB";
	if (cfg->cores < 1 || cfg->cores > NPU_MAX_CORES)
		return "cores: 1 to 64";
	if (cfg->queues < 1 || cfg->queues > NPU_MAX_QUEUES)
		return "queues: 1 to 2048";
	if (cfg->vectors < 2 || cfg->vectors > NPU_MAX_VECTORS)
		return "vectors: 2 to 256";
	if (!cfg->sync && (cfg->workers < 1 || cfg->workers > NPU_MAX_WORKERS))
		return "workers: 1 to 64";
	if (cfg->timing && strcmp(cfg->timing, "none") && !npu_profile_find(cfg->timing))
		return "timing: none, 310b, 910, 910b or 910c";
	return NULL;
}

unsigned int npu_core_default_cores(const char *timing)
{
	const struct npu_profile *profile = npu_profile_find(timing);

	return profile ? profile->cores : DEFAULT_CORES;
}

static void init_locks(struct npu_core *core)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t attr;
	unsigned int i;

	/* It is held for less time than to sleep takes. */
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&core->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_mutex_init(&core->life, NULL);
	pthread_mutex_init(&core->inject.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&core->service_wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&core->sched.quiet, NULL);
	for (i = 0; i < core->nr_workers; i++)
		pthread_cond_init(&core->workers[i].wake, NULL);
}

static void fini_locks(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_workers; i++)
		pthread_cond_destroy(&core->workers[i].wake);
	pthread_cond_destroy(&core->sched.quiet);
	pthread_cond_destroy(&core->service_wake);
	pthread_mutex_destroy(&core->inject.lock);
	pthread_mutex_destroy(&core->life);
	pthread_mutex_destroy(&core->lock);
}

static void free_memory(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; core->workers && i < core->nr_workers; i++) {
		free(core->workers[i].bounce);
		tile_kept_free(core->workers[i].kept);
	}
	npu_debug_fini(core);
	free(core->workers);
	free(core->aicores);
	free(core->queues);
	free(core->inv_sections);
	free(core->timing);
	free(core);
}

static struct npu_core *alloc_memory(const struct npu_core_config *cfg)
{
	struct npu_core *core = calloc(1, sizeof(*core));
	bool ok = true;
	unsigned int i;

	if (!core)
		return NULL;
	core->nr_workers = cfg->sync ? 1 : cfg->workers;
	core->workers = calloc(core->nr_workers + 1, sizeof(*core->workers));
	core->nr_aicores = cfg->cores * NPU_CORE_LAYERS;
	core->aicores = calloc(core->nr_aicores, sizeof(*core->aicores));
	core->queues = calloc(cfg->queues, sizeof(*core->queues));
	core->inv_sections = calloc(core->nr_workers + 1, sizeof(*core->inv_sections));
	ok = core->workers && core->aicores && core->queues && core->inv_sections &&
	     npu_debug_init(core);
	for (i = 0; ok && i < core->nr_workers; i++) {
		core->workers[i].core = core;
		core->workers[i].bounce = malloc(NPU_BOUNCE_SIZE);
		core->workers[i].kept = tile_kept_new();
		ok = core->workers[i].bounce && core->workers[i].kept;
	}
	if (ok) {
		core->debug_worker = &core->workers[core->nr_workers];
		core->debug_worker->core = core;
		return core;
	}
	free_memory(core);
	return NULL;
}

/* All threads stand still. */
static void reset_state(struct npu_core *core)
{
	unsigned int i;

	npu_queues_reset(core);
	if (core->timing)
		npu_timing_reset(core);
	npu_aicores_reset(core);
	npu_sched_init(core);
	npu_irq_reset(core);
	npu_regs_reset(core);
	for (i = 0; i < core->nr_workers; i++) {
		memset(&core->workers[i].count, 0, sizeof(core->workers[i].count));
		core->workers[i].irq_count = 0;
	}
	core->service_due = NPU_NEVER;
	core->idle_ticks = 0;
}

/* Reset to the reset state; the caller holds no lock that a host function may want. */
void npu_reset(struct npu_core *core)
{
	uint32_t count;

	pthread_mutex_lock(&core->life);
	npu_dev_status(core, NPU_DEV_STATUS_RESETTING, 0);
	npu_quiesce_begin(core);
	pthread_mutex_lock(&core->lock);
	core->reset_wanted = false;
	reset_state(core);
	count = npu_reg_get(core, NPU_REG_RESET_COUNT) + 1;
	npu_reg_set(core, NPU_REG_RESET_COUNT, count);
	pthread_mutex_unlock(&core->lock);
	npu_mcu_reset(core);
	npu_quiesce_end(core);
	if (!npu_inject(core, NPU_INJECT_RESET_STUCK, NPU_INJECT_ANY))
		npu_dev_status(core, 0, NPU_DEV_STATUS_RESETTING);
	pthread_mutex_unlock(&core->life);
	npu_event(core, NPU_CORE_EV_RESET, count, 0, 0);
}

/* By register: the thread that wrote it must not wait. */
void npu_reset_request(struct npu_core *core)
{
	if (core->cfg.sync && !core->sync_running) {
		npu_reset(core);
		return;
	}
	npu_dev_status(core, NPU_DEV_STATUS_RESETTING, 0);
	pthread_mutex_lock(&core->lock);
	core->reset_wanted = true;
	pthread_cond_signal(&core->service_wake);
	pthread_mutex_unlock(&core->lock);
}

/* Signals are the host's: the core's threads take none. */
static bool start(struct npu_core *core)
{
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = !npu_mcu_init(core);
	if (ok) {
		reset_state(core);
		npu_mcu_reset(core);
		ok = npu_threads_start(core);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

struct npu_core *npu_core_new(const struct npu_core_config *config,
			      const struct npu_host_ops *ops, void *host, const char **error)
{
	const char *message = config_error(config, ops);
	struct npu_core *core = message ? NULL : alloc_memory(config);

	if (!core) {
		if (error)
			*error = message ? message : "out of memory";
		return NULL;
	}
	core->cfg = *config;
	core->ops = ops;
	core->host = host;
	core->hbm = config->hbm;
	core->hbm_limit = config->hbm_size - NPU_FW_REGION_SIZE;
	core->sync_cap_ns = NPU_SYNC_CAP_NS;
	core->epoch_ns = npu_clock(core);
	init_locks(core);
	npu_aicores_init(core);
	if (npu_timing_init(core) && start(core)) {
		npu_mcu_resume(core);
		return core;
	}
	if (error)
		*error = "out of memory, or cannot create a thread";
	npu_threads_stop(core);
	npu_mcu_fini(core);
	fini_locks(core);
	free_memory(core);
	return NULL;
}

static void wait_begin(struct npu_core *core)
{
	if (core->ops->wait_begin)
		core->ops->wait_begin(core->host);
}

static void wait_end(struct npu_core *core)
{
	if (core->ops->wait_end)
		core->ops->wait_end(core->host);
}

void npu_core_free(struct npu_core *core)
{
	wait_begin(core);
	npu_quiesce_begin(core);
	npu_threads_stop(core);
	npu_mcu_fini(core);
	wait_end(core);
	npu_queues_reset(core);
	npu_aicores_fini(core);
	fini_locks(core);
	free_memory(core);
}

void npu_core_reset(struct npu_core *core)
{
	wait_begin(core);
	npu_reset(core);
	wait_end(core);
}

void npu_core_reset_async(struct npu_core *core)
{
	npu_reset_request(core);
}

void npu_core_pause(struct npu_core *core)
{
	wait_begin(core);
	pthread_mutex_lock(&core->life);
	npu_quiesce_begin(core);
	pthread_mutex_unlock(&core->life);
	wait_end(core);
}

void npu_core_resume(struct npu_core *core)
{
	wait_begin(core);
	pthread_mutex_lock(&core->life);
	npu_quiesce_end(core);
	pthread_mutex_unlock(&core->life);
	wait_end(core);
	npu_sync_run(core);
}

/* Mappings live no longer than the section that made them. */
void npu_core_drop_mappings(struct npu_core *core)
{
	wait_begin(core);
	pthread_mutex_lock(&core->life);
	npu_quiesce_begin(core);
	npu_quiesce_end(core);
	pthread_mutex_unlock(&core->life);
	wait_end(core);
}

void npu_counters_read(struct npu_core *core, struct npu_counters *sum)
{
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < core->nr_workers; i++) {
		const struct npu_counters *c = &core->workers[i].count;

		sum->aicore_ns += npu_load(&c->aicore_ns);
		sum->cube_ns += npu_load(&c->cube_ns);
		sum->vector_ns += npu_load(&c->vector_ns);
		sum->sdma_ns += npu_load(&c->sdma_ns);
		sum->hbm_read += npu_load(&c->hbm_read);
		sum->hbm_write += npu_load(&c->hbm_write);
		sum->tasks_done += npu_load(&c->tasks_done);
		sum->tasks_failed += npu_load(&c->tasks_failed);
	}
}

unsigned int npu_busy_cores(struct npu_core *core)
{
	uint64_t idle = ~0ULL >> (64 - core->cfg.cores);
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	for (i = 0; i < NPU_CORE_LAYERS; i++)
		idle &= core->sched.free_cores[i];
	pthread_mutex_unlock(&core->lock);
	return core->cfg.cores - __builtin_popcountll(idle);
}
