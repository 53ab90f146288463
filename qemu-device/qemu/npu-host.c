/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NPU: what the device core asks of its host
 *
 * These functions are called by the core's own threads, and in sync mode by the
 * vCPU's. Guest memory is reached without the BQL; it is taken to raise a
 * vector, as MSI-X state is edited, and to translate through an IOMMU, which
 * may report a fault from the calling thread.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "exec/memory.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "system/dma.h"

#include "npu-pci.h"
#include "trace.h"

/* A copy under the BQL is done in pieces, to let others have it. */
#define NPU_LOCKED_COPY (16 * KiB)

/* The device masters memory, not other devices' registers, nor its own. */
static const MemTxAttrs npu_dma_attrs = { .memory = true };

static pthread_key_t npu_rcu_key;

static void npu_rcu_leave(void *unused)
{
    rcu_unregister_thread();
}

static void __attribute__((constructor)) npu_rcu_init(void)
{
    pthread_key_create(&npu_rcu_key, npu_rcu_leave);
}

/* The core's threads are not QEMU's: make RCU know each at its first call. */
static void npu_rcu_enter(void)
{
    if (unlikely(!get_ptr_rcu_reader()->node.le_prev)) {
        rcu_register_thread();
        pthread_setspecific(npu_rcu_key, &npu_rcu_key);
    }
}

/* Takes the BQL if this thread has not got it and @needed; true if it did. */
static bool npu_bql_enter(bool needed)
{
    if (!needed || bql_locked()) {
        return false;
    }
    bql_lock();
    return true;
}

static void npu_bql_leave(bool taken)
{
    if (taken) {
        bql_unlock();
    }
}

static int npu_dma_rw(NpuState *s, uint64_t addr, void *buf, size_t len,
                      DMADirection dir)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    MemTxResult result = MEMTX_OK;

    if (qatomic_read(&s->removed)) {
        return -1;
    }
    npu_rcu_enter();
    while (len && result == MEMTX_OK) {
        size_t n = s->iommu ? MIN(len, NPU_LOCKED_COPY) : len;
        bool locked = npu_bql_enter(s->iommu);

        result = dma_memory_rw(as, addr, buf, n, dir, npu_dma_attrs);
        npu_bql_leave(locked);
        if (result != MEMTX_OK) {
            trace_npu_dma_error(DEVICE(s)->id, addr, n, dir);
        }
        addr += n;
        buf += n;
        len -= n;
    }
    return result == MEMTX_OK ? 0 : -1;
}

static int npu_host_dma_read(void *host, uint64_t addr, void *buf, size_t len)
{
    return npu_dma_rw(host, addr, buf, len, DMA_DIRECTION_TO_DEVICE);
}

static int npu_host_dma_write(void *host, uint64_t addr, const void *buf,
                              size_t len)
{
    return npu_dma_rw(host, addr, (void *)buf, len, DMA_DIRECTION_FROM_DEVICE);
}

static DMADirection npu_direction(bool write)
{
    return write ? DMA_DIRECTION_FROM_DEVICE : DMA_DIRECTION_TO_DEVICE;
}

/*
 * Only memory proper is mapped. What is not, be it another device or an address
 * that the IOMMU refuses, QEMU would hide behind a bounce buffer that loses the
 * error: say no, and the core goes through dma_read and dma_write, which tell.
 */
static void *npu_host_dma_map(void *host, uint64_t addr, size_t *len,
                              bool write)
{
    NpuState *s = host;
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    dma_addr_t mapped = *len;
    ram_addr_t offset;
    bool locked;
    void *ptr;

    if (qatomic_read(&s->removed)) {
        return NULL;
    }
    npu_rcu_enter();
    locked = npu_bql_enter(s->iommu);
    ptr = dma_memory_map(as, addr, &mapped, npu_direction(write),
                         npu_dma_attrs);
    if (ptr) {
        RCU_READ_LOCK_GUARD();

        if (!memory_region_from_host(ptr, &offset)) {
            dma_memory_unmap(as, ptr, mapped, npu_direction(write), 0);
            ptr = NULL;
        }
    }
    npu_bql_leave(locked);
    *len = ptr ? mapped : 0;
    return ptr;
}

static void npu_host_dma_unmap(void *host, void *ptr, size_t len, bool write,
                               size_t written)
{
    NpuState *s = host;

    npu_rcu_enter();
    dma_memory_unmap(pci_get_address_space(PCI_DEVICE(s)), ptr, len,
                     npu_direction(write), written);
}

static void npu_host_raise(void *host, unsigned int vector)
{
    NpuState *s = host;
    bool locked;

    npu_rcu_enter();
    locked = npu_bql_enter(true);
    if (!s->removed) {
        msix_notify(PCI_DEVICE(s), vector);
    }
    npu_bql_leave(locked);
}

static uint64_t npu_host_clock_ns(void *host)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void npu_host_event(void *host, enum npu_core_event event, uint64_t a,
                           uint64_t b, uint64_t c)
{
    const char *id = DEVICE(host)->id;

    switch (event) {
    case NPU_CORE_EV_RESET:
        trace_npu_reset(id, a);
        break;
    case NPU_CORE_EV_POST:
        trace_npu_post(id, a);
        break;
    case NPU_CORE_EV_FW_DEAD:
        trace_npu_fw_dead(id, a);
        break;
    case NPU_CORE_EV_QUEUE_CREATE:
        trace_npu_queue_create(id, a, b, c);
        break;
    case NPU_CORE_EV_QUEUE_DESTROY:
        trace_npu_queue_destroy(id, a);
        break;
    case NPU_CORE_EV_DOORBELL:
        trace_npu_doorbell(id, a, b);
        break;
    case NPU_CORE_EV_SQE:
        trace_npu_sqe(id, a, b, c);
        break;
    case NPU_CORE_EV_TASK:
        trace_npu_task(id, a, b, c);
        break;
    case NPU_CORE_EV_CQE:
        trace_npu_cqe(id, a, b, c);
        break;
    case NPU_CORE_EV_FAULT:
        trace_npu_fault(id, a, b, c);
        break;
    case NPU_CORE_EV_INVALIDATE:
        trace_npu_invalidate(id, a);
        break;
    case NPU_CORE_EV_IRQ:
        trace_npu_irq(id, a);
        break;
    case NPU_CORE_EV_INJECT:
        trace_npu_inject(id, npu_core_inject_name(a), b, c);
        break;
    case NPU_CORE_EV_GUEST_ERROR:
        trace_npu_guest_error(id, a, b, c);
        qemu_log_mask(LOG_GUEST_ERROR,
                      "npu %s: no register for %s at 0x%" PRIx64
                      " (value 0x%" PRIx64 ")\n", id ? id : "",
                      c ? "a write" : "a read", a, b);
        break;
    }
}

static void npu_host_console(void *host, const char *text, size_t len)
{
    NpuState *s = host;
    bool locked;

    if (!qemu_chr_fe_backend_connected(&s->console)) {
        return;
    }
    npu_rcu_enter();
    locked = npu_bql_enter(true);
    qemu_chr_fe_write(&s->console, (const uint8_t *)text, len);
    npu_bql_leave(locked);
}

const struct npu_host_ops npu_host_ops = {
    .dma_read = npu_host_dma_read,
    .dma_write = npu_host_dma_write,
    .dma_map = npu_host_dma_map,
    .dma_unmap = npu_host_dma_unmap,
    .raise = npu_host_raise,
    .clock_ns = npu_host_clock_ns,
    .event = npu_host_event,
    .console = npu_host_console,
    .debug_output = npu_host_debug_output,
    .debug_stopped = npu_host_debug_stopped,
};
