#!/usr/bin/env python3
"""Every collected .tflite, as `thimble run` computes it: integer models on 100 random inputs, byte for byte what TFLite
Micro computes; float ones within 1e-5 of LiteRT, relative to the largest output. A model with int8 weights in float
layers is first written with float weights, since LiteRT rounds the activations of such layers, too, which we do not; the
difference that makes is bounded as well. Skips when data or peers cannot be had.

    test_models_peer.py BUILD_DIR

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import sys

import peer

RUNNER = os.path.join(peer.SOURCE, "tests", "peers", "run_tflite.py")
INTEGER_SAMPLES, FLOAT_SAMPLES, TOLERANCE = 100, 10, 1e-5
DYNAMIC_RANGE, ROUNDED_ACTIVATIONS = ["kws_ref_model_float32.tflite"], 1e-2

CHILD = """
import json, sys
import numpy
from ai_edge_litert.interpreter import Interpreter
for path in sys.argv[1:]:
    i = Interpreter(model_path=path)
    print(json.dumps([[(numpy.dtype(d["dtype"]).name, [int(n) for n in d["shape"]]) for d in side]
                      for side in (i.get_input_details(), i.get_output_details())]))
"""


def models():
    found = []
    for path, _, names in sorted(os.walk(peer.collected("models"))):
        found += [os.path.join(path, n) for n in sorted(names) if n.endswith(".tflite")]
    return found


def random_inputs(numpy, ports, samples, seed):
    r = numpy.random.default_rng(seed)
    arrays = []
    for name, shape in ports:
        dtype = numpy.dtype(name)
        if dtype.kind == "f":
            arrays.append(r.uniform(-1, 1, [samples] + shape).astype(dtype))
        else:
            info = numpy.iinfo(dtype)
            x = r.integers(info.min, info.max, [samples] + shape, dtype, endpoint=True)
            # quiet and loud samples: large 16-bit inputs saturate whatever comes behind
            arrays.append(x >> (numpy.arange(samples) % 16).astype(dtype).reshape([-1] + [1] * len(shape)) if dtype.itemsize == 2 else x)
    return arrays


def largest_error(numpy, expected, found):
    return float(numpy.max(numpy.abs(expected - found)) / max(1e-6, numpy.max(numpy.abs(expected))))


def with_float_weights(tool, model, path):
    subprocess.run([tool, "convert", model, path, "--quiet"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return path


class Case:
    def __init__(self, numpy, folder, number, model, ports, tool):
        self.numpy, self.model, self.outputs = numpy, model, ports[1]
        dynamic = os.path.basename(model) in DYNAMIC_RANGE
        self.peer_model = with_float_weights(tool, model, os.path.join(folder, f"{number}.tflite")) if dynamic else model
        self.is_float = any(numpy.dtype(n).kind == "f" for n, _ in ports[0] + ports[1])
        self.path = os.path.join(folder, str(number))
        self.inputs = []
        samples = FLOAT_SAMPLES if self.is_float else INTEGER_SAMPLES
        for i, x in enumerate(random_inputs(numpy, ports[0], samples, number)):
            self.inputs.append(f"{self.path}.in{i}")
            x.tofile(self.inputs[-1])

    def jobs(self):
        engine = "litert" if self.is_float else "tflm"
        models = [(self.peer_model, ".expected")] + [(self.model, ".rounded")] * (self.peer_model != self.model)
        return ["\t".join([engine, m, self.path + what] + self.inputs) + "\n" for m, what in models]

    def ours(self, tool):
        words = [tool, "run", self.model, "--stream", "-o", self.path + ".found", "--quiet"]  # the peers keep state, too
        for x in self.inputs:
            words += ["--input", x]
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return None if done.returncode == 0 else done.stderr.strip()

    def file(self, what, i):
        return f"{self.path}.{what}" + (f".{i}" if i else "")

    def difference(self):
        """What is wrong, or None."""
        for i, (name, _) in enumerate(self.outputs):
            expected = self.numpy.fromfile(self.file("expected", i), name)
            found = self.numpy.fromfile(self.file("found", i), name)
            if expected.shape != found.shape:
                return f"output {i} has {found.size} values, expected {expected.size}"
            if not self.is_float:
                differ = int(self.numpy.count_nonzero(expected != found))
                if differ:
                    return f"output {i}: {differ} of {expected.size} values differ from TFLite Micro's"
            elif not largest_error(self.numpy, expected, found) <= TOLERANCE:
                return f"output {i} differs from LiteRT's by {largest_error(self.numpy, expected, found):.2g}"
            elif self.peer_model != self.model:
                rounded = self.numpy.fromfile(self.file("rounded", i), name)
                if not largest_error(self.numpy, rounded, found) <= ROUNDED_ACTIVATIONS:
                    return f"output {i} is {largest_error(self.numpy, rounded, found):.2g} from that with rounded activations"
        return None


def compare(numpy, build):
    tool, folder, paths = os.path.join(build, "thimble"), os.path.join(build, "models_peer"), models()
    os.makedirs(folder, exist_ok=True)
    ports = subprocess.run([sys.executable, "-c", CHILD] + paths, capture_output=True, text=True, check=True).stdout.splitlines()
    ports = [json.loads(line) for line in ports if line.startswith("[")]
    cases = [Case(numpy, folder, k, m, p, tool) for k, (m, p) in enumerate(zip(paths, ports))]
    with open(os.path.join(folder, "jobs"), "w") as f:
        f.writelines(job for c in cases for job in c.jobs())
    subprocess.run([sys.executable, RUNNER, "--jobs", os.path.join(folder, "jobs")], check=True, stderr=subprocess.DEVNULL)
    failures = 0
    for c in cases:
        wrong = c.ours(tool) or c.difference()
        failures += wrong is not None
        print(f"{'FAIL' if wrong else 'ok  '} {os.path.relpath(c.model, peer.DATA)} ({'float' if c.is_float else 'integer'})" +
              (f": {wrong}" if wrong else ""))
    print(f"{len(cases)} models, {failures} wrong")
    return failures == 0


def main():
    peer.collected("models")
    peer.enter()
    import numpy

    sys.exit(0 if compare(numpy, sys.argv[1]) else 1)


if __name__ == "__main__":
    main()
