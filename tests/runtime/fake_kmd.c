// SPDX-License-Identifier: MIT
#include "fake_kmd.h"

#include <drm.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct fake_file {
	struct kmd_file base;
	struct kmd_file *inner;
	struct fake_file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_file *files;
static unsigned int lost; /* objects of files that were closed */
static unsigned int calls[256];
static unsigned long fail_request;
static unsigned int fail_nth;
static int fail_errno;
static bool failed;
static unsigned long failed_request;

static const struct kmd_ops fake_ops;

static struct kmd_file *inner(struct kmd_file *file)
{
	return ((struct fake_file *)file)->inner;
}

/* Counts a call; its error if it is the one that shall fail. */
static int next_call(unsigned long request)
{
	int err = 0;

	pthread_mutex_lock(&lock);
	calls[request % 256]++;
	if ((request && request == fail_request) || (fail_nth && !--fail_nth)) {
		fail_request = 0;
		failed = true;
		failed_request = request;
		err = -fail_errno;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

int kmd_enumerate(struct kmd_node *nodes, unsigned int max)
{
	const int err = next_call(0);

	if (err || !max)
		return err;
	nodes[0].ops = &fake_ops;
	snprintf(nodes[0].path, sizeof(nodes[0].path), "/dev/accel/accel0");
	snprintf(nodes[0].bus_id, sizeof(nodes[0].bus_id), "0000:00:04.0");
	return 1;
}

static int fake_open(const struct kmd_node *node, struct kmd_file **result, uint32_t *driver_major,
		     uint32_t *driver_minor)
{
	struct fake_file *file;
	struct kmd_node null;
	int err = next_call(0);

	(void)node;
	if (err)
		return err;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	kmd_null_enumerate(&null, 1, 1);
	err = kmd_open(&null, &file->inner, driver_major, driver_minor);
	if (err) {
		free(file);
		return err;
	}
	file->base.ops = &fake_ops;
	pthread_mutex_lock(&lock);
	file->next = files;
	files = file;
	pthread_mutex_unlock(&lock);
	*result = &file->base;
	return 0;
}

static void fake_close(struct kmd_file *base)
{
	struct fake_file **link = &files;

	pthread_mutex_lock(&lock);
	while (&(*link)->base != base)
		link = &(*link)->next;
	*link = (*link)->next;
	lost += null_objects(inner(base));
	pthread_mutex_unlock(&lock);
	kmd_close(inner(base));
	free(base);
}

static bool destroys(unsigned long request)
{
	return request == DRM_IOCTL_GEM_CLOSE || request == DRM_IOCTL_NPU_QUEUE_DESTROY ||
	       request == DRM_IOCTL_NPU_VM_DESTROY;
}

static int fake_ioctl(struct kmd_file *file, unsigned long request, void *arg)
{
	const int err = next_call(request);

	if (err && destroys(request))
		kmd_ioctl(inner(file), request, arg);
	return err ? err : kmd_ioctl(inner(file), request, arg);
}

static int fake_mmap(struct kmd_file *file, uint64_t offset, size_t bytes, void **pointer)
{
	const int err = next_call(0);

	return err ? err : kmd_mmap(inner(file), offset, bytes, pointer);
}

static void fake_munmap(struct kmd_file *file, void *pointer, size_t bytes)
{
	kmd_munmap(inner(file), pointer, bytes);
}

static int fake_prime_export(struct kmd_file *file, uint32_t handle, int *dmabuf)
{
	const int err = next_call(0);

	return err ? err : kmd_prime_export(inner(file), handle, dmabuf);
}

static int fake_prime_import(struct kmd_file *file, int dmabuf, uint32_t *handle)
{
	const int err = next_call(0);

	return err ? err : kmd_prime_import(inner(file), dmabuf, handle);
}

static int fake_syncobj_create(struct kmd_file *file, uint32_t *handle)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_create(inner(file), handle);
}

static void fake_syncobj_destroy(struct kmd_file *file, uint32_t handle)
{
	kmd_syncobj_destroy(inner(file), handle);
}

static int fake_syncobj_wait(struct kmd_file *file, uint32_t handle, uint64_t point,
			     int64_t deadline, uint32_t flags)
{
	const int err = next_call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT);

	return err ? err : kmd_syncobj_wait_flags(inner(file), handle, point, deadline, flags);
}

