#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manual pages of libnpurt: well formed, complete, none too many, and as HTML."""

import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
MAN = os.path.join(TOP, "libnpurt/man")
HTML = os.path.join(BUILD, "check/manual")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


PAGES = {path: read(path) for path in sorted(glob.glob(os.path.join(MAN, "*.[37]")))}


def symbols():
    return set(re.findall(r"\b(npurt_\w+);", read(os.path.join(TOP, "libnpurt/libnpurt.map"))))


def lint():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *PAGES],
                          capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def missing():
    named = set()
    for text in PAGES.values():
        head = text.split(".Sh SYNOPSIS")[0]
        declared = set(re.findall(r"^\.F[no] \"?(npurt_\w+)", text, re.M))
        named |= declared & set(re.findall(r"^\.Nm (npurt_\w+)", head, re.M))
    return [f"{name} has no page with its name and synopsis" for name in symbols() - named]


def stale():
    found = []
    for path, text in PAGES.items():
        names = set(re.findall(r"^\.F[no] \"?(npurt_\w+)", text, re.M)) - symbols()
        found += [f"{os.path.basename(path)}: there is no {name}" for name in names]
    return found


def links():
    """Of the HTML: each to a page of the same folder."""
    subprocess.run([os.path.join(TOP, "scripts/man-html.py"), MAN, HTML], check=True)
    found = []
    for path in sorted(glob.glob(os.path.join(HTML, "*.html"))):
        for target in re.findall(r'href="([^"#]+)', read(path)):
            page = os.path.join(HTML, target)
            if target.startswith("npurt") and not os.path.exists(page):
                found.append(f"{os.path.basename(path)}: no {target}")
    return found


def main():
    failed = False
    checks = (("pages are well formed", lint), ("each function has its page", missing),
              ("no page has a function that is gone", stale),
              ("as HTML, each reference leads somewhere", links))
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
