// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>

#include <drm/drm_syncobj.h>

#include "npu_device.h"
#include "npu_sync.h"
#include "npu_uapi.h"

#define NPU_SYNC_MAX 256

/* How much of a timeline is looked at to see whether it is all of one context. */
#define NPU_SYNC_MAX_LINKS 64

/**
 * npu_syncs_init() - copy and check the waits and signals of a call
 * @syncs: waits and signals, zeroed; to be freed by npu_syncs_fini() whatever this returns
 * @npu: device
 * @file: file
 * @array: where they are
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_syncs_init(struct npu_syncs *syncs, struct npu_device *npu, struct drm_file *file,
		   const struct drm_npu_array *array)
{
	struct drm_npu_sync *copy;
	u32 i;

	syncs->npu = npu;
	syncs->file = file;

	copy = npu_uapi_get_array(array, NPU_SYNC_MAX, offsetofend(struct drm_npu_sync, point),
				  sizeof(*copy), syncs->few.array, ARRAY_SIZE(syncs->few.array));
	if (NPU_BAD_ARG(npu, IS_ERR(copy)))
		return PTR_ERR(copy);
	syncs->array = copy;
	syncs->count = array->count;

	for (i = 0; i < syncs->count; i++) {
		u32 flags = syncs->array[i].flags;

		if (NPU_BAD_ARG(npu, flags != DRM_NPU_SYNC_WAIT && flags != DRM_NPU_SYNC_SIGNAL))
			return -EINVAL;
		syncs->num_signals += flags == DRM_NPU_SYNC_SIGNAL;
	}

	return 0;
}

/**
 * npu_syncs_find_signals() - look up the syncobjs to signal
 * @syncs: waits and signals
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_syncs_find_signals(struct npu_syncs *syncs)
{
	struct npu_sync_signal *signal;
	u32 i;

	if (!syncs->num_signals)
		return 0;

	syncs->signals = npu_uapi_alloc_array(syncs->few.signals, ARRAY_SIZE(syncs->few.signals),
					      syncs->num_signals, sizeof(*syncs->signals));
	if (!syncs->signals)
		return -ENOMEM;

	signal = syncs->signals;
	for (i = 0; i < syncs->count; i++) {
		const struct drm_npu_sync *sync = &syncs->array[i];

		if (sync->flags != DRM_NPU_SYNC_SIGNAL)
			continue;

		signal->syncobj = drm_syncobj_find(syncs->file, sync->handle);
		if (NPU_BAD_ARG(syncs->npu, !signal->syncobj))
			return -ENOENT;

		signal->point = sync->point;
		if (signal->point) {
			signal->chain = dma_fence_chain_alloc();
			if (!signal->chain)
				return -ENOMEM;
		}
		signal++;
	}

	return 0;
}

/**
 * npu_sync_needs_wait() - is there something to wait for?
 * @fence: fence of a syncobj, or of a point of its timeline
 * @context: fence context whose order is kept anyway
 *
 * A point of a timeline stands for all before it: a few are looked at.
 *
 * Return: true if @fence may stand for one of another context that has not signalled.
 */
static bool npu_sync_needs_wait(struct dma_fence *fence, u64 context)
{
	unsigned int links = 0;
	struct dma_fence *link;

	dma_fence_chain_for_each(link, fence) {
		struct dma_fence *inner = dma_fence_chain_contained(link);

		if (inner->context == context && ++links < NPU_SYNC_MAX_LINKS)
			continue;
		if (!dma_fence_is_signaled(inner)) {
			dma_fence_put(link);
			return true;
		}
	}

	return false;
}

/**
 * npu_syncs_find_waits() - look up the fences to wait for
 * @syncs: waits and signals
 * @context: fence context whose order is kept anyway
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_syncs_find_waits(struct npu_syncs *syncs, u64 context)
{
	u32 i;

	if (syncs->num_signals == syncs->count)
		return 0;

	syncs->waits = npu_uapi_alloc_array(syncs->few.waits, ARRAY_SIZE(syncs->few.waits),
					    syncs->count - syncs->num_signals,
					    sizeof(*syncs->waits));
	if (!syncs->waits)
		return -ENOMEM;

	for (i = 0; i < syncs->count; i++) {
		const struct drm_npu_sync *sync = &syncs->array[i];
		struct dma_fence *fence;
		int ret;

		if (sync->flags != DRM_NPU_SYNC_WAIT)
			continue;

		ret = drm_syncobj_find_fence(syncs->file, sync->handle, sync->point, 0, &fence);
		if (NPU_BAD_ARG(syncs->npu, ret))
			return ret;

		if (npu_sync_needs_wait(fence, context))
			syncs->waits[syncs->num_waits++] = fence;
		else
			dma_fence_put(fence);
	}

	return 0;
}

/**
 * npu_syncs_find() - look up syncobjs, and the fences to wait for
 * @syncs: waits and signals
 * @context: fence context whose order is kept anyway
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_syncs_find(struct npu_syncs *syncs, u64 context)
{
	return npu_syncs_find_signals(syncs) ?: npu_syncs_find_waits(syncs, context);
}

/**
 * npu_syncs_signal() - put the fence of the work into the syncobjs
 * @syncs: waits and signals
 * @fence: fence
 */
void npu_syncs_signal(struct npu_syncs *syncs, struct dma_fence *fence)
{
	u32 i;

	for (i = 0; i < syncs->num_signals; i++) {
		struct npu_sync_signal *signal = &syncs->signals[i];

		if (signal->chain)
			drm_syncobj_add_point(signal->syncobj, signal->chain, fence,
					      signal->point);
		else
			drm_syncobj_replace_fence(signal->syncobj, fence);
		signal->chain = NULL;
	}
}

/**
 * npu_syncs_fini() - free what the waits and signals of a call have
 * @syncs: waits and signals
 */
void npu_syncs_fini(struct npu_syncs *syncs)
{
	u32 i;

	while (syncs->num_waits)
		dma_fence_put(syncs->waits[--syncs->num_waits]);
	if (syncs->waits != syncs->few.waits)
		kfree(syncs->waits);

	for (i = 0; syncs->signals && i < syncs->num_signals; i++) {
		dma_fence_chain_free(syncs->signals[i].chain);
		if (syncs->signals[i].syncobj)
			drm_syncobj_put(syncs->signals[i].syncobj);
	}
	if (syncs->signals != syncs->few.signals)
		kfree(syncs->signals);

	if (syncs->array != syncs->few.array)
		kvfree(syncs->array);
}
