#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each tool's --help and manual page: both are there, well formed, and know the same options."""

import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
LONG = re.compile(r"(?<![\w-])--[a-z][\w-]*")

sys.path.insert(0, os.path.join(TOP, "tools/vm"))

import control  # noqa: E402

failures = 0


def check(number, name, found):
    global failures
    failures += bool(found)
    print(f"{'not ' if found else ''}ok {number} - {name}")
    for text in found:
        print("#", text)


def programs():
    """By name: those that are a file of tools, and those that are built from a folder."""
    paths = sorted(glob.glob(os.path.join(TOP, "tools/npu-*[!.1]")))
    return {os.path.basename(p): os.path.join(BUILD, "bin", os.path.basename(p))
            if os.path.isdir(p) else p for p in paths}


def page(name):
    for path in (f"tools/{name}.1", f"tools/{name}/{name}.1"):
        if os.path.exists(os.path.join(TOP, path)):
            return os.path.join(TOP, path)
    return None


def listed(text):
    """Options of the lines that begin with one, before what is said of it."""
    heads = [re.split(r" {2,}", line.strip())[0] for line in text.splitlines()
             if line.strip().startswith("-")]
    return set(LONG.findall("\n".join(heads)))


def tags(path):
    """What the page has a paragraph of its own for."""
    with open(path, encoding="utf-8") as f:
        text = f.read().replace("\\-", "-")
    return re.findall(r"^\.TP\n(.*)$", text, re.M)


def differences(name, program):
    done = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, env=dict(os.environ, COLUMNS="100"))
    if done.returncode or done.stderr:
        return [f"--help: exit status {done.returncode}, {done.stderr or 'no message'}"]
    path = page(name)
    if not path:
        return ["there is no manual page"]
    paragraphs = tags(path)
    options = set(LONG.findall("\n".join(paragraphs)))
    found = [f"{option} is not in the page" for option in sorted(listed(done.stdout) - options)]
    found += [f"{option} is not in --help" for option in sorted(options - listed(done.stdout))]
    if name == "npu-inject":
        # Its requests are npu-vm's to list.
        requests = set(re.findall(r"^(\w+)", control.HELP, re.M))
        has = set(re.findall(r"^\.B\w* (\w+)", "\n".join(paragraphs), re.M))
        found += [f"request {r} is not in both" for r in sorted(requests ^ has)]
    if not listed(done.stdout):
        found.append("--help lists no option")
    return found


def lint(path):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True,
                          text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def main():
    number = 0
    for name, program in programs().items():
        number += 1
        check(number, f"{name}: its page and --help have the same options",
              differences(name, program))
        if page(name):
            number += 1
            check(number, f"{name}: its page is well formed", lint(page(name)))
    print(f"1..{number}")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
