/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NPU itself, for a host to embed: QEMU's PCI device, a unit test, a fuzzer.
 * The core asks its host for DMA, interrupts and time, and for nothing else.
 */
#ifndef NPU_CORE_H
#define NPU_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct npu_core;

/* State transitions that a host may want to trace; arguments in parentheses. */
enum npu_core_event {
	NPU_CORE_EV_RESET, /* (count) */
	NPU_CORE_EV_POST, /* (enum npu_post) */
	NPU_CORE_EV_FW_DEAD, /* (mcause) */
	NPU_CORE_EV_QUEUE_CREATE, /* (queue, context, entries) */
	NPU_CORE_EV_QUEUE_DESTROY, /* (queue) */
	NPU_CORE_EV_DOORBELL, /* (queue, tail) */
	NPU_CORE_EV_SQE, /* (queue, cookie, commands) */
	NPU_CORE_EV_TASK, /* (queue, command, opcode) */
	NPU_CORE_EV_CQE, /* (queue, cookie, status) */
	NPU_CORE_EV_FAULT, /* (queue, status, address) */
	NPU_CORE_EV_INVALIDATE, /* (context) */
	NPU_CORE_EV_IRQ, /* (vector) */
	NPU_CORE_EV_INJECT, /* (enum npu_inject, target, times left) */
	NPU_CORE_EV_GUEST_ERROR, /* (offset, value, write): no such register, or not so */
};

/* What a debugger may be for; each has its own. */
enum npu_debug_unit {
	NPU_DEBUG_CORES, /* AI cores */
	NPU_DEBUG_MCU, /* the management core */
	NPU_DEBUG_UNITS
};

/**
 * struct npu_host_ops - what the core asks of its host
 * @dma_read: copy @len bytes from bus address @addr; 0, or -1 if the bus refuses
 * @dma_write: copy to the bus; likewise
 * @dma_map: a host pointer to up to *@len bytes at @addr, *@len set to what it
 *	covers (at least 1); NULL if it cannot be had as memory, then the core
 *	falls back to @dma_read and @dma_write. Optional.
 * @dma_unmap: end of use of a mapping; @len as returned, @written of it changed
 * @raise: assert MSI-X vector @vector
 * @clock_ns: monotonic guest time; stands still while the guest is stopped
 * @event: trace hook, optional, called from any thread and under the core's locks
 * @console: text from the MCU, optional
 * @debug_output: bytes for the debugger of a unit, from npu_core_debug_*() only. Optional.
 * @debug_stopped: the unit that is debugged has stopped: npu_core_debug_poll() is to be called
 *	soon, and not from here. From any thread and under the core's locks. Optional.
 * @wait_begin: the calling thread is about to wait for the core's threads, which
 *	may be inside @dma_* or @raise: give up whatever lock these want. Optional.
 * @wait_end: the wait is over; take the lock again. Optional.
 *
 * All but @clock_ns, @event and @debug_stopped are called without any lock of the core held,
 * from the core's threads, or in sync mode from the thread that called the core.
 * @raise may also come from inside npu_core_mmio_write().
 *
 * npu_core_free(), _reset(), _pause(), _resume() and _drop_mappings() wait for the
 * core's threads, between @wait_begin and @wait_end; they must not be called from a
 * host function. The other functions never wait for a thread that may be inside a
 * host function, so they may be called with any lock of the host held. Between
 * @wait_begin and @wait_end other threads may call the core; during a reset their
 * writes have no effect.
 */
struct npu_host_ops {
	int (*dma_read)(void *host, uint64_t addr, void *buf, size_t len);
	int (*dma_write)(void *host, uint64_t addr, const void *buf, size_t len);
	void *(*dma_map)(void *host, uint64_t addr, size_t *len, bool write);
	void (*dma_unmap)(void *host, void *ptr, size_t len, bool write, size_t written);
	void (*raise)(void *host, unsigned int vector);
	uint64_t (*clock_ns)(void *host);
	void (*event)(void *host, enum npu_core_event event, uint64_t a, uint64_t b, uint64_t c);
	void (*console)(void *host, const char *text, size_t len);
	void (*debug_output)(void *host, enum npu_debug_unit unit, const char *data, size_t len);
	void (*debug_stopped)(void *host, enum npu_debug_unit unit);
	void (*wait_begin)(void *host);
	void (*wait_end)(void *host);
};

