/* SPDX-License-Identifier: MIT */
/* The kernels, as tools/npu-cc made them: OP_MODULE is the path of the file. */
	.section .rodata
	.balign 64
	.globl op_module
	.hidden op_module
op_module:
	.incbin OP_MODULE
	.globl op_module_end
	.hidden op_module_end
op_module_end:

	.section .note.GNU-stack, "", %progbits
