// SPDX-License-Identifier: MIT
/*
 * Syncobjs that streams share with others: a batch waits for some before its first command,
 * and signals some after its last one.
 */
#include "internal.h"

#include <stdlib.h>

struct rt_syncobj *rt_syncobj_new(npurt_device *device, uint32_t handle)
{
	struct rt_syncobj *syncobj = malloc(sizeof(*syncobj));

	if (!syncobj) {
		kmd_syncobj_destroy(device->kmd, handle);
		return NULL;
	}
	syncobj->device = device;
	syncobj->handle = handle;
	atomic_init(&syncobj->refs, 1);
	return syncobj;
}

struct rt_syncobj *rt_syncobj_get(struct rt_syncobj *syncobj)
{
	atomic_fetch_add_explicit(&syncobj->refs, 1, memory_order_relaxed);
	return syncobj;
}

void rt_syncobj_put(struct rt_syncobj *syncobj)
{
	if (atomic_fetch_sub_explicit(&syncobj->refs, 1, memory_order_acq_rel) != 1)
		return;
	kmd_syncobj_destroy(syncobj->device->kmd, syncobj->handle);
	free(syncobj);
}

/* A later point of a timeline stands for those before it. */
static bool merge_wait(npurt_stream *stream, const struct rt_syncobj *syncobj, uint64_t point)
{
	for (unsigned int i = 0; i < stream->num_syncs; i++) {
		struct rt_sync *sync = &stream->syncs[i];

		if (sync->flags != DRM_NPU_SYNC_WAIT || sync->syncobj != syncobj)
			continue;
		if (sync->point < point)
			sync->point = point;
		return true;
	}
	return false;
}

void rt_stream_add_sync(npurt_stream *stream, uint32_t flags, struct rt_syncobj *syncobj,
			uint64_t point)
{
	if (flags == DRM_NPU_SYNC_WAIT && merge_wait(stream, syncobj, point))
		return;
	stream->syncs[stream->num_syncs++] = (struct rt_sync){
		.flags = flags,
		.syncobj = rt_syncobj_get(syncobj),
		.point = point,
	};
}

void rt_stream_drop_last_sync(npurt_stream *stream)
{
	rt_syncobj_put(stream->syncs[--stream->num_syncs].syncobj);
}

void rt_stream_drop_syncs(npurt_stream *stream)
{
	while (stream->num_syncs)
		rt_stream_drop_last_sync(stream);
}

void rt_syncs_fill(const struct rt_sync *from, unsigned int count, struct drm_npu_sync *to)
{
	for (unsigned int i = 0; i < count; i++) {
		to[i] = (struct drm_npu_sync){
			.flags = from[i].flags,
			.handle = from[i].syncobj->handle,
			.point = from[i].point,
		};
	}
}
