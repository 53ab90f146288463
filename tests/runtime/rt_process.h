/* SPDX-License-Identifier: MIT */
/*
 * Another process: the program once more. A fork would have what the device's thread has locked
 * at the time, in an allocator for one, and nobody to unlock it.
 */
#ifndef RT_PROCESS_H
#define RT_PROCESS_H

#include "rt_test.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESS_FDS 3

extern char **environ;

/* Its arguments are the numbers of the descriptors, which it has. */
static inline pid_t process_start(const int *fds, unsigned int count)
{
	char path[4096] = "", numbers[PROCESS_FDS][12], *argv[PROCESS_FDS + 2] = { path };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	need(readlink("/proc/self/exe", path, sizeof(path) - 1) < 0 ? NPURT_ERROR_SYSTEM : 0,
	     "find the program");
	posix_spawn_file_actions_init(&actions);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
		argv[i + 1] = numbers[i];
		/* To its own number: so it stays open. */
		posix_spawn_file_actions_adddup2(&actions, fds[i], fds[i]);
	}
	need(posix_spawn(&pid, path, &actions, NULL, argv, environ) ? NPURT_ERROR_SYSTEM : 0,
	     "start another process");
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* The process gets the second end alone. */
static inline void process_sockets(int ends[2])
{
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ? NPURT_ERROR_SYSTEM : 0,
	     "make sockets");
}

/* Its exit status when it has ended, or -1. */
static inline int process_wait(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif /* RT_PROCESS_H */
