#!/usr/bin/env python3
"""Small networks at a given test error: recipes of recipes/, over several seeds, beside the best published bitstreams.

    bench/records/run.py [--build build] [--seeds 5] [--keep DIR] [--json] [RECORD ...]

A record is one command, `thimble shrink NETWORK --data DATA --recipe RECIPE --seed N`. Bytes are all that the runtime needs:
the whole model.thim, with shapes, scales, biases and code tables. Settings were chosen on the validation split; the test
error of the last stage is read here and chooses nothing. Prints mean and spread over the seeds, and whether both limits
hold; with --json one object. With --keep, results that are there are not made again. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.environ.get("THIMBLE_TEST_DATA", os.path.join(ROOT, "..", "shared", "data"))
KWS = os.path.join(SHARED, "sets", "kws01", "kws01_test_mfcc_int8_1000x49x10.bin")
KWS_DATA = (KWS + ",shape=49x10x1,dtype=int8,scale=0.584703,zero=83,labels=" + KWS.replace("mfcc_int8_1000x49x10", "labels_uint8_1000") +
            ",test=0.5,val=0,seed={seed}")
# name: network, data, recipe, most error %, most bytes, aim, published. Where the data name a seed, it is a split of its own.
RECORDS = {
    "lenet-300-100": ("models/lenet-300-100.txt", "mnist", "lenet-300-100-mnist", 1.58, 8500, 5000, "27 KB at 1.58 % (Han et al. 2016)"),
    "kws": (os.path.join(SHARED, "models", "mlperf_tiny", "kws_ref_model_float32.tflite"), KWS_DATA, "kws-500-samples", 10.0, 12000, 8000,
            "22 KB of int8 weights"),
}


def shrink(args, record, seed, folder):
    network, data, recipe = RECORDS[record][:3]
    out = os.path.join(folder, f"{record}-{seed}")
    report = os.path.join(out, "report.json")
    if not os.path.exists(report):
        command = [os.path.join(args.build, "thimble"), "shrink", os.path.join(ROOT, network), "--data", data.format(seed=seed), "--recipe",
                   os.path.join(ROOT, "recipes", recipe + ".yaml"), "--seed", str(seed), "-o", out, "--quiet"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    with open(report, encoding="utf-8") as f:
        stages = json.load(f)["stages"]
    return {"seed": seed, "bytes": stages[-1]["bytes"], "error": 100 * (1 - stages[-1]["accuracy"]), "float_error": 100 * (1 - stages[0]["accuracy"]),
            "validation_error": 100 * (1 - stages[-1]["validation_accuracy"]) if "validation_accuracy" in stages[-1] else None,
            "seconds": sum(s["seconds"] for s in stages)}


def spread(values):
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def measure(args, record, folder):
    runs = [shrink(args, record, seed, folder) for seed in range(1, args.seeds + 1)]
    most_error, most_bytes, aim, published = RECORDS[record][3:]
    error, size = spread([r["error"] for r in runs]), spread([r["bytes"] for r in runs])
    return {"record": record, "runs": runs, "error": error[0], "error_spread": error[1], "bytes": size[0], "bytes_spread": size[1],
            "float_error": spread([r["float_error"] for r in runs])[0], "most_error": most_error, "most_bytes": most_bytes, "aim": aim,
            "published": published, "holds": error[0] <= most_error and size[0] <= most_bytes}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("records", nargs="*", choices=[*RECORDS, []])
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or temporary
        os.makedirs(folder, exist_ok=True)
        if not args.json:
            print(f"{'record':16}{'float error %':>14}{'error %':>16}{'at most':>9}{'bytes':>18}{'at most':>9}{'aim':>8}  published")
        for record in args.records or RECORDS:
            r = measure(args, record, folder)
            results.append(r)
            if not args.json:
                error, size = f"{r['error']:.2f} +- {r['error_spread']:.2f}", f"{r['bytes']:,.0f} +- {r['bytes_spread']:.0f}"
                print(f"{record:16}{r['float_error']:14.2f}{error:>16}{r['most_error']:9.2f}{size:>18}{r['most_bytes']:9,}"
                      f"{r['aim']:8,}  {r['published']}{'' if r['holds'] else '   MISSED'}", flush=True)
    if args.json:
        print(json.dumps({"seeds": args.seeds, "records": results}, indent=1))
    return 0 if all(r["holds"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
