// SPDX-License-Identifier: MIT
/*
 * What the application knows of its memory: for the driver, when HBM is short.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>

static int check(npurt_memory *memory)
{
	if (!memory)
		return NPURT_ERROR_INVALID;
	return rt_forked(memory->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_memory_advise(npurt_memory *memory, enum npurt_advice advice, int *retained)
{
	static const uint32_t advices[] = {
		[NPURT_ADVISE_WILLNEED] = DRM_NPU_BO_WILLNEED,
		[NPURT_ADVISE_DONTNEED] = DRM_NPU_BO_DONTNEED,
		[NPURT_ADVISE_EVICT_FIRST] = DRM_NPU_BO_EVICT_FIRST,
		[NPURT_ADVISE_EVICT_NORMAL] = DRM_NPU_BO_EVICT_NORMAL,
		[NPURT_ADVISE_EVICT_LAST] = DRM_NPU_BO_EVICT_LAST,
	};
	struct drm_npu_bo_madvise args = { 0 };
	struct rt_diag *diag;
	int err = check(memory);

	if (err)
		return err;
	diag = &memory->context->diag;
	if ((unsigned int)advice >= RT_ARRAY_SIZE(advices))
		return rt_fail(diag, NPURT_ERROR_INVALID, "advice is %d", (int)advice);
	if (memory->kind != RT_MEMORY_BUFFER)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "advice on '%s', which npurt_memory_create() did not make",
			       memory->label);
	args.handle = memory->handle;
	args.advice = advices[advice];
	err = kmd_ioctl(memory->context->device->kmd, DRM_IOCTL_NPU_BO_MADVISE, &args);
	if (err == -EBUSY)
		return rt_fail(diag, NPURT_ERROR_BUSY,
			       "contents of '%s' cannot be dropped: it is exported",
			       memory->label);
	if (err)
		return rt_fail_errno(diag, err, "advice on '%s'", memory->label);
	if (retained)
		*retained = (int)args.retained;
	return 0;
}

int npurt_memory_prefetch(npurt_memory *memory, uint64_t offset, uint64_t bytes)
{
	struct drm_npu_vm_bind_op op = { .op = DRM_NPU_VM_BIND_OP_PREFETCH };
	uint64_t end;
	int err = check(memory);

	if (err)
		return err;
	if (__builtin_add_overflow(offset, bytes, &end) || end > memory->bytes)
		return rt_fail(&memory->context->diag, NPURT_ERROR_RANGE,
			       "%" PRIu64 " bytes from offset %" PRIu64 " leave '%s' of %" PRIu64
			       " bytes",
			       bytes, offset, memory->label, memory->bytes);
	if (!bytes)
		return 0;
	op.va = (memory->va + offset) & ~(RT_PAGE - 1);
	op.size = rt_align(memory->va + end, RT_PAGE) - op.va;
	err = rt_vm_bind(memory->context, &op, 1);
	return err ? rt_fail_memory(&memory->context->diag, err, "prefetch '%s'", memory->label)
		   : 0;
}
