// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands of the user, by gdb's "monitor".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mcu.h"

static const char *const units[] = {
	[NPU_UNIT_SCHED] = "scheduler", [NPU_UNIT_SDMA] = "SDMA", [NPU_UNIT_SCALAR] = "scalar",
	[NPU_UNIT_MTE] = "MTE", [NPU_UNIT_CUBE] = "cube", [NPU_UNIT_VECTOR] = "vector",
	[NPU_UNIT_FIXPIPE] = "fixpipe",
};

/* A held block in a line. With the lock. */
void npu_debug_describe(const struct npu_aicore *ac, char *text, size_t size)
{
	const struct npu_task *task = ac->task;
	int len;

	len = snprintf(text, size, "core %u, block %u of %u, kernel 0x%" PRIx64
		       ", context %u, queue %u", ac->id, ac->block, task->cmd.kernel.blocks,
		       task->cmd.kernel.entry, task->queue->cfg.context, task->queue->id);
	if (ac->dbg.failed && len > 0 && (size_t)len < size)
		snprintf(text + len, size - len, ", error %u by %s at 0x%" PRIx64,
			 ac->error.status, units[ac->error.unit], ac->error.address);
}

static void list_cores(struct npu_core *core, struct gdb_server *server)
{
	unsigned int thread = 0;
	char text[256];

	while ((thread = server->ops->next_thread(core, thread))) {
		server->ops->thread_info(core, thread, text, sizeof(text));
		if (!strstr(text, "idle"))
			gdb_server_print(server, "thread %u: %s\n", thread, text);
	}
}

/* The state of the tile engines that is not in a register of gdb's. */
static void show_tile(struct npu_core *core, struct gdb_server *server)
{
	unsigned int thread = server->thread, from, to, id;
	struct npu_tile tile = {};
	bool held;

	pthread_mutex_lock(&core->lock);
	held = thread && thread <= core->nr_aicores && core->aicores[thread - 1].dbg.held;
	if (held)
		tile = core->aicores[thread - 1].tile;
	pthread_mutex_unlock(&core->lock);
	if (!held)
		return gdb_server_print(server, "thread %u has no block\n", thread);
	gdb_server_print(server, "rows %" PRIu64 ", pitch of destination %" PRIu64
			 ", of sources %" PRIu64 " and %" PRIu64 "\n", tile.rows, tile.dst_pitch,
			 tile.src0_pitch, tile.src1_pitch);
	gdb_server_print(server, "mask 0x%" PRIx64 ", pitch %" PRIu64 "\n", tile.mask,
			 tile.mask_pitch);
	gdb_server_print(server, "shifts 0x%" PRIx64 ", factors 0x%" PRIx64 ", pitch %" PRIu64
			 "\n", tile.scale_shift, tile.scale_factor, tile.scale_pitch);
	for (from = 0; from < NPU_PIPE_COUNT; from++)
		for (to = 0; to < NPU_PIPE_COUNT; to++)
			for (id = 0; id < 16; id++)
				if (tile.flags[from][to][id])
					gdb_server_print(server, "flag %u from pipe %u to %u: "
							 "%u\n", id, from, to,
							 tile.flags[from][to][id]);
}

/* "ENTRY LENGTH SHA256 FILE", numbers in hexadecimal digits. FILE may have spaces. */
static bool parse_module(const char *args, struct npu_debug_module *m)
{
	bool ok = gdb_get_number(&args, &m->entry) && gdb_get_char(&args, ' ') &&
		  gdb_get_number(&args, &m->length) && gdb_get_char(&args, ' ') &&
		  gdb_get_hex(args, m->digest, sizeof(m->digest));

	if (!ok)
		return false;
	args += 2 * sizeof(m->digest);
	m->file = (char *)args + 1;
	return *args == ' ' && args[1] == '/';
}

static void add_module(struct npu_core *core, struct gdb_server *server, const char *args)
{
	struct npu_debug_module module;

	if (!parse_module(args, &module))
		return gdb_server_print(server, "usage: module ENTRY LENGTH SHA256 /FILE\n");
	if (!npu_debug_add_module(core->debug, &module))
		return gdb_server_print(server, "module: there are too many, or it is too long\n");
	npu_debug_look_again(core);
}

void npu_debug_core_command(void *target, struct gdb_server *server, const char *line)
{
	static const char module[] = "module ";
	struct npu_core *core = target;

	if (!strcmp(line, "cores"))
		list_cores(core, server);
	else if (!strcmp(line, "tile"))
		show_tile(core, server);
	else if (!strncmp(line, module, strlen(module)))
		add_module(core, server, line + strlen(module));
	else
		gdb_server_print(server, "cores   AI cores that have a block\n"
				 "tile    repeat, mask, scale and flags of the selected thread\n"
				 "module ENTRY LENGTH SHA256 /FILE\n"
				 "        a kernel in a file, by the code from its entry on\n");
}

void npu_debug_mcu_command(void *target, struct gdb_server *server, const char *line)
{
	static const char *const states[] = { "the boot ROM waits for an image",
					      "the boot ROM works", "firmware runs",
					      "firmware has given up" };
	struct npu_core *core = target;

	if (!strcmp(line, "state"))
		gdb_server_print(server, "%s, POST code 0x%x\n", states[core->mcu->state],
				 npu_reg_get(core, NPU_REG_BOOT_POST));
	else
		gdb_server_print(server, "state   what the management core does\n");
}
