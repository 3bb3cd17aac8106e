#!/usr/bin/env python3
"""How large the runtime's code is, piece by piece: compiles rt/ for every target as its firmware is compiled, links one kernel, form
or decoder at a time with an otherwise empty firmware, and takes from the linker's map what came along. Pieces that come along
together always are one row of src/lib/code.def, which this writes; what src/lib/predict.c adds up are these rows.
Stack is the deepest path of the compiler's call graph. Usage: run.py [--dump FILE]   SPDX-License-Identifier: Apache-2.0"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
from firmware import COMMON, run, targets  # noqa: E402

DATA = subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip()
THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
TABLE = os.path.join(ROOT, "src", "lib", "code.def")
MODELS = ["tflm/hello_world_int8", "tflm/micro_speech_quantized", "tflm/trained_lstm_int8", "mlperf_tiny/ad01_int8", "mlperf_tiny/kws_ref_model",
          "mlperf_tiny/pretrainedResnet_quant", "mlperf_tiny/vww_96_int8"]
FLAGS = ("-O2", "-Os")  # th_goal_flag: for speed, for size and RAM
BASE = "base"           # start-up, the example, and what they need of the C library
PADDING = 16            # of the stack, where it is not known from where on it is measured
LIBRARY_STACK = 32      # of a function that no call graph knows: the C library's copies, the compiler's own arithmetic


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


# --- what is measured ---

def roots():
    """{name of a row: expression in C that needs it}"""
    found = {name: f"thr_{name}" for name in re.findall(r"^THR_KERNEL\(\w+, (\w+)", read("rt", "kernel", "kernels.def"), re.M)}
    found.update({name: f"thr_{name}" for name in re.findall(r"^THR_FORM\(\w+, (\w+)", read("rt", "kernel", "forms.def"), re.M)})
    rows = re.findall(r"^THR_ROW\(\w+, (\w+), \w+, (\w+)\)", read("rt", "kernel", "rows.def"), re.M)
    found.update({f"{name}_row": f"thr_{name}_row" for name, _ in rows})
    found["rows"] = "thr_rows_run, (void *)thr_stage_of_table"
    found["unpack"] = "thr_unpack"
    coders = re.findall(r"^THR_CODER\(\w+, (\w+), (thr_\w+)\)", read("rt", "decode", "coders.def"), re.M)
    found.update({f"decode {name}": function for name, function in coders})
    found["dot gap_huffman"] = "thr_dot_gap_huffman"
    found["decode channels"] = "thr_decode_channels"
    return found


def params():
    """Structs whose size is that of a constant: one per step."""
    return sorted(set(re.findall(r"^THR_KERNEL\(\w+, \w+, (\w+)", read("rt", "kernel", "kernels.def"), re.M)))


def model_path(name):
    return os.path.join(DATA, "models", name + ".tflite")


# --- compiling and linking ---

STUB = """#include "model.h"
#include "kernel/rows.h"
#include "thr_form.h"
#include "thr_rows.h"
void model_reset(void *arena) { (void)arena; }
void model_run(void *arena) { (void)arena; }
"""


def write_stub(folder, wanted):
    with open(os.path.join(folder, "model.c"), "w", encoding="utf-8") as f:
        f.write(STUB)
        for i, expression in enumerate(wanted.values()):
            f.write(f"extern const void *const root_{i}[];\nconst void *const root_{i}[] = {{(const void *){expression}}};\n")
        for name in params():
            f.write(f"char size_{name}[sizeof(thr_{name}_params)];\n")
        f.write("char size_stage[sizeof(thr_stage)];\n")


def sources(folder, kernels):
    found = ["model.c", "main.c"] + (["startup.c"] if os.path.exists(os.path.join(folder, "startup.c")) else [])
    for at in ["decode", "kernel/ref"] + [f"kernel/{k}" for k in kernels]:
        found += [os.path.relpath(f, folder) for f in sorted(glob.glob(os.path.join(folder, "rt", at, "*.c")))
                  if not f.endswith("_pack.c")]
    return found


SECTION = re.compile(r"^ (\.\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?: (\S.*))?$")


def kept_sections(text):
    """{(file, section): bytes in flash} and {...: bytes in RAM}, of a linker map. Padding belongs to what it follows."""
    flash, ram = collections.Counter(), collections.Counter()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"^( \.\S+)\n\s+(0x)", r"\1 \2", text, flags=re.M)
    output, last = "", None
    for line in text.splitlines():
        if re.match(r"^\.\S+", line):
            output, last = line.split()[0], None
        if output.startswith((".debug", ".comment", ".note", ".ARM.attributes", ".riscv", ".stab")):
            continue
        fill = re.match(r"^ \*fill\*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", line)
        if fill and last:
            (flash if output not in (".bss", ".noinit") else ram)[last] += int(fill.group(1), 16)
            continue
        m = SECTION.match(line)
        if not m or not m.group(1) or not m.group(4):
            continue
        bytes_, file = int(m.group(3), 16), os.path.basename(m.group(4))
        if bytes_ == 0:
            continue
        last = (file, m.group(1))
        if output not in (".bss", ".noinit"):
            flash[last] += bytes_
        if output in (".bss", ".data", ".noinit"):
            ram[last] += bytes_
    return flash, ram


def symbol_sizes(compiler, folder):
    nm = compiler.replace("gcc", "nm")
    out = {}
    for line in run([nm, "-S", "model.o"], folder).splitlines():
        words = line.split()
        if len(words) == 4 and words[3].startswith("size_"):
            out[words[3][5:]] = int(words[1], 16)
    return out


# --- stack ---

def read_graph(folder):
    """{function: (bytes, [callees])} of all call graphs in the folder."""
    graph = {}
    for path in glob.glob(os.path.join(folder, "**", "*.ci"), recursive=True):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for title, label in re.findall(r'^node: { title: "([^"]*)" label: "([^"]*)"', text, re.M):
            bytes_ = re.search(r"(\d+) bytes", label)
            if bytes_:
                graph.setdefault(title, [0, set()])[0] = int(bytes_.group(1))
        for source, target in re.findall(r'^edge: { sourcename: "([^"]*)" targetname: "([^"]*)"', text, re.M):
            graph.setdefault(source, [0, set()])[1].add(target)
    return graph


def graph_of_objects(compiler, folder, objects):
    """The same for a compiler that writes no call graph: frames from -fstack-usage, calls from the object files."""
    graph = {}
    for object in objects:
        frames = {}
        with open(os.path.join(folder, object[:-2] + ".su"), encoding="utf-8") as f:
            for line in f:
                words = line.split("\t")
                frames[words[0].split(":")[-1]] = int(words[1])
        public = {w[2] for w in map(str.split, run([compiler.replace("gcc", "nm"), object], folder).splitlines()) if len(w) == 3 and w[1] == "T"}
        key = lambda name: name if name not in frames or name in public else f"{object}:{name}"
        text = run([compiler.replace("gcc", "objdump"), "-dr", object], folder)
        for name, body in re.findall(r"^[0-9a-f]+ <(\w+)>:\n(.*?)(?:\n\n|\Z)", text, re.M | re.S):
            callees = {key(c) for c in re.findall(r"R_AVR_CALL\s+(?:\.text\.)?(\w+)", body)}
            graph[key(name)] = [frames.get(name, 0), callees | ({"__indirect_call"} if "icall" in body else set())]
    return graph


PROLOGUE = 12  # instructions at a function's beginning: what the compiler pushes stands there


def add_assembly(graph, compiler, folder, objects):
    """What assembly pushes, which the compiler does not count: all of a function that the compiler gave no frame, and the largest push
    within another."""
    for object in objects:
        text = run([compiler.replace("gcc", "objdump"), "-d", object], folder)
        for name, body in re.findall(r"^[0-9a-f]+ <(\w+)>:\n(.*?)(?:\n\n|\Z)", text, re.M | re.S):
            pushes = lambda part: ([4 * registers(r) for r in re.findall(r"\b(?:push|stmdb\s+sp!,)\s*{([^}]*)}", part)] +
                                   [int(n) for n in re.findall(r"\bstr(?:\.w)?\s+\w+, \[sp, #-(\d+)\]!", part)])
            within = max(pushes("\n".join(body.split("\n")[PROLOGUE:])), default=0)
            own = re.sub(r"^\d+_", "", object)[:-2] + ".c:" + name
            nodes = [node for title, node in graph.items() if title == name or title.split("/")[-1] == own]
            for node in nodes:
                node[0] += within if node[0] > 0 else 0
            nodes = [node for node in nodes if node[0] == 0]
            if not nodes:
                continue
            pushed = sum(pushes(body))
            pushed += sum(int(n) for n in re.findall(r"\bsub(?:\.w|w)?\s+sp, (?:sp, )?#(\d+)", body))
            for node in nodes:
                node[0] = pushed


def all_graph(compiler, folder, objects):
    if compiler.startswith("avr"):
        return graph_of_objects(compiler, folder, objects)
    graph = read_graph(folder)
    add_assembly(graph, compiler, folder, objects)
    return graph


def measured_from(compiler, folder, graph):
    """The example measures the stack from a variable on, in the frame of measure_stack(): so many bytes above that frame's end."""
    text = run([compiler.replace("gcc", "objdump"), "-d", "main.o"], folder)
    body = re.search(r"^[0-9a-f]+ <measure_stack>:\n(.*?)(?:^[0-9a-f]+ <[^.]|\Z)", text, re.M | re.S)  # .L11 is a label within
    place = body and re.search(r"\badd\S*\s+(?!sp)\w+, ?sp, ?#?(\d+)\b", body.group(1))
    if place:
        return int(place.group(1))
    frames = [n for title, (n, _) in graph.items() if title.split(":")[-1] == "measure_stack"]
    return (frames[0] if frames else LIBRARY_STACK) + PADDING


