#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manual pages of the libraries: well formed, complete, none too many, and as HTML."""

import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
LIBRARIES = ("npurt", "npuop")
MAN = {name: os.path.join(TOP, f"lib{name}/man") for name in LIBRARIES}
HTML = os.path.join(BUILD, "check/manual")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


PAGES = {path: read(path) for name in LIBRARIES
         for path in sorted(glob.glob(os.path.join(MAN[name], "*.[37]")))}


def symbols():
    """Of the headers, which say what the libraries have: libnpuop's map names none."""
    found = set()
    for name in LIBRARIES:
        text = read(os.path.join(TOP, f"lib{name}/include/{name}/{name}.h"))
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        found |= set(re.findall(rf"\b({name}_\w+)\(", text))
    return found


def lint():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *PAGES],
                          capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def missing():
    named = set()
    for text in PAGES.values():
        head = text.split(".Sh SYNOPSIS")[0]
        declared = set(re.findall(r"^\.F[no] \"?(npu(?:rt|op)_\w+)", text, re.M))
        named |= declared & set(re.findall(r"^\.Nm (npu(?:rt|op)_\w+)", head, re.M))
    return [f"{name} has no page with its name and synopsis" for name in symbols() - named]


def stale():
    found = []
    for path, text in PAGES.items():
        names = set(re.findall(r"^\.F[no] \"?(npu(?:rt|op)_\w+)", text, re.M)) - symbols()
        found += [f"{os.path.basename(path)}: there is no {name}" for name in names]
    return found


def links():
    """Of the HTML, that of the tools' pages included: each to a page of the same folder."""
    folders = [os.path.join(TOP, name) for name in ("libnpurt", "libnpuop", "tools")]
    subprocess.run([os.path.join(TOP, "scripts/man-html.py"), HTML, *folders], check=True)
    found = []
    for path in sorted(glob.glob(os.path.join(HTML, "*.html"))):
        for target in re.findall(r'href="([^"#]+)', read(path)):
            page = os.path.join(HTML, target)
            if target.startswith("npu") and not os.path.exists(page):
                found.append(f"{os.path.basename(path)}: no {target}")
    index = read(os.path.join(HTML, "index.html"))
    return found + [f"index.html: no {name}" for name in sorted(symbols())
                    if f"<code>{name}</code>" not in index]


def main():
    failed = False
    checks = (("pages are well formed", lint), ("each function has its page", missing),
              ("no page has a function that is gone", stale),
              ("as HTML, each reference leads somewhere, and the index has each function", links))
    for number, (name, check) in enumerate(checks, 1):
        problems = check()
        failed |= bool(problems)
        print(f"{'not ' if problems else ''}ok {number} - {name}")
        for line in problems:
            print("#", line)
    print(f"1..{len(checks)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
