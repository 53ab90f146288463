/* SPDX-License-Identifier: GPL-2.0-or-later */
	.section .text.start, "ax"
	.globl _start
_start:
	call	run
	ecall
