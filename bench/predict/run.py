#!/usr/bin/env python3
"""What `thimble info --target` predicts beside what `thimble bench` finds in the linked file and counts under emulation: for every target,
models that no cost was fitted to (MLPerf Tiny's int8 models; with MNIST at hand also some of models/, quantized, one of them pruned and of
four bits), builds for speed, size and RAM, and weights by the context coder.

    bench/predict/run.py [--quick] [--target T,...] [--model M,...] [--build speed,size,ram,context] [--keep DIR] [--record] [--json]
    bench/predict/run.py --tables             print results.json as it stands in docs/guide/devices.md, and write it there

Bars: flash within 1 % of the linked file, arena exact, stack never above what is predicted, instructions within 10 % in all; how far
single layers are off is shown. Exit code 1 when a bar is missed, 77 (skipped) without data. What does not fit a target is left out.
With --keep, a firmware that is there already is not built again; --record keeps the numbers in results.json.
SPDX-License-Identifier: Apache-2.0"""
import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import firmware  # noqa: E402

DATA = subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip()
THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
RESULTS = os.path.join(HERE, "results.json")
GUIDE = os.path.join(ROOT, "docs", "guide", "devices.md")
BEGIN, END = "<!-- bench/predict/run.py --tables -->\n", "<!-- end -->\n"
PUBLIC = {"ad": "ad01_int8", "ic": "pretrainedResnet_quant", "kws": "kws_ref_model", "vww": "vww_96_int8"}
# name: model, stages. One epoch on few pictures: what counts here is what the weights look like, not how right they are.
OWN = {"digits-2k": ("digits-2k", [["quantize"]]), "ds-cnn-28": ("ds-cnn-28", [["quantize"]]), "lenet-5": ("lenet-5", [["quantize"]]),
       "lenet-5-int4": ("lenet-5", [["prune", "--sparsity", "0.9", "--epochs", "1"], ["quantize", "--weights", "int4"]])}
SET = "mnist,limit=600"
BUILDS = {"speed": ["--optimize", "speed"], "size": ["--optimize", "size"], "ram": ["--optimize", "ram"],
          "context": ["--optimize", "size", "--coder", "context"]}
QUICK = ["ad", "kws", "digits-2k", "lenet-5-int4"]
FLASH, INSTRUCTIONS = 0.01, 0.10
SHARE = 0.01  # of the instructions: layers below are not shown


def thimble(*words):
    return subprocess.run([THIMBLE] + list(words) + ["-q"], capture_output=True, text=True)


# --- models ---

def make(name, work):
    """The path of an own model, or None and why."""
    model, stages = OWN[name]
    path = os.path.join(ROOT, "models", model + ".thim")
    for i, stage in enumerate(stages):
        out = os.path.join(work, f"{name}.{i}.thim")
        done = thimble(stage[0], path, "--data", SET, "-o", out, *stage[1:])
        if done.returncode:
            return None, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        path = out
    return path, None


def models(wanted, work):
    """{name: path} of those that are there."""
    found = {}
    for name in wanted:
        if name in OWN:
            found[name], why = make(name, work)
        else:
            found[name], why = os.path.join(DATA, "models", "mlperf_tiny", PUBLIC[name] + ".tflite"), "is not there"
            if not os.path.exists(found[name]):
                found[name] = None
        if not found[name]:
            print(f"{name}: left out: {why}", file=sys.stderr)
    return {name: path for name, path in found.items() if path}


# --- one case ---

def digest(folder):
    """Of all sources of a project; two that are alike need not both be run."""
    h = hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.[ch]"), recursive=True)):
        with open(path, "rb") as f:
            h.update(os.path.relpath(path, folder).encode() + f.read())
    return h.hexdigest()[:24]


def measured(path, target, words, folder, keep):
    """What `bench` finds; None when the model does not run there."""
    project = os.path.join(folder, "firmware")
    try:
        if thimble("compile", path, "--target", target, *words, "-o", project).returncode:
            return None
        kept = os.path.join(keep, f"{target} {words[1]} {digest(project)}.json")  # compilers are told what it is built for
        if not os.path.exists(kept):
            done = thimble("bench", path, "--target", target, *words, "-n", "1", "-o", project, "--json")
            if done.returncode:
                print(f"{target} {os.path.basename(path)}: {done.stderr.strip()[:200]}", file=sys.stderr)
                return None
            with open(kept, "w", encoding="utf-8") as f:
                f.write(done.stdout)
        with open(kept, encoding="utf-8") as f:
            return json.load(f)
    finally:
        shutil.rmtree(project, ignore_errors=True)


def error(predicted, found):
    return predicted / found - 1 if found else 0.0


def shown_layers(predicted, found, unit, least):
    """Layers that run line by line are counted with the last of them."""
    rows, sum_ = [], 0
    for said, layer in zip(predicted, found):
        sum_ = None if sum_ is None or said.get(unit) is None else sum_ + said[unit]
        if layer[unit] == 0:
            continue
        if layer[unit] >= least:
            rows.append({"name": layer["name"], "runner": said["runner"], "coder": layer.get("coder"), "predicted": sum_, "measured": layer[unit]})
        sum_ = 0
    return rows


