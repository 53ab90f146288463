#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manual pages as HTML: man-html.py FOLDER FOR HTML, FOLDER WITH PAGES..."""

import glob
import html
import os
import re
import subprocess
import sys

STYLE = """\
body { font-family: sans-serif; max-width: 56em; margin: 2em auto; padding: 0 1em; line-height: 1.4 }
code, pre, .Fn, .Fa, .Ft, .Vt, .Dv, .Va { font-family: monospace; font-style: normal }
pre { background: #f4f4f4; padding: 0.6em; overflow-x: auto }
table.head, table.foot { width: 100%; color: #666 }
td.head-rtitle, td.foot-os { text-align: right }
dd { margin-bottom: 0.5em }
a.permalink { color: inherit; text-decoration: none }
"""


def describe(path):
    """What a page is about, and the functions it has."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    about = re.search(r"^(?:\.Nd|[\w-]+ \\-) (.*)$", text, re.M)[1]
    names = re.findall(r"^\.Nm (npu\w+_\w+)", text.split(".Sh SYNOPSIS")[0], re.M)
    return about, names if ".Ft " in text else []


def convert(source, target):
    done = subprocess.run(
        ["mandoc", "-T", "html", "-O", "style=style.css,man=%N.%S.html,toc", source],
        capture_output=True, check=True, text=True)
    with open(target, "w", encoding="utf-8") as f:
        f.write(done.stdout)


def listing(pages):
    rows = []
    for page, (about, names) in pages.items():
        title = re.sub(r"^(.*)\.(\d)$", r"\1(\2)", page)
        functions = ", ".join(f"<code>{n}</code>" for n in names)
        rows.append(f'<dt><a href="{page}.html">{title}</a>: {html.escape(about)}</dt>\n'
                    f"<dd>{functions}</dd>")
    return "\n".join(rows)


def index(parts):
    body = "\n".join(f"<h1>{name}</h1>\n<dl>\n{listing(pages)}\n</dl>"
                     for name, pages in parts.items())
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
            '<link rel="stylesheet" href="style.css"/><title>Manual pages</title></head>\n'
            f"<body>{body}</body></html>\n")


def main():
    target, *sources = sys.argv[1:]
    os.makedirs(target, exist_ok=True)
    parts = {}
    for source in sources:
        paths = sorted(glob.glob(os.path.join(source, "**/*.[137]"), recursive=True),
                       key=lambda p: (p[-1] != "7", os.path.basename(p)))
        parts[os.path.basename(source)] = {os.path.basename(p): describe(p) for p in paths}
        for path in paths:
            convert(path, os.path.join(target, os.path.basename(path) + ".html"))
    for name, text in (("index.html", index(parts)), ("style.css", STYLE)):
        with open(os.path.join(target, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
