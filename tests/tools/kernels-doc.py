#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/kernels.md: what it quotes is in the files, and its reference has all that the SDK has."""

import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SDK = ("npu_kernel.h", "npu_print.h", "npu_ring.h", "npu_typed.h")
# Parts of the macros: not for use by themselves.
OWN = re.compile(r"npu_(log|tscalar|t\w+_(ub|l1|l0a|l0b|gm)_)")
# Of other places: the runtime's, files, and the beginnings of names.
OTHER = re.compile(r"npu_(kernels|typed|kernel|ring|print|log|module|vector_add_args|count_blocks)\b|"
                   r"npu_(tv|v|span)?$")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


DOC = read("docs/kernels.md")
HEADERS = "".join(read(f"firmware/kernels/include/{name}") for name in SDK)


def drifted():
    """Quotes that are not in their files, as they are."""
    quotes = re.findall(r"(?:<!-- (\S+) -->\n)?```c\n(.*?)```", DOC, re.S)
    for path, code in quotes:
        if not path:
            yield f"code of no file: {code.splitlines()[0]}"
        elif "\n" + code not in "\n" + read(path):
            yield f"not in {path}: {code.splitlines()[0]} ..."
    if not quotes:
        yield "there are no quotes"


def functions():
    """What the SDK's headers define, as a kernel's author has it."""
    names = set(re.findall(r"^static inline [^(\n]*?\b(npu_\w+)\(", HEADERS, re.M))
    names |= set(re.findall(r"^static (?:__attribute__\S* )?inline [\w ]*__attribute__.*?\b(npu_\w+)\(",
                            HEADERS, re.M))
    names |= set(re.findall(r"^#define (npu_\w+)\(", HEADERS, re.M))
    names |= {"npu_" + n for n in re.findall(r"^NPU_VEC_(?:UNARY|BINARY)\((\w+),", HEADERS, re.M)}
    return {name for name in names if not OWN.match(name)}


def missing():
    """Functions without a word in the document; npu_tvadd() and npu_vadds() are npu_vadd()."""
    for name in sorted(functions()):
        base = re.sub(r"^npu_t?v", "npu_v", name)
        if not any(re.search(rf"\b{n}\b", DOC) for n in (name, base, re.sub("[rs]$", "", base))):
            yield name


def unknown():
    """Names in the document that the SDK does not have."""
    code = HEADERS + "".join(read(path) for path in glob.glob("firmware/kernels/include/*.h",
                                                             root_dir=TOP))
    known = functions() | set(re.findall(r"\bnpu_\w+", code))
    families = {name[:-1] for name in known if name.endswith("_")}
    for name in sorted(set(re.findall(r"\bnpu_\w*", DOC))):
        parts = re.fullmatch(r"npu_(gm|ub|l1|l0a|l0b|l0c)_(f32|f16|bf16|s32|s16|s8|u8)", name)
        vector = re.fullmatch(r"npu_(t?)(v\w+?)[sr]?", name)
        if name in known or name in families or parts or OTHER.match(name):
            continue
        if not vector or f"npu_{vector[2]}" not in known:
            yield name


def assertions():
    """Of a message that the document shows, the file has the condition in that line."""
    for path, line, condition in re.findall(r"(\w+\.c):(\d+): assertion '(.*?)' failed", DOC):
        text = read(f"firmware/kernels/examples/{path}").splitlines()[int(line) - 1]
        if f"npu_assert({condition});" not in text:
            yield f"{path}:{line} is: {text.strip()}"


def main():
    checks = (("what is quoted is in the files", drifted), ("each function is there", missing),
              ("no function is there that is not", unknown),
              ("the line of an assertion is right", assertions))
    failed = 0
    for number, (name, check) in enumerate(checks, 1):
        found = list(check())
        print(f"{'not ' if found else ''}ok {number} - {name}")
        for text in found:
            print("#", text)
        failed += bool(found)
    print(f"1..{len(checks)}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
