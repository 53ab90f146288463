// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console: text goes to the log ring in the firmware region, where the driver reads it, and
 * line by line to the host. The ring's indices are kept here: the guest can write HBM.
 */
#include <stdarg.h>
#include <stdio.h>

#include "mcu.h"

static struct npu_fw_console *console_ring(struct npu_mcu *mcu)
{
	struct npu_core *core = mcu->core;

	return (struct npu_fw_console *)(core->hbm + core->hbm_limit + NPU_FW_REGION_CONSOLE);
}

/* An empty ring, for a new boot. Before, the log of the last one can still be read. */
void npu_mcu_console_start(struct npu_mcu *mcu)
{
	struct npu_fw_console *ring = console_ring(mcu);

	mcu->console.written = 0;
	mcu->console.len = 0;
	ring->size = NPU_FW_CONSOLE_BYTES;
	npu_store(&ring->written, 0);
	npu_store_release(&ring->magic, NPU_FW_CONSOLE_MAGIC);
}

static void flush_line(struct npu_mcu *mcu)
{
	struct npu_mcu_console *console = &mcu->console;
	struct npu_core *core = mcu->core;

	if (core->ops->console)
		core->ops->console(core->host, console->line, console->len);
	console->len = 0;
}

void npu_mcu_console_put(struct npu_mcu *mcu, char c)
{
	struct npu_mcu_console *console = &mcu->console;
	struct npu_fw_console *ring = console_ring(mcu);

	ring->data[console->written % NPU_FW_CONSOLE_BYTES] = c;
	npu_store_release(&ring->written, ++console->written);

	console->line[console->len++] = c;
	if (c == '\n' || console->len == sizeof(console->line))
		flush_line(mcu);
}

/* A line of the boot ROM, in the form of the firmware's log. */
void npu_mcu_console_printf(struct npu_mcu *mcu, const char *format, ...)
{
	uint64_t us = npu_timestamp(mcu->core) / NPU_NS_PER_US;
	char line[NPU_MCU_CONSOLE_LINE];
	va_list args;
	int len;

	len = snprintf(line, sizeof(line), "[%5llu.%06llu] ", (unsigned long long)us / 1000000,
		       (unsigned long long)us % 1000000);
	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len, format, args);
	va_end(args);

	for (const char *c = line; *c; c++)
		npu_mcu_console_put(mcu, *c);
	npu_mcu_console_put(mcu, '\n');
}
