// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plugin for QEMU's TCG: counts the instructions that a virtual CPU executes between two marks of
 * mark.h in a program, those of user space and those of the kernel, interrupts included.
 * -plugin npu-bench-count.so,out=FILE; a line for each pair of marks, with tabs: number of the
 * figure, virtual CPU, instructions of user space, of the kernel, times that the virtual CPU had
 * nothing to do. A string instruction is one, however long the string, as for the counter of a
 * real processor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#include "mark.h"

/* Addresses of the kernel have it set. */
#define KERNEL_BIT 63

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* What has been counted on a virtual CPU, and had been when the counting began. */
struct count {
	uint64_t user;
	uint64_t kernel;
	uint64_t idle;
	uint64_t user_begin;
	uint64_t kernel_begin;
	uint64_t idle_begin;
	uint64_t begun;
};

static struct qemu_plugin_scoreboard *counts;
static qemu_plugin_u64 user_count, kernel_count;
static unsigned int figure;
static FILE *out;

static void on_mark(unsigned int cpu, void *kind)
{
	struct count *count = qemu_plugin_scoreboard_find(counts, cpu);

	switch ((uintptr_t)kind) {
	case MARK_FIGURE:
		figure++;
		break;
	case MARK_BEGIN:
		count->user_begin = count->user;
		count->kernel_begin = count->kernel;
		count->idle_begin = count->idle;
		count->begun = true;
		break;
	case MARK_END:
		/* Without a beginning on this CPU it says nothing. */
		if (count->begun)
			fprintf(out, "%u\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", figure,
				cpu, count->user - count->user_begin,
				count->kernel - count->kernel_begin,
				count->idle - count->idle_begin);
		count->begun = false;
		break;
	}
}

static void on_idle(qemu_plugin_id_t id, unsigned int cpu)
{
	struct count *count = qemu_plugin_scoreboard_find(counts, cpu);

	(void)id;
	count->idle++;
}

static bool is_mark(const struct qemu_plugin_insn *insn, uintptr_t *kind)
{
	uint32_t words[MARK_BYTES / sizeof(uint32_t)];

	if (qemu_plugin_insn_size(insn) != MARK_BYTES ||
	    qemu_plugin_insn_data(insn, words, MARK_BYTES) != MARK_BYTES ||
	    words[0] != MARK_OPCODE)
		return false;
	*kind = words[1] - MARK_DISPLACEMENT;
	return *kind <= MARK_END;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t length = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		bool kernel = qemu_plugin_insn_vaddr(insn) >> KERNEL_BIT;
		uintptr_t kind;

		qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
			insn, QEMU_PLUGIN_INLINE_ADD_U64, kernel ? kernel_count : user_count, 1);
		if (!kernel && is_mark(insn, &kind))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       (void *)kind);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
					   char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "npu-bench-count: wants out=FILE\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return -1;
	}
	/* QEMU may be killed. */
	setlinebuf(out);
	counts = qemu_plugin_scoreboard_new(sizeof(struct count));
	user_count = qemu_plugin_scoreboard_u64_in_struct(counts, struct count, user);
	kernel_count = qemu_plugin_scoreboard_u64_in_struct(counts, struct count, kernel);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_vcpu_idle_cb(id, on_idle);
	return 0;
}
