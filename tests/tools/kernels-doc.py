#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
docs/kernels.md: what it quotes is in the files, and its reference has all that the SDK has; so has
the test of its intrinsics. What it and docs/timing.md say of cycles is what the model has.
"""

import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SDK = ("npu_kernel.h", "npu_print.h", "npu_ring.h", "npu_typed.h")
# Parts of the macros: not for use by themselves.
OWN = re.compile(r"npu_(log|tscalar|t\w+_(ub|l1|l0a|l0b|gm)_)")
# Those that are an instruction; flags are in npu_sync().
INSTRUCTION = re.compile(r"npu_(v\w+|t\w+|copy\w*|load0|fill|mmad|fixpipe|sync|barrier|info)$")
# Of other places: the runtime's, files, and the beginnings of names.
OTHER = re.compile(r"npu_(kernels|typed|kernel|ring|print|log|module|vector_add_args|count_blocks)\b|"
                   r"npu_(tv|v|span)?$")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


DOC = read("docs/kernels.md")
TIMING = read("docs/timing.md")
COST = read("qemu-device/core/timing_cost.c")
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
    """Functions without a word in the document; npu_tvadds_scaled() is npu_vadd() to it."""
    for name in sorted(functions()):
        base = re.sub(r"^npu_t?v", "npu_v", name).removesuffix("_scaled")
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


def intrinsics():
    """Functions for tile instructions, with the types of those that have a list of them."""
    code = HEADERS.replace("\\\n", "")
    found = {name: None for name in functions() if INSTRUCTION.match(name)}
    for name in re.findall(r"^NPU_VEC_BINARY\((\w+),", code, re.M):
        found |= {f"npu_{name}{form}": None for form in "sr"}
    for types, form, name in re.findall(r"^NPU_(\w+)\(NPU_DEFINE_(\w+), (v\w+)", code, re.M):
        suffix = "_scaled" if form.endswith("SCALED") else ""
        for scalar in ("", "s", "r") if re.match("BINARY|COMPARE", form) else ("",):
            found[f"npu_t{name}{scalar}{suffix}"] = types
    return found


def tested():
    """Those that tests/kernels/intrinsics.c calls: by name, and all that its tables have."""
    found = {name: None for name in
             re.findall(r"\b(npu_\w+)", read("tests/kernels/intrinsics.c"))}
    tables = re.findall(r"^#define (\w+)\(X\)(.*?)\n(?!\t)",
                        read("tests/kernels/intrinsics.h"), re.M | re.S)
    for table, rows in tables:
        for name, types in re.findall(r"X\((v\w+), NPU_\w+, (\w+),", rows):
            for form in ("", "s", "r") if re.search("BINARY|COMPARE", table) else ("",):
                found |= {f"npu_{name}{form}": None, f"npu_t{name}{form}": types}
                if table.endswith("SCALED"):
                    found[f"npu_t{name}{form}_scaled"] = "FLOATS"
    return found


def untested():
    """Functions that no test calls, or not on the types that they have."""
    have = tested()
    for name, types in sorted(intrinsics().items()):
        if name not in have:
            yield f"{name}() is not in tests/kernels/intrinsics.[ch]"
        elif types and have[name] and types != have[name]:
            yield f"{name}() is for NPU_{types}, in tests/kernels/intrinsics.h for {have[name]}"


def assertions():
    """Of a message that the document shows, the file has the condition in that line."""
    for path, line, condition in re.findall(r"(\w+\.c):(\d+): assertion '(.*?)' failed", DOC):
        text = read(f"firmware/kernels/examples/{path}").splitlines()[int(line) - 1]
        if f"npu_assert({condition});" not in text:
            yield f"{path}:{line} is: {text.strip()}"


def factors():
    """Operations whose factor is not that of the model, in either document."""
    opcodes = re.findall(r"^\t(NPU_V\w+) = 0x", read("include/npu/npu_tile.h"), re.M)
    body = re.search(r"\nstatic unsigned int vector_factor\(.*?\n}\n", COST, re.S)[0]
    model = dict.fromkeys(opcodes, int(re.search(r"default:\n\t\treturn (\d+)", body)[1]))
    for cases, factor in re.findall(r"((?:\tcase \w+:\n)+)\t\treturn (\d+);", body):
        model.update(dict.fromkeys(re.findall(r"case (\w+):", cases), int(factor)))

    told = {}
    for names, factor in re.findall(r"^\| (`npu_v.*?) \|.*\| (\d[^|]*?) \|$", DOC, re.M):
        first, *others = factor.split("; ")
        for name in re.findall(r"`npu_(v\w+)", names):
            told["NPU_" + name.upper()] = int(first)
        for text in others:
            *some, number = re.findall(r"\w+", text)
            told.update({"NPU_" + name.upper(): int(number) for name in some})
    for name in sorted(told.keys() | model.keys()):
        if told.get(name) != model.get(name):
            yield f"kernels.md: {name}: {told.get(name)}, the model has {model.get(name)}"

    rule = re.search(r"The factor is (\d+); (\d+) for\s+reductions;([^.]*)\.", TIMING)
    told = dict.fromkeys(opcodes, int(rule[1]))
    told.update({name: int(rule[2]) for name in ("NPU_VSUM", "NPU_VREDMAX", "NPU_VREDMIN",
                                                 "NPU_VARGMAX", "NPU_VARGMIN", "NPU_VDOT",
                                                 "NPU_VSUMSQ")})
    for number, names in re.findall(r"(\d+) for ([^;]*)", rule[3]):
        told.update({"NPU_" + name: int(number) for name in re.findall(r"V\w+", names)})
    for name in opcodes:
        if told[name] != model[name]:
            yield f"timing.md: {name}: {told[name]}, the model has {model[name]}"


def profiles():
    """What the model knows of each product, by field, with the macros put in."""
    text = read("qemu-device/core/timing_profile.c")
    macros = dict(re.findall(r"^#define (COMMON\w*) \\\n((?:.*\\\n)*.*)", text, re.M))
    found = {}
    for body in re.findall(r"^\t{\n(.*?)^\t},", text, re.M | re.S):
        for name in sorted(macros, key=len, reverse=True) * 2:
            body = re.sub(rf"\b{name}\b", lambda _, name=name: macros[name], body)
        fields = dict(re.findall(r"\.(\w+) = (\"?\w+(?:\(\d+\))?)", body))
        found[fields["name"].strip('"')] = {
            key: int(value) if value.isdigit() else value for key, value in fields.items()}
    return found


def number(text):
    return float(text) if re.fullmatch(r"[\d.]+", text) else text


def table():
    """Figures of timing.md's table that are not those of the model."""
    model = profiles()
    rows = {cells[0]: cells[1:] for cells in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.search(r"## Profiles\n\n(.*?)\n\n", TIMING, re.S)[1].splitlines())}
    names = [name for name in rows[""] if name]

    def units(profile):
        return int(re.fullmatch(r"VECTOR\((\d)\)", profile["vector_lanes"])[1])

    def k(profile):
        return int(re.fullmatch(r"CUBE\((\d+)\)", profile["cube_k"])[1])

    def field(name, scale=1):
        return lambda profile: profile[name] / scale

    lines = {
        "cores": field("cores"),
        "clock, MHz": field("mhz"),
        "cube, k a cycle of a 16 x 16 tile: fp16, bf16": k,
        "int8": lambda profile: 2 * k(profile),
        "fp32": lambda profile: k(profile) / 4,
        "vector elements a cycle: 4 bytes / 2 and 1":
            lambda profile: f"{64 * units(profile)} / {128 * units(profile)}",
        "vector units of a core": units,
        "L1 to L0A, bytes a cycle": field("l0a_bytes"),
        "L1 to L0B": field("l0b_bytes"),
        "L1 to UB, back, fills": field("local_bytes"),
        "fixpipe, bytes of L0C": field("fix_bytes"),
        "read port of a core": field("read_bytes"),
        "write port of a core": field("write_bytes"),
        "L2, MiB": field("l2_bytes"),
        "L2 latency, ns": field("l2_ns"),
        "HBM or LPDDR, GB/s": field("hbm_mbps", 1000),
        "its latency, ns": field("hbm_ns"),
        "its clock, MHz": field("hbm_mhz"),
        "SDMA, GB/s": field("sdma_mbps", 1000),
        "host link, GB/s": field("link_mbps", 1000),
        "queue of a pipe": field("queue_depth"),
        "start of a block, cycles": field("block_cycles"),
        "command / kernel / SDMA, ns":
            lambda profile: "{command_ns} / {kernel_ns} / {sdma_ns}".format(**profile),
    }
    if names != list(model):
        yield f"columns {names}, the model has {list(model)}"
    for label in sorted((rows.keys() - {"", "-"}) ^ lines.keys()):
        yield f"no line '{label}' in the table, or nothing to compare it with"
    for label in lines.keys() & rows.keys():
        for column, name in enumerate(names):
            told = rows[label][column]
            told = rows[label][0] if told == "same" else told
            if number(told) != lines[label](model[name]):
                yield f"{label}, {name}: {told}, the model has {lines[label](model[name])}"


