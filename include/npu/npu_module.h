/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: what tools/npu-cc builds and a runtime loads.
 *
 * A module is a static RISC-V ELF file with one loadable segment, linked at
 * address 0, without writable data and without relocations: it is copied as it is
 * to any page-aligned device address and mapped readable and executable. Its
 * section .npu_kernels is an array of descriptors, one a kernel.
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

#endif /* NPU_MODULE_H */
