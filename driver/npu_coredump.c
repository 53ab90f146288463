// SPDX-License-Identifier: GPL-2.0-only
#include <linux/devcoredump.h>
#include <linux/highmem.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_tt.h>

#include <npu/npu_mmu.h>
#include <npu/npu_regs.h>

#include "npu_compat.h"
#include "npu_coredump.h"
#include "npu_device.h"
#include "npu_dump.h"
#include "npu_extent.h"
#include "npu_fault.h"
#include "npu_gem.h"
#include "npu_mmio.h"
#include "npu_pm.h"
#include "npu_pt.h"
#include "npu_queue.h"
#include "npu_vm.h"
#include "npu_vma.h"

/**
 * DOC: Device core dumps
 *
 * A fault, a hang and a reset leave a dump with the devcoredump class: JSON, of which
 * tools/npu-coredump makes a report for people. "version" goes up when a member changes
 * its meaning or goes; new members may come at any time. Numbers that may need more than
 * 53 bits are strings.
 */

#define NPU_COREDUMP_VERSION 1

/* Commands before and behind the one that failed, and bytes of code around the pc. */
#define NPU_COREDUMP_CMDS 4
#define NPU_COREDUMP_CODE 128

/* Bytes of a piece of memory. */
#define NPU_COREDUMP_MEMORY 1024

/* Mappings that are listed, if there are more those near to something that matters. */
#define NPU_COREDUMP_MAPPINGS 128
#define NPU_COREDUMP_NEAR SZ_256M

/* All but the log and the queues fits easily. */
#define NPU_COREDUMP_SIZE SZ_256K
#define NPU_COREDUMP_QUEUE_SIZE 512

#define NPU_COREDUMP_REG(name) { #name, NPU_REG_##name }

static const struct {
	const char *name;
	u32 offset;
} npu_coredump_regs[] = {
	NPU_COREDUMP_REG(HW_VERSION),
	NPU_COREDUMP_REG(FEATURES),
	NPU_COREDUMP_REG(TIMESTAMP_LO),
	NPU_COREDUMP_REG(TIMESTAMP_HI),
	NPU_COREDUMP_REG(DEV_STATUS),
	NPU_COREDUMP_REG(RESET_COUNT),
	NPU_COREDUMP_REG(GUEST_ERRORS),
	NPU_COREDUMP_REG(BOOT_POST),
	NPU_COREDUMP_REG(FW_HEARTBEAT),
	NPU_COREDUMP_REG(FW_ABI),
	NPU_COREDUMP_REG(ADMIN_ENTRIES),
	NPU_COREDUMP_REG(ASQ_TAIL),
	NPU_COREDUMP_REG(ACQ_HEAD),
	NPU_COREDUMP_REG(INV_CONTEXT),
	NPU_COREDUMP_REG(INV_PAGES),
	NPU_COREDUMP_REG(INV_VA_LO),
	NPU_COREDUMP_REG(INV_VA_HI),
	NPU_COREDUMP_REG(INV_STATUS),
	NPU_COREDUMP_REG(IRQ_CAUSE),
	NPU_COREDUMP_REG(IRQ_ENABLE),
};

static_assert(ARRAY_SIZE(npu_coredump_regs) <= NPU_COREDUMP_REGS);

/**
 * npu_coredump_show_registers() - print what the registers of a dump are now
 * @npu: device that is there
 * @m: where to print it
 */
void npu_coredump_show_registers(struct npu_device *npu, struct seq_file *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(npu_coredump_regs); i++)
		seq_printf(m, "%s 0x%08x\n", npu_coredump_regs[i].name,
			   npu_read(npu, npu_coredump_regs[i].offset));
}

/**
 * npu_coredump_begin() - is there to be a dump?
 * @npu: device
 * @reason: why
 *
 * Return: where to put what is known; NULL if one is being made already, or nobody could read it.
 */
static struct npu_coredump *npu_coredump_begin(struct npu_device *npu, const char *reason)
{
	struct npu_coredump *core = &npu->coredump;

