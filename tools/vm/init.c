// SPDX-License-Identifier: MIT
/* The guest's first process; see init.h. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"
#include "link.h"

/* Frames from the host: what has been read and not yet handled. */
static struct {
	unsigned char data[4 + LINK_MAX_PAYLOAD];
	size_t have;
	size_t taken; /* of the payload of a LINK_STDIN frame that the command was slow to read */
} rx;

static void set_up_network(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		ioctl(fd, SIOCSIFFLAGS, &ifr);
		close(fd);
	}
	(void)!sethostname("npu-vm", 6);
}

static void set_limits(void)
{
	struct rlimit files = { 1024, 524288 }, locked = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &locked);
}

/* Passes on what there is; false at the end of the stream. */
static bool relay(int fd, char type)
{
	char buf[LINK_MAX_PAYLOAD];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		link_send(type, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain(int fd, char type)
{
	char buf[LINK_MAX_PAYLOAD];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		link_send(type, buf, n);
}

/* True if the command took all of it; false to try again when it reads. */
static bool feed_stdin(struct command *c, const unsigned char *data, size_t len)
{
	while (c->in >= 0 && rx.taken < len) {
		ssize_t n = write(c->in, data + rx.taken, len - rx.taken);

		if (n > 0)
			rx.taken += n;
		else if (n < 0 && errno == EAGAIN)
			return false;
		else if (n < 0 && errno != EINTR)
			command_close_stdin(c);
	}
	rx.taken = 0;
	if (!len)
		command_close_stdin(c);
	return true;
}

/* False if the frame has to wait for the command. */
static bool handle_frame(struct command *c, char type, const unsigned char *data, size_t len)
{
	switch (type) {
	case LINK_STDIN:
		return feed_stdin(c, data, len);
	case LINK_SIGNAL:
		if (len == 1)
			kill(-c->pid, data[0]);
		break;
	case LINK_WINSIZE:
		if (len == 4)
			command_resize(c, data[0] | data[1] << 8, data[2] | data[3] << 8);
		break;
	}
	return true;
}

/* Handles the frames that are complete; true if one waits for the command to read. */
static bool handle_frames(struct command *c)
{
	while (rx.have >= 4) {
		size_t len = rx.data[1] | rx.data[2] << 8 | rx.data[3] << 16;

		if (len > LINK_MAX_PAYLOAD)
			fail("a frame of %zu bytes on the link", len);
		if (rx.have < 4 + len)
			return false;
		if (!handle_frame(c, rx.data[0], rx.data + 4, len))
			return true;
		rx.have -= 4 + len;
		memmove(rx.data, rx.data + 4 + len, rx.have);
	}
	return false;
}

static void read_link(void)
{
	ssize_t n = read(link_fd, rx.data + rx.have, sizeof(rx.data) - rx.have);

	if (n > 0)
		rx.have += n;
	else if (!n)
		power_off(); /* nobody is there to hear */
}

/* Reaps every child, as the first process must; true with @status set once the command ended. */
static bool reap(int sigfd, pid_t command, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	pid_t pid;
	int s;

	(void)!read(sigfd, &info, sizeof(info));
	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		ended = true;
		*status = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
	}
	return ended;
}

/* Relays until the command ends; its exit status. */
static int attend(struct command *c, int sigfd, int uevents)
{
	bool blocked = false;
	int status = 0;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = blocked ? -1 : link_fd, .events = POLLIN },
			{ .fd = blocked ? c->in : -1, .events = POLLOUT },
			{ .fd = c->out, .events = POLLIN },
			{ .fd = c->err, .events = POLLIN },
			{ .fd = sigfd, .events = POLLIN },
			{ .fd = uevents, .events = POLLIN },
		};

		poll(p, 6, -1);
		if (p[0].revents)
			read_link();
		if (p[0].revents || p[1].revents)
			blocked = handle_frames(c);
		if (p[2].revents && !relay(c->out, LINK_STDOUT))
			c->out = -1;
		if (p[3].revents && !relay(c->err, LINK_STDERR))
			c->err = -1;
		if (p[5].revents)
			uevent_handle(uevents);
		if (p[4].revents && reap(sigfd, c->pid, &status))
			return status;
	}
}

/* The kernel log as dmesg has it: a record is "level,number,time,flags;text". */
static void send_kernel_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	ssize_t n;

	/* EPIPE: records were overwritten before they were read; go on with the next. */
	while (fd >= 0 && ((n = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE)) {
		unsigned long long usec = 0;
		char *text;

		if (n <= 0)
			continue;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		sscanf(record, "%*u,%*u,%llu", &usec);
		text[1 + strcspn(text + 1, "\n")] = '\0';
		link_printf(LINK_KMSG, "[%5llu.%06llu] %s\n", usec / 1000000, usec % 1000000,
			    text + 1);
	}
}

int main(void)
{
	struct command command;
	unsigned char status;
	sigset_t chld;
	int sigfd, uevents;

	mount_early();
	link_open();
	config_load();
	config_each("module", load_module);
	mount_root();
	link_control();
	set_up_network();
	set_limits();

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

	load_driver();
	uevents = uevent_open();

	command_start(&command);
	status = attend(&command, sigfd, uevents);
	drain(command.out, LINK_STDOUT);
	drain(command.err, LINK_STDERR);
	kill(-1, SIGKILL);
	unmount_shares();
	send_kernel_log();
	link_send(LINK_STATUS, &status, 1);
	power_off();
}
