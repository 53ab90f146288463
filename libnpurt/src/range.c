// SPDX-License-Identifier: MIT
/*
 * Ranges of device addresses that memory is mapped to a part at a time.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct npurt_range {
	npurt_context *context;
	npurt_memory *memory; /* spans it */
	bool sparse;
};

static int check_attr(npurt_context *context, uint64_t bytes, const npurt_range_attr *a)
{
	struct rt_diag *diag = &context->diag;

	if (!bytes || bytes % RT_PAGE)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "range of %" PRIu64 " bytes, not a multiple of %u", bytes,
			       NPURT_RANGE_GRANULARITY);
	if (a->alignment & (a->alignment - 1))
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "npurt_range_attr.alignment is %" PRIu64 ", not a power of two",
			       a->alignment);
	return 0;
}

int npurt_range_reserve(npurt_context *context, uint64_t bytes, const npurt_range_attr *attr,
			npurt_range **result)
{
	struct rt_memory_desc desc = { .kind = RT_MEMORY_RANGE, .bytes = bytes };
	npurt_range_attr a;
	npurt_range *range;
	int err;

	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	if (!result)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "range is NULL");
	err = rt_attr_take(&context->diag, "npurt_range_attr", NPURT_RANGE_SPARSE, &a, sizeof(a),
			   attr);
	if (!err)
		err = check_attr(context, bytes, &a);
	if (err)
		return err;
	range = calloc(1, sizeof(*range));
	if (!range)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a range");
	range->context = context;
	range->sparse = a.flags & NPURT_RANGE_SPARSE;
	desc.label = a.label ? a.label : "unnamed range";
	desc.alignment = a.alignment;
	desc.sparse = range->sparse;
	err = rt_memory_create(context, &desc, &range->memory);
	if (err) {
		free(range);
		return err;
	}
	*result = range;
	return 0;
}

static int check_range(npurt_range *range)
{
	if (!range)
		return NPURT_ERROR_INVALID;
	return rt_forked(range->memory->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_range_release(npurt_range *range)
{
	int err = check_range(range);

	if (err)
		return err;
	rt_memory_destroy(range->memory);
	rt_object_free(range);
	return 0;
}

npurt_memory *npurt_range_memory(npurt_range *range)
{
	return range ? range->memory : NULL;
}

/* Of a part, in whole pages and within @limit. */
static int check_part(struct rt_diag *diag, const char *what, const char *label, uint64_t offset,
		      uint64_t bytes, uint64_t limit)
{
	uint64_t end;

	if (!bytes || (offset | bytes) % RT_PAGE)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "%s: offset %" PRIu64 " and size %" PRIu64
			       " are not multiples of %u",
			       what, offset, bytes, NPURT_RANGE_GRANULARITY);
	if (__builtin_add_overflow(offset, bytes, &end) || end > limit)
		return rt_fail(diag, NPURT_ERROR_RANGE,
			       "%s: %" PRIu64 " bytes from offset %" PRIu64 " leave '%s' of %" PRIu64
			       " bytes",
			       what, bytes, offset, label, limit);
	return 0;
}

static int check_memory(npurt_range *range, const npurt_memory *memory)
{
	npurt_context *context = range->memory->context;

	if (!memory)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory is NULL");
	if (memory->context != context)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "memory '%s' is of another context than range '%s'", memory->label,
			       range->memory->label);
	if (!memory->handle)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "memory '%s' cannot be mapped to a range: npurt_memory_create() or "
			       "npurt_memory_import_fd() did not make it",
			       memory->label);
	return 0;
}

int npurt_range_map(npurt_range *range, uint64_t offset, npurt_memory *memory,
		    uint64_t memory_offset, uint64_t bytes, uint32_t flags)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
		.bo_offset = memory_offset,
		.size = bytes,
	};
	struct rt_diag *diag;
	int err = check_range(range);

	if (err)
		return err;
	diag = &range->memory->context->diag;
	if (flags & ~NPURT_MEMORY_READONLY)
		return rt_fail(diag, NPURT_ERROR_INVALID, "flags has unknown bits 0x%x",
			       flags & ~NPURT_MEMORY_READONLY);
	err = check_memory(range, memory);
	if (!err)
		err = check_part(diag, "range", range->memory->label, offset, bytes,
				 range->memory->bytes);
	if (!err)
		err = check_part(diag, "memory", memory->label, memory_offset, bytes,
				 memory->bo_bytes);
	if (err)
		return err;
	if (memory->readonly || flags & NPURT_MEMORY_READONLY)
		op.flags |= DRM_NPU_VM_BIND_OP_READONLY;
	op.bo_handle = memory->handle;
	op.va = range->memory->va + offset;
	err = rt_vm_bind(range->memory->context, &op, 1);
	return err ? rt_fail_memory(diag, err, "map '%s' to range '%s'", memory->label,
				    range->memory->label)
		   : 0;
}

int npurt_range_unmap(npurt_range *range, uint64_t offset, uint64_t bytes)
{
	struct drm_npu_vm_bind_op op = { .size = bytes };
	struct rt_diag *diag;
	int err = check_range(range);

	if (err)
		return err;
	diag = &range->memory->context->diag;
	err = check_part(diag, "range", range->memory->label, offset, bytes, range->memory->bytes);
	if (err)
		return err;
	op.op = range->sparse ? DRM_NPU_VM_BIND_OP_MAP_SPARSE : DRM_NPU_VM_BIND_OP_UNMAP;
	op.va = range->memory->va + offset;
	err = rt_vm_bind(range->memory->context, &op, 1);
	return err ? rt_fail_memory(diag, err, "unmap a part of range '%s'", range->memory->label)
		   : 0;
}
