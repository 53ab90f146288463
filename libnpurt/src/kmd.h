/* SPDX-License-Identifier: MIT */
/*
 * All that the library asks of the kernel. Unit tests put an implementation of
 * their own in the place of kmd.c. Calls give 0 or a negative errno.
 */
#ifndef NPURT_KMD_H
#define NPURT_KMD_H

#include <stddef.h>
#include <stdint.h>

#include <npu_accel.h>

#define KMD_MAX_NODES 64

struct kmd_node {
	char path[32]; /* "/dev/accel/accel0" */
	char bus_id[32];
};

/* The accel nodes that the npu driver serves, by number; the count or a negative errno. */
int kmd_enumerate(struct kmd_node *nodes, unsigned int max);

int kmd_open(const char *path, uint32_t *driver_major, uint32_t *driver_minor);
void kmd_close(int fd);
int kmd_ioctl(int fd, unsigned long request, void *arg);
int kmd_mmap(int fd, uint64_t offset, size_t bytes, void **pointer);
void kmd_munmap(void *pointer, size_t bytes);

int kmd_syncobj_create(int fd, uint32_t *handle);
void kmd_syncobj_destroy(int fd, uint32_t handle);
/* @deadline is CLOCK_MONOTONIC in ns; -ETIME when it passes. */
int kmd_syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t deadline);

#endif /* NPURT_KMD_H */
