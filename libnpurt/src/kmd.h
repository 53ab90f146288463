/* SPDX-License-Identifier: MIT */
/*
 * All that the library asks of the kernel. It is a table, since two can answer: the npu
 * driver (kmd_drm.c) and the null device (kmd_null.c); unit tests put one of their own
 * before the latter. Calls give 0 or a negative errno.
 */
#ifndef NPURT_KMD_H
#define NPURT_KMD_H

#include <stddef.h>
#include <stdint.h>

#include <npu_accel.h>

#define KMD_MAX_NODES 64

struct kmd_ops;

struct kmd_node {
	const struct kmd_ops *ops; /* who serves it */
	char path[32]; /* "/dev/accel/accel0" */
	char bus_id[32];
};

/* An open device: the first member of its server's own structure. */
struct kmd_file {
	const struct kmd_ops *ops;
};

struct kmd_ops {
	int (*open)(const struct kmd_node *node, struct kmd_file **file, uint32_t *driver_major,
		    uint32_t *driver_minor);
	void (*close)(struct kmd_file *file);
	int (*ioctl)(struct kmd_file *file, unsigned long request, void *arg);
	int (*mmap)(struct kmd_file *file, uint64_t offset, size_t bytes, void **pointer);
	void (*munmap)(struct kmd_file *file, void *pointer, size_t bytes);
	int (*prime_export)(struct kmd_file *file, uint32_t handle, int *dmabuf);
	int (*prime_import)(struct kmd_file *file, int dmabuf, uint32_t *handle);
	int (*syncobj_create)(struct kmd_file *file, uint32_t *handle);
	void (*syncobj_destroy)(struct kmd_file *file, uint32_t handle);
	int (*syncobj_wait)(struct kmd_file *file, uint32_t handle, uint64_t point,
			    int64_t deadline, uint32_t flags);
	int (*syncobj_export)(struct kmd_file *file, uint32_t handle, int *fd);
	int (*syncobj_import)(struct kmd_file *file, int fd, uint32_t *handle);
	int (*syncobj_query)(struct kmd_file *file, uint32_t handle, uint64_t *point);
	int (*syncobj_signal)(struct kmd_file *file, uint32_t handle, uint64_t point);
	int (*syncobj_eventfd)(struct kmd_file *file, uint32_t handle, uint64_t point, int eventfd);
	int (*syncobj_status)(struct kmd_file *file, uint32_t handle, uint64_t point, int *status);
};

/* The devices that there are, by number; the count or a negative errno. */
int kmd_enumerate(struct kmd_node *nodes, unsigned int max);

/* Of the real driver, and @count null devices. */
int kmd_drm_enumerate(struct kmd_node *nodes, unsigned int max);
int kmd_null_enumerate(struct kmd_node *nodes, unsigned int max, unsigned int count);

static inline int kmd_open(const struct kmd_node *node, struct kmd_file **file,
			   uint32_t *driver_major, uint32_t *driver_minor)
{
	return node->ops->open(node, file, driver_major, driver_minor);
}

static inline void kmd_close(struct kmd_file *file)
{
	file->ops->close(file);
}

static inline int kmd_ioctl(struct kmd_file *file, unsigned long request, void *arg)
{
	return file->ops->ioctl(file, request, arg);
}

static inline int kmd_mmap(struct kmd_file *file, uint64_t offset, size_t bytes, void **pointer)
{
	return file->ops->mmap(file, offset, bytes, pointer);
}

static inline void kmd_munmap(struct kmd_file *file, void *pointer, size_t bytes)
{
	file->ops->munmap(file, pointer, bytes);
}

static inline int kmd_prime_export(struct kmd_file *file, uint32_t handle, int *dmabuf)
{
	return file->ops->prime_export(file, handle, dmabuf);
}

/* The handle that the file has of that buffer already, if it has one. */
static inline int kmd_prime_import(struct kmd_file *file, int dmabuf, uint32_t *handle)
{
	return file->ops->prime_import(file, dmabuf, handle);
}

static inline int kmd_syncobj_create(struct kmd_file *file, uint32_t *handle)
{
	return file->ops->syncobj_create(file, handle);
}

static inline void kmd_syncobj_destroy(struct kmd_file *file, uint32_t handle)
{
	file->ops->syncobj_destroy(file, handle);
}

/* @deadline is CLOCK_MONOTONIC in ns; -ETIME when it passes. */
static inline int kmd_syncobj_wait(struct kmd_file *file, uint32_t handle, uint64_t point,
				   int64_t deadline)
{
	return file->ops->syncobj_wait(file, handle, point, deadline, 0);
}

/* @flags: DRM_SYNCOBJ_WAIT_FLAGS_* */
static inline int kmd_syncobj_wait_flags(struct kmd_file *file, uint32_t handle, uint64_t point,
					 int64_t deadline, uint32_t flags)
{
	return file->ops->syncobj_wait(file, handle, point, deadline, flags);
}

static inline int kmd_syncobj_export(struct kmd_file *file, uint32_t handle, int *fd)
{
	return file->ops->syncobj_export(file, handle, fd);
}

static inline int kmd_syncobj_import(struct kmd_file *file, int fd, uint32_t *handle)
{
	return file->ops->syncobj_import(file, fd, handle);
}

/* The last point that work was submitted for; 0: none. */
static inline int kmd_syncobj_query(struct kmd_file *file, uint32_t handle, uint64_t *point)
{
	return file->ops->syncobj_query(file, handle, point);
}

static inline int kmd_syncobj_signal(struct kmd_file *file, uint32_t handle, uint64_t point)
{
	return file->ops->syncobj_signal(file, handle, point);
}

/* Adds 1 to @eventfd when the point is signalled. */
static inline int kmd_syncobj_eventfd(struct kmd_file *file, uint32_t handle, uint64_t point,
				      int eventfd)
{
	return file->ops->syncobj_eventfd(file, handle, point, eventfd);
}

/*
 * Of a point that is signalled: 0, or the negative errno with which its work ended. That of one
 * before the last may be forgotten.
 */
static inline int kmd_syncobj_status(struct kmd_file *file, uint32_t handle, uint64_t point,
				     int *status)
{
	return file->ops->syncobj_status(file, handle, point, status);
}

#endif /* NPURT_KMD_H */
