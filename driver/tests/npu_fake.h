/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FAKE_H__
#define __NPU_FAKE_H__

#include <linux/types.h>

#include <npu/npu_mmu.h>

struct kunit;
struct npu_device;
struct npu_vm;

/**
 * struct npu_fake_page - what the device finds at an address
 */
struct npu_fake_page {
	/** @addr: memory of this page of 4 KiB */
	u64 addr;
	/** @bits: those of its entry that are no address, without NPU_PTE_CONT; 0: nothing */
	u64 bits;
	/** @size: of the page that it is a part of */
	u64 size;
};

/**
 * struct npu_fake_tables - how many there are in a page table
 */
struct npu_fake_tables {
	/** @tables: tables */
	unsigned int tables;
	/** @empty: those without an entry */
	unsigned int empty;
	/** @leaves: entries of pages, by level, but for those of 64 KiB */
	u64 leaves[NPU_PT_LEVELS];
	/** @conts: entries of pages of 64 KiB */
	u64 conts;
};

struct npu_device *npu_fake_device(struct kunit *test);
struct npu_vm *npu_fake_vm(struct kunit *test, struct npu_device *npu);
struct npu_fake_page npu_fake_translate(struct kunit *test, struct npu_vm *vm, u64 va);
struct npu_fake_tables npu_fake_tables(struct kunit *test, struct npu_vm *vm);
void npu_fake_listen(struct npu_device *npu);
bool npu_fake_forgot(struct npu_device *npu, u64 va, u64 size);

#endif /* __NPU_FAKE_H__ */
