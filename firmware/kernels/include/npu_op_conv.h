/* SPDX-License-Identifier: MIT */
/* Arguments of the convolution kernels, for the kernels and the library. */
#ifndef NPU_OP_CONV_H
#define NPU_OP_CONV_H

#include "npu_op_gemm.h"

/**
 * struct npu_op_patches - a matrix that is nowhere in memory: a row for each pixel of a grid, in it
 * for each tap of a kernel the channels of the pixel of an image that the tap meets, or zeros
 * @image: device address
 * @stride: bytes from image to image, from row to row, and from pixel to pixel
 * @extent: rows and columns of an image
 * @grid: of pixels, rows and columns
 * @taps: rows and columns of the kernel
 * @mul: a tap t meets at grid position y the image's at (y @mul + @offset + t @step) / @div, if
 *	that is whole; of @mul and @div one is 1
 * @div: see @mul
 * @offset: see @mul
 * @step: see @mul
 * @channels: of the image
 * @tap_channels: the same, rounded up to 32 bytes: columns of the matrix for each tap
 * @dtype: of the image
 * @gaps: some of the matrix may be zeros
 */
struct npu_op_patches {
	uint64_t image;
	uint64_t stride[3];
	uint32_t extent[2], grid[2], taps[2];
	uint32_t mul[2], div[2];
	int32_t offset[2], step[2];
	uint32_t channels, tap_channels;
	uint32_t dtype, gaps;
};

/**
 * struct npu_op_conv_args - "op_conv": C = patches x weights, with bias and activation
 * @patches: the left operand
 * @weight: the right one, for each tap a matrix of channels x @n, or transposed
 * @tap_stride: bytes from tap to tap, along rows and columns of the kernel
 * @ld: bytes from row to row of such a matrix, as it is stored
 * @out: what becomes of the sums; K_ROWS_B in its flags: a matrix has a row for each channel
 * @m: pixels of all grids
 * @n: columns of C
 * @tile_m: as in struct npu_op_gemm_args
 * @tile_n: likewise
 */
struct npu_op_conv_args {
	struct npu_op_patches patches;
	uint64_t weight, tap_stride[2], ld;
	struct npu_op_output out;
	uint32_t m, n;
	uint32_t tile_m, tile_n;
};

/**
 * struct npu_op_conv_weight_args - "op_conv_weight": C = patches' x B, a row for each tap and
 * channel
 * @patches: the left operand, transposed
 * @b: the right one, a row for each pixel of the grids
 * @ldb: bytes from row to row of it
 * @c: F32, for each tap a matrix of channels x @n
 * @tap_stride: bytes from tap to tap of it, along rows and columns of the kernel
 * @ldc: bytes from row to row of such a matrix
 * @n: columns of B
 * @k: pixels of all grids
 * @tile_m: rows of a tile, a multiple of 32 up to NPU_GEMM_TILE_M
 * @tile_n: as in struct npu_op_gemm_args
 */
struct npu_op_conv_weight_args {
	struct npu_op_patches patches;
	uint64_t b, ldb;
	uint64_t c, tap_stride[2], ldc;
	uint32_t n, k;
	uint32_t tile_m, tile_n;
};

/**
 * struct npu_op_column_sums_args - "op_column_sums": sums of columns, in order of the rows
 * @x: rows x cols
 * @ld: bytes from row to row
 * @out: F32, a sum for each column
 * @rows: rows
 * @cols: columns
 * @dtype: of x
 * @tile_n: columns of a tile, a multiple of 32 up to NPU_GEMM_TILE_N
 */
struct npu_op_column_sums_args {
	uint64_t x, ld;
	uint64_t out;
	uint32_t rows, cols;
	uint32_t dtype, tile_n;
};

#endif /* NPU_OP_CONV_H */
