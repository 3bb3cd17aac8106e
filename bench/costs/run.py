#!/usr/bin/env python3
"""What kernels and forms cost: runs public models under emulation, with no forms and then with one form of each kernel, and fits

    instructions of a layer = per call + per output * outputs + per work * work      (all coefficients >= 0)

to what `thimble bench` counts for its layers, by least squares of relative errors. Writes src/lib/costs.def; rows of
targets that are not measured now stay. Usage: run.py [TARGET ...]   SPDX-License-Identifier: Apache-2.0"""
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.environ.get("THIMBLE_TEST_DATA", os.path.join(ROOT, "..", "shared", "data"))
MODELS = ["ad01_int8", "pretrainedResnet_quant", "kws_ref_model", "vww_96_int8"]
FOLDERS = {"cortex-m4": ["dsp"], "cortex-m55": ["mve", "dsp"], "cortex-m0plus": ["small"], "rv32imc": ["small"]}
THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
TABLE = os.path.join(ROOT, "src", "lib", "costs.def")


def rounds_of(target):
    """Lists of forms, each with one form of a kernel at most, so that every form comes to run all it can; first: none."""
    text = open(os.path.join(ROOT, "rt", "kernel", "forms.def"), encoding="utf-8").read()
    by_kernel = {}
    for name, kernel, folder in re.findall(r"^THR_FORM\(\w+, (\w+), (\w+), \w+, \d, (\w+)\)", text, re.M):
        if folder in FOLDERS[target]:
            by_kernel.setdefault(kernel, []).append(name)
    rounds = itertools.zip_longest(*by_kernel.values())
    return ["none"] + [",".join(name for name in names if name) for names in rounds]


def layers(target, model, forms, folder):
    """Each layer's runner and its numbers, and whether all bytes agree."""
    command = [THIMBLE, "bench", model, "--target", target, "--optimize", "speed",
               "--forms", forms, "--lossless", "-n", "1", "-o", folder, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return [(l.get("form", l["kernel"]), l["outputs"], l["work"], l["instructions"]) for l in json.loads(done.stdout)["layers"]]


def solve(rows, columns):
    """Least squares of relative errors over some columns; None when they do not determine a solution."""
    n = len(columns)
    a = [[sum(r[i] * r[j] / r[3] ** 2 for r in rows) for j in columns] + [sum(r[i] / r[3] for r in rows)] for i in columns]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(a[k][i]))
        a[i], a[pivot] = a[pivot], a[i]
        if abs(a[i][i]) < 1e-18:
            return None
        a[i] = [v / a[i][i] for v in a[i]]
        for k in range(n):
            if k != i:
                a[k] = [v - a[k][i] * u for v, u in zip(a[k], a[i])]
    return [row[n] for row in a]


def fit(samples):
    """(call, output, work), none negative, and the largest relative error."""
    rows = [(1.0, float(o), float(w), float(max(n, 1))) for o, w, n in samples]
    best = None
    for count in (1, 2, 3):
        for columns in itertools.combinations(range(3), count):
            values = solve(rows, columns)
            if values is None or min(values) < 0:
                continue
            c = [0.0, 0.0, 0.0]
            for i, v in zip(columns, values):
                c[i] = v
            errors = [sum(x * y for x, y in zip(c, r)) / r[3] - 1 for r in rows]
            total = sum(e * e for e in errors)
            if best is None or total < best[0] - 1e-12:
                best = (total, c, max(abs(e) for e in errors))
    return best[1], best[2]


def measure(target):
    samples = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            model = os.path.join(DATA, "models", "mlperf_tiny", name + ".tflite")
            for forms in rounds_of(target):
                for runner, outputs, work, count in layers(target, model, forms, os.path.join(folder, "firmware")):
                    samples.setdefault(runner, set()).add((outputs, work, count))
    rows = []
    for runner in sorted(samples):
        (call, output, work), error = fit(sorted(samples[runner]))
        rows.append(f'TH_COST("{target}", "{runner}", {call:.0f}, {output:.3f}, {work:.4f})')
        print(f"{target:14} {runner:32} {len(samples[runner]):3} layers, largest error {100 * error:3.0f} %", flush=True)
    return rows


def main():
    targets = sys.argv[1:] or list(FOLDERS)
    if not os.path.exists(os.path.join(DATA, "models", "mlperf_tiny")):
        sys.exit("bench/costs: no models (THIMBLE_TEST_DATA)")
    text = open(TABLE, encoding="utf-8").read()
    head = text[:text.index("*/") + 3]
    kept = [l for l in text[len(head):].splitlines() if l and re.match(r'TH_COST\("([^"]*)"', l).group(1) not in targets]
    new = [row for target in targets for row in measure(target)]
    with open(TABLE, "w", encoding="utf-8") as f:
        f.write(head + "\n".join(sorted(kept + new)) + "\n")


main()
