# SPDX-License-Identifier: MIT
"""One run of the machine: starts QEMU, relays the command's streams, and tells how it ended."""

import ctypes
import fcntl
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import tty

import splat
from control import Control
from link import MAX_PAYLOAD, TYPE, Link

TIMED_OUT = 124
NPU_VM_ERROR = 125
KERNEL_DIED = 126

# A guest that has not come as far as the command by then never will.
BOOT_LIMIT = 180
# With KASAN and lockdep, on a machine that has more to do.
BOOT_LIMIT_DEBUG = 600
CONSOLE_LINES = 60
ESCAPE = b"\x1d"


def say(text):
    sys.stderr.write(f"npu-vm: {text}\n")
    sys.stderr.flush()


def _write_all(fd, data):
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BrokenPipeError:
            return


class Session:
    def __init__(self, console, pty, deadline, dmesg, devices, boot_limit):
        self.console = console
        self.pty = pty
        self.deadline = deadline
        self.dmesg = dmesg
        self.boot_limit = boot_limit
        self.boot_deadline = time.monotonic() + boot_limit
        self.ready = False
        self.status = None
        self.failure = None
        self.log = []
        self.interrupts = 0
        self.killed_by = None
        self.terminal = None
        self.selector = selectors.DefaultSelector()
        self.theirs = {}
        self.link = Link(self._pair("link"))
        self.control = Control(self._pair("control"), self._pair("qmp"), devices)

    def _pair(self, name):
        """A socket whose other end is QEMU's, under that name."""
        ours, self.theirs[name] = socket.socketpair()
        return ours

    def descriptors(self):
        return {name: sock.fileno() for name, sock in self.theirs.items()}

    def start(self, command_line):
        def die_with_parent():
            os.setsid()
            PR_SET_PDEATHSIG = 1
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self.qemu = subprocess.Popen(
            command_line,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=list(self.descriptors().values()),
            preexec_fn=die_with_parent,
        )
        for sock in self.theirs.values():
            sock.close()

    def run(self):
        """Relays until QEMU is gone; npu-vm's exit status."""
        self._prepare()
        try:
            while self._step():
                pass
        finally:
            self._restore()
            self._stop_qemu()
        return self._verdict()

    def _prepare(self):
        self.selector.register(self.link.sock, selectors.EVENT_READ, self._from_guest)
        self.selector.register(self.control.guest.sock, selectors.EVENT_READ,
                               self.control.from_guest)
        self.selector.register(self.control.qmp.sock, selectors.EVENT_READ, self.control.from_qmp)
        # Files and /dev/null cannot be polled; they are always ready.
        self.stdin_open = True
        try:
            self.selector.register(0, selectors.EVENT_READ, self._from_stdin)
        except (PermissionError, ValueError, OSError):
            self.stdin_open = "always ready"
        wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_w)
        self.selector.register(wake_r, selectors.EVENT_READ, lambda: os.read(wake_r, 64))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _enter_terminal(self):
        """From now on every key is the command's, but for ESCAPE. Not during boot: ^C ends that."""
        self.terminal = termios.tcgetattr(0)
        tty.setraw(0)
        signal.signal(signal.SIGWINCH, lambda *_: self._send_size())
        self._send_size()

    def _restore(self):
        if self.terminal:
            termios.tcsetattr(0, termios.TCSADRAIN, self.terminal)

    def _send_size(self):
        rows, cols, _, _ = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
        self.link.send("WINSIZE", struct.pack("<HH", rows, cols))

    def _on_signal(self, number, _frame):
        """The first interrupt is the command's; the next one, and any other signal, is ours."""
        self.interrupts += 1
        if number == signal.SIGINT and self.interrupts == 1 and self.ready:
            self.link.send("SIGNAL", bytes([number]))
        else:
            self.killed_by = number

    def _time_left(self):
        limits = []
        if self.deadline is not None:
            limits.append(self.deadline)
        if not self.ready:
            limits.append(self.boot_deadline)
        if not limits:
            return None
        return min(limits) - time.monotonic()

    def _step(self):
        left = self._time_left()
        if self.killed_by or (left is not None and left <= 0):
            return False
        if self.stdin_open == "always ready" and self.ready and not self.link.unsent:
            self._from_stdin()
        self._poll_directions()
        for key, events in self.selector.select(left):
            if key.data == self._from_guest:
                if events & selectors.EVENT_WRITE:
                    self.link.flush()
                if events & selectors.EVENT_READ and not self._from_guest():
                    return False
            else:
                key.data()
        return True

    def _poll_directions(self):
        """Reads standard input only as fast as the guest takes it, and not before it is there."""
        write = selectors.EVENT_WRITE if self.link.unsent else 0
        self.selector.modify(self.link.sock, selectors.EVENT_READ | write, self._from_guest)
        if self.stdin_open is not True:
            return
        wanted = self.ready and not self.link.unsent
        registered = 0 in self.selector.get_map()
        if wanted and not registered:
            self.selector.register(0, selectors.EVENT_READ, self._from_stdin)
        elif registered and not wanted:
            self.selector.unregister(0)

    def _from_stdin(self):
        try:
            data = os.read(0, MAX_PAYLOAD)
        except OSError:
            data = b""
        if self.terminal and ESCAPE in data:
            self.killed_by = signal.SIGINT
            return
        self.link.send("STDIN", data)
        if not data:
            if 0 in self.selector.get_map():
                self.selector.unregister(0)
            self.stdin_open = False

    def _from_guest(self):
        alive = self.link.receive()
        for kind, payload in self.link.frames():
            self._frame(kind, payload)
        return alive and self.status is None and self.failure is None

    def _frame(self, kind, payload):
        if kind == TYPE["STDOUT"]:
            _write_all(1, payload)
        elif kind == TYPE["STDERR"]:
            _write_all(2, payload)
        elif kind == TYPE["READY"]:
            self.ready = True
            if self.pty:
                self._enter_terminal()
        elif kind == TYPE["MESSAGE"]:
            say(payload.decode(errors="replace"))
        elif kind == TYPE["KMSG"]:
            self.log.append(payload.decode(errors="replace"))
        elif kind == TYPE["FAILED"]:
            self.failure = payload.decode(errors="replace")
        elif kind == TYPE["STATUS"]:
            self.status = payload[0]

    def _stop_qemu(self):
        """The guest powers off when we hang up after its last frame; anything else is ended here."""
        self.link.sock.close()
        if self.killed_by:
            grace = 0
        elif self.status is None and self.failure is None:
            grace = 5 if self._time_left() is None or self._time_left() > 0 else 0
        else:
            grace = 30
        try:
            self.qemu.wait(grace)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait()

    def _console_text(self):
        try:
            with open(self.console, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def _show_console(self):
        lines = self._console_text().splitlines()[-CONSOLE_LINES:]
        say("the end of the console:")
        sys.stderr.write("\n".join(lines) + "\n")

    def _verdict(self):
        log = "".join(self.log) or self._console_text()
        if self.dmesg:
            with open(self.dmesg, "w") as f:
                f.write(log)
        if self.killed_by:
            say(f"ended by signal {self.killed_by}")
            return 128 + self.killed_by
        if self.status is not None:
            trouble = splat.first(log)
            if not trouble:
                return self.status
            say(f"the command ended with status {self.status}, but the kernel log has a splat:")
            sys.stderr.write(trouble + "\n")
            return KERNEL_DIED
        if self.failure:
            say(self.failure)
            self._show_console()
            return NPU_VM_ERROR
        if self.deadline is not None and time.monotonic() >= self.deadline:
            say("no end within the time that --timeout gives")
            trouble = splat.first(self._console_text())
            if trouble:
                sys.stderr.write(trouble + "\n")
            return TIMED_OUT
        if self.qemu.returncode not in (0, -signal.SIGKILL):
            say(f"QEMU ended with status {self.qemu.returncode}")
            return NPU_VM_ERROR
        if not self.ready and time.monotonic() >= self.boot_deadline:
            say(f"the guest did not boot within {self.boot_limit} s")
        else:
            say("the guest's kernel died" if self.ready else "the guest did not boot")
        self._show_console()
        return KERNEL_DIED
