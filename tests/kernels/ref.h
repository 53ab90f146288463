/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain C helpers for references: random data, element types, comparison. */
#ifndef TEST_REF_H
#define TEST_REF_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_tile.h>

#include "core.h"

typedef _Float16 ref_f16;

struct modules {
	struct kernel_module *gemm, *elementwise, *bias_relu, *softmax_xent, *reduce, *sgd, *cast,
		*vector_add, *scale, *row_sum, *matmul, *flash_attention, *intrinsics;
};

/* The tests, a file each; they allocate global memory and leave its release to the caller. */
void test_gemm(struct core *core, const struct modules *modules);
void test_elementwise(struct core *core, const struct modules *modules);
void test_rows(struct core *core, const struct modules *modules);
void test_examples(struct core *core, const struct modules *modules);
void test_intrinsics(struct core *core, const struct modules *modules);

/* One point of the TAP plan. */
void ok(bool pass, const char *format, ...) __attribute__((format(printf, 2, 3)));

static uint32_t ref_state = 1;

static inline uint32_t ref_random(void)
{
	ref_state ^= ref_state << 13;
	ref_state ^= ref_state >> 17;
	ref_state ^= ref_state << 5;
	return ref_state;
}

static inline float ref_uniform(void)
{
	return (float)(ref_random() >> 8) / 8388608.0f - 1;
}

static inline float ref_from_bf16(uint16_t value)
{
	const uint32_t bits = (uint32_t)value << 16;
	float result;

	memcpy(&result, &bits, sizeof(result));
	return result;
}

static inline uint16_t ref_to_bf16(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static inline size_t ref_bytes(unsigned int dtype)
{
	if (dtype == NPU_F32 || dtype == NPU_S32)
		return 4;
	return dtype == NPU_S8 || dtype == NPU_U8 ? 1 : 2;
}

/* Element @i of an array of @dtype. */
static inline double ref_get(const void *array, size_t i, unsigned int dtype)
{
	switch (dtype) {
	case NPU_F32:
		return ((const float *)array)[i];
	case NPU_F16:
		return (double)((const ref_f16 *)array)[i];
	case NPU_BF16:
		return ref_from_bf16(((const uint16_t *)array)[i]);
	case NPU_S32:
		return ((const int32_t *)array)[i];
	case NPU_S16:
		return ((const int16_t *)array)[i];
	case NPU_U8:
		return ((const uint8_t *)array)[i];
	default:
		return ((const int8_t *)array)[i];
	}
}

/* Integers wrap. */
static inline void ref_set(void *array, size_t i, unsigned int dtype, double value)
{
	switch (dtype) {
	case NPU_F32:
		((float *)array)[i] = (float)value;
		break;
	case NPU_F16:
		((ref_f16 *)array)[i] = (ref_f16)value;
		break;
	case NPU_BF16:
		((uint16_t *)array)[i] = ref_to_bf16((float)value);
		break;
	case NPU_S32:
		((int32_t *)array)[i] = (int32_t)(int64_t)value;
		break;
	case NPU_S16:
		((int16_t *)array)[i] = (int16_t)(int64_t)value;
		break;
	case NPU_U8:
		((uint8_t *)array)[i] = (uint8_t)(int64_t)value;
		break;
	default:
		((int8_t *)array)[i] = (int8_t)(int64_t)value;
	}
}

/* Global memory with @count random elements: within 1, or any value of an integer type. */
static inline void *ref_array(struct core *core, size_t count, unsigned int dtype,
			      uint64_t *address)
{
	void *array = core_alloc(core, count * ref_bytes(dtype), address);

	for (size_t i = 0; i < count; i++)
		ref_set(array, i, dtype,
			dtype == NPU_S8 || dtype == NPU_S32 ? (int8_t)ref_random() :
							      ref_uniform());
	return array;
}

/* Runs a kernel; a failure is a failed point that says what happened. */
static inline bool ref_run(struct core *core, const struct kernel_module *module,
			   const char *name, const void *args, size_t args_size, uint32_t blocks)
{
	const enum npu_status status = core_run(core, module, name, args, args_size, blocks);
	const struct core_fault *fault = core_fault(core);

	if (core_finding(core))
		ok(false, "%s is clean in strict mode: %s", name, core_finding(core));
	else if (status)
		ok(false, "%s runs: status %d, block %u, pc 0x%llx, address 0x%llx", name, status,
		   fault->block, (unsigned long long)fault->pc,
		   (unsigned long long)fault->address);
	return !status;
}

#endif /* TEST_REF_H */