def latencies():
    """Sentences that have the model's latencies, and of kernels.md those of a 910B."""
    known = {name: int(value) for name, value in re.findall(r"#define (\w+_LATENCY) (\d+)", COST)}
    cube, vector, local = (known[f"{name}_LATENCY"] for name in ("CUBE", "VECTOR", "LOCAL"))
    p = profiles()["910b"]
    hbm, l2 = (-(-p[name] * p["mhz"] // 1000) for name in ("hbm_ns", "l2_ns"))
    units, k = int(p["vector_lanes"][7:-1]), int(p["cube_k"][5:-1])
    read_, write = p["read_bytes"], p["write_bytes"]
    sentences = [
        f"bytes / {read_} (to GM / {write}), at least bytes / share, + {hbm};",
        f"where L2 has it bytes / {read_} ({write}) + {l2}.",
        f"Else bytes / {p['local_bytes']} + {local} |",
        f"bytes / {p['l0a_bytes']} to L0A, / {p['l0b_bytes']} to L0B, + {local} |",
        f"/ {p['l0b_bytes']} to L0B, else / {p['local_bytes']}, + {local} |",
        f"ceil(k / K) + {cube}; K is {k} in F16 and BF16, {2 * k} in S8, {k // 4} in F32 |",
        f"bytes of L0C / {p['fix_bytes']} + {local}; to GM at least as a copy |",
        f"rows x ceil(count / N) x factor + {vector} cycles on a 910B, "
        f"where N is {64 * units} elements of 4 bytes, or {128 * units} of fewer;",
        f"HBM: {p['hbm_mbps'] / p['mhz']:.0f} bytes a cycle divided by the cores at work, "
        f"{p['hbm_mbps'] / p['mhz'] / p['cores']:.0f} for all {p['cores']}.",
    ]
    yield from (f"not in kernels.md: {text}" for text in sentences if text not in
                re.sub(r"\s+", " ", DOC))
    for pipe, told in (("M", cube), ("V", vector), ("MTE1, MTE3", local), ("MTE1", local)):
        if not re.search(rf"^\| [^|]* \| {pipe} \| [^|]* \| {told} \|$", TIMING, re.M):
            yield f"timing.md: pipe {pipe} has no latency of {told}"


def main():
    checks = (("what is quoted is in the files", drifted), ("each function is there", missing),
              ("no function is there that is not", unknown),
              ("the line of an assertion is right", assertions),
              ("each intrinsic is tested", untested),
              ("factors of vector operations are the model's", factors),
              ("so are the figures of products", table),
              ("and what kernels.md says of a 910B", latencies))
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
