/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: what tools/npu-cc builds and a runtime loads.
 *
 * A module is a static RISC-V ELF file with one loadable segment, linked at
 * address 0, without writable data and without relocations: it is copied as it is
 * to any page-aligned device address and mapped readable and executable. Its
 * section .npu_kernels is an array of descriptors, one a kernel. A section .npu_args,
 * which is not loaded, may tell the layout of kernels' arguments: for each kernel a
 * descriptor of type NPU_ARG_KERNEL, and then one for each field. What kernels print is
 * in a section .npu_log, see npu_log.h; their assertions are texts of the segment.
 */
#ifndef NPU_MODULE_H
#define NPU_MODULE_H

#include "npu_types.h"

#define NPU_MODULE_SECTION ".npu_kernels"
#define NPU_MODULE_ABI 1
#define NPU_KERNEL_NAME_MAX 48 /* with the terminating zero */

/**
 * struct npu_kernel_desc - a kernel of a module
 * @abi: NPU_MODULE_ABI
 * @args_size: bytes of the argument structure
 * @entry: address of its first instruction in the module, linked at 0
 * @name: zero-terminated
 */
struct npu_kernel_desc {
	npu_le32 abi;
	npu_le32 args_size;
	npu_le64 entry;
	char name[NPU_KERNEL_NAME_MAX];
};

NPU_ASSERT_SIZE(struct npu_kernel_desc, 64);

#define NPU_ARGS_SECTION ".npu_args"

enum npu_arg_type {
	NPU_ARG_KERNEL = 0,
	NPU_ARG_U8 = 1,
	NPU_ARG_S8 = 2,
	NPU_ARG_U16 = 3,
	NPU_ARG_S16 = 4,
	NPU_ARG_U32 = 5,
	NPU_ARG_S32 = 6,
	NPU_ARG_U64 = 7,
	NPU_ARG_S64 = 8,
	NPU_ARG_F32 = 9,
	NPU_ARG_F64 = 10,
};

#define NPU_ARG_ADDRESS 0x1 /* a device address, of what the kernel ... */
#define NPU_ARG_READ 0x2 /* ... reads */
#define NPU_ARG_WRITE 0x4 /* ... writes */

/**
 * struct npu_arg_desc - a field of a kernel's argument structure, or the kernel itself
 * @offset: of the field in the structure; zero for a kernel
 * @size: bytes of the field, or of the structure
 * @type: enum npu_arg_type, of an element if it is an array
 * @flags: NPU_ARG_ADDRESS and others
 * @count: elements of the field; zero for a kernel
 * @rsvd: zero
 * @name: zero-terminated
 */
struct npu_arg_desc {
	npu_le32 offset;
	npu_le32 size;
	uint8_t type;
	uint8_t flags;
	npu_le16 count;
	npu_le32 rsvd;
	char name[NPU_KERNEL_NAME_MAX];
};

NPU_ASSERT_SIZE(struct npu_arg_desc, 64);

/*
 * Codes of a kernel's trap. Those with bits in NPU_TRAP_KIND are the SDK's: of a failed
 * assertion NPU_TRAP_ADDRESS is that of its text, "scale.c:12: assertion 'n < 8' failed".
 */
#define NPU_TRAP_KIND NPU_MASK(63, 56)
#define NPU_TRAP_ASSERT 0xa5
#define NPU_TRAP_ADDRESS NPU_MASK(55, 0)

#endif /* NPU_MODULE_H */
