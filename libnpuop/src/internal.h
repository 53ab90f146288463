/* SPDX-License-Identifier: MIT */
/* What the files of the library share: the handle, checks of tensors, and launches. */
#ifndef OP_INTERNAL_H
#define OP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npuop/npuop.h>

#include "kernels.h"

#define OP_WORKSPACE_BYTES (16ULL << 20)

/* Index of a kernel in the module. */
enum op_kernel {
#define OP_KERNEL_ENUM(name) OP_KERNEL_##name,
	OP_KERNELS(OP_KERNEL_ENUM)
#undef OP_KERNEL_ENUM
		OP_KERNEL_COUNT
};

/**
 * struct npuop - the operators of a stream
 * @cores: of the device: what a launch is cut into at most, unless blocks are cheap
 * @workspace: device memory that one operator at a time uses, in the order of the stream
 * @message: of the last failure
 */
struct npuop {
	npurt_context *context;
	npurt_stream *stream;
	npurt_module *module;
	npurt_kernel *kernels[OP_KERNEL_COUNT];
	npurt_memory *workspace;
	uint32_t cores;
	char message[256];
};

/*
 * op_fail() - keep a message; returns @error. This, op_take(), op_read() and op_write() are all
 * that may be called with a handle of NULL: an operator does nothing else before.
 */
int op_fail(npuop *ops, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * op_take() - copy an attribute structure that the caller may know longer or shorter
 * @known_flags: of its flags; any other is an error
 * @dst: all zero if @src is NULL
 */
int op_take(npuop *ops, const char *name, uint32_t known_flags, void *dst, uint32_t dst_size,
	    const void *src);

/* Sets of dtypes. */
#define OP_TYPE(dtype) (1u << (dtype))
#define OP_FLOATS (OP_TYPE(NPUOP_F32) | OP_TYPE(NPUOP_F16) | OP_TYPE(NPUOP_BF16))
#define OP_ALL_TYPES                                                                               \
	(OP_FLOATS | OP_TYPE(NPUOP_S32) | OP_TYPE(NPUOP_S16) | OP_TYPE(NPUOP_S8) |                 \
	 OP_TYPE(NPUOP_U8))

/*
 * op_read(), op_write() - is a tensor a well-formed one that an operator may read, or write?
 * @name: of the argument, for the message
 * @types: set of OP_TYPE()
 *
 * It lies in its memory, which is of the handle's context; one that is written does not write an
 * element twice.
 */
int op_read(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t types);
int op_write(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t types);

/* op_rank() - has it this rank? */
int op_rank(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t rank);
/* op_shape() - has it the rank @rank and this @shape? */
int op_shape(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t rank,
	     const uint64_t *shape);
/* op_same() - has it the shape of @other? */
int op_same(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
	    const npuop_tensor *other);
/* op_dense() - does it have all its elements in order, without gaps? */
bool op_is_dense(const npuop_tensor *tensor);
int op_dense(npuop *ops, const char *name, const npuop_tensor *tensor);
/* op_has_rows(), op_inner() - are the elements of the last dimension neighbours? */
bool op_has_rows(const npuop_tensor *tensor);
int op_inner(npuop *ops, const char *name, const npuop_tensor *tensor);
/*
 * op_apart() - do two tensors not share a byte? Slices of a tensor are apart; otherwise what is
 * between elements counts.
 */
int op_apart(npuop *ops, const char *name, const npuop_tensor *tensor, const char *other_name,
	     const npuop_tensor *other);

/* op_address() - device address of the first element; 0 for NULL. */
uint64_t op_address(const npuop_tensor *tensor);

/* Bytes from the first element to the end of the last; 0 for an empty one. */
uint64_t op_span(const npuop_tensor *tensor);

/* op_workspace() - address of the workspace, if it has @bytes */
int op_workspace(npuop *ops, uint64_t bytes, uint64_t *address);

/* op_blocks() - blocks for @units of work, of which a core is worth its launch with @least. */
uint32_t op_blocks(const npuop *ops, uint64_t units, uint64_t least);

/* op_launch() - add a kernel to the stream. */
int op_launch(npuop *ops, enum op_kernel kernel, uint32_t blocks, const void *args,
	      size_t args_size);

#endif /* OP_INTERNAL_H */
