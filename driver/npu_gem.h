/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_GEM_H__
#define __NPU_GEM_H__

#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/ttm/ttm_bo.h>

#include <drm/npu_accel.h>

struct dma_buf;
struct drm_device;
struct drm_file;
struct drm_memory_stats;
struct npu_device;
struct npu_extent;
struct npu_process;
struct npu_vm;

/**
 * enum npu_gem_evict - order in which buffers are moved to make room
 */
enum npu_gem_evict {
	/** @NPU_GEM_EVICT_FIRST: before others */
	NPU_GEM_EVICT_FIRST = 0,
	/** @NPU_GEM_EVICT_NORMAL: in the order of their use */
	NPU_GEM_EVICT_NORMAL,
	/** @NPU_GEM_EVICT_LAST: after others */
	NPU_GEM_EVICT_LAST,
};

/**
 * struct npu_bo - buffer object
 */
struct npu_bo {
	/** @ttm: base */
	struct ttm_buffer_object ttm;
	/** @placement: where it belongs, NPU_PL_* */
	u32 placement;
	/** @mem_type: where it is, for statistics, which take no lock */
	u32 mem_type;
	/** @flags: DRM_NPU_BO_* */
	u32 flags;
	/** @reachable: VMs or other devices may know where it is, under its lock */
	bool reachable;
	/** @evict: when to move it, NPU_GEM_EVICT_*, under its lock */
	u32 evict;
	/** @unneeded: its contents may be dropped, written under its lock */
	bool unneeded;
	/** @dropped: that has happened, under its lock */
	bool dropped;
	/** @owner: whose reservation lock it shares, if it is private to a VM */
	struct drm_gem_object *owner;
	/** @dmabuf: it as exported, or NULL, under the reservation lock */
	struct dma_buf *dmabuf;
	/** @imported: whose lock and memory it has, or NULL */
	struct dma_buf *imported;
	/** @prime_pins: times that devices which cannot be told of moves hold it, likewise */
	unsigned int prime_pins;
	/** @system_maps: times that its pages are mapped for other devices, likewise */
	unsigned int system_maps;
	/** @process: that created or imported it */
	struct npu_process *process;
	/** @node: in &npu_buffers.list */
	struct list_head node;
	/** @id: of no other buffer of the device, ever */
	u64 id;
	/** @label: as user space names it, or NULL, under &npu_buffers.lock */
	char *label;
#ifndef NPU_HAS_GPUVM_IMMEDIATE
	/** @gpuva_lock: see npu_gpuva_lock() */
	struct mutex gpuva_lock;
#endif
};

/**
 * to_npu_bo() - buffer object of a GEM object
 * @obj: GEM object
 *
 * Return: the buffer object.
 */
static inline struct npu_bo *to_npu_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct npu_bo, ttm.base);
}

/**
 * npu_gem_is_private() - is a buffer for one VM alone?
 * @bo: buffer
 *
 * Return: true if so: it can neither be exported nor mapped in another.
 */
static inline bool npu_gem_is_private(const struct npu_bo *bo)
{
	return bo->owner;
}

struct npu_bo *npu_gem_create(struct npu_device *npu, u64 size, u32 placement, u32 flags,
			      struct npu_vm *vm);
struct npu_bo *npu_gem_create_imported(struct npu_device *npu, struct dma_buf *dmabuf);
int npu_gem_validate(struct npu_bo *bo, u32 mem_type, struct dma_resv *resv);
void npu_gem_set_priority(struct npu_bo *bo, unsigned int priority);
bool npu_gem_is_unneeded(const struct ttm_buffer_object *tbo);
void npu_gem_dropped(struct ttm_buffer_object *tbo);
bool npu_gem_in_place(struct npu_bo *bo);
int npu_gem_bring_back(struct npu_bo *bo, struct dma_resv *resv);
void npu_gem_extents(struct npu_bo *bo, u64 offset, u64 size, struct npu_extent *extent);
bool npu_gem_is_reachable(const struct ttm_buffer_object *tbo);
void npu_gem_leave(struct ttm_buffer_object *tbo, bool evict);
void npu_gem_moved(struct ttm_buffer_object *tbo, u32 mem_type);
void npu_gem_unplug(struct npu_device *npu);
void npu_gem_memory_stats(struct drm_file *file, struct drm_memory_stats *hbm,
			  struct drm_memory_stats *memory);

#endif /* __NPU_GEM_H__ */
