/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_BUDDY_H__
#define __NPU_BUDDY_H__

#include <drm/drm_buddy.h>

/*
 * The buddy manager took another name when it left DRM, in the stable series as well; drm_buddy.h
 * was left with the printers. This driver goes by the name of 6.12; Kbuild looks which it is.
 */
#ifdef NPU_GPU_BUDDY
#define drm_buddy gpu_buddy
#define drm_buddy_block gpu_buddy_block
#define drm_buddy_init gpu_buddy_init
#define drm_buddy_fini gpu_buddy_fini
#define drm_buddy_alloc_blocks gpu_buddy_alloc_blocks
#define drm_buddy_free_block gpu_buddy_free_block
#define drm_buddy_free_list gpu_buddy_free_list
#define drm_buddy_block_offset gpu_buddy_block_offset
#define drm_buddy_block_size gpu_buddy_block_size
#define DRM_BUDDY_TOPDOWN_ALLOCATION GPU_BUDDY_TOPDOWN_ALLOCATION
#endif

#endif /* __NPU_BUDDY_H__ */
