// SPDX-License-Identifier: MIT
/*
 * Memory in several places: buffers that other processes and devices get by a file
 * descriptor, and those of theirs that this context got.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * An open device has one handle of a buffer, however often it imports it, and closing that
 * handle closes it for all: handles of buffers that can be shared are counted.
 */
struct rt_handle {
	struct rt_list link; /* in device->handles */
	uint32_t handle;
	unsigned int refs;
};

/* Under the device's lock. */
static struct rt_handle *find_handle(npurt_device *device, uint32_t handle)
{
	struct rt_list *node;

	rt_list_for_each(node, &device->handles) {
		struct rt_handle *h = rt_container(node, struct rt_handle, link);

		if (h->handle == handle)
			return h;
	}
	return NULL;
}

static void close_handle(npurt_device *device, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	kmd_ioctl(device->kmd, DRM_IOCTL_GEM_CLOSE, &args);
}

/* Takes the handle over: closes it when it fails. */
static int count_handle(npurt_device *device, uint32_t handle)
{
	struct rt_handle *h = find_handle(device, handle);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h) {
			close_handle(device, handle);
			return -ENOMEM;
		}
		h->handle = handle;
		rt_list_add(&device->handles, &h->link);
	}
	h->refs++;
	return 0;
}

int rt_handle_add(npurt_device *device, uint32_t handle)
{
	int err;

	pthread_mutex_lock(&device->lock);
	err = count_handle(device, handle);
	pthread_mutex_unlock(&device->lock);
	return err;
}

void rt_handle_put(npurt_device *device, uint32_t handle)
{
	struct rt_handle *h;

	pthread_mutex_lock(&device->lock);
	h = find_handle(device, handle);
	if (h && !--h->refs) {
		close_handle(device, handle);
		rt_list_del(&h->link);
		free(h);
	}
	pthread_mutex_unlock(&device->lock);
}

int rt_handle_import(npurt_device *device, int fd, uint32_t *handle)
{
	int err;

	pthread_mutex_lock(&device->lock);
	err = kmd_prime_import(device->kmd, fd, handle);
	if (!err)
		err = count_handle(device, *handle);
	pthread_mutex_unlock(&device->lock);
	return err;
}

int rt_memory_map_import(npurt_memory *memory)
{
	struct kmd_file *kmd = memory->context->device->kmd;
	int fd, err = kmd_prime_export(kmd, memory->handle, &fd);
	void *map;

	if (err)
		return err;
	map = mmap(NULL, memory->bo_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err = -errno;
	else
		memory->map = map;
	memory->map_by_fd = !err;
	close(fd);
	return err;
}

void rt_memory_unmap_import(npurt_memory *memory)
{
	munmap(memory->map, memory->bo_bytes);
}

int npurt_memory_export_fd(npurt_memory *memory, int *fd)
{
	npurt_context *context;
	int err;

	if (!memory || !fd)
		return NPURT_ERROR_INVALID;
	context = memory->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	if (!memory->shared)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "'%s' cannot be exported: create it with NPURT_MEMORY_EXPORTABLE",
			       memory->label);
	err = kmd_prime_export(context->device->kmd, memory->handle, fd);
	if (err == -EINVAL)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "'%s' cannot be exported while its contents may be dropped "
			       "(NPURT_ADVISE_DONTNEED)",
			       memory->label);
	return err ? rt_fail_errno(&context->diag, err, "export '%s'", memory->label) : 0;
}

static int import(npurt_context *context, int fd, struct rt_memory_desc *desc,
		  npurt_memory **memory)
{
	npurt_device *device = context->device;
	const off_t bytes = lseek(fd, 0, SEEK_END);
	int err;

	if (bytes <= 0 || bytes & (RT_PAGE - 1))
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "fd %d is not memory that a device exported", fd);
	err = rt_handle_import(device, fd, &desc->handle);
	if (err == -ENOTTY || err == -EINVAL || err == -EBADF)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "fd %d is not memory that device %s can import", fd,
			       device->node.bus_id);
	if (err == -ENOSPC)
		return rt_fail_limit(&context->diag, RT_LIMIT_PINNED, "import memory");
	if (err)
		return rt_fail_errno(&context->diag, err, "import fd %d", fd);
	desc->kind = RT_MEMORY_IMPORTED;
	desc->bytes = (uint64_t)bytes;
	return rt_memory_create(context, desc, memory);
}

int npurt_memory_import_fd(npurt_context *context, int fd, const npurt_memory_attr *attr,
			   npurt_memory **memory)
{
	struct rt_memory_desc desc;
	int err = rt_memory_take_attr(context, attr, NPURT_MEMORY_READONLY, &desc);

	if (err)
		return err;
	if (!memory)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory is NULL");
	return import(context, fd, &desc, memory);
}

int rt_memory_import(npurt_context *context, npurt_memory *remote, npurt_memory **memory)
{
	struct rt_memory_desc desc = {
		.label = remote->label,
		.tag = remote->tag->name,
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC |
			 (remote->readonly ? DRM_NPU_VM_BIND_OP_READONLY : 0),
	};
	int fd, err = kmd_prime_export(remote->context->device->kmd, remote->handle, &fd);

	if (err)
		return rt_fail_errno(&context->diag, err, "export '%s' of another context",
				     remote->label);
	err = import(context, fd, &desc, memory);
	close(fd);
	if (!err)
		(*memory)->bytes = remote->bytes;
	return err;
}
