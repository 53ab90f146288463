/* SPDX-License-Identifier: MIT */
/*
 * User-space interface of the npu DRM accel driver.
 */
#ifndef _UAPI_NPU_ACCEL_H_
#define _UAPI_NPU_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: Introduction
 *
 * The driver hands out device memory (buffer objects), address spaces (VMs) and
 * queues, and puts jobs on queues. A job is a list of commands that user space
 * wrote into its own memory (struct npu_cmd, docs/hardware.md); the kernel does
 * not look into it. A list can only touch the address space of its queue.
 *
 * Rules of this interface:
 *
 * - Structures are extended at the end only. A shorter one from an older user
 *   is zero-extended; a longer one is taken if its unknown tail is zero,
 *   and is E2BIG otherwise.
 * - Padding and unknown flags must be zero, else the call fails with EINVAL.
 * - Arrays are struct drm_npu_array with a stride, and grow by the same rule.
 * - Synchronisation is explicit: DRM syncobjs, binary and timeline. Waiting is
 *   DRM_IOCTL_SYNCOBJ_WAIT, _TIMELINE_WAIT or _EVENTFD of the DRM core.
 * - A handle or id that is not there gives ENOENT. EINTR and EAGAIN are restarted
 *   by libdrm's drmIoctl(). ENODEV: the device is gone. EIO: it is wedged, and
 *   neither makes a queue or VM nor takes jobs or binds any more. ECANCELED: the
 *   queue was stopped, by a fault or with the device, see DRM_NPU_QUEUE_GET_STATE.
 * - A failed call changes nothing, unless its description says otherwise.
 *
 * Changes of the interface raise the driver's minor version:
 *
 * - 1.0: initial interface
 * - 1.1: HBM can be oversubscribed; buffers of one VM (&drm_npu_bo_create.vm_id);
 *   VM_BIND: asynchronous, syncs, user memory, sparse ranges, prefetch; VM_GET_STATE,
 *   BO_MADVISE, BO_SET_LABEL, PERF_OPEN; queries LIMITS, RESETS and PERF;
 *   QUEUE_GET_STATE tells the step of recovery, and what the queue is at
 */

/**
 * enum drm_npu_ioctl_id - numbers of the ioctls, from DRM_COMMAND_BASE
 */
enum drm_npu_ioctl_id {
	/** @DRM_NPU_DEV_QUERY: properties, versions, sensors */
	DRM_NPU_DEV_QUERY = 0,
	/** @DRM_NPU_VM_CREATE: create an address space */
	DRM_NPU_VM_CREATE,
	/** @DRM_NPU_VM_DESTROY: destroy it */
	DRM_NPU_VM_DESTROY,
	/** @DRM_NPU_VM_BIND: map and unmap memory in it */
	DRM_NPU_VM_BIND,
	/** @DRM_NPU_BO_CREATE: create a buffer */
	DRM_NPU_BO_CREATE,
	/** @DRM_NPU_BO_MMAP_OFFSET: where the CPU can map it */
	DRM_NPU_BO_MMAP_OFFSET,
	/** @DRM_NPU_QUEUE_CREATE: create a queue */
	DRM_NPU_QUEUE_CREATE,
	/** @DRM_NPU_QUEUE_DESTROY: destroy it */
	DRM_NPU_QUEUE_DESTROY,
	/** @DRM_NPU_QUEUE_GET_STATE: whether it runs, and why not */
	DRM_NPU_QUEUE_GET_STATE,
	/** @DRM_NPU_SUBMIT: put jobs on it */
	DRM_NPU_SUBMIT,
	/** @DRM_NPU_VM_GET_STATE: what an address space holds */
	DRM_NPU_VM_GET_STATE,
	/** @DRM_NPU_BO_MADVISE: how a buffer is used */
	DRM_NPU_BO_MADVISE,
	/** @DRM_NPU_BO_SET_LABEL: give it a name */
	DRM_NPU_BO_SET_LABEL,
	/** @DRM_NPU_PERF_OPEN: open a stream of counters */
	DRM_NPU_PERF_OPEN,
};

/**
 * struct drm_npu_array - array of extensible structures
 * @stride: size of one element as the caller knows it
 * @count: number of elements
 * @array: user pointer to the first
 */
struct drm_npu_array {
	__u32 stride;
	__u32 count;
	__u64 array;
};

/**
 * enum drm_npu_dev_query_type - what DRM_NPU_DEV_QUERY can tell
 */
