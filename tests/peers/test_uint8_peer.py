#!/usr/bin/env python3
"""Uint8 models of TensorFlow Lite before 2020, against LiteRT, byte for byte: random models of one operator each, and
small networks of convolutions, pools and a classifier. What is said of TFLite's arithmetic in docs/numerics.md for them
is also computed here once more, with numpy, for weighted layers. Skips when the peers cannot be had.
SPDX-License-Identifier: Apache-2.0

    test_uint8_peer.py BUILD_DIR
"""
import collections
import json
import math
import os
import random
import shutil
import sys

import peer
from peer import Failure, need

peer.enter()
import numpy  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
import one_op_models as one_op  # noqa: E402
from one_op_models import INT8, INT32, OP, OPTIONS, Model, flatbuffers, schema  # noqa: E402

SAMPLES, ROUNDS, NETWORKS = 4, 40, 12

UINT8 = 3
REFERENCE = OpResolverType.BUILTIN_REF
OPTIMIZED = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # for fully connected: the reference multiplies in float


def litert(data, samples, kind):
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    out = []
    for k in range(SAMPLES):
        for detail, x in zip(interpreter.get_input_details(), samples):
            interpreter.set_tensor(detail["index"], x[k])
        interpreter.invoke()
        out.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).flatten())
    return numpy.concatenate(out)


def ours(build, stem, data, samples, dtype):
    """What `thimble run` gives for the .tflite, and for the .thim that is compiled from it."""
    with open(stem + ".tflite", "wb") as f:
        f.write(data)
    words = []
    for i, x in enumerate(samples):
        x.tofile(f"{stem}.{i}.bin")
        words += ["--input", f"{stem}.{i}.bin"]
    peer.thimble_must(build, "run", stem + ".tflite", *words, "-o", stem + ".out.bin")
    return numpy.fromfile(stem + ".out.bin", dtype)


# --- one operator ---

def as_uint8(m):
    """The same model with 128 added to all elements and zero points."""
    for t in m.tensors:
        if t.type != INT8:
            continue
        t.type = UINT8
        t.quantization.zeroPoint = [z + 128 for z in t.quantization.zeroPoint]
        if t.buffer:
            m.buffers[t.buffer].data = [d ^ 128 for d in m.buffers[t.buffer].data]
    m.code.version = 1


def weighted(m):
    """A layer with weights: one scale, and any zero point. Remembers what numpy needs."""
    r, rng = m.r, numpy.random.RandomState(m.r.randint(0, 10 ** 6))
    kind = r.choice(["conv", "depthwise", "dense"])
    s_in, s_w = (float(numpy.float32(2.0 ** r.uniform(*e))) for e in ((-8, 1), (-9, -4)))
    z_in, z_out, z_w = r.randint(0, 255), r.randint(0, 255), r.choice([0, 255, 128, r.randint(0, 255)])
    n_in, n_out, size = r.randint(1, 8), r.randint(1, 8), r.randint(3, 7)
    stride, padding = r.randint(1, 2), r.randint(0, 1)
    n_out = n_in if kind == "depthwise" else n_out
    side = one_op.window_out(size, 3, stride, 1, padding)
    w_shape = {"conv": [n_out, 3, 3, n_in], "depthwise": [1, 3, 3, n_in], "dense": [n_out, n_in]}[kind]
    x_shape, y_shape = ([1, n_in], [1, n_out]) if kind == "dense" else ([1, size, size, n_in], [1, side, side, n_out])
    taps = n_in if kind == "dense" else 9 if kind == "depthwise" else 9 * n_in
    s_out = float(numpy.float32(s_in * s_w * 100 * math.sqrt(taps) * r.uniform(0.5, 2)))
    w, b = rng.randint(0, 256, w_shape).astype(numpy.uint8), rng.randint(-9000, 9000, [n_out]).astype(numpy.int32)
    x = m.tensor(x_shape, UINT8, s_in, z_in)
    ids = [x, m.tensor(w_shape, UINT8, s_w, z_w, 0, w), m.tensor([n_out], INT32, s_in * s_w, 0, 0, b)]
    y = m.tensor(y_shape, UINT8, s_out, z_out)
    if kind == "dense":
        o = schema.FullyConnectedOptionsT()
        m.run(OP.FULLY_CONNECTED, ids, y, OPTIONS.FullyConnectedOptions, o, 1)
    else:
        o = schema.Conv2DOptionsT() if kind == "conv" else schema.DepthwiseConv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.dilationHFactor, o.dilationWFactor = padding, stride, stride, 1, 1
        code, options = (OP.CONV_2D, OPTIONS.Conv2DOptions)
        if kind == "depthwise":
            code, options, o.depthMultiplier = OP.DEPTHWISE_CONV_2D, OPTIONS.DepthwiseConv2DOptions, 1
        m.run(code, ids, y, options, o, 1)
    o.fusedActivationFunction = r.choice([0, 0, 1, 3])
    real = float(numpy.float32(s_in) * numpy.float32(s_w)) / s_out
    m.numpy = (kind, w.astype(int) - z_w, b, z_in, z_out, s_out, real, stride, padding, side, o.fusedActivationFunction)


