# SPDX-License-Identifier: MIT
"""The machine that npu-vm boots, as QEMU's command line."""

import json
import os
import re
import socket

from control import typed

# Properties of the device that are text, also where that is a number: timing=910.
TEXTS = ("timing", "console", "gdb", "gdb-mcu")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text):
    """The bytes that QEMU's way of writing a size stands for."""
    m = re.fullmatch(r"(\d+)([KMGT]?)", text.upper())
    if not m or not int(m[1]):
        raise ValueError(f"not a size: {text!r} (a number and K, M, G or T)")
    return int(m[1]) * UNITS[m[2]]


def can_use_kvm():
    """True if the processor says it can virtualise: that /dev/kvm opens proves nothing."""
    with open("/proc/cpuinfo") as f:
        flags = re.search(r"^flags\s*:(.*)$", f.read(), re.M)
    if not flags or not {"vmx", "svm"} & set(flags[1].split()):
        return False
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def _hole(options):
    """Bus addresses for the BARs: twice what they hold, as each is aligned to its own size."""
    return 32 * UNITS["G"] + 2 * options.npus * size(options.hbm)


def _processor(options):
    if options.kvm:
        return ["-accel", "kvm", "-cpu", "host"]
    # Five-level page tables make every walk longer, and nothing here is that large. With 40 bits,
    # the firmware puts BARs where the kernel knows an AMD machine to have HyperTransport.
    bits = max(39, (2 * _hole(options)).bit_length())
    bits += bits == 40
    # It is AMD's; of Zen Linux knows that devices below different ports reach each other.
    peers = ",family=25" if options.p2p else ""
    return ["-accel", "tcg,thread=multi", "-cpu", f"max,la57=off,phys-bits={bits}{peers}"]


def gdb_folder():
    """Where the sockets for npu-gdb are unless told otherwise."""
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/npu-{os.getuid()}", "npu-gdb")


def is_served(path):
    """True if somebody takes connections there; a socket may be left over from a machine."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(path)
        except OSError:
            return False
    return True


def gdb_sockets(options, n):
    """Where gdb connects to an NPU, by the property of the device that names the socket."""
    return {"gdb": os.path.join(options.gdb, f"npu{n}"),
            "gdb-mcu": os.path.join(options.gdb, f"npu{n}.mcu")}


def _debuggers(options, n):
    return {name: f"{name}{n}" for name in gdb_sockets(options, n)} if options.gdb else {}


def npu_devices(options):
    """The NPUs by name, each as what QMP's device_add takes."""
    devices = {}
    for n in range(options.npus):
        device = {"driver": "npu", "id": f"npu{n}", "hbm": f"hbm{n}", "bus": f"rp{n}",
                  "serial": n + 1, **_debuggers(options, n)}
        for option in options.npu_opt:
            name, _, value = option.partition("=")
            device[name] = value if name in TEXTS else typed(value)
        devices[device["id"]] = device
    return devices


def _npus(options):
    """
    Each NPU has its own root port, as in a server, so that one can be unplugged, and the slot is
    the kernel's own business as it is there, not ACPI's.
    """
    args = ["-global", f"q35-pcihost.pci-hole64-size={_hole(options)}",
            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    for n, device in enumerate(npu_devices(options).values()):
        for name, path in (gdb_sockets(options, n).items() if options.gdb else ()):
            args += ["-chardev",
                     f"socket,id={name}{n},path={_escape(path)},server=on,wait=off"]
        args += [
            "-object", f"memory-backend-ram,id=hbm{n},size={options.hbm},reserve=off,merge=off",
            "-device", f"pcie-root-port,id=rp{n},bus=pcie.0,chassis={n + 1},slot={n + 1}",
            "-device", json.dumps(device),
        ]
    return args


def _own(options, chassis, device):
    """A device of the machine's own, which the guest cannot lose while it sleeps if it may."""
    if not options.sleep:
        return ["-device", device]
    # Only behind a port it has the capability that tells the guest to leave it alone.
    return [
        "-device", f"pcie-root-port,id=own{chassis},bus=pcie.0,chassis={chassis},slot={chassis}",
        "-device", f"{device},bus=own{chassis},x-pcie-pm-no-soft-reset=on",
    ]


def _shares(options):
    args = []
    for n, path in enumerate(options.share):
        args += [
            "-fsdev", f"local,id=share{n},path={_escape(path)},security_model=none,multidevs=remap",
            *_own(options, 32 + n, f"virtio-9p-pci,fsdev=share{n},mount_tag=share{n}"),
        ]
    return args


def _escape(path):
    return path.replace(",", ",,")


def kernel_arguments(options, firmware):
    args = [
        "console=ttyS0", "earlyprintk=ttyS0", "loglevel=5", "log_buf_len=4M",
        "panic=-1", "oops=panic", "mitigations=off", "random.trust_cpu=on",
        # Memory that the driver does not clear shall not look cleared.
        "init_on_alloc=0", "cryptomgr.notests", "lsm=", "audit=0", "ipv6.disable=1",
        f"firmware_class.path={firmware}",
        "intel_iommu=on" if options.iommu else "intel_iommu=off",
    ]
    if not options.kvm:
        args += ["tsc=reliable", "no_timer_check", "nowatchdog"]
    return " ".join(args)


def command_line(options, paths):
    """paths: qemu, roms, kernel, initrd, firmware, console, and link, control and
    qmp, which are file descriptors."""
    machine = "q35,sata=off,smbus=off,vmport=off"
    if options.kvm and options.iommu:
        machine += ",kernel-irqchip=split"
    args = [
        paths["qemu"], "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-L", paths["roms"], "-machine", machine, *_processor(options),
        "-smp", str(options.cpus), "-m", options.memory,
        "-kernel", paths["kernel"], "-initrd", paths["initrd"],
        "-append", kernel_arguments(options, paths["firmware"]),
        "-serial", "file:" + paths["console"],
    ]
    if options.iommu:
        args += ["-device", "intel-iommu,intremap=on"]
    args += [
        "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
        *_own(options, 30, "virtio-9p-pci,fsdev=root,mount_tag=root"),
        "-chardev", f"socket,id=link,fd={paths['link']}",
        "-chardev", f"socket,id=control,fd={paths['control']}",
        "-chardev", f"socket,id=qmp,fd={paths['qmp']}", "-mon", "chardev=qmp,mode=control",
        *_own(options, 31, "virtio-serial-pci,id=link,max_ports=3"),
        "-device", "virtserialport,bus=link.0,chardev=link,name=npu-vm",
        "-device", "virtserialport,bus=link.0,chardev=control,name=npu-vm.control",
        *_shares(options), *_npus(options),
    ]
    for extra in options.qemu_arg:
        args += extra.split()
    return args