enum drm_npu_dev_query_type {
	/** @DRM_NPU_DEV_QUERY_INFO: struct drm_npu_dev_info */
	DRM_NPU_DEV_QUERY_INFO = 0,
	/** @DRM_NPU_DEV_QUERY_MEMORY: struct drm_npu_dev_memory */
	DRM_NPU_DEV_QUERY_MEMORY,
	/** @DRM_NPU_DEV_QUERY_FIRMWARE: struct drm_npu_dev_firmware */
	DRM_NPU_DEV_QUERY_FIRMWARE,
	/** @DRM_NPU_DEV_QUERY_TIMESTAMP: struct drm_npu_dev_timestamp */
	DRM_NPU_DEV_QUERY_TIMESTAMP,
	/** @DRM_NPU_DEV_QUERY_TELEMETRY: struct drm_npu_dev_telemetry; EIO if there is no sample */
	DRM_NPU_DEV_QUERY_TELEMETRY,
	/** @DRM_NPU_DEV_QUERY_LIMITS: struct drm_npu_dev_limits */
	DRM_NPU_DEV_QUERY_LIMITS,
	/** @DRM_NPU_DEV_QUERY_RESETS: struct drm_npu_dev_resets */
	DRM_NPU_DEV_QUERY_RESETS,
	/** @DRM_NPU_DEV_QUERY_PERF: struct drm_npu_dev_perf */
	DRM_NPU_DEV_QUERY_PERF,
};

/**
 * struct drm_npu_dev_query - argument of DRM_IOCTL_NPU_DEV_QUERY
 *
 * With @pointer zero the call only writes @size. Otherwise the structure is
 * copied, cut to the caller's @size, and @size becomes what was copied.
 */
struct drm_npu_dev_query {
	/** @type: enum drm_npu_dev_query_type */
	__u32 type;
	/** @size: in: size of the caller's structure; out: see above */
	__u32 size;
	/** @pointer: user pointer to the structure */
	__u64 pointer;
};

/**
 * struct drm_npu_dev_info - fixed properties of the device
 */
struct drm_npu_dev_info {
	/** @name: product name, NUL-terminated */
	char name[32];
	/** @serial: serial number */
	__u64 serial;
	/** @hw_version: NPU_REG_HW_VERSION: major in the upper, minor in the lower half */
	__u32 hw_version;
	/** @num_cores: AI cores */
	__u32 num_cores;
	/** @va_start: first address that can be bound */
	__u64 va_start;
	/** @va_end: first address that cannot be bound any more */
	__u64 va_end;
	/** @timestamp_frequency: device timestamp ticks per second */
	__u64 timestamp_frequency;
	/** @page_sizes: page sizes, a bit mask of powers of two */
	__u64 page_sizes;
	/** @core_mask: AI cores that a queue may ask for */
	__u64 core_mask;
	/** @core_clock_mhz: nominal AI core clock */
	__u32 core_clock_mhz;
	/** @ub_size: bytes of unified buffer of a core */
	__u32 ub_size;
	/** @l1_size: bytes of L1 buffer of a core */
	__u32 l1_size;
	/** @l0a_size: bytes of L0A buffer of a core */
	__u32 l0a_size;
	/** @l0b_size: bytes of L0B buffer of a core */
	__u32 l0b_size;
	/** @l0c_size: bytes of L0C buffer of a core */
	__u32 l0c_size;
	/** @max_queues: queues of the device */
	__u32 max_queues;
	/** @max_ring_entries: most jobs that can be in a queue's ring */
	__u32 max_ring_entries;
	/** @max_priority: highest queue priority that this caller may ask for */
	__u32 max_priority;
	/** @pci_domain: PCI domain */
	__u32 pci_domain;
	/** @pci_bus: PCI bus */
	__u8 pci_bus;
	/** @pci_device: PCI device */
	__u8 pci_device;
	/** @pci_function: PCI function */
	__u8 pci_function;
	/** @timing: 1 if queues' timestamps are modelled, after the product that @name says */
	__u8 timing;
	/** @pad: zero */
	__u8 pad[4];
};

/**
 * struct drm_npu_dev_memory - state of device memory
 */
struct drm_npu_dev_memory {
	/** @hbm_size: bytes of HBM that buffers can have */
	__u64 hbm_size;
	/** @hbm_used: bytes of it in use, by anyone, page tables included */
	__u64 hbm_used;
	/** @hbm_physical: bytes of HBM on the device */
	__u64 hbm_physical;
	/** @system_used: bytes of system memory in buffers of this device */
	__u64 system_used;
};

/**
 * struct drm_npu_dev_firmware - firmware of the management core
 */
struct drm_npu_dev_firmware {
	/** @version: printable, NUL-terminated */
	char version[48];
	/** @abi_major: admin ABI in force */
	__u16 abi_major;
	/** @abi_minor: admin ABI in force */
	__u16 abi_minor;
	/** @boot_post: POST code of the last boot */
	__u32 boot_post;
	/** @heartbeat: counter that the firmware advances */
	__u32 heartbeat;
	/** @reset_count: resets of the device since the driver was bound */
	__u32 reset_count;
};

/**
 * struct drm_npu_dev_timestamp - device and CPU time read together
 */
struct drm_npu_dev_timestamp {
	/** @device: device timestamp, ticks */
	__u64 device;
	/** @cpu_before: CLOCK_MONOTONIC ns right before the device was read */
	__u64 cpu_before;
	/** @cpu_after: CLOCK_MONOTONIC ns right after */
	__u64 cpu_after;
};

