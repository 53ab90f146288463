/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a context. Specified in docs/hardware.md, "Context MMU".
 *
 * 48-bit virtual addresses, four levels of 512 entries; all tables lie in HBM.
 * Addresses below NPU_VA_START never translate: an AI core keeps its local
 * buffers there, and a null pointer faults.
 */
#ifndef NPU_MMU_H
#define NPU_MMU_H

#include "npu_types.h"

#define NPU_VA_BITS 48
#define NPU_VA_START 0x100000000ULL
#define NPU_VA_END (1ULL << NPU_VA_BITS)

#define NPU_PAGE_SHIFT 12
#define NPU_PAGE_SIZE (1ULL << NPU_PAGE_SHIFT)
#define NPU_PT_LEVELS 4
#define NPU_PT_ENTRIES 512
#define NPU_PT_BITS 9

/* Level 3 is the root, level 0 holds 4 KiB pages. */
#define NPU_PT_SHIFT(level) (NPU_PAGE_SHIFT + NPU_PT_BITS * (level))
#define NPU_PT_INDEX(va, level) (((va) >> NPU_PT_SHIFT(level)) & (NPU_PT_ENTRIES - 1))

/*
 * An entry is a table pointer (VALID only; the address is an HBM offset) or,
 * with LEAF, a page: 4 KiB at level 0, 2 MiB at level 1, 1 GiB at level 2.
 * CONT is allowed at level 0 only: the 16 entries of an aligned group are alike
 * but for their consecutive addresses and map one aligned 64 KiB page. A SPARSE
 * page, of any level, has no memory: VALID, LEAF, SPARSE, READ and WRITE only.
 */
#define NPU_PTE_VALID NPU_BIT(0)
#define NPU_PTE_LEAF NPU_BIT(1)
#define NPU_PTE_READ NPU_BIT(2)
#define NPU_PTE_WRITE NPU_BIT(3)
#define NPU_PTE_EXEC NPU_BIT(4)
#define NPU_PTE_SYSTEM NPU_BIT(5) /* a PCI bus address, else an HBM offset */
#define NPU_PTE_CONT NPU_BIT(6)
#define NPU_PTE_SPARSE NPU_BIT(7) /* reads give zero, writes are dropped */
#define NPU_PTE_ADDRESS NPU_MASK(51, 12)
#define NPU_PTE_SOFTWARE NPU_MASK(62, 56) /* ignored by the device */
#define NPU_PTE_CONT_ENTRIES 16

#endif /* NPU_MMU_H */