def registers(text):
    """How many "r4, r5-r7" are."""
    n = 0
    for part in text.split(","):
        ends = [int(d) for d in re.findall(r"\d+", part)]
        n += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return n


def depth(graph, name, seen=()):
    """(deepest path, deepest path to a call through a pointer or -1)"""
    if name == "__indirect_call":
        return 0, 0
    if name not in graph:
        return LIBRARY_STACK, -1
    own, callees = graph[name]
    deepest, pointer = own, -1
    for callee in callees:
        if callee in seen:
            continue
        d, i = depth(graph, callee, seen + (name,))
        deepest = max(deepest, own + d)
        pointer = max(pointer, own + i if i >= 0 else -1)
    return deepest, pointer


def resolve(compiler, folder, index):
    """The function that root number `index` names: the relocation of its section, .rodata.root_0 or .srodata.root_0."""
    text = run([compiler.replace("gcc", "objdump"), "-r", "model.o"], folder)
    found = re.search(rf"RECORDS FOR \[\S*root_{index}\]:(.*?)(?:\n\n|\Z)", text, re.S)
    names = re.findall(r"(thr_\w+)", found.group(1)) if found else []
    return names[0] if names else None


# --- the function that calls the kernels ---

def measure_models(name, flag, folder, build):
    """Of each model: bytes of its functions and what they call, bytes of its constants, the whole."""
    found = {}
    nm = build.common[0].replace("gcc", "nm")
    for model in MODELS:
        for goal in ["speed"] if flag == "-O2" else ["size", "ram"]:
            try:
                run([THIMBLE, "compile", model_path(model), "--target", name, "--optimize", goal, "-o", "project", "--quiet"], folder)
                shutil.copy(os.path.join(folder, "project", "model.c"), folder)
                shutil.copy(os.path.join(folder, "project", "model.h"), folder)
                for source, object in build.sources:
                    if object in ("model.o", "main.o"):
                        run(build.common + build.graph + ["-c", source, "-o", object], folder)
                run(build.common + build.objects + build.link + ["-Wl,-Map,map.txt", "-o", "x.elf"], folder)
            except RuntimeError:
                continue
            with open(os.path.join(folder, "map.txt"), encoding="utf-8", errors="replace") as f:
                flash, ram = kept_sections(f.read())
            with open(os.path.join(folder, "model.c"), encoding="utf-8") as f:
                calls = f.read().split("void model_run(void *arena) {")[1]
            symbols = {w[3]: int(w[1], 16) for w in map(str.split, run([nm, "-S", "x.elf"], folder).splitlines()) if len(w) == 4}
            found[f"{model} {goal}"] = {
                "calls": calls.count("AFTER("), "places": len(re.findall(r"\(a \+ \d+\)", calls)), "run": symbols["model_run"],
                "model": {s: n for (f, s), n in flash.items() if f == "model.o"}, "flash": sum(flash.values()), "ram": sum(ram.values()),
                "stack": all_graph(build.common[0], folder, ["model.o"])["model_run"][0]}
    return found


