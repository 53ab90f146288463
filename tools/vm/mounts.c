// SPDX-License-Identifier: MIT
/*
 * The guest's file systems. Its root is the host's, read only over 9p, under an overlay in memory;
 * folders that the caller shares are mounted on top of it for writing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define P9_OPTIONS "trans=virtio,version=9p2000.L,access=any,msize=512000,"

static void must_mount(const char *what, const char *where, const char *type, unsigned long flags,
		       const char *options)
{
	if (mkdir(where, 0755) && errno != EEXIST)
		fail("mkdir %s: %s", where, strerror(errno));
	if (mount(what, where, type, flags, options))
		fail("mount %s at %s: %s", what, where, strerror(errno));
}

static void try_mount(const char *type, const char *where)
{
	mkdir(where, 0755);
	mount(type, where, type, 0, NULL);
}

void mount_early(void)
{
	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	must_mount("devtmpfs", "/dev", "devtmpfs", 0, "mode=0755");
}

/* A link that /dev has on any other machine. */
static void dev_link(const char *target, const char *name)
{
	if (symlink(target, name) && errno != EEXIST)
		fail("symlink %s: %s", name, strerror(errno));
}

static void mount_dev(void)
{
	must_mount("devpts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666");
	must_mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	dev_link("/proc/self/fd", "/dev/fd");
	dev_link("/proc/self/fd/0", "/dev/stdin");
	dev_link("/proc/self/fd/1", "/dev/stdout");
	dev_link("/proc/self/fd/2", "/dev/stderr");
}

static void mkdir_parents(const char *path)
{
	char *copy = strdup(path), *p;

	for (p = copy + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	mkdir(copy, 0755);
	free(copy);
}

/* @share is "tag:path". */
static void mount_share(const char *share)
{
	const char *path = strchr(share, ':') + 1;
	char tag[32];

	snprintf(tag, sizeof(tag), "%.*s", (int)(path - 1 - share), share);
	mkdir_parents(path);
	must_mount(tag, path, "9p", 0, P9_OPTIONS "cache=mmap");
}

static void unmount_share(const char *share)
{
	umount2(strchr(share, ':') + 1, MNT_DETACH);
}

void unmount_shares(void)
{
	sync();
	config_each("share", unmount_share);
}

/* modprobe shall find the guest's modules, not the host's. */
static void bind_modules(void)
{
	const char *tree = config_get("modules"), *base;
	char where[300];

	if (!tree)
		return;
	base = strrchr(tree, '/');
	snprintf(where, sizeof(where), "/lib/modules%s", base);
	mkdir_parents(where);
	must_mount(tree, where, NULL, MS_BIND, NULL);
}

void mount_root(void)
{
	must_mount("root", "/lower", "9p", MS_RDONLY, P9_OPTIONS "cache=loose");
	must_mount("tmpfs", "/rw", "tmpfs", 0, "mode=0755,size=75%");
	if (mkdir("/rw/upper", 0755) || mkdir("/rw/work", 0755))
		fail("mkdir in /rw: %s", strerror(errno));
	must_mount("overlay", "/root", "overlay", 0,
		   "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work");
	must_mount("/proc", "/root/proc", NULL, MS_MOVE, NULL);
	must_mount("/sys", "/root/sys", NULL, MS_MOVE, NULL);
	must_mount("/dev", "/root/dev", NULL, MS_MOVE, NULL);

	/* The kernel shares this process's root: it finds firmware where the host has it. */
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("changing the root: %s", strerror(errno));

	mount_dev();
	must_mount("tmpfs", "/run", "tmpfs", 0, "mode=0755");
	try_mount("debugfs", "/sys/kernel/debug");
	try_mount("tracefs", "/sys/kernel/tracing");
	try_mount("cgroup2", "/sys/fs/cgroup");
	config_each("share", mount_share);
	bind_modules();
}
