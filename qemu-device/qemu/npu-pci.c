/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NPU: the PCI Express endpoint around the device core
 *
 *   -object memory-backend-ram,id=hbm0,size=4G,reserve=off
 *   -device npu,hbm=hbm0
 *
 * BAR 0 has the registers and the MSI-X table, BAR 2 is the HBM, as RAM.
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_aer.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "system/runstate.h"

#include <npu/npu_regs.h>

#include "npu-pci.h"
#include "trace.h"

/* Where the capabilities lie in configuration space. */
#define NPU_PM_OFFSET 0x40
#define NPU_MSIX_OFFSET 0x50
#define NPU_PCIE_OFFSET 0x80
#define NPU_AER_OFFSET 0x100
#define NPU_SERIAL_OFFSET 0x150

void npu_call_unlocked(NpuState *s, void (*fn)(struct npu_core *core))
{
    bool locked = bql_locked();

    if (locked) {
        bql_unlock();
    }
    fn(s->core);
    if (locked) {
        bql_lock();
    }
}

void npu_poll(void *opaque)
{
    NpuState *s = opaque;
    uint64_t next;

    if (!s->config.sync) {
        return;
    }
    next = npu_core_poll(s->core);
    if (next == UINT64_MAX) {
        timer_del(&s->poll_timer);
    } else {
        timer_mod_ns(&s->poll_timer, MIN(next, INT64_MAX));
    }
}

static uint64_t npu_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    NpuState *s = opaque;

    return npu_core_mmio_read(s->core, addr, size);
}

static void npu_regs_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
    NpuState *s = opaque;

    npu_core_mmio_write(s->core, addr, value, size);
    npu_poll(s);
}

