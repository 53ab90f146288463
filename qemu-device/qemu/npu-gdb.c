/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NPU: gdb for its AI cores and its management core, on a chardev each
 *
 *   -chardev socket,id=c,path=...,server=on,wait=off -device npu,gdb=c
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "chardev/char-fe.h"

#include "npu-pci.h"

#define NPU_GDB_CHUNK 4096

static int npu_gdb_can_read(void *opaque)
{
    return NPU_GDB_CHUNK;
}

static void npu_gdb_read(void *opaque, const uint8_t *buf, int size)
{
    NpuGdb *d = opaque;

    npu_core_debug_input(d->npu->core, d->unit, buf, size);
    npu_poll(d->npu);
}

static void npu_gdb_event(void *opaque, QEMUChrEvent event)
{
    NpuGdb *d = opaque;

    switch (event) {
    case CHR_EVENT_OPENED:
        npu_core_debug_open(d->npu->core, d->unit);
        break;
    case CHR_EVENT_CLOSED:
        npu_core_debug_close(d->npu->core, d->unit);
        break;
    default:
        return;
    }
    npu_poll(d->npu);
}

static void npu_gdb_poll(void *opaque)
{
    NpuGdb *d = opaque;

    npu_core_debug_poll(d->npu->core, d->unit);
    npu_poll(d->npu);
}

void npu_host_debug_output(void *host, enum npu_debug_unit unit,
                           const char *data, size_t len)
{
    NpuState *s = host;

    qemu_chr_fe_write_all(&s->gdb[unit].chr, (const uint8_t *)data, len);
}

/* From any thread: a bottom half may be scheduled without the BQL. */
void npu_host_debug_stopped(void *host, enum npu_debug_unit unit)
{
    NpuState *s = host;

    if (s->gdb[unit].bh) {
        qemu_bh_schedule(s->gdb[unit].bh);
    }
}

void npu_gdb_init(NpuState *s)
{
    unsigned int unit;

    for (unit = 0; unit < NPU_DEBUG_UNITS; unit++) {
        NpuGdb *d = &s->gdb[unit];

        if (!qemu_chr_fe_backend_connected(&d->chr)) {
            continue;
        }
        d->npu = s;
        d->unit = unit;
        /* Not guarded: what it does may reach a register of the NPU's own. */
        d->bh = qemu_bh_new(npu_gdb_poll, d);
        qemu_chr_fe_set_handlers(&d->chr, npu_gdb_can_read, npu_gdb_read,
                                 npu_gdb_event, NULL, d, NULL, true);
    }
}

/* The debuggers are gone before the core is. */
void npu_gdb_exit(NpuState *s)
{
    unsigned int unit;

    for (unit = 0; unit < NPU_DEBUG_UNITS; unit++) {
        NpuGdb *d = &s->gdb[unit];

        if (!d->bh) {
            continue;
        }
        qemu_chr_fe_set_handlers(&d->chr, NULL, NULL, NULL, NULL, NULL, NULL,
                                 false);
        npu_core_debug_close(s->core, unit);
    }
}

/* After the core, whose threads have scheduled them. */
void npu_gdb_fini(NpuState *s)
{
    unsigned int unit;

    for (unit = 0; unit < NPU_DEBUG_UNITS; unit++) {
        if (s->gdb[unit].bh) {
            qemu_bh_delete(s->gdb[unit].bh);
            s->gdb[unit].bh = NULL;
        }
    }
}