/**
 * struct drm_npu_dev_telemetry - last sample of sensors and counters
 */
struct drm_npu_dev_telemetry {
	/** @timestamp: device time of the sample */
	__u64 timestamp;
	/** @samples: samples since the firmware booted */
	__u64 samples;
	/** @aicore_busy_ns: busy time since boot, summed over AI cores */
	__u64 aicore_busy_ns;
	/** @sdma_busy_ns: busy time of SDMA since boot */
	__u64 sdma_busy_ns;
	/** @hbm_read_bytes: bytes read from HBM by engines since boot */
	__u64 hbm_read_bytes;
	/** @hbm_write_bytes: bytes written to HBM by engines since boot */
	__u64 hbm_write_bytes;
	/** @tasks_done: commands that ended well since boot */
	__u64 tasks_done;
	/** @tasks_failed: commands that ended with an error since boot */
	__u64 tasks_failed;
	/** @hbm_ce: corrected HBM errors */
	__u64 hbm_ce;
	/** @hbm_ue: uncorrected HBM errors */
	__u64 hbm_ue;
	/** @temperature_mc: millidegrees Celsius */
	__u32 temperature_mc;
	/** @power_mw: milliwatts */
	__u32 power_mw;
	/** @voltage_mv: millivolts of the core rail */
	__u32 voltage_mv;
	/** @aicore_mhz: AI core clock now */
	__u32 aicore_mhz;
	/** @hbm_mhz: HBM clock now */
	__u32 hbm_mhz;
	/** @health: 0 OK, 1 warning, 2 alarm, 3 critical */
	__u32 health;
	/** @period_ms: time between samples */
	__u32 period_ms;
	/** @aicore_permille: share of AI core time busy in the last period */
	__u16 aicore_permille;
	/** @cube_permille: likewise of the cube engines */
	__u16 cube_permille;
	/** @vector_permille: likewise of the vector engines */
	__u16 vector_permille;
	/** @sdma_permille: likewise of SDMA */
	__u16 sdma_permille;
	/** @mcu_permille: likewise of the management core */
	__u16 mcu_permille;
	/** @hbm_permille: HBM bandwidth used in the last period */
	__u16 hbm_permille;
};

/**
 * struct drm_npu_dev_limits - what one process may have, and has
 *
 * All files that a process has opened count together, wherever it passes them, and memory
 * counts for the process that created it. What would exceed a limit fails with ENOSPC.
 */
struct drm_npu_dev_limits {
	/** @max_vms: address spaces */
	__u32 max_vms;
	/** @num_vms: of them in use */
	__u32 num_vms;
	/** @max_queues: queues */
	__u32 max_queues;
	/** @num_queues: of them in use */
	__u32 num_queues;
	/** @max_pinned: bytes of memory that the driver must not move or swap */
	__u64 max_pinned;
	/** @num_pinned: of them in use */
	__u64 num_pinned;
	/** @max_tables: page tables, of 4 KiB of HBM each */
	__u64 max_tables;
	/** @num_tables: of them in use */
	__u64 num_tables;
};

/**
 * struct drm_npu_dev_resets - what recovery has done since the driver was bound
 */
struct drm_npu_dev_resets {
	/** @tasks: tasks stopped, of which the queue went on or was told why it did not */
	__u64 tasks;
	/** @queues: queues reset */
	__u64 queues;
	/** @cores: AI cores reset */
	__u64 cores;
	/** @devices: resets of the whole device */
	__u64 devices;
	/** @lost_interrupts: completions found without an interrupt */
	__u64 lost_interrupts;
	/** @bad_completions: entries written by the device that made no sense */
	__u64 bad_completions;
	/** @firmware_crashes: of the management firmware */
	__u64 firmware_crashes;
	/** @wedged: 1 when the driver has given the device up */
	__u32 wedged;
	/** @pad: zero */
	__u32 pad;
};

/**
 * struct drm_npu_vm_create - argument of DRM_IOCTL_NPU_VM_CREATE
 *
 * ENOSPC: the process, or the device, has no more of them (DRM_NPU_DEV_QUERY_LIMITS).
 */
struct drm_npu_vm_create {
	/** @flags: none defined, zero */
	__u32 flags;
	/** @id: out: id of the address space in this file */
	__u32 id;
};

/**
 * struct drm_npu_vm_destroy - argument of DRM_IOCTL_NPU_VM_DESTROY
 *
 * EBUSY while a queue uses it.
 */
struct drm_npu_vm_destroy {
	/** @id: id of the address space */
	__u32 id;
	/** @pad: zero */
	__u32 pad;
};

/**
 * enum drm_npu_vm_bind_op_type - operation of one struct drm_npu_vm_bind_op
 */
