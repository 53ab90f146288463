#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes entry.h and entry.c, by which every call of the library's users passes, from npurt.h.

The sources know a public function npurt_x() as rt_do_x(), by a macro of entry.h. entry.c has
npurt_x() itself: unless something watches (src/call.h) it goes on to rt_do_x() at once.
"""

import os
import re
import sys

DESTROYS = ("_destroy", "_close", "_unload", "_release", "_unsubscribe", "_free_async")


class Parameter:
    """type, name, and which handle it is or gives."""

    def __init__(self, text, handles):
        self.type, self.name = re.fullmatch(r"(.*?)(\w+)(?:\[\])?", text.strip(), re.S).groups()
        self.text = " ".join(text.split())
        kind = re.fullmatch(r"(?:const )?npurt_(\w+) \*(\*?)", " ".join(self.type.split()))
        self.handle = kind[1] if kind and kind[1] in handles else None
        self.out = bool(self.handle and kind[2])
        self.count = "1"


class Function:
    """A prototype of the header."""

    def __init__(self, result, name, parameters, handles):
        self.result = result.strip() + ("" if result.endswith("*") else " ")
        self.name = name
        self.inner = "rt_do_" + name[len("npurt_"):]
        texts = [] if parameters.strip() == "void" else split(parameters)
        self.parameters = [Parameter(text, handles) for text in texts]
        self.declaration = ", ".join(p.text for p in self.parameters) or "void"
        self.arguments = ", ".join(p.name for p in self.parameters)
        kind = re.fullmatch(r"npurt_(\w+) \*", self.result)
        self.returns = kind[1] if kind and kind[1] in handles else None
        # Several are given back to an array, of as many as the only number says.
        for p in self.parameters:
            if p.out and p.name.endswith("s"):
                p.count, = (n.name for n in self.parameters if n.type.strip() == "unsigned int")
        self.handles = [p for p in self.parameters if p.handle]


def split(text):
    """At the commas that are not in parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def parse(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    handles = re.findall(r"^typedef struct npurt_(\w+) npurt_\1;", text, re.M)
    found = re.findall(r"^((?:const |unsigned )?\w+ \*?)(npurt_\w+)\(([^;{}]*)\);", text, re.M)
    functions = [Function(*f, handles) for f in found if not f[0].startswith("typedef")]
    return handles, [f for f in functions if f.handles]


def header(handles, functions):
    yield "/* Written by libnpurt/entry.py. */"
    yield "enum rt_object {"
    yield "\tRT_NO_OBJECT,"
    yield from (f"\tRT_OBJECT_{h.upper()}," for h in handles)
    yield "};"
    yield "#define RT_OBJECT_NAMES \\"
    yield from (f"\t[RT_OBJECT_{h.upper()}] = \"{h.replace('_', ' ')}\", \\" for h in handles)
    yield ""
    yield "#ifndef RT_ENTRY"
    yield from (f"#define {f.name} {f.inner}" for f in functions)
    yield "#endif"


def source(functions):
    yield "/* Written by libnpurt/entry.py. */"
    yield "#define RT_ENTRY"
    yield '#include "entry.h"'
    yield '#include "call.h"'
    for f in functions:
        yield ""
        yield f"{f.result}{f.inner}({f.declaration});"
        yield from watched(f)
        yield f"{f.result}{f.name}({f.declaration})"
        yield "{"
        yield "\tif (rt_unlikely(rt_watched()))"
        yield f"\t\treturn watched_{f.name}(__builtin_return_address(0), {f.arguments});"
        yield f"\treturn {f.inner}({f.arguments});"
        yield "}"


def watched(f):
    destroys = f.name.endswith(DESTROYS)
    yield f"static __attribute__((noinline, cold)) {f.result.strip()}"
    yield f"watched_{f.name}(const void *rt_site, {f.declaration})"
    yield "{"
    yield "\tstruct rt_arg rt_args[] = {"
    for p in f.handles:
        value = f"(void *)(uintptr_t){p.name}"
        yield (f"\t\t{{ RT_OBJECT_{p.handle.upper()}, {str(p.out).lower()}, "
               f"\"{p.name}\", {value}, {p.count} }},")
    yield "\t};"
    yield "\tstruct rt_call rt_call = {"
    yield f"\t\t.function = \"{f.name}\", .destroys = {str(destroys).lower()}, .site = rt_site,"
    yield f"\t\t.args = rt_args, .num_args = {len(f.handles)},"
    yield "\t};"
    if f.result == "int ":
        yield "\tint rt_result = rt_call_enter(&rt_call);"
        yield ""
        yield "\tif (!rt_result)"
        yield f"\t\trt_result = {f.inner}({f.arguments});"
        yield "\treturn rt_call_leave(&rt_call, rt_result);"
    else:
        yield f"\t{f.result}rt_result = 0;"
        yield "\tconst int rt_error = rt_call_enter(&rt_call);"
        yield ""
        yield "\tif (!rt_error)"
        yield f"\t\trt_result = {f.inner}({f.arguments});"
        if f.returns:
            yield f"\trt_call.returned_object = RT_OBJECT_{f.returns.upper()};"
            yield "\trt_call.returned = rt_result;"
        yield "\trt_call_leave(&rt_call, rt_error);"
        yield "\treturn rt_result;"
    yield "}"
    yield ""


def write(path, lines):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)


def main():
    path, folder = sys.argv[1:]
    handles, functions = parse(path)
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "entry.h"), header(handles, functions))
    write(os.path.join(folder, "entry.c"), source(functions))


if __name__ == "__main__":
    main()