static const MemoryRegionOps npu_regs_ops = {
    .read = npu_regs_read,
    .write = npu_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    /* The core answers for accesses that are not allowed, and counts them. */
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/*
 * A reset that the guest asks for comes from a vCPU in the middle of an access
 * to configuration space, where the BQL must not be let go: the core carries it
 * out by itself, well within the 100 ms that a function has for it. Any other
 * is over when this returns.
 */
static void npu_reset(DeviceState *dev)
{
    NpuState *s = NPU(dev);

    s->iommu = pci_device_iommu_address_space(PCI_DEVICE(s)) !=
               &address_space_memory;
    qemu_bh_schedule(s->power_bh);
    if (current_cpu) {
        npu_core_reset_async(s->core);
    } else {
        npu_call_unlocked(s, npu_core_reset);
    }
    npu_poll(s);
}

static bool npu_has_power(PCIDevice *dev)
{
    return !(pci_get_word(dev->config + NPU_PM_OFFSET + PCI_PM_CTRL) &
             PCI_PM_CTRL_STATE_MASK);
}

/* The core stands still while the VM is stopped, and in D3hot. */
static void npu_update_running(void *opaque)
{
    NpuState *s = opaque;
    bool pause = s->stopped || !npu_has_power(PCI_DEVICE(s));

    if (pause == s->paused) {
        return;
    }
    trace_npu_run_state(DEVICE(s)->id, !pause);
    s->paused = pause;
    npu_call_unlocked(s, pause ? npu_core_pause : npu_core_resume);
    npu_poll(s);
}

static void npu_vm_state_change(void *opaque, bool running, RunState state)
{
    NpuState *s = opaque;

    s->stopped = !running;
    npu_update_running(s);
}

static uint32_t npu_read_config(PCIDevice *dev, uint32_t addr, int len)
{
    if (NPU(dev)->removed) {
        return UINT32_MAX >> (32 - 8 * len);
    }
    return pci_default_read_config(dev, addr, len);
}

static void npu_write_config(PCIDevice *dev, uint32_t addr, uint32_t value,
                             int len)
{
    NpuState *s = NPU(dev);
    bool had_power = npu_has_power(dev);

    if (s->removed) {
        return;
    }
    pci_default_write_config(dev, addr, value, len);
    if (had_power != npu_has_power(dev)) {
        if (had_power && s->soft_reset) {
            npu_core_reset_async(s->core);
        }
        /* As with a reset, this is no place to wait for the core's threads. */
        qemu_bh_schedule(s->power_bh);
    }
    pcie_cap_flr_write_config(dev, addr, value, len);
    pcie_aer_write_config(dev, addr, value, len);
}

static bool npu_check_hbm(NpuState *s, Error **errp)
{
    if (!s->hostmem) {
        error_setg(errp, "npu: property 'hbm' must name a memory backend");
        return false;
    }
    if (host_memory_backend_is_mapped(s->hostmem)) {
        error_setg(errp, "npu: memory backend '%s' is in use already",
                   object_get_canonical_path_component(OBJECT(s->hostmem)));
        return false;
    }
    return true;
}

static bool npu_init_core(NpuState *s, Error **errp)
{
    MemoryRegion *hbm = host_memory_backend_get_memory(s->hostmem);
    const char *reason;

    s->config.hbm = memory_region_get_ram_ptr(hbm);
    s->config.hbm_size = memory_region_size(hbm);
    s->config.timing = s->timing;
    if (!s->config.cores) {
        s->config.cores = npu_core_default_cores(s->timing);
    }
    if (!s->config.workers) {
        s->config.workers = MIN(s->config.cores, g_get_num_processors());
    }
    s->core = npu_core_new(&s->config, &npu_host_ops, s, &reason);
    if (!s->core) {
        error_setg(errp, "npu: %s", reason);
        return false;
    }
    return true;
}

static void npu_init_bars(NpuState *s)
{
    PCIDevice *dev = PCI_DEVICE(s);
    MemoryRegion *hbm = host_memory_backend_get_memory(s->hostmem);

    memory_region_init(&s->bar_regs, OBJECT(s), "npu-bar0", NPU_BAR_REGS_SIZE);
    memory_region_init_io(&s->regs, OBJECT(s), &npu_regs_ops, s, "npu-regs",
                          NPU_BAR_REGS_SIZE);
    memory_region_add_subregion(&s->bar_regs, 0, &s->regs);
    pci_register_bar(dev, NPU_BAR_REGS, PCI_BASE_ADDRESS_MEM_TYPE_64,
                     &s->bar_regs);

    /* A BAR is a power of two in size; HBM need not be. */
    memory_region_init(&s->bar_hbm, OBJECT(s), "npu-bar2",
                       pow2ceil(memory_region_size(hbm)));
    memory_region_add_subregion(&s->bar_hbm, 0, hbm);
    host_memory_backend_set_mapped(s->hostmem, true);
    pci_register_bar(dev, NPU_BAR_HBM,
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &s->bar_hbm);
    npu_inject_init(s);
}

static bool npu_init_pm(PCIDevice *dev, Error **errp)
{
    NpuState *s = NPU(dev);

    if (pci_pm_init(dev, NPU_PM_OFFSET, errp) < 0) {
        return false;
    }
    pci_set_word(dev->config + NPU_PM_OFFSET + PCI_PM_PMC,
                 PCI_PM_CAP_VER_1_2);
    pci_set_word(dev->config + NPU_PM_OFFSET + PCI_PM_CTRL,
                 s->soft_reset ? 0 : PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(dev->wmask + NPU_PM_OFFSET + PCI_PM_CTRL,
                 PCI_PM_CTRL_STATE_MASK);
    return true;
}

static bool npu_init_msix(NpuState *s, Error **errp)
{
    PCIDevice *dev = PCI_DEVICE(s);
    unsigned int vector;

    if (msix_init(dev, s->config.vectors, &s->bar_regs, NPU_BAR_REGS,
                  NPU_MSIX_TABLE_OFFSET, &s->bar_regs, NPU_BAR_REGS,
                  NPU_MSIX_PBA_OFFSET, NPU_MSIX_OFFSET, errp) < 0) {
        return false;
    }
    for (vector = 0; vector < s->config.vectors; vector++) {
        msix_vector_use(dev, vector);
    }
    return true;
}

static bool npu_init_pcie(NpuState *s, Error **errp)
{
    PCIDevice *dev = PCI_DEVICE(s);

    if (pcie_endpoint_cap_init(dev, NPU_PCIE_OFFSET) < 0) {
        error_setg(errp, "npu: it needs a PCI Express port");
        return false;
    }
    pcie_cap_fill_link_ep_usp(dev, QEMU_PCI_EXP_LNK_X16,
                              QEMU_PCI_EXP_LNK_16GT);
    pcie_cap_deverr_init(dev);
    pcie_cap_flr_init(dev);
    if (pcie_aer_init(dev, PCI_ERR_VER, NPU_AER_OFFSET, PCI_ERR_SIZEOF,
                      errp) < 0) {
        return false;
    }
    pcie_dev_ser_num_init(dev, NPU_SERIAL_OFFSET, s->config.serial);
    return true;
}

static void npu_exit(PCIDevice *dev)
{
    NpuState *s = NPU(dev);

    qemu_del_vm_change_state_handler(s->vmstate);
    qemu_bh_delete(s->power_bh);
    timer_del(&s->poll_timer);
    npu_gdb_exit(s);
    npu_call_unlocked(s, npu_core_free);
    s->core = NULL;
    npu_gdb_fini(s);
    pcie_aer_exit(dev);
    pcie_cap_exit(dev);
    msix_uninit(dev, &s->bar_regs, &s->bar_regs);
    npu_inject_exit(s);
    memory_region_del_subregion(&s->bar_regs, &s->regs);
    memory_region_del_subregion(&s->bar_hbm,
                                host_memory_backend_get_memory(s->hostmem));
    host_memory_backend_set_mapped(s->hostmem, false);
}

static void npu_realize(PCIDevice *dev, Error **errp)
{
    NpuState *s = NPU(dev);

    if (!npu_check_hbm(s, errp) || !npu_init_core(s, errp)) {
        return;
    }
    npu_init_bars(s);
    timer_init_ns(&s->poll_timer, QEMU_CLOCK_VIRTUAL, npu_poll, s);
    /* Not guarded: vCPUs may reach registers while it has let go of the BQL. */
    s->power_bh = qemu_bh_new(npu_update_running, s);
    s->vmstate = qdev_add_vm_change_state_handler(DEVICE(s),
                                                  npu_vm_state_change, s);
    /* What failed half way is undone by npu_exit(), which bears with it. */
    if (!npu_init_pm(dev, errp) || !npu_init_msix(s, errp) ||
        !npu_init_pcie(s, errp)) {
        npu_exit(dev);
        return;
    }
    npu_gdb_init(s);
    trace_npu_realize(DEVICE(s)->id, s->config.hbm_size, s->config.cores,
                      s->config.workers);
}

static const VMStateDescription npu_vmstate = {
    .name = TYPE_NPU,
    .unmigratable = 1,
};

static const Property npu_properties[] = {
    DEFINE_PROP_LINK("hbm", NpuState, hostmem, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    /* 0: as many as the product has that time is modelled after; else 24 */
    DEFINE_PROP_UINT32("cores", NpuState, config.cores, 0),
    DEFINE_PROP_UINT32("queues", NpuState, config.queues, NPU_MAX_QUEUES),
    DEFINE_PROP_UINT32("vectors", NpuState, config.vectors, 64),
    /* 0: as many as the host has processors */
    DEFINE_PROP_UINT32("workers", NpuState, config.workers, 0),
    DEFINE_PROP_BOOL("sync", NpuState, config.sync, false),
    DEFINE_PROP_UINT64("serial", NpuState, config.serial, 1),
    /* A product whose times are modelled: 310b, 910, 910b, 910c; else none */
    DEFINE_PROP_STRING("timing", NpuState, timing),
    DEFINE_PROP_CHR("console", NpuState, console),
    /* Where gdb connects to debug kernels, and firmware */
    DEFINE_PROP_CHR("gdb", NpuState, gdb[NPU_DEBUG_CORES].chr),
    DEFINE_PROP_CHR("gdb-mcu", NpuState, gdb[NPU_DEBUG_MCU].chr),
    /* What D3cold does to the device, D3hot does too */
    DEFINE_PROP_BOOL("soft-reset", NpuState, soft_reset, false),
};

static void npu_class_init(ObjectClass *class, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(class);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(class);

    pc->realize = npu_realize;
    pc->exit = npu_exit;
    pc->config_read = npu_read_config;
    pc->config_write = npu_write_config;
    pc->vendor_id = NPU_PCI_VENDOR_ID;
    pc->device_id = NPU_PCI_DEVICE_ID;
    pc->revision = NPU_PCI_REVISION;
    pc->class_id = NPU_PCI_CLASS;

    dc->desc = "Neural processing unit";
    dc->vmsd = &npu_vmstate;
    device_class_set_legacy_reset(dc, npu_reset);
    device_class_set_props(dc, npu_properties);
    npu_inject_class_init(class);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo npu_info = {
    .name = TYPE_NPU,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(NpuState),
    .class_init = npu_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_PCIE_DEVICE },
        { }
    },
};

static void npu_register_types(void)
{
    type_register_static(&npu_info);
}

type_init(npu_register_types)