enum drm_npu_vm_bind_op_type {
	/** @DRM_NPU_VM_BIND_OP_MAP: map a part of a buffer; replaces what was there */
	DRM_NPU_VM_BIND_OP_MAP = 0,
	/** @DRM_NPU_VM_BIND_OP_UNMAP: remove all mappings of a range; none is no error */
	DRM_NPU_VM_BIND_OP_UNMAP,
	/**
	 * @DRM_NPU_VM_BIND_OP_MAP_USERPTR: map memory of the calling process, which stays
	 * free to unmap or move it; the device follows. EFAULT: no such memory. When that
	 * process ends, or executes another program, all queues that it made are stopped
	 */
	DRM_NPU_VM_BIND_OP_MAP_USERPTR,
	/** @DRM_NPU_VM_BIND_OP_MAP_SPARSE: reads give zero, writes go nowhere */
	DRM_NPU_VM_BIND_OP_MAP_SPARSE,
	/**
	 * @DRM_NPU_VM_BIND_OP_PREFETCH: bring what is mapped in a range to where it belongs;
	 * a hint, which fails only if memory runs out
	 */
	DRM_NPU_VM_BIND_OP_PREFETCH,
};

/**
 * DRM_NPU_VM_BIND_OP_READONLY - the device may not write
 */
#define DRM_NPU_VM_BIND_OP_READONLY (1 << 0)
/**
 * DRM_NPU_VM_BIND_OP_NOEXEC - kernels cannot be run from it
 */
#define DRM_NPU_VM_BIND_OP_NOEXEC (1 << 1)

/**
 * struct drm_npu_vm_bind_op - one mapping operation
 */
struct drm_npu_vm_bind_op {
	/** @op: enum drm_npu_vm_bind_op_type */
	__u32 op;
	/** @flags: DRM_NPU_VM_BIND_OP_*, zero for unmap, sparse and prefetch */
	__u32 flags;
	/** @bo_handle: buffer of a map operation, zero for the others */
	__u32 bo_handle;
	/** @pad: zero */
	__u32 pad;
	/**
	 * @bo_offset: map: offset in the buffer; user memory: its address; both multiples
	 * of 4096; zero for the others
	 */
	__u64 bo_offset;
	/** @va: device address, a multiple of 4096 */
	__u64 va;
	/** @size: bytes, a multiple of 4096, not zero */
	__u64 size;
};

/**
 * DRM_NPU_SYNC_WAIT - wait for the syncobj before the work
 */
#define DRM_NPU_SYNC_WAIT (1 << 0)
/**
 * DRM_NPU_SYNC_SIGNAL - signal the syncobj after the work
 */
#define DRM_NPU_SYNC_SIGNAL (1 << 1)

/**
 * struct drm_npu_sync - a wait for, or a signal of, a DRM syncobj
 */
struct drm_npu_sync {
	/** @flags: one of DRM_NPU_SYNC_WAIT and DRM_NPU_SYNC_SIGNAL */
	__u32 flags;
	/** @handle: syncobj handle */
	__u32 handle;
	/** @point: timeline point; zero: the syncobj is used as a binary one */
	__u64 point;
};

/**
 * DRM_NPU_VM_BIND_ASYNC - do not wait for the operations
 */
#define DRM_NPU_VM_BIND_ASYNC (1 << 0)

/**
 * struct drm_npu_vm_bind - argument of DRM_IOCTL_NPU_VM_BIND
 *
 * Without DRM_NPU_VM_BIND_ASYNC, operations are done in order and before the call
 * returns, and the device uses the new translations from then on. If one fails, those
 * before it stay and @ops.count is set to the number that were done. A call that a signal
 * interrupts leaves @ops.count as it was, and can be made again: what was done of it already
 * is done once more, to the same end. @syncs must be empty.
 *
 * With it, the call returns once all operations are checked and can no longer fail. They are
 * done in the order of calls, after all waits, and all signals happen after them; waiting
 * for a timeline point is as in struct drm_npu_submit. Without operations it is a barrier
 * on the VM's binds. A failed call has changed nothing.
 */
struct drm_npu_vm_bind {
	/** @vm_id: address space */
	__u32 vm_id;
	/** @flags: DRM_NPU_VM_BIND_* */
	__u32 flags;
	/** @ops: array of struct drm_npu_vm_bind_op, at most 1024 */
	struct drm_npu_array ops;
	/** @syncs: array of struct drm_npu_sync, at most 256 */
	struct drm_npu_array syncs;
};

/**
 * struct drm_npu_vm_get_state - argument of DRM_IOCTL_NPU_VM_GET_STATE
 */
struct drm_npu_vm_get_state {
	/** @id: id of the address space */
	__u32 id;
	/** @pad: zero */
	__u32 pad;
	/** @mapped: out: bytes that are mapped, sparse ranges not counted */
	__u64 mapped;
	/** @resident: out: bytes of them that the device could reach now */
	__u64 resident;
	/** @sparse: out: bytes of sparse ranges */
	__u64 sparse;
	/** @evictions: out: times that a buffer was taken away to make room */
	__u64 evictions;
	/** @invalidations: out: times that user memory moved under a mapping */
	__u64 invalidations;
	/** @binds_pending: out: asynchronous operations not done yet */
	__u64 binds_pending;
	/** @faults: out: jobs that ended because of an address */
	__u64 faults;
	/** @fault_address: out: the last such address, zero if none */
	__u64 fault_address;
	/** @fault_access: out: enum npu_access of it */
	__u32 fault_access;
	/** @fault_status: out: enum npu_status of it */
	__u32 fault_status;
};

