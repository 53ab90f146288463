// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debuggers come and go; what both kinds share.
 */
#include <stdlib.h>

#include "npu_internal.h"

static void output(struct npu_core *core, enum npu_debug_unit unit, const char *data, size_t len)
{
	if (core->ops->debug_output)
		core->ops->debug_output(core->host, unit, data, len);
}

static void core_output(void *target, const char *data, size_t len)
{
	output(target, NPU_DEBUG_CORES, data, len);
}

static void mcu_output(void *target, const char *data, size_t len)
{
	output(target, NPU_DEBUG_MCU, data, len);
}

bool npu_debug_init(struct npu_core *core)
{
	struct npu_debug *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	d->core = core;
	d->servers[NPU_DEBUG_CORES] = (struct gdb_server){
		.ops = &npu_debug_core_ops,
		.target = core,
		.output = core_output,
	};
	d->servers[NPU_DEBUG_MCU] = (struct gdb_server){
		.ops = &npu_debug_mcu_ops,
		.target = core,
		.output = mcu_output,
	};
	core->debug = d;
	return true;
}

void npu_debug_fini(struct npu_core *core)
{
	if (core->debug)
		npu_debug_forget_modules(core->debug);
	free(core->debug);
	core->debug = NULL;
}

/*
 * The clock of deadlines stands while AI cores are held. Only the holder changes it, so that what
 * is read is one or the other.
 */
static void stop_deadlines(struct npu_core *core, bool stop)
{
	uint64_t now = npu_clock(core), run = npu_run_clock(core);

	npu_store(&core->run_clock, stop ? run | NPU_RUN_CLOCK_STOPPED : now - run);
}

void npu_debug_set_holder(struct npu_core *core, enum npu_debug_unit unit, bool held)
{
	struct npu_debug *d = core->debug;

	if ((d->holders >> unit & 1) == held)
		return;
	d->holders ^= 1u << unit;
	if (unit == NPU_DEBUG_CORES)
		stop_deadlines(core, held);
	npu_dev_status(core, d->holders ? NPU_DEV_STATUS_DEBUG : 0,
		       d->holders ? 0 : NPU_DEV_STATUS_DEBUG);
}

bool npu_debug_set_breakpoint(struct rv64_breakpoints *b, uint64_t pc, bool set)
{
	unsigned int i = 0;

	while (i < b->count && b->pc[i] != pc)
		i++;
	if (i < b->count && !set) {
		b->pc[i] = b->pc[b->count - 1];
		npu_store(&b->count, b->count - 1);
	}
	if (i < b->count || !set)
		return true;
	if (i == RV64_BREAKPOINTS)
		return false;
	b->pc[i] = pc;
	npu_store(&b->count, i + 1);
	return true;
}

void npu_debug_remove_points(struct npu_debug *d, enum npu_debug_unit unit)
{
	npu_store(&d->breakpoints[unit].count, 0);
	npu_store(&d->watchpoints[unit].count, 0);
}

void npu_core_debug_open(struct npu_core *core, enum npu_debug_unit unit)
{
	gdb_server_close(&core->debug->servers[unit]);
	gdb_server_open(&core->debug->servers[unit]);
	npu_sync_run(core);
}

void npu_core_debug_close(struct npu_core *core, enum npu_debug_unit unit)
{
	gdb_server_close(&core->debug->servers[unit]);
	npu_sync_run(core);
}

void npu_core_debug_input(struct npu_core *core, enum npu_debug_unit unit, const void *data,
			  size_t len)
{
	gdb_server_input(&core->debug->servers[unit], data, len);
	npu_sync_run(core);
}

void npu_core_debug_poll(struct npu_core *core, enum npu_debug_unit unit)
{
	gdb_server_poll(&core->debug->servers[unit]);
	npu_sync_run(core);
}
