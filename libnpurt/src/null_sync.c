// SPDX-License-Identifier: MIT
/*
 * Null device: syncobjs, all of them timelines. One that is exported moves to a memory file,
 * whose descriptor stands for it in other open devices and other processes.
 */
#include "null.h"

#include <drm.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define MAGIC 0x6e70754cu
#define FILE_BYTES 64 /* no multiple of a page: never taken for a buffer */

static struct null_file *file_of(struct kmd_file *file)
{
	return (struct null_file *)file;
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *deadline)
{
	return syscall(SYS_futex, word, op, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Timelines. */

static void changed(struct null_timeline *timeline)
{
	atomic_fetch_add(&timeline->changes, 1);
	futex(&timeline->changes, FUTEX_WAKE, INT_MAX, NULL);
}

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
	uint64_t now = atomic_load(value);

	while (now < to && !atomic_compare_exchange_weak(value, &now, to))
		;
}

uint64_t null_submitted(struct null_syncobj *syncobj)
{
	return atomic_load(&atomic_load(&syncobj->timeline)->submitted);
}

uint64_t null_signalled(struct null_syncobj *syncobj)
{
	return atomic_load(&atomic_load(&syncobj->timeline)->signalled);
}

void null_announce(struct null_sync *signal)
{
	struct null_syncobj *syncobj = signal->syncobj;

	signal->next = NULL;
	*syncobj->last = signal;
	syncobj->last = &signal->next;
	raise_to(&syncobj->timeline->submitted, signal->point);
	changed(syncobj->timeline);
}

/* A point is signalled when all before it are. */
void null_signal(struct null_sync *signal, int status)
{
	struct null_syncobj *syncobj = signal->syncobj;
	struct null_sync **link = &syncobj->first;

	if (status) {
		atomic_store(&syncobj->timeline->status, status);
		atomic_store(&syncobj->timeline->failed, signal->point);
	}
	while (*link != signal)
		link = &(*link)->next;
	*link = signal->next;
	if (!signal->next)
		syncobj->last = link;
	raise_to(&syncobj->timeline->signalled,
		 syncobj->first ? syncobj->first->point - 1 : null_submitted(syncobj));
	changed(syncobj->timeline);
}

/* Objects. */

static struct null_syncobj *new_syncobj(void)
{
	struct null_syncobj *syncobj = calloc(1, sizeof(*syncobj));

	if (!syncobj)
		return NULL;
	atomic_init(&syncobj->timeline, &syncobj->own);
	syncobj->last = &syncobj->first;
	syncobj->fd = -1;
	syncobj->refs = 1;
	return syncobj;
}

void null_syncobj_put(struct null_syncobj *syncobj)
{
	if (--syncobj->refs)
		return;
	if (syncobj->fd >= 0) {
		munmap(syncobj->timeline, FILE_BYTES);
		close(syncobj->fd);
	}
	free(syncobj);
}

static int give_handle(struct null_file *file, struct null_syncobj *syncobj, uint32_t *handle)
{
	pthread_mutex_lock(&file->lock);
	*handle = null_insert(&file->syncobjs, syncobj);
	if (!*handle)
		null_syncobj_put(syncobj);
	pthread_mutex_unlock(&file->lock);
	return *handle ? 0 : -ENOMEM;
}

int null_syncobj_create(struct kmd_file *base, uint32_t *handle)
{
	struct null_syncobj *syncobj = new_syncobj();

	return syncobj ? give_handle(file_of(base), syncobj, handle) : -ENOMEM;
}

static void close_handle(struct null_file *file, uint32_t handle)
{
	struct null_syncobj *syncobj = null_remove(&file->syncobjs, handle);

	if (syncobj)
		null_syncobj_put(syncobj);
}

void null_syncobj_destroy(struct kmd_file *base, uint32_t handle)
{
	struct null_file *file = file_of(base);

	pthread_mutex_lock(&file->lock);
	close_handle(file, handle);
	pthread_mutex_unlock(&file->lock);
}

/* With a reference; NULL: there is none. */
static struct null_syncobj *get(struct null_file *file, uint32_t handle)
{
	struct null_syncobj *syncobj;

	pthread_mutex_lock(&file->lock);
	syncobj = null_find(&file->syncobjs, handle);
	if (syncobj)
		syncobj->refs++;
	pthread_mutex_unlock(&file->lock);
	return syncobj;
}

static void put(struct null_file *file, struct null_syncobj *syncobj)
{
	pthread_mutex_lock(&file->lock);
	null_syncobj_put(syncobj);
	pthread_mutex_unlock(&file->lock);
}

/* Waits and signals of the CPU. */

static int wait_for(struct null_syncobj *syncobj, uint64_t point, int64_t deadline, uint32_t flags)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(deadline / NS_PER_S),
		.tv_nsec = (long)(deadline % NS_PER_S),
	};

	for (;;) {
		struct null_timeline *timeline = atomic_load(&syncobj->timeline);
		const uint32_t changes = atomic_load(&timeline->changes);
		const bool submitted = atomic_load(&timeline->submitted) >= point;

		if (!submitted && !(flags & (DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT |
					     DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE)))
			return -EINVAL;
		if (atomic_load(&timeline->signalled) >= point ||
		    (submitted && flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE))
			return 0;
		if (futex(&timeline->changes, FUTEX_WAIT_BITSET, changes, &ts) &&
		    errno == ETIMEDOUT)
			return -ETIME;
	}
}

