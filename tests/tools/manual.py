#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manual pages of the libraries: well formed, complete, none too many, and as HTML."""

import glob
import os
import re
import shlex
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


def plain(text):
    """A type or parameter with one space where there are some, and none behind an asterisk."""
    return re.sub(r"\* (?=\*)", "*", re.sub(r"\s*\*\s*", " *", " ".join(text.split()))).strip()


def prototypes():
    """
    What the libraries have, with result and parameters: of the headers, as libnpuop's map names
    none.
    """
    found = {}
    for name in LIBRARIES:
        text = read(os.path.join(TOP, f"lib{name}/include/{name}/{name}.h"))
        text = re.sub(r"/\*.*?\*/|^#.*?(?<!\\)$", "", text, flags=re.S | re.M)
        for result, function, parameters in re.findall(
                rf"(\w[\w\s*]*?)\b({name}_\w+)\(((?:[^()]|\([^()]*\))*)\)\s*;", text):
            parts = re.split(r",(?![^()]*\))", parameters)
            found[function] = [plain(part) for part in (result, *parts)]
    return found


def symbols():
    return set(prototypes())


def synopses(text):
    """Of a page: result and parameters of each function."""
    synopsis = text.partition(".Sh SYNOPSIS")[2].partition("\n.Sh ")[0]
    synopsis = re.sub(r"\n(?:\.Fa|\.Fc)", "", synopsis).replace("\n.Fo ", "\n.Fn ")
    for result, function in re.findall(r"^\.Ft (.*)\n\.Fn (.*)", synopsis, re.M):
        name, *parameters = shlex.split(function)
        yield name, [plain(part) for part in (result.strip('"'), *parameters)]


def lint():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *PAGES],
                          capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def missing():
    named = set()
    for text in PAGES.values():
        head = text.split(".Sh SYNOPSIS")[0]
        declared = {name for name, _ in synopses(text)}
        named |= declared & set(re.findall(r"^\.Nm (npu(?:rt|op)_\w+)", head, re.M))
    return [f"{name} has no page with its name and synopsis" for name in symbols() - named]


def stale():
    found = []
    for path, text in PAGES.items():
        names = set(re.findall(r"^\.F[no] \"?(npu(?:rt|op)_\w+)", text, re.M)) - symbols()
        found += [f"{os.path.basename(path)}: there is no {name}" for name in names]
    return found


def drifted():
    """Synopses that are not what the header has; "..." stands for what another page tells."""
    wanted = prototypes()
    return [f"{os.path.basename(path)}: {name} is {', '.join(found)}"
            for path, text in PAGES.items() for name, found in synopses(text)
            if name in wanted and found != wanted[name] and found[1:] != ["..."]]


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
              ("each synopsis is what the header has", drifted),
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
