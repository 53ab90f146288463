/* SPDX-License-Identifier: MIT */
/*
 * The guest's first process: it puts the host's file system under an overlay, loads the driver,
 * runs one command, and reports over the link.
 */
#ifndef NPU_VM_INIT_H
#define NPU_VM_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* config.c: what npu-vm left in the initrd as "key=value" strings, each with its NUL. */
void config_load(void);
const char *config_get(const char *key);
/* Calls @fn with each value of @key, in order. */
void config_each(const char *key, void (*fn)(const char *value));
/* A NULL-terminated array of the values of @key. */
char **config_array(const char *key);

/* link.c */
extern int link_fd;
void link_open(void);
void link_control(void);
void link_send(char type, const void *data, size_t len);
void link_printf(char type, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says why on the link, or on the console before there is one, and stops the machine. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void power_off(void) __attribute__((noreturn));

/* mounts.c */
void mount_early(void);
void mount_root(void);
void unmount_shares(void);

/* modules.c */
void load_module(const char *path);
void load_driver(void);

/* uevent.c: what udev would do with a new device node. */
int uevent_open(void);
void uevent_handle(int fd);

/* command.c */
struct command {
	pid_t pid;
	bool pty;
	int in; /* -1 when closed */
	int out; /* the pty's master when there is one */
	int err; /* -1 with a pty */
};

void command_start(struct command *c);
void command_resize(const struct command *c, unsigned int rows, unsigned int cols);
void command_close_stdin(struct command *c);

#endif /* NPU_VM_INIT_H */
