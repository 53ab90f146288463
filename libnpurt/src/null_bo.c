// SPDX-License-Identifier: MIT
/*
 * Null device: buffers. One that others may import is a memory file, so that they can, in
 * other processes too.
 */
#include "null.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* By all open files of a device. */
static _Atomic uint64_t hbm_used[KMD_MAX_NODES], system_used[KMD_MAX_NODES];

uint64_t null_hbm_used(const struct null_file *file)
{
	return hbm_used[file->device];
}

uint64_t null_system_used(const struct null_file *file)
{
	return system_used[file->device];
}

/* The structure has the page before the bytes, so that each leads to the other. */

uint8_t *null_bo_bytes(struct null_bo *bo)
{
	return (uint8_t *)bo + NULL_PAGE;
}

struct null_bo *null_bo_of(void *bytes)
{
	return (struct null_bo *)(void *)((uint8_t *)bytes - NULL_PAGE);
}

static bool take_hbm(struct null_file *file, uint64_t size)
{
	uint64_t used = hbm_used[file->device];

	do {
		if (size > NULL_HBM_BYTES - used)
			return false;
	} while (!atomic_compare_exchange_weak(&hbm_used[file->device], &used, used + size));
	return true;
}

static void give_back(struct null_file *file, uint32_t placement, uint64_t size)
{
	_Atomic uint64_t *used = placement == DRM_NPU_BO_HBM ? hbm_used : system_used;

	atomic_fetch_sub(&used[file->device], size);
}

static int new_bo(struct null_file *file, uint64_t size, struct null_bo **result)
{
	/* Private: neighbours become one mapping, of which a process can have but 65530. */
	struct null_bo *bo = mmap(NULL, size + NULL_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bo == MAP_FAILED)
		return -ENOMEM;
	bo->size = size;
	bo->fd = -1;
	bo->refs = 1;
	file->num_bos++;
	*result = bo;
	return 0;
}

void null_bo_put(struct null_file *file, struct null_bo *bo)
{
	if (!bo || --bo->refs)
		return;
	if (!bo->imported)
		give_back(file, bo->placement, bo->size);
	if (bo->fd >= 0)
		close(bo->fd);
	munmap(bo, bo->size + NULL_PAGE);
	file->num_bos--;
}

/* Takes @fd over, if it works. */
static int map_file(struct null_bo *bo, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || mmap(null_bo_bytes(bo), bo->size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	bo->fd = fd;
	bo->inode = st.st_ino;
	return 0;
}

static int make_file(struct null_bo *bo)
{
	int fd = memfd_create("npurt null device", MFD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)bo->size) ? -errno : map_file(bo, fd);
	if (err)
		close(fd);
	return err;
}

static int give_handle(struct null_file *file, struct null_bo *bo, uint32_t *handle)
{
	*handle = null_insert(&file->bos, bo);
	if (*handle)
		return 0;
	null_bo_put(file, bo);
	return -ENOMEM;
}

static int take_room(struct null_file *file, uint64_t size, uint32_t placement)
{
	if (placement == DRM_NPU_BO_HBM)
		return take_hbm(file, size) ? 0 : -ENOSPC;
	atomic_fetch_add(&system_used[file->device], size);
	return 0;
}

int null_bo_create(struct null_file *file, struct drm_npu_bo_create *args)
{
	struct null_bo *bo;
	uint64_t size;
	int err;

	if (!args->size || args->placement > DRM_NPU_BO_SYSTEM || args->flags)
		return -EINVAL;
	if (args->vm_id && !null_find(&file->vms, args->vm_id))
		return -ENOENT;
	if (__builtin_add_overflow(args->size, NULL_PAGE - 1, &size))
		return -ENOSPC;
	size -= size % NULL_PAGE;
	err = take_room(file, size, args->placement);
	if (err)
		return err;
	err = new_bo(file, size, &bo);
	if (err) {
		give_back(file, args->placement, size);
		return err;
	}
	bo->placement = args->placement;
	bo->vm_id = args->vm_id;
	err = bo->vm_id ? 0 : make_file(bo);
	if (err) {
		null_bo_put(file, bo);
		return err;
	}
	args->size = size;
	return give_handle(file, bo, &args->handle);
}

int null_bo_close(struct null_file *file, uint32_t handle)
{
	struct null_bo *bo = null_remove(&file->bos, handle);

	if (!bo)
		return -EINVAL;
	null_bo_put(file, bo);
	return 0;
}

/* Nothing is ever evicted, so advice changes nothing. */
int null_bo_madvise(struct null_file *file, struct drm_npu_bo_madvise *args)
{
	struct null_bo *bo = null_find(&file->bos, args->handle);

	if (!bo)
		return -ENOENT;
	if (args->advice > DRM_NPU_BO_EVICT_LAST)
		return -EINVAL;
	if (args->advice == DRM_NPU_BO_DONTNEED && bo->imported)
		return -EBUSY;
	if (args->advice <= DRM_NPU_BO_DONTNEED)
		bo->unwanted = args->advice == DRM_NPU_BO_DONTNEED;
	args->retained = 1;
	return 0;
}

int null_bo_set_label(struct null_file *file, const struct drm_npu_bo_set_label *args)
{
	const char *label = (const char *)(uintptr_t)args->label;
	struct null_bo *bo = null_find(&file->bos, args->handle);

	if (!bo)
		return -ENOENT;
	if (label && strlen(label) >= sizeof(bo->label))
		return -EINVAL;
	strcpy(bo->label, label ? label : "");
	return 0;
}

int null_bo_export(struct null_file *file, uint32_t handle, int *fd)
{
	struct null_bo *bo = null_find(&file->bos, handle);

	if (!bo)
		return -ENOENT;
	if (bo->fd < 0 || bo->unwanted)
		return -EINVAL;
	*fd = fcntl(bo->fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

/* What the file has already gets no second handle. */
static uint32_t find_inode(const struct null_file *file, ino_t inode)
{
	for (uint32_t i = 0; i < file->bos.size; i++) {
		const struct null_bo *bo = file->bos.slots[i];

		if (bo && bo->fd >= 0 && bo->inode == inode)
			return i;
	}
	return 0;
}

static int import_file(struct null_file *file, int fd, uint64_t size, uint32_t *handle)
{
	struct null_bo *bo;
	int err = new_bo(file, size, &bo);
	int own;

	if (err)
		return err;
	bo->imported = true;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	err = own < 0 ? -errno : map_file(bo, own);
	if (err) {
		if (own >= 0)
			close(own);
		null_bo_put(file, bo);
		return err;
	}
	return give_handle(file, bo, handle);
}

int null_bo_import(struct null_file *file, int fd, uint32_t *handle)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % NULL_PAGE)
		return -EINVAL;
	*handle = find_inode(file, st.st_ino);
	return *handle ? 0 : import_file(file, fd, (uint64_t)st.st_size, handle);
}