def compare(path, target, words, folder, keep):
    """The row of a case; None when the model does not run there."""
    found = measured(path, target, words, folder, keep)
    said = thimble("info", path, "--target", target, *words, "--json")
    if said.returncode or not found:
        return None
    p = json.loads(said.stdout)["predicted"]
    unit = "cycles" if "cycles" in found else "instructions"
    return {"flash": [p.get("flash_bytes"), found["flash_bytes"]], "arena": [p["arena_bytes"], found["arena_bytes"]],
            "stack": [p.get("stack_bytes"), found["stack_bytes"]], "instructions": [p.get(unit), found[unit]],
            "layers": shown_layers(p["layers"], found["layers"], unit, SHARE * found[unit])}


def misses(row):
    """What is not as promised."""
    found = []
    for key, most in (("flash", FLASH), ("arena", 0.0), ("instructions", INSTRUCTIONS)):
        predicted, counted = row[key]
        if predicted is None or abs(error(predicted, counted)) > most:
            found.append(key)
    if row["stack"][0] is None or row["stack"][0] < row["stack"][1]:
        found.append("stack")
    return found


# --- what is shown and kept ---

def text(pair):
    predicted, counted = pair
    return f"{predicted:>12,} {counted:>12,} {100 * error(predicted, counted):+6.1f} %" if predicted is not None else f"{'unknown':>12} {counted:>12,}         "


def print_row(case, row):
    off = sorted((abs(error(l["predicted"], l["measured"])), l["runner"], l["coder"] or "") for l in row["layers"] if l["predicted"] is not None)
    layers = f"  layers off by {100 * off[len(off) // 2][0]:.0f} % (half), {100 * off[-1][0]:.0f} % ({off[-1][1]} {off[-1][2]})" if off else ""
    print(f"{case:34}" + " |".join(text(row[key]) for key in ("flash", "arena", "stack", "instructions")) + layers +
          "".join(f"  MISSED {m}" for m in row["missed"]), flush=True)


def keep_results(rows):
    known = {}
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as f:
            known = json.load(f)
    known.update({case: {k: v for k, v in row.items() if k not in ("layers", "missed")} for case, row in rows.items()})
    with open(RESULTS, "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(f" {json.dumps(case)}: {json.dumps(known[case])}" for case in sorted(known)) + "\n}\n")


def span(values, form):
    """From the least to the largest, as one or two numbers."""
    least, most = format(min(values), form), format(max(values), form)
    return least if least == most else f"{least} to {most}"


def percents(values):
    return span([100 * v for v in values], "+.1f")


def table_line(target, rows):
    off = {key: [error(*row[key]) for row in rows if row[key][0] is not None] for key in ("flash", "instructions")}
    slack = [row["stack"][0] - row["stack"][1] for row in rows if row["stack"][0] is not None]
    within = sum(abs(e) <= INSTRUCTIONS for e in off["instructions"]) if off["instructions"] else "-"
    return (f"| {target} | {len(rows)} | {percents(off['flash'])} | {'exact' if all(r['arena'][0] == r['arena'][1] for r in rows) else 'NOT exact'} | "
            f"{span(slack, 'd')} | {percents(off['instructions']) if off['instructions'] else 'not predicted'} | {within} |")


def tables():
    """Of results.json, as the guide has it."""
    with open(RESULTS, encoding="utf-8") as f:
        known = json.load(f)
    lines = ["| target | builds | flash, % | arena | stack, bytes above | instructions, % | builds within 10 % |", "|---|---|---|---|---|---|---|"]
    for target in firmware.targets():
        rows = [row for case, row in known.items() if case.split()[0] == target]
        if rows:
            lines.append(table_line(target, rows))
    table = "\n".join(lines) + "\n"
    print(table, end="")
    with open(GUIDE, encoding="utf-8") as f:
        head, _, rest = f.read().partition(BEGIN)
    with open(GUIDE, "w", encoding="utf-8") as f:
        f.write(head + BEGIN + table + END + rest.partition(END)[2])
    return 0


# --- all cases ---

def run(args, work):
    keep = args.keep or work
    os.makedirs(keep, exist_ok=True)
    rows, known = {}, models(args.model.split(","), work)
    if known and not args.json:
        print(f"{'':34}" + " |".join(f"{'predicted':>12} {key:>12} {'':8}" for key in ("flash", "arena", "stack", "instructions")))
    for target in args.target.split(",") if known else []:
        for name, path in known.items():
            for build in args.build.split(","):
                row = compare(path, target, BUILDS[build], work, keep)
                if not row:
                    continue
                row["missed"] = misses(row)
                rows[f"{target} {name} {build}"] = row
                if not args.json:
                    print_row(f"{target} {name} {build}", row)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default=",".join(firmware.targets()))
    parser.add_argument("--model")
    parser.add_argument("--build", default=",".join(BUILDS))
    parser.add_argument("--quick", action="store_true", help="the smaller half of the models")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--keep", help="folder for what was measured, so that an interrupted run goes on")
    args = parser.parse_args()
    args.model = args.model or ",".join(QUICK if args.quick else [*PUBLIC, *OWN])
    if args.tables:
        return tables()
    with tempfile.TemporaryDirectory() as work:
        rows = run(args, work)
    if not rows:
        print("bench/predict: nothing to compare (THIMBLE_TEST_DATA, THIMBLE_DATA)", file=sys.stderr)
        return 77
    if args.record:
        keep_results(rows)
    if args.json:
        print(json.dumps(rows, indent=1))
    return 1 if any(row["missed"] for row in rows.values()) else 0


sys.exit(main())
