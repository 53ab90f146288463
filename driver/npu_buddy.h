/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_BUDDY_H__
#define __NPU_BUDDY_H__

#include <drm/drm_buddy.h>

/*
 * The buddy manager took another name when it left DRM, in the stable series as well; drm_buddy.h
 * was left with the printers. See npu_compat.h.
 */
#ifdef NPU_HAS_GPU_BUDDY
#include <linux/gpu_buddy.h>
#else
#define gpu_buddy drm_buddy
#define gpu_buddy_block drm_buddy_block
#define gpu_buddy_init drm_buddy_init
#define gpu_buddy_fini drm_buddy_fini
#define gpu_buddy_alloc_blocks drm_buddy_alloc_blocks
#define gpu_buddy_free_block drm_buddy_free_block
#define gpu_buddy_free_list drm_buddy_free_list
#define gpu_buddy_block_offset drm_buddy_block_offset
#define gpu_buddy_block_size drm_buddy_block_size
#define GPU_BUDDY_TOPDOWN_ALLOCATION DRM_BUDDY_TOPDOWN_ALLOCATION
#endif

#endif /* __NPU_BUDDY_H__ */