int null_syncobj_wait(struct kmd_file *base, uint32_t handle, uint64_t point, int64_t deadline,
		      uint32_t flags)
{
	struct null_syncobj *syncobj = get(file_of(base), handle);
	int err;

	if (!syncobj)
		return -ENOENT;
	err = wait_for(syncobj, point, deadline, flags);
	put(file_of(base), syncobj);
	return err;
}

int null_syncobj_query(struct kmd_file *base, uint32_t handle, uint64_t *point)
{
	struct null_syncobj *syncobj = get(file_of(base), handle);

	if (!syncobj)
		return -ENOENT;
	*point = null_submitted(syncobj);
	put(file_of(base), syncobj);
	return 0;
}

int null_syncobj_signal(struct kmd_file *base, uint32_t handle, uint64_t point)
{
	struct null_file *file = file_of(base);
	struct null_syncobj *syncobj = get(file, handle);
	struct null_sync signal = { .syncobj = syncobj, .point = point };

	if (!syncobj)
		return -ENOENT;
	pthread_mutex_lock(&file->lock);
	null_announce(&signal);
	null_signal(&signal, 0);
	null_syncobj_put(syncobj);
	pthread_mutex_unlock(&file->lock);
	return 0;
}

int null_syncobj_status(struct kmd_file *base, uint32_t handle, uint64_t point, int *status)
{
	struct null_syncobj *syncobj = get(file_of(base), handle);
	struct null_timeline *timeline;

	if (!syncobj)
		return -ENOENT;
	timeline = atomic_load(&syncobj->timeline);
	*status = atomic_load(&timeline->failed) == point ? atomic_load(&timeline->status) : 0;
	put(file_of(base), syncobj);
	return 0;
}

/* Files. */

static struct null_timeline *map_timeline(int fd)
{
	void *map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static int make_file(void)
{
	int fd = memfd_create("npurt-null-syncobj", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, FILE_BYTES) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Under the file's lock, so that nothing is signalled meanwhile; who waits looks again. */
static int move_to_file(struct null_syncobj *syncobj)
{
	struct null_timeline *timeline;
	int fd = make_file();

	if (fd < 0)
		return fd;
	timeline = map_timeline(fd);
	if (!timeline) {
		close(fd);
		return -ENOMEM;
	}
	timeline->magic = MAGIC;
	atomic_store(&timeline->submitted, syncobj->own.submitted);
	atomic_store(&timeline->signalled, syncobj->own.signalled);
	atomic_store(&timeline->status, syncobj->own.status);
	atomic_store(&timeline->failed, syncobj->own.failed);
	syncobj->fd = fd;
	atomic_store(&syncobj->timeline, timeline);
	changed(&syncobj->own);
	return 0;
}

int null_syncobj_export(struct kmd_file *base, uint32_t handle, int *fd)
{
	struct null_file *file = file_of(base);
	struct null_syncobj *syncobj;
	int err = 0;

	pthread_mutex_lock(&file->lock);
	syncobj = null_find(&file->syncobjs, handle);
	if (!syncobj)
		err = -ENOENT;
	else if (syncobj->fd < 0)
		err = move_to_file(syncobj);
	if (!err) {
		*fd = fcntl(syncobj->fd, F_DUPFD_CLOEXEC, 0);
		err = *fd < 0 ? -errno : 0;
	}
	pthread_mutex_unlock(&file->lock);
	return err;
}

static int open_timeline(int fd, struct null_timeline **timeline)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != FILE_BYTES ||
	    fcntl(fd, F_GET_SEALS) != (F_SEAL_SHRINK | F_SEAL_GROW))
		return -EINVAL;
	*timeline = map_timeline(fd);
	if (!*timeline)
		return -ENOMEM;
	if ((*timeline)->magic == MAGIC)
		return 0;
	munmap(*timeline, FILE_BYTES);
	return -EINVAL;
}