/**
 * struct npu_core_config - properties of one device, fixed for its life
 * @hbm: host memory that is the HBM; the host owns it
 * @hbm_size: a multiple of 2 MiB, at least 64 MiB
 * @cores: AI cores, 1 to NPU_MAX_CORES; see npu_core_default_cores()
 * @queues: hardware queues, 1 to NPU_MAX_QUEUES
 * @vectors: MSI-X vectors, 2 to NPU_MAX_VECTORS
 * @workers: threads that do the work; ignored with @sync
 * @sync: no threads: everything happens inside the call that causes it
 * @serial: serial number
 * @timing: a profile that time is modelled after, see docs/timing.md: "310b", "910", "910b" or
 *	"910c"; "none" or NULL: time is the host's
 */
struct npu_core_config {
	void *hbm;
	uint64_t hbm_size;
	unsigned int cores;
	unsigned int queues;
	unsigned int vectors;
	unsigned int workers;
	bool sync;
	uint64_t serial;
	const char *timing;
};

/* npu_core_default_cores() - AI cores of what is modelled, with @timing as of the configuration. */
unsigned int npu_core_default_cores(const char *timing);

/**
 * npu_core_new() - make a device in its reset state
 * @config: properties, copied
 * @ops: host functions, must outlive the device
 * @host: passed to @ops
 * @error: set to a message that names the property if NULL is returned
 */
struct npu_core *npu_core_new(const struct npu_core_config *config,
			      const struct npu_host_ops *ops, void *host, const char **error);

/* npu_core_free() - stop all threads and free; no host call is made after it. */
void npu_core_free(struct npu_core *core);

/*
 * npu_core_reset() - as by FLR: all state but HBM contents and time goes to reset values.
 * Returns when no thread of the core uses guest memory any more.
 */
void npu_core_reset(struct npu_core *core);

/*
 * npu_core_reset_async() - the same, but for a caller that must not wait: as if by register, also
 * when a reset is stuck.
 */
void npu_core_reset_async(struct npu_core *core);

/*
 * npu_core_mmio_read/write() - register access at a BAR 0 offset, 4 or 8 bytes.
 * Never blocks, except in sync mode, where a write returns when the device is idle.
 */
uint64_t npu_core_mmio_read(struct npu_core *core, uint64_t offset, unsigned int size);
void npu_core_mmio_write(struct npu_core *core, uint64_t offset, uint64_t value,
			 unsigned int size);

/* npu_core_pause/resume() - quiesce all guest-visible work, for a stopped VM. */
void npu_core_pause(struct npu_core *core);
void npu_core_resume(struct npu_core *core);

/*
 * npu_core_poll() - sync mode: run what is due (timers, waiting semaphores) until
 * nothing can go on. Returns the clock_ns() time at which to call again, or
 * UINT64_MAX. Without sync mode it does nothing.
 */
uint64_t npu_core_poll(struct npu_core *core);

/*
 * npu_core_drop_mappings() - the host's translation of bus addresses has changed:
 * the core keeps no dma_map() result beyond this call. Threaded mode may wait for
 * a copy in progress.
 */
void npu_core_drop_mappings(struct npu_core *core);

/**
 * enum npu_inject - what can be made to go wrong. The target is in parentheses, if there is one.
 * @NPU_INJECT_FW_CRASH: the firmware takes a trap
 * @NPU_INJECT_FW_HANG: the firmware stands still until reset
 * @NPU_INJECT_BOOT_FAIL: the boot ROM finds the image damaged
 * @NPU_INJECT_RESET_STUCK: a reset does not end, before the next one
 * @NPU_INJECT_REGS_DEAD: a register read gives all ones; writes are dropped meanwhile
 * @NPU_INJECT_DMA_ERROR: an access to host memory fails (NPU_INJECT_BY_QUEUE or _MCU)
 * @NPU_INJECT_IRQ_LOST: a message is not sent (vector)
 * @NPU_INJECT_DOORBELL_LOST: a write of SQ_TAIL is not seen (queue)
 * @NPU_INJECT_CQE_LOST: a completion is not posted (queue); so for those below
 * @NPU_INJECT_CQE_TWICE: one is posted twice
 * @NPU_INJECT_CQE_COOKIE: with a wrong cookie
 * @NPU_INJECT_CQE_QUEUE: with the id of a queue that there is not
 * @NPU_INJECT_CQE_HEAD: with a wrong sq_head
 * @NPU_INJECT_CQE_STATUS: with a status that there is not
 * @NPU_INJECT_CQE_PHASE: with the phase of the pass before
 * @NPU_INJECT_MMU_FAULT: a translation finds nothing (context)
 * @NPU_INJECT_HBM_CE: a read of HBM is corrected, and counted
 * @NPU_INJECT_HBM_UE: a read of HBM cannot be corrected
 * @NPU_INJECT_HBM_POISON: nor can those of npu_core_poison()'s range
 * @NPU_INJECT_CORE_HANG: an AI core makes no progress any more, as by npu_core_hang() (core)
 * @NPU_INJECT_CORE_LOST: an AI core stops to answer, until reset (core)
 */
