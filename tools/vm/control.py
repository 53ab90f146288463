# SPDX-License-Identifier: MIT
"""What npu-inject in the guest asks of the machine: requests by line, carried out by QMP."""

import collections
import json

HELP = """\
set NPU PROPERTY VALUE     set a property of an NPU (npu0 is the first) or of a path in QOM
get NPU PROPERTY           read one
fault NPU NAME [N [TARGET]]  have a fault happen the next N times that it can, 1 if not given; which
                           there are, and what TARGET is: docs/device-faults.md
count NPU NAME             how often it has happened
pull NPU                   take it out without a warning, as if it had fallen off the bus
unplug NPU                 ask the guest to give it up, as by the slot's attention button
plug NPU                   put it, or one like it, into its slot again
aer NPU ERROR              report a PCI Express error: RCVR is corrected, COMP_TIME not, DLP fatal;
                           others as of QEMU's pcie_aer_inject_error
wake                       end the guest's next suspend to memory, once it sleeps
qmp COMMAND [JSON]         any QMP command, with its arguments"""


def typed(text):
    """A property's value as QMP wants it."""
    if text in ("on", "true", "off", "false"):
        return text in ("on", "true")
    try:
        return int(text, 0)
    except ValueError:
        return text


def _path(npu):
    return npu if npu.startswith("/") else f"/machine/peripheral/{npu}"


class _Lines:
    """Lines over a connected socket that does not block."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()
        sock.setblocking(False)

    def send(self, text):
        try:
            self.sock.sendall(text.encode() + b"\n")
        except OSError:
            pass  # the machine is about to end

    def receive(self):
        try:
            self.received += self.sock.recv(1 << 16)
        except OSError:
            pass
        while b"\n" in self.received:
            line, _, self.received = self.received.partition(b"\n")
            yield line.decode(errors="replace").strip()


class Control:
    """One request at a time, answered by a line that begins with the asker's own number."""

    def __init__(self, guest, qmp, devices):
        self.guest = _Lines(guest)
        self.qmp = _Lines(qmp)
        self.devices = devices
        self.requests = collections.deque()
        self.asker = None
        self.answer = None
        self.leaving = set()
        self.wait_gone = None
        self.wake = False
        self.verbs = {"set": self._set, "get": self._get, "fault": self._fault,
                      "count": self._count, "pull": self._pull, "unplug": self._unplug,
                      "plug": self._plug, "aer": self._aer, "wake": self._wake, "qmp": self._qmp}

    def from_guest(self):
        self.requests.extend(line for line in self.guest.receive() if line)
        self._next()

    def from_qmp(self):
        for line in self.qmp.receive():
            message = json.loads(line)
            if "QMP" in message:
                self._execute("qmp_capabilities", None)
            elif "event" in message:
                self._event(message)
            elif message.get("id") == "answer":
                self._reply(message)

    def _next(self):
        while self.requests and self.asker is None:
            self.asker, _, request = self.requests.popleft().partition(" ")
            try:
                verb, *words = request.split(None, 2 if request.startswith("qmp ") else -1)
                self.verbs[verb](*words)
            except (KeyError, TypeError, ValueError):
                self._done(f"error no such request: {request}")

    def _done(self, text):
        self.guest.send(f"{self.asker} {text}")
        self.asker = None

    def _execute(self, command, arguments, answer=None):
        """Runs a command; if @answer is given, it makes the guest's answer of what is returned."""
        message = {"execute": command}
        if arguments is not None:
            message["arguments"] = arguments
        if answer:
            message["id"] = "answer"
            self.answer = answer
        self.qmp.send(json.dumps(message))

    def _reply(self, message):
        if "error" in message:
            self._done("error " + message["error"]["desc"].replace("\n", " "))
        else:
            self._done(self.answer(message["return"]))
        self._next()

    def _event(self, message):
        if message["event"] == "DEVICE_DELETED":
            npu = message["data"].get("device")
            self.leaving.discard(npu)
            if npu and npu == self.wait_gone:
                self.wait_gone = None
                self._add(npu)
        elif message["event"] == "SUSPEND" and self.wake:
            self.wake = False
            self._execute("system_wakeup", None)

    def _set(self, npu, name, value):
        self._execute("qom-set", {"path": _path(npu), "property": name, "value": typed(value)},
                      lambda _: "ok")

    def _get(self, npu, name):
        self._execute("qom-get", {"path": _path(npu), "property": name},
                      lambda value: "ok " + (value if isinstance(value, str) else json.dumps(value)))

    def _fault(self, npu, name, times="1", target=None):
        value = times if target is None else f"{times}@{target}"
        self._execute("qom-set", {"path": _path(npu), "property": f"inject-{name}",
                                  "value": value}, lambda _: "ok")

    def _count(self, npu, name):
        self._get(npu, f"injected-{name}")

    def _pull(self, npu):
        self.leaving.add(npu)
        self._execute("qom-set", {"path": _path(npu), "property": "inject-removal", "value": True},
                      lambda _: "ok")

    def _unplug(self, npu):
        self.leaving.add(npu)
        self._execute("device_del", {"id": npu}, lambda _: "ok")

    def _plug(self, npu):
        if npu not in self.devices:
            raise ValueError
        if npu in self.leaving:
            self.wait_gone = npu
        else:
            self._add(npu)

    def _add(self, npu):
        self._execute("device_add", self.devices[npu], lambda _: "ok")

    def _aer(self, npu, error):
        self._execute("human-monitor-command",
                      {"command-line": f"pcie_aer_inject_error {npu} {error}"},
                      lambda text: "ok" if text.startswith("OK") else f"error {text.strip()}")

    def _wake(self):
        self.wake = True
        self._done("ok")

    def _qmp(self, command, arguments="null"):
        self._execute(command, json.loads(arguments), lambda value: "ok " + json.dumps(value))
