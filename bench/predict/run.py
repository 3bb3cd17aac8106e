#!/usr/bin/env python3
"""What `thimble info --target` predicts beside what `thimble bench` finds in the linked file and counts under emulation: for every target,
models that no cost was fitted to (MLPerf Tiny's int8 models, and those of models/ quantized, with MNIST at hand), builds for speed, size
and RAM.

    bench/predict/run.py [--target T,...] [--model M,...] [--optimize speed,size,ram] [--keep DIR] [--json]

Bars: flash within 1 % of the linked file, arena exact, stack never above what is predicted, instructions within 10 % in all; how far
single layers are off is shown. Exit code 1 when a bar is missed, 77 (skipped) without data. What does not fit a target is left out.
SPDX-License-Identifier: Apache-2.0"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
import firmware  # noqa: E402

DATA = os.environ.get("THIMBLE_TEST_DATA", os.path.join(ROOT, "..", "shared", "data"))
THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
PUBLIC = {"ad": "ad01_int8", "ic": "pretrainedResnet_quant", "kws": "kws_ref_model", "vww": "vww_96_int8"}
OWN = ["digits-2k", "ds-cnn-28", "lenet-5"]
FLASH, INSTRUCTIONS = 0.01, 0.10
SHARE = 0.01  # of the instructions: layers below are not shown


def thimble(*words):
    return subprocess.run([THIMBLE] + list(words) + ["-q"], capture_output=True, text=True)


def models(wanted, work):
    """{name: path} of those that are there."""
    found = {}
    for name, file in PUBLIC.items():
        path = os.path.join(DATA, "models", "mlperf_tiny", file + ".tflite")
        if name in wanted and os.path.exists(path):
            found[name] = path
    for name in OWN:
        path = os.path.join(work, name + ".thim")
        if name not in wanted:
            continue
        done = thimble("quantize", os.path.join(ROOT, "models", name + ".thim"), "--data", "mnist,limit=600", "-o", path)
        if done.returncode == 0:
            found[name] = path
        else:
            print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    return found


def measured(path, target, optimize, folder):
    done = thimble("bench", path, "--target", target, "--optimize", optimize, "-n", "1", "-o", os.path.join(folder, "firmware"), "--json")
    shutil.rmtree(os.path.join(folder, "firmware"), ignore_errors=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def error(predicted, found):
    return predicted / found - 1 if found else 0.0


def compare(path, target, optimize, folder):
    """The row of a case; None when the model does not run there."""
    said = thimble("info", path, "--target", target, "--optimize", optimize, "--json")
    found = measured(path, target, optimize, folder)
    if said.returncode or not found:
        return None
    p = json.loads(said.stdout)["predicted"]
    unit = "cycles" if "cycles" in found else "instructions"
    row = {"flash": [p.get("flash_bytes"), found["flash_bytes"]], "arena": [p["arena_bytes"], found["arena_bytes"]],
           "stack": [p.get("stack_bytes"), found["stack_bytes"]], "instructions": [p.get(unit), found[unit]], "layers": []}
    chain = 0  # layers that run line by line are counted with the last of them
    for said_layer, layer in zip(p["layers"], found["layers"]):
        predicted = said_layer.get(unit)
        chain = None if chain is None or predicted is None else chain + predicted
        if layer[unit] == 0:
            continue
        if layer[unit] >= SHARE * found[unit]:
            row["layers"].append({"name": layer["name"], "runner": said_layer["runner"], "predicted": chain, "measured": layer[unit]})
        chain = 0
    return row


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


def text(pair):
    predicted, counted = pair
    return f"{predicted:>12,} {counted:>12,} {100 * error(predicted, counted):+6.1f} %" if predicted is not None else f"{'unknown':>12} {counted:>12,}         "


def print_row(case, row):
    off = [abs(error(l["predicted"], l["measured"])) for l in row["layers"] if l["predicted"] is not None and l["measured"]]
    layers = f"  layers off by {100 * sorted(off)[len(off) // 2]:.0f} % (half), {100 * max(off):.0f} % (all)" if off else ""
    print(f"{case:34}" + " |".join(text(row[key]) for key in ("flash", "arena", "stack", "instructions")) + layers +
          "".join(f"  MISSED {m}" for m in row["missed"]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default=",".join(firmware.targets()))
    parser.add_argument("--model", default=",".join(list(PUBLIC) + OWN))
    parser.add_argument("--optimize", default="speed,size,ram")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", help="folder for results, so that an interrupted run goes on")
    args = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as work:
        keep = args.keep or work
        os.makedirs(keep, exist_ok=True)
        known = models(args.model.split(","), work)
        if not known:
            print("bench/predict: no models (THIMBLE_TEST_DATA, THIMBLE_DATA)", file=sys.stderr)
            return 77
        if not args.json:
            print(f"{'':34}" + " |".join(f"{'predicted':>12} {key:>12} {'':8}" for key in ("flash", "arena", "stack", "instructions")))
        for target in args.target.split(","):
            for name, path in known.items():
                for optimize in args.optimize.split(","):
                    case = f"{target} {name} {optimize}"
                    kept = os.path.join(keep, case + ".json")
                    row = json.load(open(kept, encoding="utf-8")) if os.path.exists(kept) else compare(path, target, optimize, work)
                    if not row:
                        continue
                    row["missed"] = misses(row)
                    rows[case] = row
                    with open(kept, "w", encoding="utf-8") as f:
                        json.dump(row, f)
                    if not args.json:
                        print_row(case, row)
    if args.json:
        print(json.dumps(rows, indent=1))
    return 1 if any(row["missed"] for row in rows.values()) else 0


sys.exit(main())
