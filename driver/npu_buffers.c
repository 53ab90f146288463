// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>

#include "npu_buffers.h"
#include "npu_device.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_uapi.h"

/* Longest label, with the NUL at its end. */
#define NPU_LABEL_SIZE 64

/**
 * npu_buffers_init() - set up the list of buffers
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_buffers_init(struct npu_device *npu)
{
	INIT_LIST_HEAD(&npu->buffers.list);
	init_waitqueue_head(&npu->buffers.removal);
	return drmm_mutex_init(&npu->drm, &npu->buffers.lock);
}

/**
 * npu_buffers_add() - list a buffer
 * @bo: buffer that nobody else knows yet
 */
void npu_buffers_add(struct npu_bo *bo)
{
	struct npu_buffers *buffers = &to_npu_device(bo->ttm.base.dev)->buffers;

	mutex_lock(&buffers->lock);
	bo->id = buffers->next_id++;
	list_add_tail(&bo->node, &buffers->list);
	mutex_unlock(&buffers->lock);
}

/**
 * npu_buffers_remove() - undo npu_buffers_add(), and free the label
 * @bo: buffer that is about to be freed
 */
void npu_buffers_remove(struct npu_bo *bo)
{
	struct npu_buffers *buffers = &to_npu_device(bo->ttm.base.dev)->buffers;

	mutex_lock(&buffers->lock);
	list_del(&bo->node);
	WRITE_ONCE(buffers->removed, buffers->removed + 1);
	wake_up_all(&buffers->removal);
	mutex_unlock(&buffers->lock);

	kfree(bo->label);
}

/**
 * npu_buffers_next() - go from one buffer to the next
 * @npu: device
 * @prev: buffer, of which the caller's reference is dropped, or NULL for the first one
 *
 * Return: a reference to the buffer, or NULL after the last one.
 */
struct npu_bo *npu_buffers_next(struct npu_device *npu, struct npu_bo *prev)
{
	struct npu_buffers *buffers = &npu->buffers;
	struct npu_bo *bo, *found = NULL;

	mutex_lock(&buffers->lock);
	bo = list_prepare_entry(prev, &buffers->list, node);
	list_for_each_entry_continue(bo, &buffers->list, node) {
		if (kref_get_unless_zero(&bo->ttm.base.refcount)) {
			found = bo;
			break;
		}
	}
	mutex_unlock(&buffers->lock);

	if (prev)
		drm_gem_object_put(&prev->ttm.base);
	return found;
}

/**
 * npu_buffers_freeing() - are there buffers that nobody refers to, but that still have pages?
 * @npu: device
 *
 * Return: true if so.
 */
static bool npu_buffers_freeing(struct npu_device *npu)
{
	struct npu_buffers *buffers = &npu->buffers;
	bool freeing = false;
	struct npu_bo *bo;

	mutex_lock(&buffers->lock);
	list_for_each_entry(bo, &buffers->list, node) {
		/* Pages of others' buffers are not ours, and their fences not in our hands. */
		freeing = !kref_read(&bo->ttm.base.refcount) && !bo->imported;
		if (freeing)
			break;
	}
	mutex_unlock(&buffers->lock);

	return freeing;
}

/**
 * npu_buffers_settle() - wait for buffers that are being freed
 * @npu: device, quiet
 */
void npu_buffers_settle(struct npu_device *npu)
{
	struct npu_buffers *buffers = &npu->buffers;
	u64 removed;

	for (;;) {
		removed = READ_ONCE(buffers->removed);
		if (!npu_buffers_freeing(npu))
			return;

		wait_event(buffers->removal, READ_ONCE(buffers->removed) != removed);
	}
}

static const char *npu_buffers_place(u32 mem_type)
{
	switch (mem_type) {
	case NPU_PL_HBM:
		return "hbm";
	case NPU_PL_SYSTEM:
		return "memory";
	default:
		return "none";
	}
}

static void npu_buffers_show_one(struct npu_bo *bo, struct seq_file *m)
{
	const struct drm_gem_object *obj = &bo->ttm.base;

	seq_printf(m, "%llu %s[%d] %zu %s %s %u %u %s%s%s%s ", bo->id, bo->process->comm,
		   pid_nr(bo->process->tgid), obj->size, npu_buffers_place(bo->placement),
		   npu_buffers_place(READ_ONCE(bo->mem_type)), READ_ONCE(bo->ttm.pin_count),
		   READ_ONCE(obj->handle_count), npu_gem_is_private(bo) ? "p" : "-",
		   READ_ONCE(bo->dmabuf) ? "x" : "-", bo->imported ? "i" : "-",
		   bo->flags & DRM_NPU_BO_NO_MMAP ? "n" : "-");
	if (bo->label)
		seq_escape_str(m, bo->label, ESCAPE_ANY_NP, NULL);
	else
		seq_putc(m, '-');
	seq_putc(m, '\n');
}

/**
 * npu_buffers_show() - print all buffers of a device
 * @npu: device
 * @m: where to
 *
 * State: p private to a VM, x exported as a dma-buf, i imported, n not for the CPU.
 * Nothing of a buffer is locked: this is how they were at about that time.
 */
void npu_buffers_show(struct npu_device *npu, struct seq_file *m)
{
	struct npu_buffers *buffers = &npu->buffers;
	struct npu_bo *bo;

	seq_puts(m, "id process size placement place pins handles state label\n");

	mutex_lock(&buffers->lock);
	list_for_each_entry(bo, &buffers->list, node)
		npu_buffers_show_one(bo, m);
	mutex_unlock(&buffers->lock);
}

/**
 * npu_buffers_get_label() - copy a label from user space
 * @pointer: where it is; 0 for none
 *
 * Return: the label; NULL if there is none or it is empty; an error pointer otherwise.
 */
static char *npu_buffers_get_label(u64 pointer)
{
	char *label;

	if (!pointer)
		return NULL;

	label = strndup_user(u64_to_user_ptr(pointer), NPU_LABEL_SIZE);
	if (!IS_ERR(label) && !*label) {
		kfree(label);
		label = NULL;
	}
	return label;
}

/**
 * npu_buffers_set_label() - DRM_IOCTL_NPU_BO_SET_LABEL
 * @drm: DRM device
 * @data: arguments
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_buffers_set_label(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_bo_set_label *args = data;
	struct drm_gem_object *obj;
	char *label;

	if (NPU_BAD_ARG(npu, args->pad))
		return -EINVAL;

	label = npu_buffers_get_label(args->label);
	if (NPU_BAD_ARG(npu, IS_ERR(label)))
		return PTR_ERR(label);

	obj = drm_gem_object_lookup(file, args->handle);
	if (NPU_BAD_ARG(npu, !obj)) {
		kfree(label);
		return -ENOENT;
	}

	mutex_lock(&npu->buffers.lock);
	swap(to_npu_bo(obj)->label, label);
	mutex_unlock(&npu->buffers.lock);

	drm_gem_object_put(obj);
	kfree(label);
	return 0;
}
