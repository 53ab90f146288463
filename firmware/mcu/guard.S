/* SPDX-License-Identifier: MIT */
/*
 * Window accesses that may fail. trap_entry sends a load or store that traps between guard_start
 * and guard_end to guard_fault; so the code between uses no stack.
 */
	.text
	.balign	4
	.globl	guarded_copy, guard_start, guard_end, guard_fault
	.type	guarded_copy, @function
guarded_copy:
guard_start:
	ld	t0, 0(a1)
	sd	t0, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, 8
	addi	a2, a2, -1
	bnez	a2, guard_start
guard_end:
	li	a0, 1
	ret
guard_fault:
	li	a0, 0
	ret
	.size	guarded_copy, . - guarded_copy
