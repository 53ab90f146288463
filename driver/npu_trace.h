/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM npu

#if !defined(__NPU_TRACE_H__) || defined(TRACE_HEADER_MULTI_READ)
#define __NPU_TRACE_H__

#include <linux/tracepoint.h>

#include <npu/npu_fw.h>
#include <npu/npu_queue.h>

#include "npu_device.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_queue.h"
#include "npu_vm.h"

/*
 * A job is known by the context and sequence number of its fence, which the events of dma_fence
 * have too, and by the name of its ring, which is the timeline's and the scheduler's. Jobs that
 * pass the scheduler by have no finished fence: 0:0.
 */
DECLARE_EVENT_CLASS(npu_job,
		    TP_PROTO(const struct npu_job *job),
		    TP_ARGS(job),

		    TP_STRUCT__entry(__string(dev, dev_name(job->queue->npu->drm.dev))
				     __string(ring, job->queue->fences->name)
				     __field(u64, fence_context)
				     __field(u64, fence_seqno)
				     __field(u64, finished_context)
				     __field(u64, finished_seqno)
				     __field(u64, list)
				     __field(u32, count)),

		    TP_fast_assign(const struct dma_fence *finished = npu_job_finished(job);

				   __assign_str(dev);
				   __assign_str(ring);
				   __entry->fence_context = job->fence->base.context;
				   __entry->fence_seqno = job->fence->base.seqno;
				   __entry->finished_context = finished ? finished->context : 0;
				   __entry->finished_seqno = finished ? finished->seqno : 0;
				   __entry->list = job->entries[0].list;
				   __entry->count = job->count;),

		    TP_printk("dev=%s, fence=%llu:%llu, ring=%s, count=%u, list=0x%llx, finished=%llu:%llu",
			      __get_str(dev), __entry->fence_context, __entry->fence_seqno,
			      __get_str(ring), __entry->count, __entry->list,
			      __entry->finished_context, __entry->finished_seqno));

/* User space has submitted it; it gets its place in the order of its ring. */
DEFINE_EVENT(npu_job, npu_job_queue,
	     TP_PROTO(const struct npu_job *job),
	     TP_ARGS(job));

/* It goes to the hardware. */
DEFINE_EVENT(npu_job, npu_job_run,
	     TP_PROTO(const struct npu_job *job),
	     TP_ARGS(job));

/* It has ended, or will never run; right before the fence is signalled. */
TRACE_EVENT(npu_job_done,
	    TP_PROTO(const struct npu_fence *fence, int error),
	    TP_ARGS(fence, error),

	    TP_STRUCT__entry(__string(ring, fence->ctx->name)
			     __field(u64, fence_context)
			     __field(u64, fence_seqno)
			     __field(int, error)),

	    TP_fast_assign(__assign_str(ring);
			   __entry->fence_context = fence->base.context;
			   __entry->fence_seqno = fence->base.seqno;
			   __entry->error = error;),

	    TP_printk("fence=%llu:%llu, ring=%s, error=%d", __entry->fence_context,
		      __entry->fence_seqno, __get_str(ring), __entry->error));

/* A command of a job has failed, and its ring is stopped: docs/errors tells of the status. */
TRACE_EVENT(npu_job_fault,
	    TP_PROTO(const struct npu_queue *queue, const struct npu_fault *fault),
	    TP_ARGS(queue, fault),

	    TP_STRUCT__entry(__string(dev, dev_name(queue->npu->drm.dev))
			     __string(ring, queue->fences->name)
			     __field(u64, fence_context)
			     __field(u64, address)
			     __field(u64, pc)
			     __field(u64, tag)
			     __field(u32, status)
			     __field(u32, command)
			     __field(u32, block)
			     __field(u16, core)
			     __field(u8, unit)
			     __field(u8, access)),

	    TP_fast_assign(__assign_str(dev);
			   __assign_str(ring);
			   __entry->fence_context = queue->fences->context;
			   __entry->address = le64_to_cpu(fault->address);
			   __entry->pc = le64_to_cpu(fault->pc);
			   __entry->tag = le64_to_cpu(fault->tag);
			   __entry->status = le32_to_cpu(fault->status);
			   __entry->command = le32_to_cpu(fault->command);
			   __entry->block = le32_to_cpu(fault->block);
			   __entry->core = le16_to_cpu(fault->core);
			   __entry->unit = fault->unit;
			   __entry->access = fault->access;),

	    TP_printk("dev=%s, ring=%s, context=%llu, status=%u, address=0x%llx, command=%u, unit=%u, access=%u, core=%u, block=%u, pc=0x%llx, tag=0x%llx",
		      __get_str(dev), __get_str(ring), __entry->fence_context, __entry->status,
		      __entry->address, __entry->command, __entry->unit, __entry->access,
		      __entry->core, __entry->block, __entry->pc, __entry->tag));