# --- a target ---

Build = collections.namedtuple("Build", "common graph sources objects link")

def measure(name, target, flag, work):
    compiler, link, kernels = target.compiler, target.link, target.kernels
    folder = os.path.join(work, f"{name}{flag}")
    run([THIMBLE, "compile", model_path(MODELS[0]), "--target", name, "-o", folder, "--quiet"], ROOT)
    shutil.rmtree(os.path.join(folder, "rt"))
    shutil.copytree(os.path.join(ROOT, "rt"), os.path.join(folder, "rt"))
    wanted = roots()
    write_stub(folder, wanted)
    common = [compiler, flag] + target.flags + COMMON
    common += [word for word in link if word.startswith("--specs")]
    link = [word for word in link if not word.startswith("--specs")]
    graph_option = ["-fcallgraph-info=su"] if not compiler.startswith("avr") else ["-fstack-usage"]  # Debian's is too old for the other
    named = [(s, f"{os.path.basename(s)[:-2]}.o" if "/" not in s else f"{i}_{os.path.basename(s)[:-2]}.o")
             for i, s in enumerate(sources(folder, kernels))]
    objects = [object for _, object in named]
    for source, object in named:
        run(common + graph_option + ["-c", source, "-o", object], folder)
    sizes = symbol_sizes(compiler, folder)
    graph = all_graph(compiler, folder, objects)
    found = {"params": sizes, "roots": {}, "example_stack": measured_from(compiler, folder, graph)}
    for i, root in enumerate([BASE] + list(wanted)):
        ask = [] if root == BASE else [f"-Wl,-u,root_{i - 1}"]
        try:
            run(common + objects + link + ask + ["-Wl,-Map,map.txt", "-o", "x.elf"], folder)
        except RuntimeError as e:
            if root == BASE:
                raise
            continue
        with open(os.path.join(folder, "map.txt"), encoding="utf-8", errors="replace") as f:
            flash, ram = kept_sections(f.read())
        strip = lambda d: {re.sub(r"^\d+_", "", f) + " " + s: n for (f, s), n in d.items() if f != "model.o"}
        function = None if root == BASE else resolve(compiler, folder, i - 1)
        stack = depth(graph, function) if function else (0, -1)
        found["roots"][root] = {"flash": strip(flash), "ram": strip(ram), "stack": stack, "function": function}
    found["models"] = measure_models(name, flag, folder, Build(common, graph_option, named, objects, link))
    return found


