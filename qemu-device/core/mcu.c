// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life of the management core: reset, boot, and running the hart, in a thread of its own or, in
 * sync mode, inside npu_mcu_run().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "mcu.h"

/*
 * Between slices the hart's timer line follows the clock. In sync mode one npu_mcu_run() is one
 * slice at most, so that no firmware holds up the host.
 */
#define SLICE_INSNS 200000

void npu_mcu_post(struct npu_mcu *mcu, enum npu_post post)
{
	npu_reg_set(mcu->core, NPU_REG_BOOT_POST, post);
	npu_event(mcu->core, NPU_CORE_EV_POST, post, 0, 0);
}

static void set_state(struct npu_mcu *mcu, enum npu_mcu_state state)
{
	pthread_mutex_lock(&mcu->lock);
	mcu->state = state;
	pthread_mutex_unlock(&mcu->lock);
}

void npu_mcu_die(struct npu_mcu *mcu, uint64_t mcause)
{
	struct npu_core *core = mcu->core;

	if (mcu->state != NPU_MCU_RUNNING)
		return;
	set_state(mcu, NPU_MCU_DEAD);
	rv64_request_exit(&mcu->cpu);
	npu_mcu_console_printf(mcu, "E mcu: stopped, mcause %#llx",
			       (unsigned long long)mcause);
	if (npu_reg_get(core, NPU_REG_BOOT_POST) < NPU_POST_FW_READY)
		npu_mcu_post(mcu, NPU_POST_ERR_CRASH);
	npu_event(core, NPU_CORE_EV_FW_DEAD, mcause, 0, 0);
	npu_dev_status(core, NPU_DEV_STATUS_FW_DEAD, NPU_DEV_STATUS_FW_RUNNING);
	npu_irq_cause_set(core, NPU_IRQ_CAUSE_FW_DEAD);
	npu_mcu_debug_stop(mcu, GDB_SIGNAL_SEGV);
}

void npu_mcu_update_timer(struct npu_mcu *mcu)
{
	rv64_set_irq(&mcu->cpu, RV64_IRQ_MTI, npu_timestamp(mcu->core) >= mcu->timecmp);
}

void npu_mcu_update_mei(struct npu_mcu *mcu)
{
	rv64_set_irq(&mcu->cpu, RV64_IRQ_MEI, mcu->int_pending & mcu->int_enable);
}

void npu_mcu_raise_int(struct npu_core *core, uint32_t bits)
{
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&mcu->lock);
	mcu->int_pending |= bits;
	npu_mcu_update_mei(mcu);
	pthread_cond_signal(&mcu->wake);
	pthread_mutex_unlock(&mcu->lock);
}

void npu_ras_count(struct npu_core *core, enum npu_ras kind, uint64_t n)
{
	__atomic_add_fetch(&core->mcu->ras[kind], n, __ATOMIC_RELAXED);
	npu_mcu_raise_int(core, NPU_MCU_INT_RAS);
}

void npu_mcu_poke(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&mcu->lock);
	rv64_request_exit(&mcu->cpu);
	pthread_cond_signal(&mcu->wake);
	pthread_mutex_unlock(&mcu->lock);
}

/* The end of a command whose place another has taken is not told. */
void npu_mcu_queue_done(struct npu_core *core, uint32_t id, enum npu_status status)
{
	struct npu_mcu *mcu = core->mcu;
	bool told;

	pthread_mutex_lock(&mcu->lock);
	told = id == mcu->q_busy_id && npu_load(&mcu->regs.q_status) == NPU_MCU_BUSY;
	if (told)
		npu_store(&mcu->regs.q_status, (uint32_t)status);
	pthread_mutex_unlock(&mcu->lock);
	if (told)
		npu_mcu_raise_int(core, NPU_MCU_INT_QUEUE);
}

/* START while the ROM works or firmware runs is ignored. */
void npu_mcu_boot_start(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&mcu->lock);
	if (mcu->state == NPU_MCU_ROM) {
		mcu->image = npu_reg_get64(core, NPU_REG_BOOT_IMAGE_LO);
		mcu->image_size = npu_reg_get(core, NPU_REG_BOOT_IMAGE_SIZE);
		/* Here, so that who polls does not see the error of the last try. */
		npu_mcu_post(mcu, NPU_POST_ROM_HEADER);
		mcu->state = NPU_MCU_BOOT;
		pthread_cond_signal(&mcu->wake);
	}
	pthread_mutex_unlock(&mcu->lock);
}

/* The boot ROM's work. After an error it waits for another image. */
static void boot(struct npu_mcu *mcu)
{
	uint64_t entry;
	enum npu_post post = npu_bootrom_load(mcu, mcu->image, mcu->image_size, &entry);

	if (npu_inject(mcu->core, NPU_INJECT_BOOT_FAIL, NPU_INJECT_ANY))
		post = NPU_POST_ERR_DIGEST;
	if (post >= NPU_POST_ERROR) {
		set_state(mcu, NPU_MCU_ROM);
		npu_mcu_post(mcu, post);
		return;
	}
	rv64_reset(&mcu->cpu, entry);
	mcu->waiting = false;
	set_state(mcu, NPU_MCU_RUNNING);
	npu_dev_status(mcu->core, NPU_DEV_STATUS_FW_RUNNING, NPU_DEV_STATUS_ROM_READY);
	npu_mcu_post(mcu, post);
}