	if (!IS_ENABLED(CONFIG_DEV_COREDUMP) || atomic_cmpxchg(&core->busy, 0, 1))
		return NULL;

	core->reason = reason;
	core->time = ktime_get_real_fast_ns();
	core->queue = NULL;
	core->has_info = false;
	core->has_device = false;
	core->queues = NULL;
	core->num_queues = 0;
	return core;
}

/**
 * npu_coredump_take_queue() - note the queue that failed
 * @core: dump
 * @queue: queue
 * @index: entry of its ring
 */
static void npu_coredump_take_queue(struct npu_coredump *core, struct npu_queue *queue, u32 index)
{
	WRITE_ONCE(core->queue, npu_queue_get(queue));
	core->sqe = queue->sq[index & (queue->slots - 1)];
}

/**
 * npu_coredump_fault() - a job has failed
 * @queue: its queue, whose fault is known
 *
 * Called by the interrupt handler, before anybody else is told.
 */
void npu_coredump_fault(struct npu_queue *queue)
{
	struct npu_coredump *core = npu_coredump_begin(queue->npu, "fault");

	if (!core)
		return;

	npu_coredump_take_queue(core, queue, READ_ONCE(queue->head) - 1);
	queue_work(system_dfl_wq, &core->work);
}

/**
 * npu_coredump_hang() - a queue gets nowhere
 * @queue: queue
 * @info: what the firmware says of it
 */
void npu_coredump_hang(struct npu_queue *queue, const struct npu_admin_queue_info *info)
{
	struct npu_coredump *core = npu_coredump_begin(queue->npu, "hang");

	if (!core)
		return;

	npu_coredump_take_queue(core, queue, READ_ONCE(queue->head));
	core->info = *info;
	core->has_info = true;
	queue_work(system_dfl_wq, &core->work);
}

/**
 * npu_coredump_take_queues() - note the state of all queues
 * @npu: device
 */
static void npu_coredump_take_queues(struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;
	struct npu_queue *queue;
	u32 count = 0;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node)
		count++;
	core->queues = kcalloc(count, sizeof(*core->queues), GFP_NOWAIT | __GFP_NOWARN);
	if (!core->queues)
		return;

	list_for_each_entry(queue, &npu->queues, node) {
		struct npu_coredump_queue *copy = &core->queues[core->num_queues++];

		*copy = (struct npu_coredump_queue) {
			.hw_id = queue->hw_id,
			.context = queue->vm->context,
			.pid = queue->pid,
			.priority = queue->params.priority,
			.engine = queue->params.engine,
			.status = READ_ONCE(queue->status),
			.recovery = READ_ONCE(queue->recovery),
			.guilty = READ_ONCE(queue->guilty),
			.head = READ_ONCE(queue->head),
			.tail = READ_ONCE(queue->tail),
			.submitted = atomic64_read(&queue->submitted),
			.completed = atomic64_read(&queue->completed),
		};
		memcpy(copy->comm, queue->comm, sizeof(copy->comm));
	}
}

/**
 * npu_coredump_take_device() - note what a reset would change
 * @npu: device
 */
static void npu_coredump_take_device(struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(npu_coredump_regs); i++)
		core->regs[i] = npu_read(npu, npu_coredump_regs[i].offset);
	memcpy_fromio(core->console, npu->hbm.cpu + npu->fw.region + NPU_FW_REGION_CONSOLE,
		      sizeof(*core->console));
	npu_coredump_take_queues(npu);
	core->has_device = true;
}

/**
 * npu_coredump_reset() - the device is about to be reset
 * @npu: device
 * @reason: why
 *
 * The queue that is to blame, if one is, has been stopped and still has something in its ring.
 */
void npu_coredump_reset(struct npu_device *npu, const char *reason)
{
	struct npu_coredump *core = npu_coredump_begin(npu, reason);
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	if (!core)
		return;

	list_for_each_entry(queue, &npu->queues, node) {
		if (queue->attached && queue->stopped && queue->head != queue->tail) {
			npu_coredump_take_queue(core, queue, queue->head);
			break;
		}
	}
	npu_coredump_take_device(npu);
	queue_work(system_dfl_wq, &core->work);
}

/**
 * npu_coredump_wait() - a queue is about to go, and its VM may be
 * @queue: queue
 */
void npu_coredump_wait(struct npu_queue *queue)
{
	struct npu_coredump *core = &queue->npu->coredump;

	if (READ_ONCE(core->queue) == queue && !queue->params.internal)
		flush_work(&core->work);
}

/**
 * npu_coredump_read_page() - read what a VM maps, within a page
 * @vma: mapping
 * @va: address
 * @data: copy
 * @len: bytes
 *
 * Return: false if the memory is not there now, or of another device.
 */
static bool npu_coredump_read_page(struct npu_vma *vma, u64 va, void *data, size_t len)
{
	u64 offset = va - vma->base.va.addr + vma->base.gem.offset;
	struct npu_bo *bo = to_npu_bo(vma->base.gem.obj);
	struct ttm_tt *tt = bo->ttm.ttm;
	struct npu_extent extent;

	if (!npu_gem_in_place(bo))
		return false;

	/* One that belongs in HBM may be elsewhere, for another device. */
	if (bo->ttm.resource && bo->ttm.resource->mem_type == NPU_PL_HBM) {
		npu_gem_extents(bo, offset & PAGE_MASK, PAGE_SIZE, &extent);
		memcpy_fromio(data, extent.npu->hbm.cpu + extent.addr + offset_in_page(offset),
			      len);
		return true;
	}

	if (!tt || !tt->pages || !ttm_tt_is_populated(tt))
		return false;

	memcpy_from_page(data, tt->pages[offset >> PAGE_SHIFT], offset_in_page(offset), len);
	return true;
}

/**
 * npu_coredump_read() - read the memory of a VM
 * @vm: address space, locked
 * @va: address
 * @data: copy
 * @len: bytes
 *
 * Return: bytes that could be read.
 */
static size_t npu_coredump_read(struct npu_vm *vm, u64 va, u8 *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = min(len - done, PAGE_SIZE - offset_in_page(va + done));
		struct drm_gpuva *gpuva;
		bool ok;

		gpuva = drm_gpuva_find_first(&vm->base, va + done, 1);
		if (!gpuva || !gpuva->gem.obj || !dma_resv_trylock(gpuva->gem.obj->resv))
			break;
		ok = npu_coredump_read_page(to_npu_vma(gpuva), va + done, data + done, part);
		dma_resv_unlock(gpuva->gem.obj->resv);
		if (!ok)
			break;
		done += part;
	}

	return done;
}

/**
 * npu_coredump_memory() - write a piece of a VM's memory
 * @dump: dump
 * @name: what it is
 * @vm: address space, locked
 * @va: address
 * @len: bytes, of which NPU_COREDUMP_MEMORY are written at most
 */
static void npu_coredump_memory(struct npu_dump *dump, const char *name, struct npu_vm *vm, u64 va,
				size_t len)
{
	u8 *data;

	len = min(len, NPU_COREDUMP_MEMORY);
	data = kmalloc(len, GFP_KERNEL);
	if (!data)
		return;

	len = npu_coredump_read(vm, va, data, len);
	npu_dump_open(dump, name, '{');
	npu_dump_hex(dump, "va", va);
	npu_dump_bytes(dump, "bytes", data, len);
	npu_dump_close(dump, '}');
	kfree(data);
}

/**
 * npu_coredump_walk() - write how an address is translated
 * @dump: dump
 * @what: what the address is
 * @vm: address space, locked
 * @va: address
 */
static void npu_coredump_walk(struct npu_dump *dump, const char *what, struct npu_vm *vm, u64 va)
{
	struct npu_pt *pt = vm->root;

	npu_dump_open(dump, NULL, '{');
	npu_dump_string(dump, "what", what);
	npu_dump_hex(dump, "va", va);
	npu_dump_open(dump, "steps", '[');
	mutex_lock(&vm->pt_lock);
	while (pt && va >= NPU_VA_START && va < NPU_VA_END) {
		u32 index = NPU_PT_INDEX(va, pt->level);
		u64 pte = pt->ptes[index];

		npu_dump_open(dump, NULL, '{');
		npu_dump_u64(dump, "level", pt->level);
		npu_dump_hex(dump, "table", pt->addr);
		npu_dump_u64(dump, "index", index);
		npu_dump_hex(dump, "entry", pte);
		npu_dump_close(dump, '}');
		if (!(pte & NPU_PTE_VALID) || (pte & NPU_PTE_LEAF) || !pt->level)
			break;
		pt = pt->children[index];
	}
	mutex_unlock(&vm->pt_lock);
	npu_dump_close(dump, ']');
	npu_dump_close(dump, '}');
}

/**
 * npu_coredump_mapping() - write a mapping
 * @dump: dump
 * @npu: device
 * @vma: mapping
 */
static void npu_coredump_mapping(struct npu_dump *dump, struct npu_device *npu,
				 struct npu_vma *vma)
{
	struct drm_gem_object *obj = vma->base.gem.obj;

	npu_dump_open(dump, NULL, '{');
	npu_dump_hex(dump, "va", vma->base.va.addr);
	npu_dump_hex(dump, "size", vma->base.va.range);
	npu_dump_u64(dump, "flags", vma->flags);
	if (obj) {
		struct npu_bo *bo = to_npu_bo(obj);

		npu_dump_hex(dump, "offset", vma->base.gem.offset);
		npu_dump_u64(dump, "buffer", bo->id);
		npu_dump_string(dump, "placement",
				bo->placement == NPU_PL_HBM ? "hbm" : "system");
		mutex_lock(&npu->buffers.lock);
		if (bo->label)
			npu_dump_string(dump, "label", bo->label);
		mutex_unlock(&npu->buffers.lock);
	}
	npu_dump_close(dump, '}');
}

static bool npu_coredump_is_near(const struct drm_gpuva *va, u64 addr)
{
	return va->va.addr < addr + NPU_COREDUMP_NEAR &&
	       addr < va->va.addr + va->va.range + NPU_COREDUMP_NEAR;
}

/**
 * npu_coredump_mappings() - write what is mapped
 * @dump: dump
 * @npu: device
 * @vm: address space, locked
 * @places: addresses that matter
 * @num_places: number of them
 */
static void npu_coredump_mappings(struct npu_dump *dump, struct npu_device *npu,
				  struct npu_vm *vm, const u64 *places, u32 num_places)
{
	struct drm_gpuva *va;
	u32 total = 0, listed = 0;

	drm_gpuvm_for_each_va(va, &vm->base)
		total++;

	npu_dump_u64(dump, "mappings_total", total);
	npu_dump_open(dump, "mappings", '[');
	drm_gpuvm_for_each_va(va, &vm->base) {
		bool wanted = total <= NPU_COREDUMP_MAPPINGS;
		u32 i;

		for (i = 0; i < num_places && !wanted; i++)
			wanted = npu_coredump_is_near(va, places[i]);
		if (wanted && listed++ < NPU_COREDUMP_MAPPINGS)
			npu_coredump_mapping(dump, npu, to_npu_vma(va));
	}
	npu_dump_close(dump, ']');
}

/**
 * npu_coredump_vm() - write what is known of the address space of the failed queue
 * @dump: dump
 * @core: what was noted
 * @fault: fault record; all zero if there is none
 */
static void npu_coredump_vm(struct npu_dump *dump, struct npu_coredump *core,
			    const struct npu_fault *fault)
{
	u32 command = le32_to_cpu(core->has_info ? core->info.command : fault->command);
	u64 pc = core->has_info ? le64_to_cpu(core->info.pc) : le64_to_cpu(fault->pc);
	u32 first = command - min(command, NPU_COREDUMP_CMDS);
	u32 last = min_t(u64, (u64)command + NPU_COREDUMP_CMDS, le32_to_cpu(core->sqe.count));
	u64 list = le64_to_cpu(core->sqe.list);
	const u64 places[] = { le64_to_cpu(fault->address), pc, list };
	struct npu_vm *vm = core->queue->vm;

	mutex_lock(&vm->lock);
	if (!vm->destroyed) {
		npu_dump_open(dump, "walks", '[');
		if (fault->status)
			npu_coredump_walk(dump, "address", vm, places[0]);
		if (pc)
			npu_coredump_walk(dump, "pc", vm, pc);
		npu_coredump_walk(dump, "list", vm, list);
		npu_dump_close(dump, ']');

		npu_dump_u64(dump, "commands_first", first);
		npu_coredump_memory(dump, "commands", vm,
				    list + (u64)first * sizeof(struct npu_cmd),
				    (last - min(first, last)) * sizeof(struct npu_cmd));
		if (pc)
			npu_coredump_memory(dump, "code", vm, pc - NPU_COREDUMP_CODE / 2,
					    NPU_COREDUMP_CODE);
		npu_coredump_mappings(dump, vm->npu, vm, places, ARRAY_SIZE(places));
	}
	mutex_unlock(&vm->lock);
}

static void npu_coredump_fault_record(struct npu_dump *dump, const struct npu_fault *fault)
{
	npu_dump_open(dump, "fault", '{');
	npu_dump_string(dump, "status", npu_status_name(le32_to_cpu(fault->status)));
	npu_dump_u64(dump, "command", le32_to_cpu(fault->command));
	npu_dump_u64(dump, "access", fault->access);
	npu_dump_u64(dump, "unit", fault->unit);
	npu_dump_u64(dump, "core", le16_to_cpu(fault->core));
	npu_dump_u64(dump, "block", le32_to_cpu(fault->block));
	npu_dump_hex(dump, "pc", le64_to_cpu(fault->pc));
	npu_dump_hex(dump, "address", le64_to_cpu(fault->address));
	npu_dump_hex(dump, "tag", le64_to_cpu(fault->tag));
	npu_dump_u64(dump, "cookie", le64_to_cpu(fault->cookie));
	npu_dump_u64(dump, "timestamp", le64_to_cpu(fault->timestamp));
	npu_dump_close(dump, '}');
}

/**
 * npu_coredump_failed() - write what is known of the failed queue
 * @dump: dump
 * @core: what was noted
 */
static void npu_coredump_failed(struct npu_dump *dump, struct npu_coredump *core)
{
	struct npu_queue *queue = core->queue;
	struct npu_fault fault;

	spin_lock_irq(&queue->lock);
	fault = queue->fault;
	spin_unlock_irq(&queue->lock);

	npu_dump_open(dump, "failed", '{');
	npu_dump_u64(dump, "queue", queue->hw_id);
	npu_dump_u64(dump, "context", queue->vm->context);
	npu_dump_string(dump, "process", queue->comm);
	npu_dump_u64(dump, "pid", queue->pid);

	npu_dump_open(dump, "entry", '{');
	npu_dump_u64(dump, "opcode", core->sqe.opcode);
	npu_dump_hex(dump, "list", le64_to_cpu(core->sqe.list));
	npu_dump_u64(dump, "count", le32_to_cpu(core->sqe.count));
	npu_dump_u64(dump, "timeout_us", le32_to_cpu(core->sqe.timeout_us));
	npu_dump_u64(dump, "cookie", le64_to_cpu(core->sqe.cookie));
	npu_dump_close(dump, '}');

	if (fault.status)
		npu_coredump_fault_record(dump, &fault);
	if (core->has_info) {
		npu_dump_open(dump, "running", '{');
		npu_dump_u64(dump, "state", le32_to_cpu(core->info.state));
		npu_dump_u64(dump, "command", le32_to_cpu(core->info.command));
		npu_dump_hex(dump, "cores", le64_to_cpu(core->info.cores));
		npu_dump_hex(dump, "pc", le64_to_cpu(core->info.pc));
		npu_dump_u64(dump, "tasks", le64_to_cpu(core->info.tasks));
		npu_dump_close(dump, '}');
	}
	npu_coredump_vm(dump, core, &fault);
	npu_dump_close(dump, '}');
}

static void npu_coredump_queues(struct npu_dump *dump, struct npu_coredump *core)
{
	u32 i;

	npu_dump_open(dump, "queues", '[');
	for (i = 0; i < core->num_queues; i++) {
		const struct npu_coredump_queue *queue = &core->queues[i];

		npu_dump_open(dump, NULL, '{');
		npu_dump_u64(dump, "queue", queue->hw_id);
		npu_dump_u64(dump, "context", queue->context);
		npu_dump_string(dump, "process", queue->comm);
		npu_dump_u64(dump, "pid", queue->pid);
		npu_dump_u64(dump, "priority", queue->priority);
		npu_dump_u64(dump, "engine", queue->engine);
		npu_dump_u64(dump, "status", queue->status);
		npu_dump_u64(dump, "recovery", queue->recovery);
		npu_dump_u64(dump, "guilty", queue->guilty);
		npu_dump_u64(dump, "head", queue->head);
		npu_dump_u64(dump, "tail", queue->tail);
		npu_dump_u64(dump, "submitted", queue->submitted);
		npu_dump_u64(dump, "completed", queue->completed);
		npu_dump_close(dump, '}');
	}
	npu_dump_close(dump, ']');
}

static void npu_coredump_telemetry(struct npu_dump *dump, struct npu_device *npu)
{
	struct npu_fw_telemetry telemetry;
	struct npu_fw_ras ras;

	if (npu_fw_read_telemetry(npu, &telemetry) || npu_fw_read_ras(npu, &ras))
		return;

	npu_dump_open(dump, "telemetry", '{');
	npu_dump_u64(dump, "timestamp", le64_to_cpu(telemetry.timestamp));
	npu_dump_u64(dump, "temperature_mc", le32_to_cpu(telemetry.temperature_mc));
	npu_dump_u64(dump, "power_mw", le32_to_cpu(telemetry.power_mw));
	npu_dump_u64(dump, "aicore_permille", le16_to_cpu(telemetry.aicore_permille));
	npu_dump_u64(dump, "tasks_done", le64_to_cpu(telemetry.tasks_done));
	npu_dump_u64(dump, "tasks_failed", le64_to_cpu(telemetry.tasks_failed));
	npu_dump_u64(dump, "health", le32_to_cpu(ras.health));
	npu_dump_u64(dump, "hbm_ce", le64_to_cpu(ras.hbm_ce));
	npu_dump_u64(dump, "hbm_ue", le64_to_cpu(ras.hbm_ue));
	npu_dump_u64(dump, "core_lost", le64_to_cpu(ras.core_lost));
	npu_dump_close(dump, '}');
}

/**
 * npu_coredump_log() - write the firmware's log
 * @dump: dump
 * @console: copy of its ring
 */
static void npu_coredump_log(struct npu_dump *dump, struct npu_fw_console *console)
{
	u64 written = le64_to_cpu(console->written);
	u32 start = written & (NPU_FW_CONSOLE_BYTES - 1);

	if (le32_to_cpu(console->magic) != NPU_FW_CONSOLE_MAGIC)
		return;

	if (written > NPU_FW_CONSOLE_BYTES)
		npu_dump_text(dump, "log_old", console->data + start,
			      NPU_FW_CONSOLE_BYTES - start);
	npu_dump_text(dump, "log", console->data,
		      written < NPU_FW_CONSOLE_BYTES ? written : start);
}