def measure_column(job, work, keep):
    """Columns that stand in the folder `keep` already are not measured again."""
    name, target, flag = job
    path = os.path.join(keep, f"{name}{flag}.json")
    if not os.path.exists(path):
        found = measure(name, target, flag, work)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(found, f)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


# --- from sections to rows ---

def solve(rows):
    """Least squares: x of rows ([a0, a1, ...], b)."""
    n = len(rows[0][0])
    m = [[sum(a[i] * a[j] for a, _ in rows) + (1e-9 if i == j else 0) for j in range(n)] + [sum(a[i] * b for a, b in rows)] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(m[k][i]))
        m[i], m[pivot] = m[pivot], m[i]
        m[i] = [v / m[i][i] for v in m[i]]
        for k in range(n):
            if k != i:
                m[k] = [v - m[k][i] * u for v, u in zip(m[k], m[i])]
    return [row[n] for row in m]


def function_of(section):
    """file.o .text.begin.constprop.0 -> begin; libgcc.a(_muldi3.o) .text -> _muldi3"""
    file, name = section.split(" ", 1)
    if section.startswith("lib"):
        return file.split("(")[-1].rstrip(")").replace(".o", "")
    return re.sub(r"(\.(constprop|isra|part|cold|\d+))+$", "", name).split(".")[-1]