/* Is a fault of the firmware to happen? */
static bool fault_waits(struct npu_mcu *mcu)
{
	return npu_inject_armed(mcu->core, NPU_INJECT_FW_CRASH) ||
	       npu_inject_armed(mcu->core, NPU_INJECT_FW_HANG);
}

/* Between two slices; a hart in wfi is woken for it. */
static void inject_faults(struct npu_mcu *mcu)
{
	if (npu_inject(mcu->core, NPU_INJECT_FW_CRASH, NPU_INJECT_ANY))
		rv64_trap_illegal(&mcu->cpu);
	if (npu_inject(mcu->core, NPU_INJECT_FW_HANG, NPU_INJECT_ANY))
		mcu->hung = true;
}

/* A step for the debugger, which is not to end up in the handler of an interrupt. */
static enum rv64_stop run_hart(struct npu_mcu *mcu)
{
	bool step = npu_load(&mcu->debug_step);
	enum rv64_stop stop;

	stop = step ? rv64_step(&mcu->cpu) : rv64_run(&mcu->cpu, SLICE_INSNS);
	if (stop == RV64_STOP_WATCH)
		npu_mcu_debug_watched(mcu);
	else if (step || stop == RV64_STOP_BREAKPOINT)
		npu_mcu_debug_stop(mcu, GDB_SIGNAL_TRAP);
	return stop;
}

static enum rv64_stop run_slice(struct npu_mcu *mcu)
{
	enum rv64_stop stop;

	if (fault_waits(mcu)) {
		inject_faults(mcu);
		if (mcu->hung)
			return RV64_STOP_EXIT;
	}
	npu_mcu_update_timer(mcu);
	mcu->slice_start = npu_clock(mcu->core);
	stop = run_hart(mcu);
	mcu->busy_ns += npu_clock(mcu->core) - mcu->slice_start;
	return stop;
}

static bool may_run(const struct npu_mcu *mcu)
{
	return !mcu->exit && !mcu->paused && !mcu->hung && !mcu->debug_hold &&
	       (mcu->state == NPU_MCU_BOOT || mcu->state == NPU_MCU_RUNNING);
}

/* Sleeps until @wake is signalled or the hart's timer is due; the lock is held. */
static void sleep_until_timer(struct npu_mcu *mcu)
{
	uint64_t now = npu_timestamp(mcu->core);
	struct timespec until;
	uint64_t ns;

	if (mcu->timecmp == UINT64_MAX || !(mcu->cpu.csr.mie & (1u << RV64_IRQ_MTI))) {
		pthread_cond_wait(&mcu->wake, &mcu->lock);
		return;
	}
	if (now >= mcu->timecmp)
		return;
	/* Far alarms are reached in steps: the sum must not overflow. */
	ns = npu_min(mcu->timecmp - now, 3600 * 1000 * NPU_NS_PER_MS);
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	pthread_cond_timedwait(&mcu->wake, &mcu->lock, &until);
}

static void wait_for_interrupt(struct npu_mcu *mcu)
{
	pthread_mutex_lock(&mcu->lock);
	for (;;) {
		npu_mcu_update_timer(mcu);
		if (!may_run(mcu) || rv64_irq_pending(&mcu->cpu) || fault_waits(mcu))
			break;
		sleep_until_timer(mcu);
	}
	pthread_mutex_unlock(&mcu->lock);
}

/* Stands still until there is something to run; false: the thread is to end. */
static bool stand(struct npu_mcu *mcu)
{
	bool go_on;

	pthread_mutex_lock(&mcu->lock);
	mcu->standing = true;
	pthread_cond_broadcast(&mcu->still);
	pthread_mutex_unlock(&mcu->lock);
	npu_mcu_debug_stands(mcu);
	pthread_mutex_lock(&mcu->lock);
	while (!mcu->exit && !may_run(mcu))
		pthread_cond_wait(&mcu->wake, &mcu->lock);
	mcu->standing = false;
	go_on = !mcu->exit;
	pthread_mutex_unlock(&mcu->lock);
	return go_on;
}

/* The thread sees a change of these at its next look, which rv64_request_exit() brings about. */
static bool look(struct npu_mcu *mcu)
{
	bool go_on;

	pthread_mutex_lock(&mcu->lock);
	go_on = may_run(mcu);
	pthread_mutex_unlock(&mcu->lock);
	return go_on;
}

static void *mcu_thread(void *arg)
{
	struct npu_mcu *mcu = arg;

	while (stand(mcu)) {
		while (look(mcu)) {
			if (mcu->state == NPU_MCU_BOOT)
				boot(mcu);
			else if (run_slice(mcu) == RV64_STOP_WFI)
				wait_for_interrupt(mcu);
		}
	}
	return NULL;
}

