/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NPU: the QEMU face of the device core
 */
#ifndef HW_MISC_NPU_PCI_H
#define HW_MISC_NPU_PCI_H

#include "chardev/char-fe.h"
#include "hw/pci/pci_device.h"
#include "qom/object.h"
#include "system/hostmem.h"

#include "npu_core.h"

#define TYPE_NPU "npu"
OBJECT_DECLARE_SIMPLE_TYPE(NpuState, NPU)

/* A debugger of a unit, or the place for one */
typedef struct NpuGdb {
    NpuState *npu;
    enum npu_debug_unit unit;
    CharBackend chr;
    QEMUBH *bh;
} NpuGdb;

struct NpuState {
    PCIDevice parent_obj;

    /* Properties */
    HostMemoryBackend *hostmem;
    struct npu_core_config config;
    CharBackend console;
    NpuGdb gdb[NPU_DEBUG_UNITS];
    char *timing;
    bool soft_reset;

    MemoryRegion bar_regs;
    MemoryRegion regs;
    MemoryRegion bar_hbm;
    /* What there is to see of it once it has been removed */
    MemoryRegion gone_regs;
    MemoryRegion gone_hbm;
    bool removed;
    QEMUTimer gone_timer;
    unsigned int gone_ticks;
    struct npu_core *core;
    VMChangeStateEntry *vmstate;
    /* Looks at the power state once the big lock may be let go */
    QEMUBH *power_bh;
    /* The VM is stopped, and, for that or for D3hot, the core */
    bool stopped;
    bool paused;
    /* DMA is translated, which may only be done under the BQL */
    bool iommu;
    /* Sync mode: when the core has something due */
    QEMUTimer poll_timer;
};

extern const struct npu_host_ops npu_host_ops;

/*
 * Calls @fn without the BQL: it waits for the core's threads, and they may be
 * waiting for the BQL themselves.
 */
void npu_call_unlocked(NpuState *s, void (*fn)(struct npu_core *core));

/* Sync mode: nothing runs by itself, so see what is due, and come back. */
void npu_poll(void *opaque);

/* npu-inject.c */
void npu_inject_class_init(ObjectClass *class);
void npu_inject_init(NpuState *s);
void npu_inject_exit(NpuState *s);

/* npu-gdb.c */
void npu_gdb_init(NpuState *s);
void npu_gdb_exit(NpuState *s);
void npu_gdb_fini(NpuState *s);
void npu_host_debug_output(void *host, enum npu_debug_unit unit,
                           const char *data, size_t len);
void npu_host_debug_stopped(void *host, enum npu_debug_unit unit);

#endif /* HW_MISC_NPU_PCI_H */