def scale_twice_rounded(acc, real):
    """docs/numerics.md: SCALE, by whole numbers of any length."""
    f, shift = math.frexp(real)
    mult = math.floor(f * 2 ** 31 + 0.5)
    if mult == 2 ** 31:
        mult, shift = 2 ** 30, shift + 1
    high = (acc * 2 ** max(shift, 0) * mult + 2 ** 30) // 2 ** 31
    part = 2 ** max(-shift, 0)
    return (abs(high) * 2 + part) // (2 * part) * (1 if high >= 0 else -1)


def by_numpy(spec, x):
    kind, w, b, z_in, z_out, s_out, real, stride, padding, side, activation = spec
    x = x.astype(int)[0] - z_in
    if kind == "dense":
        acc = w @ x + b
    else:
        total = max(0, (side - 1) * stride + 3 - x.shape[0]) if padding == 0 else 0
        before = total // 2
        x = numpy.pad(x, ((before, total - before + 3), (before, total - before + 3), (0, 0)))
        windows = [[x[r * stride:r * stride + 3, c * stride:c * stride + 3] for c in range(side)] for r in range(side)]
        acc = numpy.array([[(w * p[None]).sum((1, 2, 3)) if kind == "conv" else (w[0] * p).sum((0, 1)) for p in row]
                           for row in windows]) + b
    v = numpy.array([scale_twice_rounded(int(a), real) for a in acc.flatten()]) + z_out
    top = min(255, z_out + math.floor(float(numpy.float32(6) / numpy.float32(s_out)) + 0.5)) if activation == 3 else 255
    return numpy.clip(v, z_out if activation else 0, top).astype(numpy.uint8)


def pooling(m):
    one_op.pool(m)
    as_uint8(m)


def shifted(maker):
    def make(m):
        maker(m)
        as_uint8(m)
    return make


CASES = {"weighted layers": weighted, "pools": shifted(one_op.pool)}
for maker in (one_op.element_wise, one_op.softmax, one_op.unary, one_op.mean, one_op.concatenation, one_op.pad,
              one_op.extremes, one_op.prelu, one_op.division, one_op.index_of_extreme, one_op.change_of_type):
    CASES[maker.__name__.replace("_", " ")] = shifted(maker)


def random_inputs(m, number):
    rng = numpy.random.RandomState(number)
    arrays = []
    for i in m.inputs():
        t = m.tensors[i]
        if t.type == UINT8:
            arrays.append(rng.randint(0, 256, [SAMPLES, *t.shape]).astype(numpy.uint8))
        else:
            arrays.append((rng.randn(SAMPLES, *t.shape) * 20).astype(numpy.float32))
    return arrays


