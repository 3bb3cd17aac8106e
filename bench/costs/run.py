#!/usr/bin/env python3
"""What kernels, forms and decoders cost: runs layers of many shapes (nets.py) under emulation, with no forms, with one form of each
kernel, and with coded weights, and fits

    instructions of a layer = sum of its amounts of work (src/lib/work.def), each times a number that is not negative

by least squares of relative errors. Writes src/lib/costs.def; rows of targets that are not measured now stay. Usage:
run.py [--target T,...] [--kind K,...] [--keep DIR]   SPDX-License-Identifier: Apache-2.0"""
import argparse
import collections
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import nets

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
import firmware  # noqa: E402

THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
NET = os.environ.get("THIMBLE_NET", os.path.join(ROOT, "build", "bench", "costs", "bench_costs_net"))
TABLE = os.path.join(ROOT, "src", "lib", "costs.def")
FOLDERS = {"cortex-m4": ["dsp"], "cortex-m55": ["mve"], "cortex-m0plus": ["small"], "rv32imc": ["small"]}
KINDS = ("plain", "means", "weighted", "trained", "coded", "rich", "clumps", "apart", "chain")  # of nets
WITH_CODES = ("coded", "rich", "clumps")  # whose kernels are not measured
GOALS = ("speed", "size")  # what the compiler is told; for RAM it is size
NARROW = " narrow"         # the way of convolutions without room to arrange weights in
LINE = " line"             # the way of layers that run line by line; only the sum of a chain of them can be counted
LINES = ("outputs", "taps", "lines", "inside", "strips", "row_strips")  # what they depend on
CODERS = ("bitpack", "huffman", "gap", "range", "context")
CODED = ("bits", "survivors", "once", "parts", "words", "plain_words", "known_words", "slow_words", "slow_bits", "read_counts", "questions", "neighboured", "looks")
LOOKED_UP = "call parts weights once words plain_words known_words slow_words slow_bits read_counts"
SMALL = 300  # instructions: errors of layers below count as if they had so many


# --- measuring ---

def read_forms():
    with open(os.path.join(ROOT, "rt", "kernel", "forms.def"), encoding="utf-8") as f:
        return re.findall(r"^THR_FORM\(\w+, (\w+), (\w+), \w+, (\w+)\)", f.read(), re.M)


FORMS = {name for name, _, _ in read_forms()}


def form_rounds(target):
    """Lists of forms, each with one form of a kernel at most, so that every form comes to run all it can; first: none."""
    by_kernel = {}
    for name, kernel, folder in read_forms():
        if folder in FOLDERS[target]:
            by_kernel.setdefault(kernel, []).append(name)
    rounds = itertools.zip_longest(*by_kernel.values())
    return ["none"] + [",".join(name for name in names if name) for names in rounds]


def chosen_for(goal, forms):
    """A build for size takes few forms; what they cost there tells one for speed that is compiled for size."""
    return goal if forms == "none" else "speed"


def count(model, target, goal, forms, coder, folder):
    """[instructions] of the layers, in order."""
    project = os.path.join(folder, "firmware")
    shutil.rmtree(project, ignore_errors=True)
    firmware.run([THIMBLE, "compile", model, "--target", target, "--optimize", chosen_for(goal, forms), "--forms", forms, "--coder", coder, "-o", project, "-q"], ROOT)
    return firmware.count_layers(project, firmware.targets()[target], goal)