/**
 * enum drm_npu_bo_placement - where a buffer lies
 */
enum drm_npu_bo_placement {
	/** @DRM_NPU_BO_HBM: in device memory */
	DRM_NPU_BO_HBM = 0,
	/** @DRM_NPU_BO_SYSTEM: in system memory, cached and coherent */
	DRM_NPU_BO_SYSTEM,
};

/**
 * DRM_NPU_BO_NO_MMAP - the CPU will not map it; DRM_NPU_BO_MMAP_OFFSET is refused
 */
#define DRM_NPU_BO_NO_MMAP (1 << 0)

/**
 * struct drm_npu_bo_create - argument of DRM_IOCTL_NPU_BO_CREATE
 *
 * The buffer reads as zero. ENOSPC: it is larger than device memory, or what is there is
 * pinned; ENOMEM: no system memory left.
 *
 * Buffers in HBM are moved to system memory when others need the room, and back before a
 * job runs in a VM that maps them: the buffers of one VM must fit into HBM together, or
 * DRM_NPU_SUBMIT fails with ENOSPC. Moving keeps contents, addresses and CPU mappings.
 */
struct drm_npu_bo_create {
	/** @size: in: bytes, not zero; out: rounded up to what was allocated */
	__u64 size;
	/** @placement: enum drm_npu_bo_placement */
	__u32 placement;
	/** @flags: DRM_NPU_BO_* */
	__u32 flags;
	/** @handle: out: GEM handle */
	__u32 handle;
	/**
	 * @vm_id: the only VM that it will be mapped in, which makes submission cheaper;
	 * it cannot be exported. Zero: any
	 */
	__u32 vm_id;
};

/**
 * enum drm_npu_bo_advice - what the owner knows of a buffer's use
 */
enum drm_npu_bo_advice {
	/** @DRM_NPU_BO_WILLNEED: contents are wanted (the initial state) */
	DRM_NPU_BO_WILLNEED = 0,
	/** @DRM_NPU_BO_DONTNEED: contents may be dropped instead of being moved */
	DRM_NPU_BO_DONTNEED,
	/** @DRM_NPU_BO_EVICT_FIRST: to be moved before others */
	DRM_NPU_BO_EVICT_FIRST,
	/** @DRM_NPU_BO_EVICT_NORMAL: to be moved in order of use (the initial state) */
	DRM_NPU_BO_EVICT_NORMAL,
	/** @DRM_NPU_BO_EVICT_LAST: to be moved after others */
	DRM_NPU_BO_EVICT_LAST,
};

/**
 * struct drm_npu_bo_madvise - argument of DRM_IOCTL_NPU_BO_MADVISE
 *
 * A buffer whose contents were dropped reads as zero after DRM_NPU_BO_WILLNEED. A job must
 * not use one that is not needed, and it cannot be exported. EBUSY: it is shared with another
 * process or device.
 */
struct drm_npu_bo_madvise {
	/** @handle: GEM handle */
	__u32 handle;
	/** @advice: enum drm_npu_bo_advice */
	__u32 advice;
	/** @retained: out: 1 if the contents are still there, 0 if they were dropped */
	__u32 retained;
	/** @pad: zero */
	__u32 pad;
};

/**
 * struct drm_npu_bo_set_label - argument of DRM_IOCTL_NPU_BO_SET_LABEL
 *
 * Labels are for people: debugfs shows them. EINVAL: too long; EFAULT: not there.
 */
struct drm_npu_bo_set_label {
	/** @handle: GEM handle */
	__u32 handle;
	/** @pad: zero */
	__u32 pad;
	/**
	 * @label: user pointer to a NUL-terminated string of at most 63 bytes; zero, or an empty
	 * one, removes it
	 */
	__u64 label;
};

/**
 * struct drm_npu_bo_mmap_offset - argument of DRM_IOCTL_NPU_BO_MMAP_OFFSET
 */
struct drm_npu_bo_mmap_offset {
	/** @handle: GEM handle */
	__u32 handle;
	/** @pad: zero */
	__u32 pad;
	/** @offset: out: to give to mmap() of the device file */
	__u64 offset;
};

/**
 * enum drm_npu_queue_priority - order between queues of the device
 */
