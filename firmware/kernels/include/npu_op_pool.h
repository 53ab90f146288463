/* SPDX-License-Identifier: MIT */
/* Arguments of the pooling kernels, for the kernels and the library. */
#ifndef NPU_OP_POOL_H
#define NPU_OP_POOL_H

#include "npu/npu_types.h"

#define NPU_OP_POOL_MEAN 0x1 /* else the greatest */

/* Most columns of a strip. */
#define NPU_OP_POOL_STRIP 768

/**
 * struct npu_op_pool_args - "op_pool": @y = pool(@x); "op_pool_backward": @grad_x from @x and @y,
 * which is the gradient of the result then
 * @x: images; not used by the backward of MEAN
 * @y: results
 * @grad_x: gradient of x, not for op_pool
 * @stride_x: bytes from image to image, from row to row, and from pixel to pixel of x
 * @stride_y: of y
 * @stride_grad_x: of grad_x
 * @batch: images
 * @extent: rows and columns of x
 * @out: of y
 * @window: rows and columns
 * @step: from window to window
 * @pad: around x
 * @channels: of both
 * @strip: columns of x and of y that a block takes at a time, at most NPU_OP_POOL_STRIP
 * @piece: channels that it takes of them, such that a strip of them fits
 * @dtype: of x
 * @dtype_y: of y
 * @dtype_grad_x: of grad_x
 * @flags: NPU_OP_POOL_*
 * @rsvd: zero
 */
struct npu_op_pool_args {
	uint64_t x, y, grad_x;
	uint64_t stride_x[3], stride_y[3], stride_grad_x[3];
	uint32_t batch;
	uint32_t extent[2], out[2], window[2], step[2], pad[2];
	uint32_t strip[2];
	uint32_t channels, piece;
	uint32_t dtype, dtype_y, dtype_grad_x;
	uint32_t flags;
	uint32_t rsvd;
};

#endif /* NPU_OP_POOL_H */