static int fake_syncobj_export(struct kmd_file *file, uint32_t handle, int *fd)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_export(inner(file), handle, fd);
}

static int fake_syncobj_import(struct kmd_file *file, int fd, uint32_t *handle)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_import(inner(file), fd, handle);
}

static int fake_syncobj_query(struct kmd_file *file, uint32_t handle, uint64_t *point)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_query(inner(file), handle, point);
}

static int fake_syncobj_signal(struct kmd_file *file, uint32_t handle, uint64_t point)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_signal(inner(file), handle, point);
}

static int fake_syncobj_eventfd(struct kmd_file *file, uint32_t handle, uint64_t point, int eventfd)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_eventfd(inner(file), handle, point, eventfd);
}

static int fake_syncobj_status(struct kmd_file *file, uint32_t handle, uint64_t point, int *status)
{
	const int err = next_call(0);

	return err ? err : kmd_syncobj_status(inner(file), handle, point, status);
}

static const struct kmd_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.mmap = fake_mmap,
	.munmap = fake_munmap,
	.prime_export = fake_prime_export,
	.prime_import = fake_prime_import,
	.syncobj_create = fake_syncobj_create,
	.syncobj_destroy = fake_syncobj_destroy,
	.syncobj_wait = fake_syncobj_wait,
	.syncobj_export = fake_syncobj_export,
	.syncobj_import = fake_syncobj_import,
	.syncobj_query = fake_syncobj_query,
	.syncobj_signal = fake_syncobj_signal,
	.syncobj_eventfd = fake_syncobj_eventfd,
	.syncobj_status = fake_syncobj_status,
};

/* fake_kmd.h */

static void arm(unsigned long request, unsigned int nth, int err)
{
	pthread_mutex_lock(&lock);
	fail_request = request;
	fail_nth = nth;
	fail_errno = err;
	if (request || nth)
		failed = false;
	pthread_mutex_unlock(&lock);
}

void fake_fail_next(unsigned long request, int err)
{
	arm(request, 0, err);
}

void fake_fail_nth(unsigned int nth, int err)
{
	arm(0, nth, err);
}

bool fake_failed(void)
{
	bool yes;

	pthread_mutex_lock(&lock);
	yes = failed;
	pthread_mutex_unlock(&lock);
	return yes;
}

bool fake_failed_wait(void)
{
	bool yes;

	pthread_mutex_lock(&lock);
	yes = failed && failed_request == DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT;
	pthread_mutex_unlock(&lock);
	return yes;
}

unsigned int fake_all_calls(void)
{
	unsigned int n = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		n += calls[i];
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned int fake_calls(unsigned long request)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	n = calls[request % 256];
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned int fake_labels(const char *label)
{
	unsigned int n = 0;

	pthread_mutex_lock(&lock);
	for (struct fake_file *file = files; file; file = file->next)
		n += null_labels(file->inner, label);
	pthread_mutex_unlock(&lock);
	return n;
}

void fake_set_kernel(fake_kernel_fn run)
{
	null_set_kernel(run);
}

void fake_wedge(void)
{
	pthread_mutex_lock(&lock);
	for (struct fake_file *file = files; file; file = file->next)
		null_wedge(file->inner);
	pthread_mutex_unlock(&lock);
}

void fake_reset(void)
{
	pthread_mutex_lock(&lock);
	for (struct fake_file *file = files; file; file = file->next)
		null_reset(file->inner);
	pthread_mutex_unlock(&lock);
}

unsigned int fake_leaks(void)
{
	unsigned int leaks;

	pthread_mutex_lock(&lock);
	leaks = lost;
	for (struct fake_file *file = files; file; file = file->next)
		leaks += 1 + null_objects(file->inner);
	pthread_mutex_unlock(&lock);
	return leaks;
}