/* The firmware has answered an admin command, or not: see npu_admin_exec(). */
TRACE_EVENT(npu_fw_command,
	    TP_PROTO(const struct npu_device *npu, const struct npu_admin_cmd *cmd, int ret),
	    TP_ARGS(npu, cmd, ret),

	    TP_STRUCT__entry(__string(dev, dev_name(npu->drm.dev))
			     __field(u32, id)
			     __field(u8, opcode)
			     __field(int, ret)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->id = le32_to_cpu(cmd->id);
			   __entry->opcode = cmd->opcode;
			   __entry->ret = ret;),

	    TP_printk("dev=%s, opcode=%u, id=%u, ret=%d", __get_str(dev), __entry->opcode,
		      __entry->id, __entry->ret));

/* The management interrupt: bits of NPU_REG_IRQ_CAUSE. */
TRACE_EVENT(npu_fw_irq,
	    TP_PROTO(const struct npu_device *npu, u32 cause),
	    TP_ARGS(npu, cause),

	    TP_STRUCT__entry(__string(dev, dev_name(npu->drm.dev))
			     __field(u32, cause)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->cause = cause;),

	    TP_printk("dev=%s, cause=0x%x", __get_str(dev), __entry->cause));

/* A step of recovery for a queue: enum drm_npu_recovery. */
TRACE_EVENT(npu_queue_recover,
	    TP_PROTO(const struct npu_queue *queue, u32 step),
	    TP_ARGS(queue, step),

	    TP_STRUCT__entry(__string(dev, dev_name(queue->npu->drm.dev))
			     __string(ring, queue->fences->name)
			     __field(u64, fence_context)
			     __field(u32, step)),

	    TP_fast_assign(__assign_str(dev);
			   __assign_str(ring);
			   __entry->fence_context = queue->fences->context;
			   __entry->step = step;),

	    TP_printk("dev=%s, ring=%s, context=%llu, step=%u", __get_str(dev), __get_str(ring),
		      __entry->fence_context, __entry->step));

/* Somebody has found a reason to reset the device. */
TRACE_EVENT(npu_reset_reason,
	    TP_PROTO(const struct npu_device *npu, const char *reason),
	    TP_ARGS(npu, reason),

	    TP_STRUCT__entry(__string(dev, dev_name(npu->drm.dev))
			     __string(reason, reason)),

	    TP_fast_assign(__assign_str(dev);
			   __assign_str(reason);),

	    TP_printk("dev=%s, reason=%s", __get_str(dev), __get_str(reason)));

/* The device is taken off line to be reset, is back, or is given up: enum npu_device_state. */
TRACE_EVENT(npu_device_state,
	    TP_PROTO(const struct npu_device *npu),
	    TP_ARGS(npu),

	    TP_STRUCT__entry(__string(dev, dev_name(npu->drm.dev))
			     __field(u32, state)
			     __field(u32, resets)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->state = npu->state;
			   __entry->resets = atomic_read(&npu->reset.count);),

	    TP_printk("dev=%s, state=%u, resets=%u", __get_str(dev), __entry->state,
		      __entry->resets));

/* A bind operation has been done, or has failed. */
TRACE_EVENT(npu_vm_bind,
	    TP_PROTO(const struct npu_vm *vm, const struct drm_npu_vm_bind_op *op, int ret),
	    TP_ARGS(vm, op, ret),

	    TP_STRUCT__entry(__string(dev, dev_name(vm->npu->drm.dev))
			     __field(u32, vm)
			     __field(u32, op)
			     __field(u32, flags)
			     __field(u32, handle)
			     __field(u64, va)
			     __field(u64, size)
			     __field(u64, offset)
			     __field(int, ret)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->vm = vm->context;
			   __entry->op = op->op;
			   __entry->flags = op->flags;
			   __entry->handle = op->bo_handle;
			   __entry->va = op->va;
			   __entry->size = op->size;
			   __entry->offset = op->bo_offset;
			   __entry->ret = ret;),

	    TP_printk("dev=%s, vm=%u, op=%u, flags=0x%x, va=0x%llx, size=0x%llx, bo=%u, offset=0x%llx, ret=%d",
		      __get_str(dev), __entry->vm, __entry->op, __entry->flags, __entry->va,
		      __entry->size, __entry->handle, __entry->offset, __entry->ret));

/* Contents of a buffer come to HBM, where new ones are cleared, or leave it. */
TRACE_EVENT(npu_buffer_move,
	    TP_PROTO(const struct npu_device *npu, u64 size, bool to_hbm, bool clear, int ret),
	    TP_ARGS(npu, size, to_hbm, clear, ret),

	    TP_STRUCT__entry(__string(dev, dev_name(npu->drm.dev))
			     __field(u64, size)
			     __field(bool, to_hbm)
			     __field(bool, clear)
			     __field(int, ret)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->size = size;
			   __entry->to_hbm = to_hbm;
			   __entry->clear = clear;
			   __entry->ret = ret;),

	    TP_printk("dev=%s, size=0x%llx, to=%s, clear=%d, ret=%d", __get_str(dev),
		      __entry->size, __entry->to_hbm ? "hbm" : "system", __entry->clear,
		      __entry->ret));

#endif /* __NPU_TRACE_H__ */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE npu_trace
#include <trace/define_trace.h>
