// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "npu_uapi.h"

/**
 * npu_uapi_get_array() - copy an array of extensible structures from user space
 * @array: where it is
 * @max_count: elements at most
 * @min_stride: size of an element in version 1.0 of the interface
 * @size: size of an element as we know it
 * @few: memory for a few elements, or NULL
 * @few_count: how many fit there
 *
 * Return: the elements, in @few or to be freed with kvfree(); NULL for an empty
 * array; an error pointer otherwise.
 */
void *npu_uapi_get_array(const struct drm_npu_array *array, u32 max_count, size_t min_stride,
			 size_t size, void *few, u32 few_count)
{
	const u8 __user *from = u64_to_user_ptr(array->array);
	u8 *elements;
	int ret = 0;
	u32 i;

	if (!array->count)
		return NULL;
	if (array->count > max_count || array->stride < min_stride || array->stride > PAGE_SIZE)
		return ERR_PTR(-EINVAL);

	elements = few;
	if (array->count > few_count)
		elements = kvmalloc_array(array->count, size, GFP_KERNEL);
	if (!elements)
		return ERR_PTR(-ENOMEM);

	if (array->stride == size) {
		if (copy_from_user(elements, from, size * array->count))
			ret = -EFAULT;
	} else {
		for (i = 0; i < array->count && !ret; i++)
			ret = copy_struct_from_user(elements + i * size, size,
						    from + (size_t)i * array->stride,
						    array->stride);
	}

	if (ret) {
		if (elements != few)
			kvfree(elements);
		return ERR_PTR(ret);
	}

	return elements;
}
EXPORT_SYMBOL_IF_KUNIT(npu_uapi_get_array);

/**
 * npu_uapi_alloc_array() - memory for an array as long as one of user space
 * @few: zeroed memory for a few elements
 * @few_count: how many fit there
 * @count: how many there are
 * @size: size of one
 *
 * Return: zeroed memory, @few or to be freed with kfree(), or NULL.
 */
void *npu_uapi_alloc_array(void *few, u32 few_count, u32 count, size_t size)
{
	return count > few_count ? kcalloc(count, size, GFP_KERNEL) : few;
}

/**
 * npu_uapi_put_struct() - copy an extensible structure to user space
 * @pointer: where to, or 0 if the caller only wants to know its size
 * @size: in: size that the caller has; out: what was copied, or could be
 * @src: structure
 * @src_size: its size
 *
 * Return: 0 on success, -EFAULT otherwise.
 */
int npu_uapi_put_struct(u64 pointer, u32 *size, const void *src, size_t src_size)
{
	if (!pointer) {
		*size = src_size;
		return 0;
	}

	*size = min_t(size_t, *size, src_size);
	return copy_to_user(u64_to_user_ptr(pointer), src, *size) ? -EFAULT : 0;
}
EXPORT_SYMBOL_IF_KUNIT(npu_uapi_put_struct);
