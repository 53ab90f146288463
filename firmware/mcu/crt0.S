/* SPDX-License-Identifier: MIT */
/*
 * First instructions, and the trap vector. The boot ROM has cleared .bss; interrupts are off and
 * stay so: main.c polls after wfi.
 */
#define SAVED_REGISTERS 32

	.section .text.start, "ax"
	.globl	_start
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	la	sp, __stack_top
	la	t0, trap_entry
	csrw	mtvec, t0
	la	t0, trap_frame
	csrw	mscratch, t0
	call	main
	j	.

/*
 * Exceptions only. A failed guarded access resumes at guard_fault; all else is fatal: the
 * registers go to trap_frame, and trap_fatal runs on a stack of its own, as the trap may be
 * an overflow of the stack.
 */
	.text
	.balign	4
trap_entry:
	csrrw	a0, mscratch, a0
	sd	t0, 5 * 8(a0)
	sd	t1, 6 * 8(a0)
	csrr	t0, mcause
	addi	t0, t0, -4		/* 4 to 7: loads and stores, misaligned or refused */
	sltiu	t0, t0, 4
	beqz	t0, 2f
	csrr	t0, mepc
	la	t1, guard_start
	bltu	t0, t1, 2f
	la	t1, guard_end
	bgeu	t0, t1, 2f
	la	t0, guard_fault
	csrw	mepc, t0
	ld	t0, 5 * 8(a0)
	ld	t1, 6 * 8(a0)
	csrrw	a0, mscratch, a0
	mret
2:	.irp	r, 1, 2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
		25, 26, 27, 28, 29, 30, 31
	sd	x\r, \r * 8(a0)
	.endr
	csrr	t0, mscratch
	sd	t0, 10 * 8(a0)
	.option push
	.option norelax		/* gp may be what went wrong */
	la	gp, __global_pointer$
	la	sp, trap_stack_top
	.option pop
	call	trap_fatal
	j	.

	.bss
	.balign	16
trap_frame:
	.zero	SAVED_REGISTERS * 8
	.zero	2048
trap_stack_top:
