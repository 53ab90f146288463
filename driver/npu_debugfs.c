// SPDX-License-Identifier: GPL-2.0-only
#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "npu_activity.h"
#include "npu_buffers.h"
#include "npu_coredump.h"
#include "npu_cq.h"
#include "npu_debugfs.h"
#include "npu_device.h"
#include "npu_fault.h"
#include "npu_fw.h"
#include "npu_pm.h"
#include "npu_pt.h"
#include "npu_queue.h"
#include "npu_vm.h"

static struct npu_device *npu_debugfs_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_npu_device(entry->dev);
}

/**
 * npu_debugfs_enter() - begin to look at hardware
 * @npu: device
 * @idx: for npu_debugfs_exit()
 *
 * Return: 0 on success, a negative error code if the device is not to be talked to.
 */
static int npu_debugfs_enter(struct npu_device *npu, int *idx)
{
	int ret = npu_pm_enter(npu, idx);

	if (ret)
		return ret;

	ret = npu_online_enter(npu);
	if (ret)
		npu_pm_exit(npu, *idx);
	return ret;
}

static void npu_debugfs_exit(struct npu_device *npu, int idx)
{
	npu_online_exit(npu);
	npu_pm_exit(npu, idx);
}

static int npu_debugfs_fw_log(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	int ret, idx;

	ret = npu_debugfs_enter(npu, &idx);
	if (ret)
		return ret;
	ret = npu_fw_show_log(npu, m);
	npu_debugfs_exit(npu, idx);

	return ret;
}

static int npu_debugfs_registers(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	int ret, idx;

	ret = npu_debugfs_enter(npu, &idx);
	if (ret)
		return ret;
	npu_coredump_show_registers(npu, m);
	npu_debugfs_exit(npu, idx);

	return 0;
}

static const char *npu_debugfs_queue_status(enum drm_npu_queue_status status)
{
	switch (status) {
	case DRM_NPU_QUEUE_OK:
		return "ok";
	case DRM_NPU_QUEUE_FAULT:
		return "fault";
	case DRM_NPU_QUEUE_TIMEOUT:
		return "timeout";
	case DRM_NPU_QUEUE_LOST:
		return "lost";
	default:
		return "unknown";
	}
}

static int npu_debugfs_queues(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	struct drm_npu_queue_get_state state;
	struct npu_queue *queue;

	seq_puts(m, "id context cq engine priority entries head tail submitted completed status fault process\n");

	mutex_lock(&npu->hw_lock);
	list_for_each_entry(queue, &npu->queues, node) {
		npu_queue_get_state(queue, &state);
		seq_printf(m, "%u %u %u %u %u %u %u %u %llu %llu %s %s %s[%d]\n",
			   queue->hw_id, queue->vm->context, queue->cq->id, queue->params.engine,
			   queue->params.priority, queue->params.entries, READ_ONCE(queue->head),
			   READ_ONCE(queue->tail), state.jobs_submitted, state.jobs_completed,
			   npu_debugfs_queue_status(state.state),
			   npu_status_name(state.fault_status), queue->comm, queue->pid);
	}
	mutex_unlock(&npu->hw_lock);

	return 0;
}

static int npu_debugfs_activity(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	int ret, idx;

	/* A device that is off line has to be told of, too. */
	ret = npu_pm_enter(npu, &idx);
	if (ret)
		return ret;
	npu_activity_show(npu, m);
	npu_pm_exit(npu, idx);

	return 0;
}

static int npu_debugfs_vms(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	struct npu_vm *vm;

	seq_puts(m, "context root queues 4k 64k 2m 1g\n");

	mutex_lock(&npu->hw_lock);
	list_for_each_entry(vm, &npu->vms, node)
		seq_printf(m, "%u 0x%llx %d %llu %llu %llu %llu\n", vm->context, vm->root->addr,
			   atomic_read(&vm->num_queues), READ_ONCE(vm->leaves.level[0]),
			   READ_ONCE(vm->leaves.cont) / NPU_PTE_CONT_ENTRIES,
			   READ_ONCE(vm->leaves.level[1]), READ_ONCE(vm->leaves.level[2]));
	mutex_unlock(&npu->hw_lock);

	return 0;
}

static int npu_debugfs_hbm(struct seq_file *m, void *unused)
{
	struct npu_device *npu = npu_debugfs_device(m);
	struct drm_printer p = drm_seq_file_printer(m);

	ttm_resource_manager_debug(&npu->hbm.manager, &p);
	return 0;
}

static int npu_debugfs_buffers(struct seq_file *m, void *unused)
{
	npu_buffers_show(npu_debugfs_device(m), m);
	return 0;
}

static const struct drm_debugfs_info npu_debugfs_files[] = {
	{ "fw_log", npu_debugfs_fw_log },
	{ "registers", npu_debugfs_registers },
	{ "queues", npu_debugfs_queues },
	{ "activity", npu_debugfs_activity },
	{ "vms", npu_debugfs_vms },
	{ "hbm", npu_debugfs_hbm },
	{ "buffers", npu_debugfs_buffers },
};

/**
 * npu_debugfs_init() - add our files to the device's debugfs folder
 * @npu: device, not registered yet
 */
void npu_debugfs_init(struct npu_device *npu)
{
	drm_debugfs_add_files(&npu->drm, npu_debugfs_files, ARRAY_SIZE(npu_debugfs_files));
}