enum drm_npu_queue_priority {
	/** @DRM_NPU_QUEUE_PRIORITY_LOW: runs when nothing else wants to */
	DRM_NPU_QUEUE_PRIORITY_LOW = 0,
	/** @DRM_NPU_QUEUE_PRIORITY_NORMAL: the usual one */
	DRM_NPU_QUEUE_PRIORITY_NORMAL,
	/** @DRM_NPU_QUEUE_PRIORITY_HIGH: needs CAP_SYS_NICE */
	DRM_NPU_QUEUE_PRIORITY_HIGH,
	/** @DRM_NPU_QUEUE_PRIORITY_REALTIME: likewise */
	DRM_NPU_QUEUE_PRIORITY_REALTIME,
};

/**
 * enum drm_npu_engine_class - what the commands of a queue may use
 */
enum drm_npu_engine_class {
	/** @DRM_NPU_ENGINE_COMPUTE: all commands */
	DRM_NPU_ENGINE_COMPUTE = 0,
	/** @DRM_NPU_ENGINE_COPY: all but kernels */
	DRM_NPU_ENGINE_COPY,
};

/**
 * struct drm_npu_queue_create - argument of DRM_IOCTL_NPU_QUEUE_CREATE
 *
 * ENOSPC: the process, or the device, has no more of them (DRM_NPU_DEV_QUERY_LIMITS).
 */
struct drm_npu_queue_create {
	/** @vm_id: address space of its commands */
	__u32 vm_id;
	/** @flags: none defined, zero */
	__u32 flags;
	/** @engine_class: enum drm_npu_engine_class */
	__u32 engine_class;
	/** @priority: enum drm_npu_queue_priority; EACCES without the right to it */
	__u32 priority;
	/** @core_mask: AI cores that it may use, zero for all */
	__u64 core_mask;
	/** @ring_entries: jobs in flight, a power of two; zero: the driver chooses */
	__u32 ring_entries;
	/** @timeout_ms: time-out of a command without one of its own; zero: the driver's */
	__u32 timeout_ms;
	/** @id: out: id of the queue in this file */
	__u32 id;
	/** @pad: zero */
	__u32 pad;
};

/**
 * struct drm_npu_queue_destroy - argument of DRM_IOCTL_NPU_QUEUE_DESTROY
 *
 * Jobs that have not ended are stopped; their fences carry ECANCELED.
 */
struct drm_npu_queue_destroy {
	/** @id: id of the queue */
	__u32 id;
	/** @pad: zero */
	__u32 pad;
};

/**
 * enum drm_npu_queue_status - state of a queue
 */
enum drm_npu_queue_status {
	/** @DRM_NPU_QUEUE_OK: takes jobs */
	DRM_NPU_QUEUE_OK = 0,
	/** @DRM_NPU_QUEUE_FAULT: stopped, a command of its own failed */
	DRM_NPU_QUEUE_FAULT,
	/** @DRM_NPU_QUEUE_TIMEOUT: stopped, a command took too long */
	DRM_NPU_QUEUE_TIMEOUT,
	/**
	 * @DRM_NPU_QUEUE_LOST: stopped by recovery, not through its own fault; or with the
	 * memory of the process that made it, see %DRM_NPU_VM_BIND_OP_MAP_USERPTR
	 */
	DRM_NPU_QUEUE_LOST,
};

/**
 * enum drm_npu_recovery - how far recovery had to go to stop a queue
 */
enum drm_npu_recovery {
	/** @DRM_NPU_RECOVERY_NONE: the queue runs */
	DRM_NPU_RECOVERY_NONE = 0,
	/** @DRM_NPU_RECOVERY_TASK: its task was stopped */
	DRM_NPU_RECOVERY_TASK,
	/** @DRM_NPU_RECOVERY_QUEUE: the queue was reset */
	DRM_NPU_RECOVERY_QUEUE,
	/** @DRM_NPU_RECOVERY_CORE: an AI core was reset */
	DRM_NPU_RECOVERY_CORE,
	/** @DRM_NPU_RECOVERY_DEVICE: the device was reset */
	DRM_NPU_RECOVERY_DEVICE,
	/** @DRM_NPU_RECOVERY_WEDGED: nothing helped */
	DRM_NPU_RECOVERY_WEDGED,
};

/**
 * enum drm_npu_queue_activity - what a queue is at
 */
enum drm_npu_queue_activity {
	/** @DRM_NPU_QUEUE_IDLE: all its jobs have ended */
	DRM_NPU_QUEUE_IDLE = 0,
	/** @DRM_NPU_QUEUE_READY: waits for its turn on the device */
	DRM_NPU_QUEUE_READY,
	/** @DRM_NPU_QUEUE_RUNNING: a command runs */
	DRM_NPU_QUEUE_RUNNING,
	/** @DRM_NPU_QUEUE_WAITING: a command waits for a semaphore in memory */
	DRM_NPU_QUEUE_WAITING,
	/** @DRM_NPU_QUEUE_BLOCKED: its first job waits for a fence, the device has none of it */
	DRM_NPU_QUEUE_BLOCKED,
	/** @DRM_NPU_QUEUE_SUSPENDED: the driver has suspended it */
	DRM_NPU_QUEUE_SUSPENDED,
	/** @DRM_NPU_QUEUE_STOPPED: takes no jobs any more, see &drm_npu_queue_get_state.state */
	DRM_NPU_QUEUE_STOPPED,
	/** @DRM_NPU_QUEUE_UNKNOWN: it has jobs, and the device cannot be asked */
	DRM_NPU_QUEUE_UNKNOWN,
};