/* Whether the hart sleeps; sync mode. */
static bool asleep(struct npu_mcu *mcu)
{
	npu_mcu_update_timer(mcu);
	return mcu->waiting && !rv64_irq_pending(&mcu->cpu) && !fault_waits(mcu);
}

bool npu_mcu_run(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	if (!look(mcu))
		return false;
	if (mcu->state == NPU_MCU_BOOT) {
		boot(mcu);
		return true;
	}
	if (asleep(mcu))
		return false;
	mcu->waiting = run_slice(mcu) == RV64_STOP_WFI;
	return look(mcu) && !asleep(mcu);
}

uint64_t npu_mcu_next_event(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;
	uint64_t epoch = npu_load(&core->epoch_ns);

	if (!look(mcu))
		return NPU_NEVER;
	if (mcu->state == NPU_MCU_BOOT || !asleep(mcu))
		return npu_clock(core);
	if (!(mcu->cpu.csr.mie & (1u << RV64_IRQ_MTI)) || mcu->timecmp > UINT64_MAX - epoch)
		return NPU_NEVER;
	return epoch + mcu->timecmp;
}

void npu_mcu_pause(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&mcu->lock);
	mcu->paused = true;
	rv64_request_exit(&mcu->cpu);
	pthread_cond_signal(&mcu->wake);
	while (!mcu->standing)
		pthread_cond_wait(&mcu->still, &mcu->lock);
	pthread_mutex_unlock(&mcu->lock);
}

void npu_mcu_resume(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	pthread_mutex_lock(&mcu->lock);
	mcu->paused = false;
	pthread_cond_signal(&mcu->wake);
	pthread_mutex_unlock(&mcu->lock);
}

void npu_mcu_reset(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	rv64_reset(&mcu->cpu, 0);
	pthread_mutex_lock(&mcu->lock);
	npu_mcu_regs_reset(mcu);
	mcu->state = NPU_MCU_ROM;
	pthread_mutex_unlock(&mcu->lock);
	mcu->hung = false;
	mcu->waiting = false;
	mcu->busy_ns = 0;
	for (int i = 0; i < NPU_RAS_COUNT; i++)
		npu_store(&mcu->ras[i], 0);
	npu_mcu_sensors_reset(mcu);

	npu_reg_set(core, NPU_REG_FW_HEARTBEAT, 0);
	npu_reg_set(core, NPU_REG_FW_ABI, 0);
	npu_dev_status(core, NPU_DEV_STATUS_ROM_READY,
		       NPU_DEV_STATUS_FW_RUNNING | NPU_DEV_STATUS_FW_DEAD);
	npu_mcu_post(mcu, NPU_POST_ROM_READY);
}

static int start_thread(struct npu_mcu *mcu)
{
	pthread_condattr_t attr;
	int ret;

	pthread_mutex_init(&mcu->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mcu->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&mcu->still, NULL);

	mcu->standing = mcu->core->cfg.sync;
	mcu->paused = !mcu->core->cfg.sync;
	if (mcu->core->cfg.sync)
		return 0;
	ret = pthread_create(&mcu->thread, NULL, mcu_thread, mcu);
	return -ret;
}

int npu_mcu_init(struct npu_core *core)
{
	struct rv64_config config = {
		.ops = &npu_mcu_bus,
		.isa = RV64_ISA_M_MODE,
		.breakpoints = &core->debug->breakpoints[NPU_DEBUG_MCU],
	};
	struct npu_mcu *mcu = calloc(1, sizeof(*mcu));
	int ret = -ENOMEM;

	if (!mcu)
		return ret;
	mcu->core = core;
	config.opaque = mcu;
	mcu->sram = mmap(NULL, NPU_MCU_SRAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mcu->sram == MAP_FAILED)
		goto free_mcu;
	ret = rv64_init(&mcu->cpu, &config);
	if (ret)
		goto unmap;
	npu_mcu_regs_init(mcu);
	npu_mcu_sensors_init(mcu);
	npu_mcu_regs_reset(mcu);
	core->mcu = mcu;
	ret = start_thread(mcu);
	if (ret)
		goto destroy;
	return 0;

destroy:
	core->mcu = NULL;
	rv64_destroy(&mcu->cpu);
unmap:
	munmap(mcu->sram, NPU_MCU_SRAM_SIZE);
free_mcu:
	free(mcu);
	return ret;
}

void npu_mcu_fini(struct npu_core *core)
{
	struct npu_mcu *mcu = core->mcu;

	if (!mcu)
		return;
	pthread_mutex_lock(&mcu->lock);
	mcu->exit = true;
	rv64_request_exit(&mcu->cpu);
	pthread_cond_signal(&mcu->wake);
	pthread_mutex_unlock(&mcu->lock);
	if (!core->cfg.sync)
		pthread_join(mcu->thread, NULL);

	pthread_cond_destroy(&mcu->still);
	pthread_cond_destroy(&mcu->wake);
	pthread_mutex_destroy(&mcu->lock);
	rv64_destroy(&mcu->cpu);
	munmap(mcu->sram, NPU_MCU_SRAM_SIZE);
	free(mcu);
	core->mcu = NULL;
}