def check(build, folder, name, number):
    m = Model(random.Random(f"{name} {number}"))
    CASES[name](m)
    data, samples = m.pack(), random_inputs(m, number)
    kind = OPTIMIZED if m.code.builtinCode == OP.FULLY_CONNECTED else REFERENCE
    want = litert(data, samples, kind)
    stem = os.path.join(folder, f"{name.replace(' ', '_')}_{number}")
    got = ours(build, stem, data, samples, want.dtype)
    need(len(got) == len(want) and (got == want).all(), f"{stem}: {numpy.sum(got != want)} of {len(want)} values differ")
    if name == "weighted layers":
        again = numpy.concatenate([by_numpy(m.numpy, x) for x in samples[0]])
        need((got == again).all(), f"{stem}: {numpy.sum(got != again)} of {len(got)} bytes differ from numpy's")


# --- networks ---

class Network(Model):
    """Several operators in a row."""

    def __init__(self, r):
        super().__init__(r)
        self.codes, self.operators = [], []

    def run(self, code, inputs, output, kind=OPTIONS.NONE, options=None, version=1):
        super().run(code, inputs, output, kind, options, version)
        self.operator.opcodeIndex = len(self.codes)
        self.codes.append(self.code)
        self.operators.append(self.operator)

    def pack(self):
        g, m = schema.SubGraphT(), schema.ModelT()
        g.tensors, g.operators, g.inputs, g.outputs = self.tensors, self.operators, [0], self.operator.outputs
        m.version, m.operatorCodes, m.subgraphs, m.buffers = 3, self.codes, [g], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def layer(self, x, depthwise, n_out, stride):
        """3 x 3 with relu6; the scale that such networks have, 6 / 255."""
        r, rng = self.r, numpy.random.RandomState(self.r.randint(0, 10 ** 6))
        shape, s_in = self.tensors[x].shape, self.tensors[x].quantization.scale[0]
        n_out = shape[3] if depthwise else n_out
        side = -(-shape[1] // stride)
        w_shape = [1, 3, 3, n_out] if depthwise else [n_out, 3, 3, shape[3]]
        w = rng.randint(0, 256, w_shape).astype(numpy.uint8)
        s_w = 0.3 / math.sqrt(9 if depthwise else 9 * shape[3]) / 20 * r.uniform(0.7, 1.5)
        b = self.tensor([n_out], INT32, s_in * s_w, 0, 0, rng.randint(-2000, 4000, [n_out]).astype(numpy.int32))
        ids = [x, self.tensor(w_shape, UINT8, s_w, r.randint(100, 150), 0, w), b]
        y = self.tensor([1, side, side, n_out], UINT8, 6 / 255, 0)
        o = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.dilationHFactor, o.dilationWFactor = 0, stride, stride, 1, 1
        o.fusedActivationFunction = 3
        if depthwise:
            o.depthMultiplier = 1
            self.run(OP.DEPTHWISE_CONV_2D, ids, y, OPTIONS.DepthwiseConv2DOptions, o)
        else:
            self.run(OP.CONV_2D, ids, y, OPTIONS.Conv2DOptions, o)
        return y

    def average(self, x):
        side, depth = self.tensors[x].shape[2:]
        y = self.tensor([1, 1, 1, depth], UINT8, 6 / 255, 0)
        o = schema.Pool2DOptionsT()
        o.padding, o.strideH, o.strideW, o.filterHeight, o.filterWidth = 1, 1, 1, side, side
        self.run(OP.AVERAGE_POOL_2D, [x], y, OPTIONS.Pool2DOptions, o)
        return y

    def classes(self, x, n):
        rng, depth = numpy.random.RandomState(self.r.randint(0, 10 ** 6)), self.tensors[x].shape[3]
        w = self.tensor([n, 1, 1, depth], UINT8, 0.02, 120, 0, rng.randint(0, 256, [n, 1, 1, depth]).astype(numpy.uint8))
        b = self.tensor([n], INT32, 6 / 255 * 0.02, 0, 0, rng.randint(-500, 500, [n]).astype(numpy.int32))
        y, flat, out = (self.tensor(s, UINT8, *q) for s, q in (([1, 1, 1, n], (0.1, 110)), ([1, n], (0.1, 110)),
                                                               ([1, n], (1 / 256, 0))))
        o = schema.Conv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.dilationHFactor, o.dilationWFactor = 1, 1, 1, 1, 1
        self.run(OP.CONV_2D, [x, w, b], y, OPTIONS.Conv2DOptions, o)
        target = self.tensor([2], INT32, data=numpy.array([1, n], numpy.int32))
        self.run(OP.RESHAPE, [y, target], flat, OPTIONS.ReshapeOptions, schema.ReshapeOptionsT())
        soft = schema.SoftmaxOptionsT()
        soft.beta = 1.0
        self.run(OP.SOFTMAX, [flat], out, OPTIONS.SoftmaxOptions, soft)


def check_network(build, folder, number):
    m = Network(random.Random(number))
    x = m.layer(m.tensor([1, 16, 16, 3], UINT8, 1 / 128, 128), False, 8, 2)
    for i in range(m.r.randint(1, 3)):
        x = m.layer(m.layer(x, True, 0, 1 + i % 2), False, m.r.randint(4, 12), 1)
    m.classes(m.average(x), 7)
    data, samples = m.pack(), [numpy.random.RandomState(number).randint(0, 256, [SAMPLES, 1, 16, 16, 3]).astype("u1")]
    want = litert(data, samples, REFERENCE)
    stem = os.path.join(folder, f"network_{number}")
    got = ours(build, stem, data, samples, numpy.uint8)
    need((got == want).all(), f"{stem}: {numpy.sum(got != want)} of {len(want)} bytes differ")
    peer.thimble_must(build, "compile", stem + ".tflite", "-o", stem + "_firmware")
    blob = [os.path.join(d, f) for d, _, fs in os.walk(stem + "_firmware") for f in fs if f.endswith(".thim")]
    need(blob, f"{stem}: compile has written no .thim")
    peer.thimble_must(build, "run", blob[0], "--input", stem + ".0.bin", "-o", stem + ".thim.bin")
    need(numpy.fromfile(stem + ".thim.bin", "u1").tobytes() == want.tobytes(), f"{stem}: the .thim gives other bytes")
    out = stem + "_lossless"
    peer.thimble_must(build, "shrink", "--lossless", stem + ".tflite", "-o", out)  # such a model has no form as .tflite
    with open(out + "/report.json", encoding="utf-8") as f:
        report = json.load(f)
    need("is u8" in report["tflite_skipped"] and "model.tflite" not in report["outputs"], f"{stem}: {report}")
    need(not os.path.exists(out + "/model.tflite"), f"{stem}: a .tflite is there")
    peer.thimble_must(build, "run", out + "/model.thim", "--input", stem + ".0.bin", "-o", stem + ".thim.bin")
    need(numpy.fromfile(stem + ".thim.bin", "u1").tobytes() == want.tobytes(), f"{stem}: shrinking changed bytes")
    return collections.Counter(want.reshape(SAMPLES, -1).argmax(1).tolist())


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "uint8_peer")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    failed, models = 0, 0
    for name in CASES:
        try:
            for number in range(ROUNDS):
                check(build, folder, name, number)
                models += 1
        except (Failure, ValueError, RuntimeError) as reason:
            failed += 1
            print(f"[  FAILED  ] {name}: {reason}")
    answers = collections.Counter()
    try:
        for number in range(NETWORKS):
            answers += check_network(build, folder, number)
        need(len(answers) > 2, "the networks give the same answer to everything")
    except (Failure, ValueError, RuntimeError) as reason:
        failed += 1
        print(f"[  FAILED  ] networks: {reason}")
    print(f"{models} models of one operator and {NETWORKS} networks; {failed} kinds failed")
    sys.exit(1 if failed else 0)


main()
