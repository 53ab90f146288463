// SPDX-License-Identifier: MIT
/* Kernels for the runtime's tests: simple ones, and some that go wrong. */
#include "npu_kernel.h"
#include "rt_kernels.h"

NPU_ARGS(stamp, struct stamp_args, out(words), value(base), value(pad));

NPU_KERNEL(stamp, struct stamp_args)
{
	npu_store_s32(args->words + 4 * block, (int32_t)(args->base + block));
}

NPU_ARGS(increment, struct increment_args, inout(word), value(by), value(pad));

NPU_KERNEL(increment, struct increment_args)
{
	npu_store_s32(args->word, npu_load_s32(args->word) + (int32_t)args->by);
}

NPU_ARGS(store, struct store_args, out(address));

NPU_KERNEL(store, struct store_args)
{
	npu_store_s32(args->address, 1);
}

NPU_ARGS(echo, struct echo_args, out(address), array(values));

NPU_KERNEL(echo, struct echo_args)
{
	for (uint32_t i = 0; i < ECHO_WORDS; i++)
		npu_store_s32(args->address + 4 * i, (int32_t)args->values[i]);
}

NPU_ARGS(types, struct types_args, out(out), value(real), value(single), value(tiny), value(small),
	 array(list), value(reserved));

NPU_KERNEL(types, struct types_args)
{
	npu_store_f32(args->out, args->single + (float)args->real);
	npu_store_s32(args->out + 4, args->tiny + args->small + args->list[2]);
}

NPU_ARGS(raise, struct raise_args, value(code));

NPU_KERNEL(raise, struct raise_args)
{
	npu_trap(args->code);
}

NPU_KERNEL(spin, struct spin_args)
{
	for (;;)
		__asm__ volatile("");
}
