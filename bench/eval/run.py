#!/usr/bin/env python3
"""Microseconds per inference of int8 models on one thread: Thimble, LiteRT (XNNPACK) and TFLite Micro, side by side.

    bench/eval/run.sh [--build build] [--rounds 15] [--batch 64] [--data DIR] [MODEL.tflite ...]

All programs are alive at the same time and take turns, so that a busy machine disturbs them alike; times are the
processor's, and medians over the rounds count. One JSON line per model:

    ours_us          one sample per call          litert_us        the same with LiteRT, num_threads=1
    ours_batch_us    per sample, --batch a call   litert_batch_us  the same, its input resized to the batch
    reference_us     the portable kernels         tflm_us          TFLite Micro's interpreter from Python
    ratio            litert_us / ours_us: above 1 Thimble is faster; batch_ratio: the same of the batches;
                     ratio_low, ratio_high: quartiles of the rounds' own ratios
    variants_us      one sample per call with each set of kernel variants
    load_ms          reading, lowering and planning the model
    equal            the outputs of all samples are TFLite Micro's, byte for byte

Without models: those of MLPerf Tiny below the data folder. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MLPERF = ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"]
TARGET_SECONDS = 0.03  # of one turn


class Thimble:
    """bench/eval/time.c, kept running."""

    def __init__(self, program, model, samples, variants):
        self.process = subprocess.Popen([program, model, samples, str(variants)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"{' '.join(self.process.args)}: stopped at '{line}'")
        return answer

    def us(self, batch, rounds):
        return float(self.ask(f"run {batch} {rounds}")[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class LiteRt:
    def __init__(self, model, x):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=model, num_threads=1)
        index = self.interpreter.get_input_details()[0]["index"]
        if len(x) > 1:
            self.interpreter.resize_tensor_input(index, x.shape)
        self.interpreter.allocate_tensors()
        self.interpreter.set_tensor(index, x)
        self.samples = len(x)

    def us(self, calls):
        begin = time.process_time()
        for _ in range(calls):
            self.interpreter.invoke()
        return 1e6 * (time.process_time() - begin) / calls / self.samples


class Tflm:
    def __init__(self, model):
        from tflite_micro.python.tflite_micro import runtime

        with open(model, "rb") as f:
            self.interpreter = runtime.Interpreter.from_bytes(f.read(), arena_size=8 << 20)

    def outputs(self, x):
        found = []
        for sample in x:
            self.interpreter.set_input(sample[None], 0)
            self.interpreter.invoke()
            found.append(numpy.array(self.interpreter.get_output(0)).tobytes())
        return b"".join(found)

    def us(self, calls):
        begin = time.process_time()
        for _ in range(calls):
            self.interpreter.invoke()
        return 1e6 * (time.process_time() - begin) / calls


def calls_for(turn):
    """How often something is to be done in one turn; also warms up."""
    turn(1)
    return max(1, int(TARGET_SECONDS * 1e6 / turn(2)))


def quartile(values, q):
    return statistics.quantiles(values, n=4)[q - 1] if len(values) > 1 else values[0]


def litert_batch(model, x):
    """None where the model cannot be resized (a reshape with a fixed batch)."""
    try:
        peer = LiteRt(model, x)
        peer.us(1)
        return peer
    except (RuntimeError, ValueError):
        return None


def measure(model, args, scratch):
    shape = input_shape(model)
    x = numpy.random.default_rng(1).integers(-128, 128, (args.batch,) + shape).astype(numpy.int8)
    samples, written = os.path.join(scratch, "samples"), os.path.join(scratch, "outputs")
    x.tofile(samples)
    program = os.path.join(args.build, "bench", "eval", "bench_eval_time")
    names = ["reference"] + variant_names(program, model, samples)
    ours = [Thimble(program, model, samples, v) for v in range(len(names))]
    litert, batch, tflm = LiteRt(model, x[:1]), litert_batch(model, x), Tflm(model)
    ours[-1].ask(f"write {written}")
    with open(written, "rb") as f:
        equal = f.read() == tflm.outputs(x)
    turns = {f"v{i}": lambda n, p=p: p.us(1, n) * args.batch for i, p in enumerate(ours)}
    turns["batch"] = lambda n: ours[-1].us(args.batch, n) * args.batch
    turns["litert"] = litert.us
    turns["tflm"] = tflm.us
    if batch:
        turns["litert_batch"] = lambda n: batch.us(n) * args.batch
    calls = {k: calls_for(t) for k, t in turns.items()}
    took = {k: [] for k in turns}
    for _ in range(args.rounds):
        for k, t in turns.items():
            took[k].append(t(calls[k]))
    load = [float(ours[-1].ask("load 3")[1]) for _ in range(args.rounds)]
    for p in ours:
        p.close()
    scale = {k: 1 if k in ("litert", "tflm") else args.batch for k in turns}
    us = {k: statistics.median(v) / scale[k] for k, v in took.items()}
    best = f"v{len(ours) - 1}"
    ratios = [l / (o / args.batch) for l, o in zip(took["litert"], took[best])]
    result = {"model": os.path.basename(model), "ours_us": us[best], "litert_us": us["litert"],
              "ratio": statistics.median(ratios), "ratio_low": quartile(ratios, 1), "ratio_high": quartile(ratios, 3),
              "ours_batch_us": us["batch"], "litert_batch_us": us.get("litert_batch"),
              "batch_ratio": us["litert_batch"] / us["batch"] if batch else None, "reference_us": us["v0"],
              "tflm_us": us["tflm"], "tflm_ratio": us["tflm"] / us[best],
              "variants_us": {n: round(us[f"v{i}"], 2) for i, n in enumerate(names)},
              "load_ms": statistics.median(load), "equal": equal, "batch": args.batch, "rounds": args.rounds}
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}


def input_shape(model):
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=model).get_input_details()
    if len(details) != 1 or details[0]["dtype"] != numpy.int8:
        sys.exit(f"{model}: not a model with one int8 input")
    return tuple(int(n) for n in details[0]["shape"][1:])


def variant_names(program, model, samples):
    process = Thimble(program, model, samples, 0)
    names = process.ask("variants")[1:]
    process.close()
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--data", default=subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip())
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    models = args.models or [os.path.join(args.data, "models", "mlperf_tiny", m + ".tflite") for m in MLPERF]
    for model in models:
        if not os.path.exists(model):
            sys.exit(f"{model} does not exist; name models, or --data where models/mlperf_tiny is")
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measure(model, args, scratch)), flush=True)


main()
