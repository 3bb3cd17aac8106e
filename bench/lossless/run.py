#!/usr/bin/env python3
"""What `shrink --lossless` makes of public int8 models, and the proof that no output bit changed.

    bench/lossless/run.py [--build build] [--data DIR] [--samples 1000] [--json] [MODEL ...]

For each model: bytes of the file, of the best general compressors on it, of the shrunk .thim and .tflite; MACs before and
after; what each pass saved. Then the same inputs, random and, where there are some, real ones, go through
  - the original and the shrunk program, both in Thimble: all output bytes must be equal;
  - the original and the shrunk .tflite, both in TFLite Micro (when its Python package is there): likewise.
Prints a table, with --json one object; exit code 1 when a byte differs or a limit of LIMITS does not hold.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODELS = ["mlperf_tiny/vww_96_int8", "mlperf_tiny/kws_ref_model", "mlperf_tiny/pretrainedResnet_quant",
          "mlperf_tiny/ad01_int8", "mlperf_tiny/str_ww_ref_model", "tinymaix/vww96_q"]
REAL = {"kws_ref_model": "sets/kws01/kws01_test_mfcc_int8_1000x49x10.bin"}
LIMITS = {"vww_96_int8": {"thim_bytes": 33000, "macs_after": 3750000, "tflite_bytes": 60000},
          "kws_ref_model": {"thim_bytes": 25500}, "pretrainedResnet_quant": {"thim_bytes": 73500},
          "ad01_int8": {"thim_bytes": 173000}}
COMPRESSORS = {"gzip": ["gzip", "-9", "-c"], "xz": ["xz", "-9e", "-c"], "zstd": ["zstd", "-19", "-q", "-c"]}


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def compressed(path):
    return {name: len(run(*command, path)) for name, command in COMPRESSORS.items() if shutil.which(command[0])}


def inputs_of(name, one, args):
    """[(what, bytes)]: random samples of four kinds, and the real ones."""
    rng = random.Random(1)
    data = bytearray()
    for i in range(args.samples):
        if i % 4 == 0:
            data += rng.randbytes(one)
        elif i % 4 == 1:
            base = rng.randrange(192)
            data += bytes(base + (b >> 2) for b in rng.randbytes(one))
        elif i % 4 == 2:
            data += b"".join(bytes([rng.randrange(256)]) * 64 for _ in range(one // 64 + 1))[:one]
        else:
            data += bytes([rng.choice((0, 127, 128, 255, rng.randrange(256)))]) * one
    found = [("random", bytes(data))]
    real = REAL.get(name) and os.path.join(args.data, REAL[name])
    if real and os.path.exists(real):
        with open(real, "rb") as f:
            found.append(("real", f.read()))
    return found


def thimble_outputs(args, model, data, work):
    with open(os.path.join(work, "in.bin"), "wb") as f:
        f.write(data)
    run(args.thimble, "run", model, "--input", os.path.join(work, "in.bin"), "-o", os.path.join(work, "out.bin"), "--quiet")
    with open(os.path.join(work, "out.bin"), "rb") as f:
        return f.read()


def tflm_outputs(args, model, data, work):
    with open(os.path.join(work, "in.bin"), "wb") as f:
        f.write(data)
    run(args.python, os.path.join(ROOT, "tests", "peers", "run_tflite.py"), "tflm", model,
        os.path.join(work, "peer.bin"), os.path.join(work, "in.bin"))
    with open(os.path.join(work, "peer.bin"), "rb") as f:
        return f.read()


def differing(a, b):
    return sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))


def compare(result, before, after, args, work):
    """Output bytes that differ, by kind of input; the same inputs in Thimble and in TFLite Micro."""
    for what, data in inputs_of(result["model"], result["input_bytes"], args):
        samples = len(data) // result["input_bytes"]
        a = thimble_outputs(args, before, data, work)
        b = thimble_outputs(args, os.path.join(after, "model.thim"), data, work)
        check = {"inputs": what, "samples": samples, "output_bytes": len(a), "different_in_thimble": differing(a, b)}
        if args.python:
            c = tflm_outputs(args, before, data, work)
            d = tflm_outputs(args, os.path.join(after, "model.tflite"), data, work)
            check["different_in_tflite_micro"] = differing(c, d)
            check["different_between_the_two"] = differing(a, c)
        result["checks"].append(check)


def saved_by(stages):
    """What each pass took off the program with raw weights; the last row is the coders' share."""
    rows = []
    for a, b in zip(stages, stages[1:]):
        rows.append({"name": b["name"], "bytes": a["bytes"] - b["bytes"], "macs": a["macs"] - b["macs"]})
    return rows


