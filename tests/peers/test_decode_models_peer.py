#!/usr/bin/env python3
"""compile --as tflite-decode on public models, on their lossless forms, and on a network that was pruned, clustered and
quantized here: TFLite Micro, which unpacks the weights by TFLM_DECODE, gives the bytes that it gives for the plain file.
Prints both sizes. Skips without the peers. SPDX-License-Identifier: Apache-2.0"""
import json
import os
import subprocess
import sys

import peer

SAMPLES = 5
MODELS = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8")
RUNNER = os.path.join(peer.SOURCE, "tests/peers/run_tflite.py")
ARCHITECTURE = "input 8x8x3\nconv2d 16 kernel=3\nrelu\nconv2d 32 kernel=3\nrelu\nflatten\nfully_connected 40\nrelu\n" \
               "fully_connected 4\n"


def shrunk(numpy, build, folder):
    """A network trained on made-up pictures, with few and many zero weights."""
    rng = numpy.random.default_rng(1)
    y = rng.integers(0, 4, 400)
    x = (rng.normal(0, 0.5, (400, 8, 8, 3)) + y[:, None, None, None] * rng.normal(0, 1, (1, 8, 8, 3))).astype("f4")
    data = os.path.join(folder, "set.npz")
    numpy.savez(data, x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    name = [os.path.join(folder, n) for n in ("net.txt", "float.thim", "pruned.thim", "clustered.thim", "int8.thim")]
    with open(name[0], "w") as f:
        f.write(ARCHITECTURE)
    peer.thimble_must(build, "train", name[0], "--data", data, "--epochs", "2", "-o", name[1])
    peer.thimble_must(build, "prune", name[1], "--data", data, "--sparsity", "0.8", "--epochs", "2", "-o", name[2])
    peer.thimble_must(build, "cluster", name[2], "--data", data, "--clusters", "16", "--epochs", "1", "-o", name[3])
    peer.thimble_must(build, "quantize", name[3], "--data", data, "-o", name[4])
    return name[4]


def run(model, inputs, out):
    subprocess.run([sys.executable, RUNNER, "tflm", model, out] + inputs, check=True, stderr=subprocess.DEVNULL)
    with open(out, "rb") as f:
        return f.read()


def input_bytes(model):
    code = f"import sys; sys.path.insert(0, {os.path.dirname(RUNNER)!r}); import run_tflite, math; " \
           f"t = run_tflite.Tflm(open({model!r}, 'rb').read()); " \
           "print([math.prod(s) * d.itemsize for d, s in t.inputs()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def check(numpy, build, folder, name, model):
    plain, coded = os.path.join(folder, name + ".plain"), os.path.join(folder, name + ".coded")
    peer.thimble_must(build, "compile", model, "--as", "tflite", "-o", plain)
    said = json.loads(peer.thimble_must(build, "compile", model, "--as", "tflite-decode", "-o", coded, "--json"))
    a, b = os.path.join(plain, "model.tflite"), os.path.join(coded, "model.tflite")
    peer.need(os.path.getsize(a) == said["tflite_plain_bytes"], f"{name}: tflite_plain_bytes is wrong")
    peer.need(os.path.getsize(b) == said["tflite_bytes"], f"{name}: tflite_bytes is wrong")
    peer.need(os.path.getsize(b) <= os.path.getsize(a), f"{name}: grew")
    inputs = []
    for i, n in enumerate(input_bytes(a)):
        inputs.append(os.path.join(folder, f"{name}.in{i}"))
        numpy.random.default_rng(i).integers(0, 256, n * SAMPLES, dtype="u1").tofile(inputs[-1])
    want, got = run(a, inputs, os.path.join(plain, "out")), run(b, inputs, os.path.join(coded, "out"))
    peer.need(len(want) > 0 and want == got, f"{name}: the outputs differ")
    print(f"{name}: plain {os.path.getsize(a)}, with coded weights {os.path.getsize(b)} bytes, outputs equal")
    return os.path.getsize(a) - os.path.getsize(b)


def main():
    peer.enter()
    import numpy

    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "decode_models_peer")
    os.makedirs(folder, exist_ok=True)
    peer.need(check(numpy, build, folder, "shrunk", shrunk(numpy, build, folder)) > 2000, "shrunk: gains too little")
    public = os.path.join(peer.DATA, "models/mlperf_tiny")
    for name in MODELS if os.path.isdir(public) else ():
        check(numpy, build, folder, name, os.path.join(public, name + ".tflite"))


if __name__ == "__main__":
    try:
        main()
    except peer.Failure as e:
        sys.exit(f"FAIL {e}")