/**
 * DRM_NPU_QUEUE_STATE_ACTIVITY - tell what the queue is at, too; the device is asked for it
 */
#define DRM_NPU_QUEUE_STATE_ACTIVITY (1 << 0)

/**
 * DRM_NPU_QUEUE_NONE - no number of a queue
 */
#define DRM_NPU_QUEUE_NONE (~0U)

/**
 * struct drm_npu_queue_get_state - argument of DRM_IOCTL_NPU_QUEUE_GET_STATE
 *
 * What follows @guilty is zero without DRM_NPU_QUEUE_STATE_ACTIVITY.
 */
struct drm_npu_queue_get_state {
	/** @id: id of the queue */
	__u32 id;
	/** @flags: DRM_NPU_QUEUE_STATE_* */
	__u32 flags;
	/** @state: out: enum drm_npu_queue_status */
	__u32 state;
	/** @reset_count: out: device resets since the queue was created */
	__u32 reset_count;
	/** @jobs_submitted: out: jobs that were accepted */
	__u64 jobs_submitted;
	/** @jobs_completed: out: jobs that have ended, well or not */
	__u64 jobs_completed;
	/** @fault_status: out: status code of the failed command (enum npu_status) */
	__u32 fault_status;
	/** @fault_command: out: its index in its list */
	__u32 fault_command;
	/** @fault_access: out: enum npu_access */
	__u32 fault_access;
	/** @fault_unit: out: enum npu_unit */
	__u32 fault_unit;
	/** @fault_core: out: AI core */
	__u32 fault_core;
	/** @fault_block: out: block index of the kernel */
	__u32 fault_block;
	/** @fault_pc: out: address of the kernel's instruction */
	__u64 fault_pc;
	/** @fault_address: out: address that was accessed */
	__u64 fault_address;
	/** @fault_tag: out: tag of the command */
	__u64 fault_tag;
	/** @fault_timestamp: out: device time */
	__u64 fault_timestamp;
	/** @recovery: out: enum drm_npu_recovery */
	__u32 recovery;
	/** @guilty: out: 1 if the queue was stopped for what it did itself */
	__u32 guilty;
	/** @activity: out: enum drm_npu_queue_activity */
	__u32 activity;
	/** @number: out: the device's number of the queue, as debugfs shows it */
	__u32 number;
	/**
	 * @waits_for: out: BLOCKED: number of the queue whose fence it is; DRM_NPU_QUEUE_NONE:
	 * the fence is not of a queue of this device
	 */
	__u32 waits_for;
	/** @pad: out: zero */
	__u32 pad;
	/**
	 * @commands_done: out: commands that have ended, which tells progress; it starts anew
	 * when the device has been reset
	 */
	__u64 commands_done;
	/** @still_ns: out: time since it was last seen to get on, or was given work when idle */
	__u64 still_ns;
	/** @command: out: device address of the command that it is at, zero if none */
	__u64 command;
	/** @cores: out: AI cores that run blocks of it */
	__u64 cores;
	/** @pc: out: where in the kernel the lowest of them is */
	__u64 pc;
};

/**
 * struct drm_npu_job - a command list to run
 */
struct drm_npu_job {
	/** @list: device address of the commands, a multiple of 64 */
	__u64 list;
	/** @count: number of commands of 64 bytes, not zero */
	__u32 count;
	/** @flags: none defined, zero */
	__u32 flags;
	/** @timeout_ms: time-out of a command without one of its own; zero: the queue's */
	__u32 timeout_ms;
	/** @pad: zero */
	__u32 pad;
};

/**
 * struct drm_npu_submit - argument of DRM_IOCTL_NPU_SUBMIT
 *
 * The jobs are run in order after all waits, and all signals happen after the
 * last job; with no jobs it is a barrier on the queue. A timeline point to wait
 * for must have a fence already (EINVAL otherwise), as DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT
 * with WAIT_AVAILABLE ensures. A signalled fence carries an error if a job failed.
 * ECANCELED: the queue has been stopped.
 */
struct drm_npu_submit {
	/** @queue_id: queue */
	__u32 queue_id;
	/** @flags: none defined, zero */
	__u32 flags;
	/** @jobs: array of struct drm_npu_job, at most 256 */
	struct drm_npu_array jobs;
	/** @syncs: array of struct drm_npu_sync, at most 256 */
	struct drm_npu_array syncs;
};

/**
 * enum drm_npu_perf_counter - counters of a performance stream
 *
 * All but the gauges count up from when the firmware booted.
 */
