/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NPU: faults on command, as properties of the device
 *
 *   inject-NAME    "TIMES" or "TIMES@TARGET": the fault happens the next so many
 *                  times that it can; read: how often it is still to happen
 *   injected-NAME  how often it has happened
 *   hbm-poison     "OFFSET+SIZE": HBM that cannot be read; "0+0": none
 *   ambient        temperature around the device, in millidegrees Celsius
 *   inject-removal true: the device falls off the bus; DEVICE_DELETED follows
 *                  when the guest has switched the slot off
 *
 * docs/device-faults.md says what each does.
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_port.h"

#include "npu-pci.h"
#include "trace.h"

#define NPU_GONE_TICK_MS 50

static bool npu_realized(NpuState *s, Error **errp)
{
    if (!s->core) {
        error_setg(errp, "npu: not realized");
    }
    return s->core;
}

/* "A" or "A<sep>B"; *b keeps its value if there is none. */
static bool npu_parse_pair(const char *text, char separator, uint64_t *a,
                           uint64_t *b, Error **errp)
{
    const char *end;

    if (qemu_strtou64(text, &end, 0, a) == 0 && *end == '\0') {
        return true;
    }
    if (*end == separator && qemu_strtou64(end + 1, NULL, 0, b) == 0) {
        return true;
    }
    error_setg(errp, "npu: '%s' is not a number, nor two with a '%c' between",
               text, separator);
    return false;
}

static void npu_inject_get(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    g_autofree char *text = NULL;
    NpuState *s = NPU(obj);
    uint64_t left = 0;

    if (s->core) {
        left = npu_core_inject_left(s->core, GPOINTER_TO_UINT(opaque));
    }
    text = g_strdup_printf("%" PRIu64, left);
    visit_type_str(v, name, &text, errp);
}

static void npu_inject_set(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    uint64_t times, target = NPU_INJECT_ANY;
    g_autofree char *text = NULL;
    NpuState *s = NPU(obj);

    if (!visit_type_str(v, name, &text, errp) || !npu_realized(s, errp) ||
        !npu_parse_pair(text, '@', &times, &target, errp)) {
        return;
    }
    npu_core_inject(s->core, GPOINTER_TO_UINT(opaque), times, target);
    npu_poll(s);
}

static void npu_injected_get(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    NpuState *s = NPU(obj);
    uint64_t count = 0;

    if (s->core) {
        count = npu_core_injected(s->core, GPOINTER_TO_UINT(opaque));
    }
    visit_type_uint64(v, name, &count, errp);
}

static void npu_poison_set(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    g_autofree char *text = NULL;
    uint64_t offset, size = 1;
    NpuState *s = NPU(obj);

    if (!visit_type_str(v, name, &text, errp) || !npu_realized(s, errp) ||
        !npu_parse_pair(text, '+', &offset, &size, errp)) {
        return;
    }
    npu_core_poison(s->core, offset, size);
}

static void npu_ambient_set(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    NpuState *s = NPU(obj);
    uint32_t millidegrees;

    if (visit_type_uint32(v, name, &millidegrees, errp) &&
        npu_realized(s, errp)) {
        npu_core_set_ambient(s->core, millidegrees);
    }
}

static bool npu_removal_get(Object *obj, Error **errp)
{
    return NPU(obj)->removed;
}

/*
 * The slot finds itself empty. It looks at what has changed when its control
 * register is written, be it with what it holds already.
 */
static void npu_empty_slot(PCIDevice *dev)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(dev));
    uint32_t cap = port->exp.exp_cap;
    uint16_t control = pci_get_word(port->config + cap + PCI_EXP_SLTCTL);

    pci_word_test_and_clear_mask(port->config + cap + PCI_EXP_LNKSTA,
                                 PCI_EXP_LNKSTA_DLLLA);
    pci_word_test_and_clear_mask(port->config + cap + PCI_EXP_SLTSTA,
                                 PCI_EXP_SLTSTA_PDS);
    pci_word_test_and_set_mask(port->config + cap + PCI_EXP_SLTSTA,
                               PCI_EXP_SLTSTA_PDC);
    port->config_write(port, cap + PCI_EXP_SLTCTL, control, 2);
}

