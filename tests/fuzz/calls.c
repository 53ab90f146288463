// SPDX-License-Identifier: MIT
/* What programs do with the driver's objects other than its ioctls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libdrm/drm.h>

#include <drm/npu_accel.h>

#include "fuzz.h"
#include "npu_util.h"

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

int call_mmap(struct state *s)
{
	struct drm_npu_bo_mmap_offset arg = { .handle = objects_pick(s, O_BO) };
	size_t size = objects_size(s, O_BO, arg.handle);
	unsigned int slot = below(s, MAX_MAPS);
	void *at;

	if (ioctl(s->fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg))
		return -errno;
	if (chance(s, 10))
		size = 4096 * (1 + below(s, 600));
	if (s->maps[slot].size)
		munmap(s->maps[slot].at, s->maps[slot].size);
	s->maps[slot].size = 0;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, chance(s, 10) ? MAP_PRIVATE : MAP_SHARED,
		  s->fd, chance(s, 10) ? (off_t)(any(s) & 0xffffffffff000) : (off_t)arg.offset);
	if (at == MAP_FAILED)
		return -errno;
	s->maps[slot].at = at;
	s->maps[slot].size = size;
	return 0;
}

int call_munmap(struct state *s)
{
	unsigned int slot = below(s, MAX_MAPS);
	int ret;

	if (!s->maps[slot].size)
		return -ENOENT;
	ret = munmap(s->maps[slot].at, s->maps[slot].size);
	s->maps[slot].size = 0;
	return result(ret);
}

/* Commands, some of which make sense, at a place where a job may look for them. */
static void write_commands(struct state *s, struct npu_cmd *cmd, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++, cmd++) {
		uint64_t dst = DATA_VA + below(s, DATA_VA_SIZE), src = DATA_VA + below(s, 1 << 22);

		switch (below(s, 7)) {
		case 0:
			cmd_copy(cmd, dst & ~63, src & ~63, 64 << below(s, 10));
			break;
		case 1:
			cmd_fill(cmd, dst & ~63, 64 << below(s, 10), any(s));
			break;
		case 2:
			cmd_timestamp(cmd, dst & ~7);
			break;
		case 3:
			cmd_sem_wait(cmd, src & ~7, below(s, 2));
			break;
		case 4:
			cmd_kernel(cmd, LIST_VA + 4096, dst, 1 + below(s, 4));
			if (chance(s, 50))
				cmd->kernel.strict = src & ~63;
			break;
		default:
			cmd_nop(cmd);
		}
		if (chance(s, 30))
			((uint8_t *)cmd)[below(s, sizeof(*cmd))] = any(s);
	}
}

/*
 * Through pread() and pwrite() on our own memory: where a mapping ends before what we think, that is
 * an error and not a signal.
 */
int call_touch(struct state *s)
{
	unsigned int slot = below(s, MAX_MAPS);
	struct npu_cmd commands[16];
	ssize_t n;
	int fd;

	if (!s->maps[slot].size)
		return -ENOENT;
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	write_commands(s, commands, 16);
	n = pwrite(fd, commands, sizeof(commands),
		   (uintptr_t)s->maps[slot].at + below(s, s->maps[slot].size / 4096) * 4096);
	if (n > 0)
		n = pread(fd, commands, sizeof(commands), (uintptr_t)s->maps[slot].at);
	close(fd);
	return result(n);
}

/* Pages of user memory go, come back, and change their protection. */
int call_arena(struct state *s)
{
	uint8_t *at = s->arena + below(s, ARENA_SIZE / 4096) * 4096;
	size_t size = (1 + below(s, 32)) * 4096;

	if (size > (size_t)(s->arena + ARENA_SIZE - at))
		size = s->arena + ARENA_SIZE - at;
	switch (below(s, 5)) {
	case 0:
		return result(madvise(at, size, MADV_DONTNEED));
	case 1:
		return result(mprotect(at, size, PROT_READ));
	case 2:
		return result(mprotect(at, size, PROT_READ | PROT_WRITE));
	case 3:
		return result(munmap(at, size));
	default:
		return mmap(at, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) ==
		       MAP_FAILED ? -errno : 0;
	}
}

int call_close(struct state *s)
{
	static const enum object types[] = { O_DMABUF, O_SYNCFILE, O_PERF };
	enum object type = types[below(s, 3)];
	unsigned int count = s->objects[type].count;
	uint32_t fd;

	if (!count)
		return -ENOENT;
	fd = s->objects[type].id[below(s, count)];
	objects_remove(s, type, fd);
	return result(close(fd));
}

/* The file goes with all it has; dma-bufs, sync files and streams outlive it. */
int call_reopen(struct state *s)
{
	close(s->fd);
	for (int type = 0; type < O_COUNT; type++) {
		if (!object_is_fd(type))
			s->objects[type].count = 0;
	}
	s->fd = files_get(s, chance(s, 2));
	return s->fd < 0 ? -errno : 0;
}

int call_fdinfo(struct state *s)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	close(fd);
	return result(n);
}

int call_read_perf(struct state *s)
{
	uint8_t records[2048];
	int fd;

	if (!s->objects[O_PERF].count)
		return -ENOENT;
	fd = s->objects[O_PERF].id[below(s, s->objects[O_PERF].count)];
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return result(read(fd, records, below(s, sizeof(records))));
}

/* What programs do with a dma-buf, whoever has exported it. */
int call_dmabuf(struct state *s)
{
	struct dma_buf_sync sync = { .flags = below(s, 8) };
	struct dma_buf_export_sync_file export = { .flags = 1 + below(s, 3) };
	struct dma_buf_import_sync_file import = { .flags = 1 + below(s, 3) };
	void *at;
	int fd;

	if (!s->objects[O_DMABUF].count)
		return -ENOENT;
	fd = s->objects[O_DMABUF].id[below(s, s->objects[O_DMABUF].count)];
	switch (below(s, 4)) {
	case 0:
		return result(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
	case 1:
		if (ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export))
			return -errno;
		objects_add(s, O_SYNCFILE, export.fd, 0);
		return 0;
	case 2:
		import.fd = objects_pick(s, O_SYNCFILE);
		return result(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import));
	default:
		at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		return at == MAP_FAILED ? -errno : result(munmap(at, 4096));
	}
}

/* What the driver says of itself, to people, while all of it changes. */
int call_look(struct state *s)
{
	static const char *const names[] = { "buffers", "vms", "queues", "hbm", "fw_log",
					     "registers" };
	FILE *f = npu_debugfs_open(s->fd, names[below(s, 6)]);
	char text[4096];

	if (!f)
		return -errno;
	while (fread(text, 1, sizeof(text), f))
		;
	fclose(f);
	return 0;
}

/* A child inherits mappings and the file, uses them, and dies in the middle of it. */
int call_fork(struct state *s)
{
	pid_t pid = fork();

	if (!pid) {
		call_touch(s);
		ioctl(s->fd, DRM_IOCTL_NPU_VM_CREATE, &(struct drm_npu_vm_create){ 0 });
		_exit(0);
	}
	return result(pid < 0 ? -1 : waitpid(pid, NULL, 0));
}