enum drm_npu_perf_counter {
	/** @DRM_NPU_PERF_AICORE_BUSY_NS: busy time summed over AI cores */
	DRM_NPU_PERF_AICORE_BUSY_NS = 0,
	/** @DRM_NPU_PERF_SDMA_BUSY_NS: busy time of SDMA */
	DRM_NPU_PERF_SDMA_BUSY_NS,
	/** @DRM_NPU_PERF_HBM_READ_BYTES: bytes read from HBM by engines */
	DRM_NPU_PERF_HBM_READ_BYTES,
	/** @DRM_NPU_PERF_HBM_WRITE_BYTES: bytes written to HBM by engines */
	DRM_NPU_PERF_HBM_WRITE_BYTES,
	/** @DRM_NPU_PERF_TASKS_DONE: commands that ended well */
	DRM_NPU_PERF_TASKS_DONE,
	/** @DRM_NPU_PERF_TASKS_FAILED: commands that ended with an error */
	DRM_NPU_PERF_TASKS_FAILED,
	/** @DRM_NPU_PERF_POWER_MW: gauge: power, milliwatts */
	DRM_NPU_PERF_POWER_MW,
	/** @DRM_NPU_PERF_TEMPERATURE_MC: gauge: temperature, millidegrees Celsius */
	DRM_NPU_PERF_TEMPERATURE_MC,
	/** @DRM_NPU_PERF_AICORE_MHZ: gauge: AI core clock */
	DRM_NPU_PERF_AICORE_MHZ,
	/** @DRM_NPU_PERF_HBM_USED: gauge: bytes of HBM in use */
	DRM_NPU_PERF_HBM_USED,
};

/**
 * struct drm_npu_dev_perf - what performance streams can do
 */
struct drm_npu_dev_perf {
	/** @counters: bit mask of enum drm_npu_perf_counter that are there */
	__u64 counters;
	/** @min_period_us: shortest time between samples */
	__u32 min_period_us;
	/** @max_period_us: longest */
	__u32 max_period_us;
	/** @max_samples: most samples that a stream can hold */
	__u32 max_samples;
	/** @pad: zero */
	__u32 pad;
};

/**
 * struct drm_npu_perf_open - argument of DRM_IOCTL_NPU_PERF_OPEN
 *
 * The counters are the whole device's: EACCES without CAP_PERFMON. The file is read in
 * whole records, each a struct drm_npu_perf_sample and a __u64 for each bit of @counters,
 * lowest first; it can be polled. When nobody reads, the oldest samples are dropped.
 */
struct drm_npu_perf_open {
	/** @counters: bit mask of enum drm_npu_perf_counter, not zero */
	__u64 counters;
	/** @period_us: time between samples, microseconds */
	__u32 period_us;
	/** @samples: samples that are kept; zero: the driver chooses */
	__u32 samples;
	/** @flags: none defined, zero */
	__u32 flags;
	/** @fd: out: file descriptor, close-on-exec */
	__s32 fd;
};

/**
 * struct drm_npu_perf_sample - head of a record of a performance stream
 */
struct drm_npu_perf_sample {
	/** @cpu_time: CLOCK_MONOTONIC, nanoseconds */
	__u64 cpu_time;
	/** @device_time: device timestamp, ticks */
	__u64 device_time;
	/** @dropped: samples dropped since the stream was opened */
	__u64 dropped;
};

#define DRM_IOCTL_NPU_DEV_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_DEV_QUERY, struct drm_npu_dev_query)
#define DRM_IOCTL_NPU_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_VM_CREATE, struct drm_npu_vm_create)
#define DRM_IOCTL_NPU_VM_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_VM_DESTROY, struct drm_npu_vm_destroy)
#define DRM_IOCTL_NPU_VM_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_VM_BIND, struct drm_npu_vm_bind)
#define DRM_IOCTL_NPU_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_BO_CREATE, struct drm_npu_bo_create)
#define DRM_IOCTL_NPU_BO_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_BO_MMAP_OFFSET, struct drm_npu_bo_mmap_offset)
#define DRM_IOCTL_NPU_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_QUEUE_CREATE, struct drm_npu_queue_create)
#define DRM_IOCTL_NPU_QUEUE_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_QUEUE_DESTROY, struct drm_npu_queue_destroy)
#define DRM_IOCTL_NPU_QUEUE_GET_STATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_QUEUE_GET_STATE, struct drm_npu_queue_get_state)
#define DRM_IOCTL_NPU_SUBMIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_SUBMIT, struct drm_npu_submit)
#define DRM_IOCTL_NPU_VM_GET_STATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_VM_GET_STATE, struct drm_npu_vm_get_state)
#define DRM_IOCTL_NPU_BO_MADVISE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_BO_MADVISE, struct drm_npu_bo_madvise)
#define DRM_IOCTL_NPU_BO_SET_LABEL \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_BO_SET_LABEL, struct drm_npu_bo_set_label)
#define DRM_IOCTL_NPU_PERF_OPEN \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NPU_PERF_OPEN, struct drm_npu_perf_open)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_NPU_ACCEL_H_ */