static bool npu_slot_is_off(PCIDevice *dev)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(dev));
    uint16_t control = pci_get_word(port->config + port->exp.exp_cap +
                                    PCI_EXP_SLTCTL);

    return (control & PCI_EXP_SLTCTL_PCC) &&
           (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_OFF;
}

/*
 * The object is needed until the guest has noticed that its device has gone, as
 * there is no other way to have reads give all ones. Once the slot has been off
 * for a while it goes, and another can be plugged in.
 */
static void npu_gone_tick(void *opaque)
{
    NpuState *s = opaque;
    DeviceState *dev = DEVICE(s);

    s->gone_ticks = npu_slot_is_off(PCI_DEVICE(s)) ? s->gone_ticks + 1 : 0;
    if (s->gone_ticks < 2) {
        timer_mod(&s->gone_timer,
                  qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + NPU_GONE_TICK_MS);
        return;
    }
    hotplug_handler_unplug(qdev_get_hotplug_handler(dev), dev, &error_abort);
    object_unparent(OBJECT(dev));
}

static void npu_removal_set(Object *obj, bool value, Error **errp)
{
    NpuState *s = NPU(obj);
    PCIDevice *dev = PCI_DEVICE(s);

    if (!npu_realized(s, errp) || s->removed == value) {
        return;
    }
    if (!value || !object_dynamic_cast(OBJECT(pci_get_bus(dev)->parent_dev),
                                       TYPE_PCIE_SLOT)) {
        error_setg(errp, "npu: %s", value ? "it is in no slot" :
                   "what has gone does not come back, plug in another");
        return;
    }
    trace_npu_removal(DEVICE(s)->id);
    qatomic_set(&s->removed, true);
    memory_region_set_enabled(&s->gone_regs, true);
    memory_region_set_enabled(&s->gone_hbm, true);
    npu_call_unlocked(s, npu_core_reset);
    npu_empty_slot(dev);
    npu_gone_tick(s);
}

static uint64_t npu_gone_read(void *opaque, hwaddr addr, unsigned size)
{
    return UINT64_MAX;
}

static void npu_gone_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
}

static const MemoryRegionOps npu_gone_ops = {
    .read = npu_gone_read,
    .write = npu_gone_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void npu_init_gone(NpuState *s, MemoryRegion *gone, const char *name,
                          MemoryRegion *bar)
{
    memory_region_init_io(gone, OBJECT(s), &npu_gone_ops, s, name,
                          memory_region_size(bar));
    memory_region_set_enabled(gone, false);
    memory_region_add_subregion_overlap(bar, 0, gone, 1);
}

void npu_inject_init(NpuState *s)
{
    timer_init_ms(&s->gone_timer, QEMU_CLOCK_VIRTUAL, npu_gone_tick, s);
    npu_init_gone(s, &s->gone_regs, "npu-bar0-gone", &s->bar_regs);
    npu_init_gone(s, &s->gone_hbm, "npu-bar2-gone", &s->bar_hbm);
}

void npu_inject_exit(NpuState *s)
{
    timer_del(&s->gone_timer);
    memory_region_del_subregion(&s->bar_regs, &s->gone_regs);
    memory_region_del_subregion(&s->bar_hbm, &s->gone_hbm);
}

void npu_inject_class_init(ObjectClass *class)
{
    unsigned int i;

    for (i = 0; i < NPU_INJECT_COUNT; i++) {
        const char *name = npu_core_inject_name(i);
        g_autofree char *inject = g_strdup_printf("inject-%s", name);
        g_autofree char *injected = g_strdup_printf("injected-%s", name);

        object_class_property_add(class, inject, "str", npu_inject_get,
                                  npu_inject_set, NULL, GUINT_TO_POINTER(i));
        object_class_property_add(class, injected, "uint64", npu_injected_get,
                                  NULL, NULL, GUINT_TO_POINTER(i));
    }
    object_class_property_add(class, "hbm-poison", "str", NULL, npu_poison_set,
                              NULL, NULL);
    object_class_property_add(class, "ambient", "uint32", NULL,
                              npu_ambient_set, NULL, NULL);
    object_class_property_add_bool(class, "inject-removal", npu_removal_get,
                                   npu_removal_set);
}