def measure(model, args):
    name = os.path.basename(model)
    path = os.path.join(args.data, "models", model + ".tflite")
    with tempfile.TemporaryDirectory() as work:
        after = os.path.join(work, "after")
        report = json.loads(run(args.thimble, "shrink", path, "--lossless", "-o", after, "--json", "--quiet"))
        result = {"model": name, "file_bytes": report["file_bytes"], **compressed(path), "thim_bytes": report["bytes"],
                  "tflite_bytes": report["tflite_bytes"], "macs_before": report["stages"][0]["macs"],
                  "macs_after": report["macs"], "saved": saved_by(report["stages"]), "checks": []}
        info = json.loads(run(args.thimble, "info", path, "--json"))
        result["arena_before"] = info.get("arena_bytes")
        result["input_bytes"] = input_bytes(path, args)
        compare(result, path, after, args, work)
    result["missed"] = [k for k, limit in LIMITS.get(name, {}).items() if result[k] > limit]
    return result


def input_bytes(path, args):
    """Samples are told apart by their size, which an input of one byte makes the tool say."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"x")
        f.flush()
        done = subprocess.run([args.thimble, "run", path, "--input", f.name, "-o", os.devnull], stderr=subprocess.PIPE)
    numbers = [int(w) for w in done.stderr.decode().replace(",", " ").replace("(", " ").replace(")", " ").split() if w.isdigit()]
    return max(numbers)


def show(r):
    others = ", ".join(f"{k} {r[k]:,}" for k in COMPRESSORS if k in r)
    print(f"{r['model']}: file {r['file_bytes']:,} ({others}); now .thim {r['thim_bytes']:,}, "
          f".tflite {r['tflite_bytes']:,}; MACs {r['macs_before']:,} -> {r['macs_after']:,}")
    for s in r["saved"]:
        print(f"  {s['name']:22} saves {s['bytes']:9,} bytes {s['macs']:11,} MACs")
    for c in r["checks"]:
        peer = c.get("different_in_tflite_micro")
        print(f"  {c['samples']} {c['inputs']} inputs, {c['output_bytes']:,} output bytes: {c['different_in_thimble']} differ in "
              f"Thimble, {'-' if peer is None else peer} in TFLite Micro")
    for k in r["missed"]:
        print(f"  MISSED: {k} {r[k]:,}, limit {LIMITS[r['model']][k]:,}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--data", default=subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip())
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-peer", action="store_true", help="leave TFLite Micro out")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    args.thimble = os.path.join(args.build, "thimble")
    args.python = None
    if not args.no_peer:
        venv = subprocess.run([os.path.join(ROOT, "tests", "peers", "venv.sh"), args.build], stdout=subprocess.PIPE, text=True)
        args.python = venv.stdout.strip() if venv.returncode == 0 else None
        if args.python and not os.path.isabs(args.python):
            args.python = os.path.abspath(args.python)
    models = [m for m in MODELS if not args.models or os.path.basename(m) in args.models]
    results = []
    for model in models:
        if not os.path.exists(os.path.join(args.data, "models", model + ".tflite")):
            print(f"skipped: no {model}.tflite in {args.data}", file=sys.stderr)
            continue
        results.append(measure(model, args))
        if not args.json:
            show(results[-1])
            sys.stdout.flush()
    if args.json:
        print(json.dumps({"models": results}, indent=1))
    bad = any(r["missed"] or any(v for c in r["checks"] for k, v in c.items() if k.startswith("different")) for r in results)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