def pieces(found):
    """{piece: (bytes, stack, call, [pieces it needs])} of a column: sections that the same roots need are one piece."""
    base = found["roots"][BASE]["flash"]
    owners, sizes = collections.defaultdict(set), {}
    for root, r in found["roots"].items():
        for section, n in r["flash"].items():
            if root != BASE and section not in base:
                owners[section].add(root)
                sizes[section] = min(n, sizes.get(section, n))
    atoms = collections.defaultdict(list)
    for section, roots_ in owners.items():
        atoms[frozenset(roots_)].append(section)
    named = {}
    for who, sections in atoms.items():
        functions = {function_of(s) for s in sections}
        own = [r for r in sorted(who) if frozenset([r]) == who or
               (frozenset([r]) not in atoms and found["roots"][r]["function"] in functions)]
        named[who] = own[0] if own else "of " + function_of(max(sorted(sections), key=lambda s: (".text" in s, sizes[s])))
    out = {BASE: (sum(base.values()), found["example_stack"], -1, [])}
    for root, r in found["roots"].items():
        if root != BASE:
            needs = sorted(named[w] for w in atoms if root in w and named[w] != root)
            own = sum(sizes[s] for w in atoms if named[w] == root for s in atoms[w])
            out[root] = (own, r["stack"][0], r["stack"][1], needs)
    for who, sections in atoms.items():
        if named[who] not in out:
            out[named[who]] = (sum(sizes[s] for s in sections), 0, -1, [])
    return out


def rest(found):
    """The function that calls the kernels, and sizes of structs."""
    models = found["models"].values()
    fit = solve([([1, m["calls"], m["places"]], sum(n for s, n in m["model"].items() if s.startswith(".text"))) for m in models])
    out = {"run": (round(fit[0]), max(m["stack"] for m in models), -1, []), "run call": (round(fit[1]), 0, -1, []),
           "run place": (round(fit[2]), 0, -1, [])}
    arrays = [n for m in models for s, n in m["model"].items() if s.startswith(".rodata")]
    out["align"] = (4 if arrays and all(n % 4 == 0 for n in arrays) else 1, 0, -1, [])
    out.update({f"sizeof {name}": (n, 0, -1, []) for name, n in found["params"].items()})
    return out


def write_table(results):
    with open(TABLE, encoding="utf-8") as f:
        text = f.read()
    head = text[:text.index("*/") + 3]
    kept = [l for l in text[len(head):].splitlines() if l and re.match(r'TH_CODE\("([^"]*)"', l).group(1) not in {n for n, _ in results}]
    for (name, flag), found in results.items():
        rows = pieces(found)
        rows.update(rest(found))
        goal = "SPEED" if flag == "-O2" else "SIZE"
        kept += [f'TH_CODE("{name}", {goal}, "{piece}", {b}, {s}, {c}, "{",".join(needs)}")' for piece, (b, s, c, needs) in sorted(rows.items())]
    with open(TABLE, "w", encoding="utf-8") as f:
        f.write(head + "\n".join(kept) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", help="folder for what was measured, so that an interrupted run goes on")
    parser.add_argument("--target")
    args = parser.parse_args()
    jobs = [(n, t, f) for n, t in targets().items() for f in FLAGS if not args.target or n in args.target.split(",")]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(2) as pool:
        keep = args.keep or work
        os.makedirs(keep, exist_ok=True)
        results = list(pool.map(lambda j: measure_column(j, work, keep), jobs))
    write_table({(n, f): r for (n, _, f), r in zip(jobs, results)})


main()