enum npu_inject {
	NPU_INJECT_FW_CRASH,
	NPU_INJECT_FW_HANG,
	NPU_INJECT_BOOT_FAIL,
	NPU_INJECT_RESET_STUCK,
	NPU_INJECT_REGS_DEAD,
	NPU_INJECT_DMA_ERROR,
	NPU_INJECT_IRQ_LOST,
	NPU_INJECT_DOORBELL_LOST,
	NPU_INJECT_CQE_LOST,
	NPU_INJECT_CQE_TWICE,
	NPU_INJECT_CQE_COOKIE,
	NPU_INJECT_CQE_QUEUE,
	NPU_INJECT_CQE_HEAD,
	NPU_INJECT_CQE_STATUS,
	NPU_INJECT_CQE_PHASE,
	NPU_INJECT_MMU_FAULT,
	NPU_INJECT_HBM_CE,
	NPU_INJECT_HBM_UE,
	NPU_INJECT_HBM_POISON,
	NPU_INJECT_CORE_HANG,
	NPU_INJECT_CORE_LOST,
	NPU_INJECT_COUNT
};

#define NPU_INJECT_ANY UINT32_MAX
#define NPU_INJECT_FOREVER UINT64_MAX
#define NPU_INJECT_BY_QUEUE 0 /* queues and the engines that work for them */
#define NPU_INJECT_BY_MCU 1

/* npu_core_inject_name() - the fault's name, lower case with hyphens; NULL if there is none such */
const char *npu_core_inject_name(enum npu_inject fault);

/*
 * npu_core_inject() - have @fault happen the next @times that it can, to @target or to
 * NPU_INJECT_ANY; NPU_INJECT_FOREVER until told otherwise. Takes the place of what was asked for
 * before. Any thread, as all of these.
 */
void npu_core_inject(struct npu_core *core, enum npu_inject fault, uint64_t times,
		     uint32_t target);

/* npu_core_inject_left() - how often it is still to happen */
uint64_t npu_core_inject_left(struct npu_core *core, enum npu_inject fault);

/* npu_core_injected() - how often it has happened since power-on */
uint64_t npu_core_injected(struct npu_core *core, enum npu_inject fault);

/* npu_core_poison() - @size bytes of HBM at @offset cannot be read any more; 0: all can */
void npu_core_poison(struct npu_core *core, uint64_t offset, uint64_t size);

/*
 * npu_core_hang() - AI cores of the mask @cores make no progress, and end nothing that they run,
 * until they or the device are reset. Any thread.
 */
void npu_core_hang(struct npu_core *core, uint64_t cores);

/*
 * A debugger speaks gdb's remote serial protocol with a unit of the device: it has connected, has
 * sent bytes, or has gone. Once it has connected the unit stands still, until it says otherwise.
 * For a unit one of these at a time; they never wait for a thread of the core.
 */
void npu_core_debug_open(struct npu_core *core, enum npu_debug_unit unit);
void npu_core_debug_input(struct npu_core *core, enum npu_debug_unit unit, const void *data,
			  size_t len);
void npu_core_debug_close(struct npu_core *core, enum npu_debug_unit unit);

/* npu_core_debug_poll() - after npu_host_ops::debug_stopped */
void npu_core_debug_poll(struct npu_core *core, enum npu_debug_unit unit);

/* npu_core_set_ambient() - temperature around the device, for its sensors. Any thread. */
void npu_core_set_ambient(struct npu_core *core, uint32_t millidegrees);

#endif /* NPU_CORE_H */
