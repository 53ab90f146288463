/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Instructions that do nothing, by which a program in the VM tells the plugin in count.c what to
 * count. The displacement makes them ones that no compiler writes.
 */
#ifndef NPU_BENCH_MARK_H
#define NPU_BENCH_MARK_H

#define MARK_BYTES 8
#define MARK_OPCODE 0x00841f0f /* nopl disp32(%rax,%rax,1) */
#define MARK_DISPLACEMENT 0x4e505500

/* What is counted from here on is another figure. */
#define MARK_FIGURE 0
#define MARK_BEGIN 1
#define MARK_END 2

/* The kind is a constant; the memory clobber keeps the work between the marks. */
#define mark(kind)								\
	__asm__ volatile("nopl %c0(%%rax,%%rax,1)"				\
			 : : "i"(MARK_DISPLACEMENT + (kind)) : "memory")

#endif
