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
	NPU_CORE_EV_GUEST_ERROR, /* (offset, value, write): no such register, or not so */
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
 * @wait_begin: the calling thread is about to wait for the core's threads, which
 *	may be inside @dma_* or @raise: give up whatever lock these want. Optional.
 * @wait_end: the wait is over; take the lock again. Optional.
 *
 * All but @clock_ns and @event are called without any lock of the core held,
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
	void (*wait_begin)(void *host);
	void (*wait_end)(void *host);
};

/**
 * struct npu_core_config - properties of one device, fixed for its life
 * @hbm: host memory that is the HBM; the host owns it
 * @hbm_size: a multiple of 2 MiB, at least 64 MiB
 * @cores: AI cores, 1 to NPU_MAX_CORES
 * @queues: hardware queues, 1 to NPU_MAX_QUEUES
 * @vectors: MSI-X vectors, 2 to NPU_MAX_VECTORS
 * @workers: threads that do the work; ignored with @sync
 * @sync: no threads: everything happens inside the call that causes it
 * @serial: serial number
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
};

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

/* Errors that do not come by themselves in a model, so that they can be injected. */
enum npu_core_ras {
	NPU_CORE_RAS_HBM_CE, /* corrected HBM error */
	NPU_CORE_RAS_HBM_UE, /* uncorrected HBM error */
	NPU_CORE_RAS_CORE_LOST, /* an AI core stopped answering */
	NPU_CORE_RAS_COUNT
};

/*
 * npu_core_inject_ras() - count @n errors of a kind: the firmware sees the counter, which a reset
 * clears, and an interrupt. What they would do to a running task is not part of it. Any thread.
 */
void npu_core_inject_ras(struct npu_core *core, enum npu_core_ras kind, uint64_t n);

/*
 * npu_core_hang() - AI cores of the mask @cores make no progress, and end nothing that they run,
 * until they or the device are reset. Any thread.
 */
void npu_core_hang(struct npu_core *core, uint64_t cores);

/* npu_core_set_ambient() - temperature around the device, for its sensors. Any thread. */
void npu_core_set_ambient(struct npu_core *core, uint32_t millidegrees);

#endif /* NPU_CORE_H */