int null_syncobj_import(struct kmd_file *base, int fd, uint32_t *handle)
{
	struct null_syncobj *syncobj = new_syncobj();
	struct null_timeline *timeline;
	int err;

	if (!syncobj)
		return -ENOMEM;
	err = open_timeline(fd, &timeline);
	if (err)
		goto fail_syncobj;
	syncobj->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (syncobj->fd < 0) {
		err = -errno;
		goto fail_timeline;
	}
	atomic_store(&syncobj->timeline, timeline);
	return give_handle(file_of(base), syncobj, handle);

fail_timeline:
	munmap(timeline, FILE_BYTES);
fail_syncobj:
	free(syncobj);
	return err;
}

/* Eventfds: the device's thread looks after them. */

static void end_eventfd(struct null_eventfd *eventfd)
{
	null_syncobj_put(eventfd->syncobj);
	close(eventfd->fd);
	free(eventfd);
}

void null_serve_eventfds(struct null_file *file)
{
	const uint64_t one = 1;

	for (struct null_eventfd **link = &file->eventfds; *link;) {
		struct null_eventfd *eventfd = *link;

		if (null_signalled(eventfd->syncobj) < eventfd->point) {
			link = &eventfd->next;
			continue;
		}
		/* One that is at its limit stays there. */
		if (write(eventfd->fd, &one, sizeof(one)) < 0)
			errno = 0;
		*link = eventfd->next;
		end_eventfd(eventfd);
	}
}

static bool is_eventfd(int fd)
{
	char path[32], name[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = '\0';
	return strcmp(name, "anon_inode:[eventfd]") == 0;
}

/* Under the file's lock. */
static int add_eventfd(struct null_file *file, struct null_syncobj *syncobj, uint64_t point, int fd)
{
	struct null_eventfd *eventfd = calloc(1, sizeof(*eventfd));
	int err;

	if (!eventfd)
		return -ENOMEM;
	eventfd->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	err = eventfd->fd < 0 ? -errno : null_start(file);
	if (err) {
		if (eventfd->fd >= 0)
			close(eventfd->fd);
		free(eventfd);
		return err;
	}
	eventfd->syncobj = syncobj;
	syncobj->refs++;
	eventfd->point = point;
	eventfd->next = file->eventfds;
	file->eventfds = eventfd;
	pthread_cond_signal(&file->work);
	return 0;
}

int null_syncobj_eventfd(struct kmd_file *base, uint32_t handle, uint64_t point, int eventfd)
{
	struct null_file *file = file_of(base);
	struct null_syncobj *syncobj;
	int err;

	if (!is_eventfd(eventfd))
		return fcntl(eventfd, F_GETFD) < 0 ? -EBADF : -EINVAL;
	pthread_mutex_lock(&file->lock);
	syncobj = null_find(&file->syncobjs, handle);
	err = syncobj ? add_eventfd(file, syncobj, point, eventfd) : -ENOENT;
	pthread_mutex_unlock(&file->lock);
	return err;
}

void null_syncobjs_close(struct null_file *file)
{
	while (file->eventfds) {
		struct null_eventfd *eventfd = file->eventfds;

		file->eventfds = eventfd->next;
		end_eventfd(eventfd);
	}
	for (uint32_t i = 0; i < file->syncobjs.size; i++)
		close_handle(file, i);
}