static void npu_coredump_device(struct npu_dump *dump, struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;
	char abi[16];
	u32 i;

	npu_dump_open(dump, "device", '{');
	npu_dump_string(dump, "pci", pci_name(npu->pdev));
	npu_dump_hex(dump, "serial", npu->info.serial);
	npu_dump_u64(dump, "cores", npu->info.num_cores);
	npu_dump_u64(dump, "resets", atomic_read(&npu->reset.count));
	npu_dump_open(dump, "registers", '{');
	for (i = 0; i < ARRAY_SIZE(npu_coredump_regs); i++)
		npu_dump_hex(dump, npu_coredump_regs[i].name, core->regs[i]);
	npu_dump_close(dump, '}');
	npu_dump_close(dump, '}');

	npu_dump_open(dump, "firmware", '{');
	npu_dump_string(dump, "version", npu->fw.version);
	snprintf(abi, sizeof(abi), "%u.%u", npu->fw.abi_major, npu->fw.abi_minor);
	npu_dump_string(dump, "abi", abi);
	npu_coredump_telemetry(dump, npu);
	npu_coredump_log(dump, core->console);
	npu_dump_close(dump, '}');
}

static void npu_coredump_write(struct npu_dump *dump, struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;
	char version[16];

	npu_dump_open(dump, NULL, '{');
	npu_dump_string(dump, "format", "npu-coredump");
	npu_dump_u64(dump, "version", NPU_COREDUMP_VERSION);
	npu_dump_string(dump, "reason", core->reason);
	npu_dump_u64(dump, "time_ns", core->time);
	npu_dump_string(dump, "kernel", init_utsname()->release);
	snprintf(version, sizeof(version), "%u.%u", DRIVER_MAJOR, DRIVER_MINOR);
	npu_dump_string(dump, "driver", version);
	if (core->queue)
		npu_coredump_failed(dump, core);
	npu_coredump_queues(dump, core);
	npu_coredump_device(dump, npu);
	npu_dump_close(dump, '}');
}

/**
 * npu_coredump_make() - make the dump
 * @npu: device, not unplugged
 */
static void npu_coredump_make(struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;
	struct npu_dump dump = {};

	if (!core->has_device) {
		mutex_lock(&npu->hw_lock);
		npu_coredump_take_device(npu);
		mutex_unlock(&npu->hw_lock);
	}

	dump.size = NPU_COREDUMP_SIZE + 2 * NPU_FW_CONSOLE_BYTES +
		    core->num_queues * NPU_COREDUMP_QUEUE_SIZE;
	dump.data = vmalloc(dump.size);
	if (!dump.data)
		return;

	npu_coredump_write(&dump, npu);
	/* Takes the memory, and drops it if there is a dump that nobody has read. */
	dev_coredumpv(npu->drm.dev, dump.data, dump.used, GFP_KERNEL);
}

static void npu_coredump_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, coredump.work);
	struct npu_coredump *core = &npu->coredump;
	struct npu_queue *queue = core->queue;
	int idx;

	if (!npu_pm_enter(npu, &idx)) {
		npu_coredump_make(npu);
		npu_pm_exit(npu, idx);
	}

	kfree(core->queues);
	WRITE_ONCE(core->queue, NULL);
	atomic_set_release(&core->busy, 0);
	if (queue)
		npu_queue_put(queue);
}

static void npu_coredump_fini(void *arg)
{
	struct npu_device *npu = arg;

	flush_work(&npu->coredump.work);
}

/**
 * npu_coredump_init() - be ready for failures
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_coredump_init(struct npu_device *npu)
{
	struct npu_coredump *core = &npu->coredump;

	INIT_WORK(&core->work, npu_coredump_work);
	core->console = drmm_kmalloc(&npu->drm, sizeof(*core->console), GFP_KERNEL);
	if (!core->console)
		return -ENOMEM;

	return devm_add_action(npu->drm.dev, npu_coredump_fini, npu);
}
