# SPDX-License-Identifier: MIT
"""The initrd of one run: init, the modules before the root, and init's configuration."""

import os
import stat


def _entry(name, mode, data=b""):
    """One file in cpio's "newc" form."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    out = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
    out += b"\0" * (-len(out) % 4)
    return out + data + b"\0" * (-len(data) % 4)


def _dependencies(tree):
    """modules.dep as a dictionary from a module's name to its files, its own first."""
    deps = {}
    with open(os.path.join(tree, "modules.dep")) as f:
        for line in f:
            path, _, rest = line.partition(":")
            name = os.path.basename(path).split(".ko")[0].replace("-", "_")
            deps[name] = [path] + rest.split()
    return deps


def module_files(tree, names):
    """The files of the modules and of all they need, each after what it needs."""
    deps = _dependencies(tree)
    files = []
    for name in names:
        # A name that the tree does not have is built into its kernel.
        for path in reversed(deps.get(name.replace("-", "_"), [])):
            if path not in files:
                files.append(path)
    return [os.path.join(tree, f) for f in files]


def build(path, init, modules, config):
    """Writes the initrd; config is a list of (key, value) pairs for init."""
    config = list(config)
    with open(path, "wb") as out:
        for folder in ("dev", "proc", "sys", "lower", "rw", "root", "modules"):
            out.write(_entry(folder, stat.S_IFDIR | 0o755))
        with open(init, "rb") as f:
            out.write(_entry("init", stat.S_IFREG | 0o755, f.read()))
        for module in modules:
            name = "modules/" + os.path.basename(module)
            with open(module, "rb") as f:
                out.write(_entry(name, stat.S_IFREG | 0o644, f.read()))
            config.append(("module", "/" + name))
        text = b"".join(os.fsencode(f"{k}={v}") + b"\0" for k, v in config)
        out.write(_entry("config", stat.S_IFREG | 0o644, text))
        out.write(_entry("TRAILER!!!", 0))
