// SPDX-License-Identifier: MIT
/* The interface as the fuzzer knows it. Every byte of every structure has a field here. */
#include <libdrm/drm.h>

#include <drm/npu_accel.h>

#include "fuzz.h"

#define F(type, member, k, ...) \
	{ #member, k, offsetof(type, member), sizeof(((type *)0)->member), __VA_ARGS__ }
/* A structure, under a name of its own where it is used in two ways. */
#define RECORD_AS(as, type, ...) \
	static const struct field as##_fields[] = { __VA_ARGS__ }; \
	static const struct record as##_record = { \
		.name = #as, .size = sizeof(struct type), .fields = as##_fields, \
		.num_fields = sizeof(as##_fields) / sizeof(struct field),
#define RECORD(type, ...) RECORD_AS(type, type, __VA_ARGS__)
#define END }

/* What is mapped where a buffer ends, or with what only another operation has, is just refused. */
static void fit_bind_op(struct state *s, void *data)
{
	struct drm_npu_vm_bind_op *op = data;
	uint64_t size;

	switch (op->op) {
	case DRM_NPU_VM_BIND_OP_MAP:
		size = objects_size(s, O_BO, op->bo_handle);
		op->bo_offset %= size;
		if (op->size > size - op->bo_offset)
			op->size = size - op->bo_offset;
		break;
	case DRM_NPU_VM_BIND_OP_MAP_USERPTR:
		op->bo_handle = 0;
		op->bo_offset = (uintptr_t)s->arena + below(s, 200) * 4096;
		op->size = (1 + below(s, 40)) * 4096;
		break;
	default:
		op->bo_handle = 0;
		op->bo_offset = 0;
		op->flags = 0;
	}
}

static void fit_bind(struct state *s, void *data)
{
	struct drm_npu_vm_bind *bind = data;

	(void)s;
	if (!(bind->flags & DRM_NPU_VM_BIND_ASYNC))
		bind->syncs.count = 0;
}

/* Buffers stay small: the machine's memory is for all threads. */
static void fit_bo(struct state *s, void *data)
{
	struct drm_npu_bo_create *create = data;

	if (!chance(s, 8))
		create->size = 1 + below(s, 1 << 21);
	if (!chance(s, 3))
		create->vm_id = 0;
}

static void fit_queue(struct state *s, void *data)
{
	struct drm_npu_queue_create *create = data;

	create->ring_entries = chance(s, 4) ? 0 : 2 << below(s, 8);
	create->core_mask = chance(s, 2) ? 0 : 1 + below(s, 3);
	create->timeout_ms = 20 + below(s, 200);
}

static void fit_perf(struct state *s, void *data)
{
	struct drm_npu_perf_open *open = data;

	open->period_us = 100 << below(s, 16);
	open->counters = 1 + below(s, 1023);
}

RECORD(drm_npu_dev_query,
	F(struct drm_npu_dev_query, type, K_ENUM, DRM_NPU_DEV_QUERY_PERF),
	F(struct drm_npu_dev_query, size, K_COUNT, 256),
	F(struct drm_npu_dev_query, pointer, K_BUFFER, 256)) END;
RECORD(drm_npu_vm_create,
	F(struct drm_npu_vm_create, flags, K_ZERO),
	F(struct drm_npu_vm_create, id, K_NEW, O_VM)) END;
RECORD(drm_npu_vm_destroy,
	F(struct drm_npu_vm_destroy, id, K_HANDLE, O_VM),
	F(struct drm_npu_vm_destroy, pad, K_ZERO)) END;
RECORD(drm_npu_vm_bind_op,
	F(struct drm_npu_vm_bind_op, op, K_ENUM, DRM_NPU_VM_BIND_OP_PREFETCH),
	F(struct drm_npu_vm_bind_op, flags, K_FLAGS,
	  DRM_NPU_VM_BIND_OP_READONLY | DRM_NPU_VM_BIND_OP_NOEXEC),
	F(struct drm_npu_vm_bind_op, bo_handle, K_HANDLE, O_BO),
	F(struct drm_npu_vm_bind_op, pad, K_ZERO),
	F(struct drm_npu_vm_bind_op, bo_offset, K_SOURCE, 1 << 20),
	F(struct drm_npu_vm_bind_op, va, K_VA),
	F(struct drm_npu_vm_bind_op, size, K_PAGES, 4 << 20))
	.fit = fit_bind_op END;
RECORD(drm_npu_sync,
	F(struct drm_npu_sync, flags, K_ENUM, 2),
	F(struct drm_npu_sync, handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_npu_sync, point, K_COUNT, 3)) END;
RECORD(drm_npu_vm_bind,
	F(struct drm_npu_vm_bind, vm_id, K_HANDLE, O_VM),
	F(struct drm_npu_vm_bind, flags, K_FLAGS, DRM_NPU_VM_BIND_ASYNC),
	F(struct drm_npu_vm_bind, ops, K_ARRAY, 6, &drm_npu_vm_bind_op_record),
	F(struct drm_npu_vm_bind, syncs, K_ARRAY, 3, &drm_npu_sync_record))
	.fit = fit_bind END;
RECORD(drm_npu_vm_get_state,
	F(struct drm_npu_vm_get_state, id, K_HANDLE, O_VM),
	F(struct drm_npu_vm_get_state, pad, K_ZERO),
	F(struct drm_npu_vm_get_state, mapped, K_OUT),
	F(struct drm_npu_vm_get_state, resident, K_OUT),
	F(struct drm_npu_vm_get_state, sparse, K_OUT),
	F(struct drm_npu_vm_get_state, evictions, K_OUT),
	F(struct drm_npu_vm_get_state, invalidations, K_OUT),
	F(struct drm_npu_vm_get_state, binds_pending, K_OUT),
	F(struct drm_npu_vm_get_state, faults, K_OUT),
	F(struct drm_npu_vm_get_state, fault_address, K_OUT),
	F(struct drm_npu_vm_get_state, fault_access, K_OUT),
	F(struct drm_npu_vm_get_state, fault_status, K_OUT)) END;
RECORD(drm_npu_bo_create,
	F(struct drm_npu_bo_create, size, K_ANY),
	F(struct drm_npu_bo_create, placement, K_ENUM, DRM_NPU_BO_SYSTEM),
	F(struct drm_npu_bo_create, flags, K_FLAGS, DRM_NPU_BO_NO_MMAP),
	F(struct drm_npu_bo_create, handle, K_NEW, O_BO),
	F(struct drm_npu_bo_create, vm_id, K_HANDLE, O_VM))
	.fit = fit_bo END;
RECORD(drm_npu_bo_madvise,
	F(struct drm_npu_bo_madvise, handle, K_HANDLE, O_BO),
	F(struct drm_npu_bo_madvise, advice, K_ENUM, DRM_NPU_BO_EVICT_LAST),
	F(struct drm_npu_bo_madvise, retained, K_OUT),
	F(struct drm_npu_bo_madvise, pad, K_ZERO)) END;
RECORD(drm_npu_bo_set_label,
	F(struct drm_npu_bo_set_label, handle, K_HANDLE, O_BO),
	F(struct drm_npu_bo_set_label, pad, K_ZERO),
	F(struct drm_npu_bo_set_label, label, K_STRING)) END;
RECORD(drm_npu_bo_mmap_offset,
	F(struct drm_npu_bo_mmap_offset, handle, K_HANDLE, O_BO),
	F(struct drm_npu_bo_mmap_offset, pad, K_ZERO),
	F(struct drm_npu_bo_mmap_offset, offset, K_OUT)) END;
RECORD(drm_npu_queue_create,
	F(struct drm_npu_queue_create, vm_id, K_HANDLE, O_VM),
	F(struct drm_npu_queue_create, flags, K_ZERO),
	F(struct drm_npu_queue_create, engine_class, K_ENUM, DRM_NPU_ENGINE_COPY),
	F(struct drm_npu_queue_create, priority, K_ENUM, DRM_NPU_QUEUE_PRIORITY_REALTIME),
	F(struct drm_npu_queue_create, core_mask, K_ANY),
	F(struct drm_npu_queue_create, ring_entries, K_ANY),
	F(struct drm_npu_queue_create, timeout_ms, K_ANY),
	F(struct drm_npu_queue_create, id, K_NEW, O_QUEUE),
	F(struct drm_npu_queue_create, pad, K_ZERO))
	.fit = fit_queue END;
RECORD(drm_npu_queue_destroy,
	F(struct drm_npu_queue_destroy, id, K_HANDLE, O_QUEUE),
	F(struct drm_npu_queue_destroy, pad, K_ZERO)) END;
RECORD(drm_npu_queue_get_state,
	F(struct drm_npu_queue_get_state, id, K_HANDLE, O_QUEUE),
	F(struct drm_npu_queue_get_state, flags, K_FLAGS, DRM_NPU_QUEUE_STATE_ACTIVITY),
	F(struct drm_npu_queue_get_state, state, K_OUT),
	F(struct drm_npu_queue_get_state, reset_count, K_OUT),
	F(struct drm_npu_queue_get_state, jobs_submitted, K_OUT),
	F(struct drm_npu_queue_get_state, jobs_completed, K_OUT),
	F(struct drm_npu_queue_get_state, fault_status, K_OUT),
	F(struct drm_npu_queue_get_state, fault_command, K_OUT),
	F(struct drm_npu_queue_get_state, fault_access, K_OUT),
	F(struct drm_npu_queue_get_state, fault_unit, K_OUT),
	F(struct drm_npu_queue_get_state, fault_core, K_OUT),
	F(struct drm_npu_queue_get_state, fault_block, K_OUT),
	F(struct drm_npu_queue_get_state, fault_pc, K_OUT),
	F(struct drm_npu_queue_get_state, fault_address, K_OUT),
	F(struct drm_npu_queue_get_state, fault_tag, K_OUT),
	F(struct drm_npu_queue_get_state, fault_timestamp, K_OUT),
	F(struct drm_npu_queue_get_state, recovery, K_OUT),
	F(struct drm_npu_queue_get_state, guilty, K_OUT),
	F(struct drm_npu_queue_get_state, activity, K_OUT),
	F(struct drm_npu_queue_get_state, number, K_OUT),
	F(struct drm_npu_queue_get_state, waits_for, K_OUT),
	F(struct drm_npu_queue_get_state, pad, K_OUT),
	F(struct drm_npu_queue_get_state, commands_done, K_OUT),
	F(struct drm_npu_queue_get_state, still_ns, K_OUT),
	F(struct drm_npu_queue_get_state, command, K_OUT),
	F(struct drm_npu_queue_get_state, cores, K_OUT),
	F(struct drm_npu_queue_get_state, pc, K_OUT)) END;
RECORD(drm_npu_job,
	F(struct drm_npu_job, list, K_LIST),
	F(struct drm_npu_job, count, K_COUNT, 16),
	F(struct drm_npu_job, flags, K_ZERO),
	F(struct drm_npu_job, timeout_ms, K_COUNT, 200),
	F(struct drm_npu_job, pad, K_ZERO)) END;
RECORD(drm_npu_submit,
	F(struct drm_npu_submit, queue_id, K_HANDLE, O_QUEUE),
	F(struct drm_npu_submit, flags, K_ZERO),
	F(struct drm_npu_submit, jobs, K_ARRAY, 4, &drm_npu_job_record),
	F(struct drm_npu_submit, syncs, K_ARRAY, 3, &drm_npu_sync_record)) END;
RECORD(drm_npu_perf_open,
	F(struct drm_npu_perf_open, counters, K_ANY),
	F(struct drm_npu_perf_open, period_us, K_ANY),
	F(struct drm_npu_perf_open, samples, K_COUNT, 64),
	F(struct drm_npu_perf_open, flags, K_ZERO),
	F(struct drm_npu_perf_open, fd, K_NEW, O_PERF))
	.fit = fit_perf END;

/* Of the DRM core, what works on the driver's objects. */
RECORD(drm_gem_close,
	F(struct drm_gem_close, handle, K_HANDLE, O_BO),
	F(struct drm_gem_close, pad, K_ZERO)) END;
RECORD_AS(drm_prime_export, drm_prime_handle,
	F(struct drm_prime_handle, handle, K_HANDLE, O_BO),
	F(struct drm_prime_handle, flags, K_FLAGS, 02000002),
	F(struct drm_prime_handle, fd, K_NEW, O_DMABUF)) END;
RECORD_AS(drm_prime_import, drm_prime_handle,
	F(struct drm_prime_handle, handle, K_NEW, O_BO),
	F(struct drm_prime_handle, flags, K_ZERO),
	F(struct drm_prime_handle, fd, K_FD, O_DMABUF)) END;
RECORD(drm_syncobj_create,
	F(struct drm_syncobj_create, handle, K_NEW, O_SYNCOBJ),
	F(struct drm_syncobj_create, flags, K_FLAGS, DRM_SYNCOBJ_CREATE_SIGNALED)) END;
RECORD(drm_syncobj_destroy,
	F(struct drm_syncobj_destroy, handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_syncobj_destroy, pad, K_ZERO)) END;
RECORD_AS(drm_syncobj_export, drm_syncobj_handle,
	F(struct drm_syncobj_handle, handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_syncobj_handle, flags, K_FLAGS, 1),
	F(struct drm_syncobj_handle, fd, K_NEW, O_SYNCFILE),
	F(struct drm_syncobj_handle, pad, K_ZERO)) END;
RECORD_AS(drm_syncobj_import, drm_syncobj_handle,
	F(struct drm_syncobj_handle, handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_syncobj_handle, flags, K_FLAGS, 1),
	F(struct drm_syncobj_handle, fd, K_FD, O_SYNCFILE),
	F(struct drm_syncobj_handle, pad, K_ZERO)) END;
RECORD(drm_syncobj_wait,
	F(struct drm_syncobj_wait, handles, K_HANDLES, O_SYNCOBJ),
	F(struct drm_syncobj_wait, timeout_nsec, K_NOW),
	F(struct drm_syncobj_wait, count_handles, K_FEW, 3),
	F(struct drm_syncobj_wait, flags, K_FLAGS, 3),
	F(struct drm_syncobj_wait, first_signaled, K_OUT),
	F(struct drm_syncobj_wait, pad, K_ZERO)) END;
RECORD(drm_syncobj_timeline_wait,
	F(struct drm_syncobj_timeline_wait, handles, K_HANDLES, O_SYNCOBJ),
	F(struct drm_syncobj_timeline_wait, points, K_POINTS),
	F(struct drm_syncobj_timeline_wait, timeout_nsec, K_NOW),
	F(struct drm_syncobj_timeline_wait, count_handles, K_FEW, 3),
	F(struct drm_syncobj_timeline_wait, flags, K_FLAGS, 7),
	F(struct drm_syncobj_timeline_wait, first_signaled, K_OUT),
	F(struct drm_syncobj_timeline_wait, pad, K_ZERO)) END;
RECORD(drm_syncobj_array,
	F(struct drm_syncobj_array, handles, K_HANDLES, O_SYNCOBJ),
	F(struct drm_syncobj_array, count_handles, K_FEW, 3),
	F(struct drm_syncobj_array, pad, K_ZERO)) END;
RECORD(drm_syncobj_timeline_array,
	F(struct drm_syncobj_timeline_array, handles, K_HANDLES, O_SYNCOBJ),
	F(struct drm_syncobj_timeline_array, points, K_POINTS),
	F(struct drm_syncobj_timeline_array, count_handles, K_FEW, 3),
	F(struct drm_syncobj_timeline_array, flags, K_FLAGS, 1)) END;
RECORD(drm_syncobj_transfer,
	F(struct drm_syncobj_transfer, src_handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_syncobj_transfer, dst_handle, K_HANDLE, O_SYNCOBJ),
	F(struct drm_syncobj_transfer, src_point, K_COUNT, 3),
	F(struct drm_syncobj_transfer, dst_point, K_COUNT, 3),
	F(struct drm_syncobj_transfer, flags, K_SURE, 2),
	F(struct drm_syncobj_transfer, pad, K_ZERO)) END;

#define IOCTL(w, req, rec, ...) { \
	.name = #req, .request = DRM_IOCTL_##req, .record = &rec##_record, .weight = w, \
	__VA_ARGS__ }
#define OTHER(w, what) { .name = #what, .run = call_##what, .weight = w }

const struct call calls[] = {
	IOCTL(6, NPU_DEV_QUERY, drm_npu_dev_query),
	IOCTL(4, NPU_VM_CREATE, drm_npu_vm_create),
	IOCTL(2, NPU_VM_DESTROY, drm_npu_vm_destroy, .destroys = O_VM),
	IOCTL(40, NPU_VM_BIND, drm_npu_vm_bind),
	IOCTL(4, NPU_VM_GET_STATE, drm_npu_vm_get_state),
	IOCTL(16, NPU_BO_CREATE, drm_npu_bo_create),
	IOCTL(8, NPU_BO_MADVISE, drm_npu_bo_madvise),
	IOCTL(4, NPU_BO_SET_LABEL, drm_npu_bo_set_label),
	IOCTL(4, NPU_BO_MMAP_OFFSET, drm_npu_bo_mmap_offset),
	IOCTL(5, NPU_QUEUE_CREATE, drm_npu_queue_create),
	IOCTL(2, NPU_QUEUE_DESTROY, drm_npu_queue_destroy, .destroys = O_QUEUE),
	IOCTL(6, NPU_QUEUE_GET_STATE, drm_npu_queue_get_state),
	IOCTL(60, NPU_SUBMIT, drm_npu_submit),
	IOCTL(2, NPU_PERF_OPEN, drm_npu_perf_open),
	IOCTL(8, GEM_CLOSE, drm_gem_close, .destroys = O_BO),
	IOCTL(5, PRIME_HANDLE_TO_FD, drm_prime_export),
	IOCTL(5, PRIME_FD_TO_HANDLE, drm_prime_import),
	IOCTL(8, SYNCOBJ_CREATE, drm_syncobj_create),
	IOCTL(3, SYNCOBJ_DESTROY, drm_syncobj_destroy, .destroys = O_SYNCOBJ),
	IOCTL(4, SYNCOBJ_HANDLE_TO_FD, drm_syncobj_export),
	IOCTL(4, SYNCOBJ_FD_TO_HANDLE, drm_syncobj_import),
	IOCTL(6, SYNCOBJ_WAIT, drm_syncobj_wait),
	IOCTL(6, SYNCOBJ_TIMELINE_WAIT, drm_syncobj_timeline_wait),
	IOCTL(3, SYNCOBJ_RESET, drm_syncobj_array),
	IOCTL(3, SYNCOBJ_SIGNAL, drm_syncobj_array),
	IOCTL(4, SYNCOBJ_QUERY, drm_syncobj_timeline_array),
	IOCTL(4, SYNCOBJ_TIMELINE_SIGNAL, drm_syncobj_timeline_array),
	IOCTL(4, SYNCOBJ_TRANSFER, drm_syncobj_transfer),
	OTHER(8, mmap),
	OTHER(6, munmap),
	OTHER(12, touch),
	OTHER(8, arena),
	OTHER(6, close),
	OTHER(1, reopen),
	OTHER(2, fdinfo),
	OTHER(3, read_perf),
	OTHER(5, dmabuf),
	OTHER(1, look),
	OTHER(1, fork),
};
const unsigned int num_calls = sizeof(calls) / sizeof(calls[0]);
