/* SPDX-License-Identifier: MIT */
/*
 * Types and helpers shared by every header of the hardware contract.
 *
 * These headers are compiled into the Linux driver, the device model and the
 * freestanding firmware. All multi-byte fields are little-endian; in the kernel
 * they carry the __le types so that sparse checks the conversions.
 */
#ifndef NPU_TYPES_H
#define NPU_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/build_bug.h>
typedef __le16 npu_le16;
typedef __le32 npu_le32;
typedef __le64 npu_le64;
#else
#include <stddef.h>
#include <stdint.h>
typedef uint16_t npu_le16;
typedef uint32_t npu_le32;
typedef uint64_t npu_le64;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the hardware contract is used unconverted: build on a little-endian machine"
#endif
#endif

#ifdef __cplusplus
#define NPU_STATIC_ASSERT static_assert
#else
#define NPU_STATIC_ASSERT _Static_assert
#endif
#define NPU_ASSERT_SIZE(type, size) \
	NPU_STATIC_ASSERT(sizeof(type) == (size), #type " has the wrong size")
#define NPU_ASSERT_OFFSET(type, member, offset) \
	NPU_STATIC_ASSERT(offsetof(type, member) == (offset), #type "." #member " has moved")

/* Bit fields: a field is its mask, as in FIELD_GET() and FIELD_PREP(). */
#define NPU_BIT(n) (1ULL << (n))
#define NPU_MASK(high, low) ((~0ULL >> (63 - (high))) & (~0ULL << (low)))
#define NPU_GET(mask, value) (((value) & (mask)) / ((mask) & -(mask)))
#define NPU_PREP(mask, value) (((uint64_t)(value) * ((mask) & -(mask))) & (mask))

#endif /* NPU_TYPES_H */