def work_of(model, target, goal, forms, coder):
    """[{name, cost, decode_cost, work}] of the layers, by the tool's own functions."""
    done = subprocess.run([NET, "work", model, target, goal, forms, coder], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["layers"]


def make_nets(folder, kinds):
    """{kind: [paths of models]}"""
    made = {}
    texts = {"weighted": lambda: nets.nets(nets.WEIGHTED), "plain": lambda: nets.nets(nets.PLAIN), "means": lambda: nets.nets(nets.MEANS),
             "trained": lambda: nets.nets(nets.TRAINED, "many", True),
             "coded": lambda: nets.nets(nets.CODED, "few"), "rich": lambda: nets.nets(nets.RICH, "many"), "clumps": lambda: nets.nets(nets.CLUMPS, "clumps"),
             "apart": lambda: nets.nets(nets.APART, scale=1.0), "chain": nets.chains}
    for kind in kinds:
        made[kind] = []
        for i, text in enumerate(texts[kind]()):
            path = os.path.join(folder, f"{kind}{i}")
            with open(path + ".txt", "w", encoding="utf-8") as f:
                f.write(text)
            subprocess.run([NET, "make", path + ".txt", path + ".thim"], check=True)
            made[kind].append(path + ".thim")
    return made


def rounds_of(target, kinds):
    """(goal, kind of net, forms, coder)"""
    every = [("plain", "none", "raw"), ("means", "none", "raw")] + [(kind, forms, "raw") for kind in ("weighted", "trained") for forms in form_rounds(target)]
    coded = [("coded", "none", coder) for coder in ("raw",) + CODERS] + [("rich", "none", coder) for coder in ("raw", "huffman", "gap")]
    coded += [("clumps", "none", coder) for coder in ("raw", "context")]
    found = [(goal,) + r for goal in GOALS for r in every + (coded if goal == "size" else [])]  # for speed nothing is coded
    if "dsp" in FOLDERS[target]:
        found.append(("speed", "apart", "none", "raw"))
    found += [("ram", "chain", "none", "raw"), ("ram", "weighted", "none", "raw")]
    return [r for r in found if r[1] in kinds]


def measure(target, kinds, keep):
    """[(goal, kind, forms, coder, number of the net, layers)]; what stands in the folder `keep` is not measured again."""
    with tempfile.TemporaryDirectory() as folder:
        made, found = make_nets(folder, kinds), []
        for goal, kind, forms, coder in rounds_of(target, kinds):
            for i, model in enumerate(made[kind]):
                path = os.path.join(keep or folder, f"{target} {goal} {kind} {forms[:80]} {coder} {i}.json")
                if not os.path.exists(path):
                    with open(path, "w", encoding="utf-8") as f:
                        json.dump(count(model, target, goal, forms, coder, folder), f)
                    print(os.path.basename(path), flush=True)
                with open(path, encoding="utf-8") as f:
                    counts = json.load(f)
                layers = work_of(model, target, chosen_for(goal, forms), forms, coder)
                found.append((goal, kind, forms, coder, i, [dict(layer, instructions=n) for layer, n in zip(layers, counts)]))
        return found


# --- fitting ---

def solve(a, b):
    """a x = b, by elimination; a is regular."""
    n = len(b)
    m = [row[:] + [v] for row, v in zip(a, b)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(m[k][i]))
        m[i], m[pivot] = m[pivot], m[i]
        m[i] = [v / m[i][i] for v in m[i]]
        for k in range(n):
            if k != i and m[k][i]:
                m[k] = [v - m[k][i] * u for v, u in zip(m[k], m[i])]
    return [row[n] for row in m]


def non_negative(rows, target):
    """Least squares with x >= 0 (Lawson and Hanson 1974, "Solving least squares problems", chapter 23)."""
    n = len(rows[0])
    ata = [[sum(r[i] * r[j] for r in rows) for j in range(n)] for i in range(n)]
    atb = [sum(r[i] * t for r, t in zip(rows, target)) for i in range(n)]
    x, free = [0.0] * n, []
    for _ in range(10 * n):
        slope = [atb[i] - sum(ata[i][j] * x[j] for j in free) for i in range(n)]
        best = max((i for i in range(n) if i not in free), key=lambda i: slope[i], default=None)
        if best is None or slope[best] < 1e-9:
            break
        free.append(best)
        while free:
            a = [[ata[i][j] * (1 + 1e-9 * (i == j)) for j in free] for i in free]
            z = solve(a, [atb[i] for i in free])
            if min(z) > 0:
                break
            step = min(x[i] / (x[i] - v) for i, v in zip(free, z) if v <= 0)
            for i, v in zip(free, z):
                x[i] += step * (v - x[i])
            for i in [i for i in free if x[i] <= 1e-12]:
                x[i] = 0.0
                free.remove(i)
        for i, v in zip(free, z if free else []):
            x[i] = v
    return x


def fit(samples, allowed=None):
    """[(work, instructions)] -> {amount: number}, and relative errors."""
    names = sorted({name for work, _ in samples for name in work if not allowed or name in allowed})
    scale = {name: max(work.get(name, 0) for work, _ in samples) for name in names}
    weight = [1.0 / max(count, SMALL) for _, count in samples]
    rows = [[work.get(name, 0) / scale[name] * w for name in names] for (work, _), w in zip(samples, weight)]
    x = non_negative(rows, [count * w for (_, count), w in zip(samples, weight)])
    found = {name: v / scale[name] for name, v in zip(names, x) if v > 0}
    errors = [(sum(found.get(name, 0) * v for name, v in work.items()) - count) / max(count, SMALL) for work, count in samples]
    return found, errors


def is_told(kind, forms, row):
    """Forms are told about by the rounds with forms, kernels by those without, in which all layers run on them."""
    return kind not in WITH_CODES and (forms == "none") != (row.split(" ")[0] in FORMS)


def samples_of(measured):
    """{(goal, row): [(work, instructions)]}; decoding is what a layer with coded weights takes more."""
    samples, raw = collections.defaultdict(list), {}
    for goal, kind, forms, coder, i, layers in measured:
        goal = "size" if goal == "ram" else goal
        for layer in layers:
            count = layer["instructions"]
            if kind in WITH_CODES and coder == "raw":
                raw[goal, kind, i, layer["name"]] = count
            if layer["cost"].endswith(LINE):
                continue
            if "decode_cost" in layer:
                samples[goal, layer["decode_cost"]].append((layer["work"], count - raw[goal, kind, i, layer["name"]]))
            elif kind == "apart":  # as channels without room go in builds for RAM (share_apart in cost.c)
                samples[goal, layer["cost"].split(" ")[0] + NARROW].append((layer["work"], count))
            elif layer["cost"].startswith("dot") or is_told(kind, forms, layer["cost"]):
                samples[goal, layer["cost"]].append((layer["work"], count))
    return samples


def order():
    with open(os.path.join(ROOT, "src", "lib", "work.def"), encoding="utf-8") as f:
        return re.findall(r"^TH_WORK\((\w+),", f.read(), re.M)


def fit_lines(measured):
    """{row: numbers} of what runs line by line: all rows at once, as a chain's layers are counted as one."""
    samples = []
    for _, _, _, _, _, layers in measured:
        lines = [layer for layer in layers if layer["cost"].endswith(LINE)]
        work = collections.Counter()
        for layer in lines:
            work.update({(layer["cost"], k): v for k, v in layer["work"].items() if k in LINES})
        if lines:
            samples.append((work, sum(layer["instructions"] for layer in lines)))
    if not samples:
        return {}, []
    numbers, errors = fit(samples)
    rows = collections.defaultdict(dict)
    for (row, name), v in numbers.items():
        rows[row][name] = v
    return rows, errors


def rows_of(target, kinds, keep):
    measured, rows = measure(target, kinds, keep), []
    for (goal, name), found in sorted(samples_of(measured).items()):
        numbers, errors = fit(found, amounts_for(target, name))
        rows.append(row_text(target, goal, name, numbers))
        tell(target, goal, name, errors)
    lines, errors = fit_lines(measured)
    rows += [row_text(target, "size", name, numbers) for name, numbers in sorted(lines.items())]
    if lines:
        tell(target, "size", "chains of lines", errors)
    return rows


DEPENDS = {  # (folder, row): the amounts that its loops run over; what is not here may depend on all but codes
    ("", "decode huffman"): LOOKED_UP, ("", "decode gap_huffman"): LOOKED_UP, ("", "dot gap_huffman"): LOOKED_UP + " outputs",
    ("", "decode bitpack"): "call parts weights once words slow_words", ("", "decode range"): "call parts weights once bits survivors",
    ("", "decode context"): "call parts weights once questions survivors bits neighboured looks",
    ("dsp", "mean_s8"): "call quad_places quad_lines quad_words alone alone_taps", ("mve", "mean_s8"): "call quad_places quad_lines quad_words alone alone_taps",
    ("small", "mean_s8"): "call inputs outputs lines",
    ("small", "conv2d_s8"): "call rows weights row_strips outputs twos two_lines two_columns edges edge_taps edge_inside",
    ("small", "depthwise_conv2d_s8"): "call rows weights row_strips outputs twos two_lines two_columns edges edge_taps",
    ("small", "conv2d_fields_s8_small"): "call places window_lines window_quads columns quad_places quad_pairs blocks long_blocks outputs uncut edges",
    ("small", "fully_connected_fields_s8_small"): "call columns quads quad_pairs blocks long_blocks outputs uncut",
    ("small", "depthwise_columns_s8_small"): "call rows row_strips outputs uncut edges edge_columns",
    ("dsp", "conv2d_s8"): "call rows weights quads row_strips outputs quad_places quad_lines quad_words quad_edges quad_edge_words",
    ("dsp", "conv2d_s8 narrow"): "call rows weights outputs taps lines line_quads inside row_strips edges edge_taps edge_inside four_lines",
    ("dsp", "conv2d_twins_s8_dsp"): "call places window_lines window_quads gathered edge_places pair_twos pair_quads outputs uncut",
    ("dsp", "conv2d_windows_s8_dsp"): "call pairs window_lines window_quads line_rests edge_places edge_elems pair_twos pair_quads outputs uncut",
    ("dsp", "conv2d_1x1_s8_dsp"): "call pairs window_quads line_rests pair_twos pair_quads outputs uncut",
    ("dsp", "fully_connected_twins_s8_dsp"): "call columns quads quad_pairs outputs uncut",
    ("mve", "conv2d_s8"): "call rows weights row_strips outputs stretches stretch_vectors fours four_lines four_vectors",
    ("mve", "conv2d_strip_s8_mve"): "call strips fills fill_elems fill_vectors duos duo_vectors solos solo_vectors places outputs uncut",
    ("mve", "conv2d_1x1_s8_mve"): "call strips places quad_places quad_vectors columns outputs uncut",
    ("mve", "depthwise_3x3_s8_mve"): "call strips inputs places eights outputs uncut",
    ("mve", "depthwise_conv2d_s8"): "call rows weights row_strips outputs full_fours full_four_lines full_four_taps alone alone_taps",
}


def amounts_for(target, name):
    """What a row may depend on."""
    plain = re.sub(r" (line|narrow|bare|4|4/16|1x1|3|3/2)$", "", name)
    for key in itertools.product([""] + FOLDERS[target], (name, plain)):
        if key in DEPENDS:
            return DEPENDS[key].split()
    return [k for k in order() if k not in CODED]


def row_text(target, goal, name, numbers):
    amounts = ", ".join(f".{k} = {numbers[k]:.4g}" for k in order() if k in numbers)
    return f'TH_COST("{target}", {goal.upper()}, "{name}", {amounts or ".call = 0"})'


def tell(target, goal, name, errors):
    size = sorted(abs(e) for e in errors) or [0]
    print(f"{target:14} {goal:6} {name:36} {len(errors):3} layers, errors: half below {100 * size[len(size) // 2]:4.1f} %, "
          f"largest {100 * size[-1]:4.1f} %", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default=",".join(FOLDERS))
    parser.add_argument("--kind", default=",".join(KINDS), help="nets to measure; rows that only others tell about stay")
    parser.add_argument("--keep", help="folder for what was counted, so that an interrupted run goes on")
    args = parser.parse_args()
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    targets = args.target.split(",")
    with open(TABLE, encoding="utf-8") as f:
        text = f.read()
    head = text[:text.index("*/") + 3]
    rows = dict(re.findall(r'^(TH_COST\("[^"]*", \w+, "[^"]*"), (.*)$', text[len(head):], re.M))  # rows of what is not measured now stay
    for target in targets:
        rows.update(row.split(", .", 1)[0:1] + [f".{row.split(', .', 1)[1]}"] for row in rows_of(target, args.kind.split(","), args.keep))
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(head + "".join(f"{name}, {numbers}\n" for name, numbers in sorted(rows.items())))


main()
