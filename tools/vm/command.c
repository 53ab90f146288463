// SPDX-License-Identifier: MIT
/* The command: its own session, and pipes or a pseudo-terminal for its standard streams. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "init.h"
#include "link.h"

static void open_pipes(struct command *c, int child[3])
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	child[0] = in[0];
	child[1] = out[1];
	child[2] = err[1];
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
}

static void open_pty(struct command *c, int child[3])
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), tty;

	if (master < 0 || grantpt(master) || unlockpt(master))
		fail("pseudo-terminal: %s", strerror(errno));
	tty = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		fail("pseudo-terminal: %s", strerror(errno));
	c->in = dup(master);
	c->out = master;
	c->err = -1;
	child[0] = child[1] = child[2] = tty;
}

static void run(const struct command *c, const int child[3])
{
	char **argv = config_array("arg");
	const char *cwd = config_get("cwd");
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(child[0], 0);
	dup2(child[1], 1);
	dup2(child[2], 2);
	if (c->pty)
		ioctl(0, TIOCSCTTY, 0);
	environ = config_array("env");
	if (chdir(cwd)) {
		dprintf(2, "npu-vm: %s: %s\n", cwd, strerror(errno));
		_exit(127);
	}
	execvp(argv[0], argv);
	dprintf(2, "npu-vm: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void command_start(struct command *c)
{
	int child[3];

	c->pty = config_get("pty");
	if (c->pty)
		open_pty(c, child);
	else
		open_pipes(c, child);
	link_send(LINK_READY, "", 0);
	c->pid = fork();
	if (c->pid < 0)
		fail("fork: %s", strerror(errno));
	if (!c->pid)
		run(c, child);
	close(child[0]);
	if (!c->pty) {
		close(child[1]);
		close(child[2]);
	}
}

void command_resize(const struct command *c, unsigned int rows, unsigned int cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	if (c->pty)
		ioctl(c->out, TIOCSWINSZ, &size);
}

/* A terminal has no end of file of its own: it is a character there. */
void command_close_stdin(struct command *c)
{
	if (c->in < 0)
		return;
	if (c->pty)
		(void)!write(c->in, "\004", 1);
	close(c->in);
	c->in = -1;
}
