#!/usr/bin/env python3
"""Constants of .tflite files that are stored in other ways: float16 behind DEQUANTIZE, sparse ones (with and without
blocks) behind DENSIFY, int8 weights of float layers (dynamic range), and 4-bit weights. Compared with LiteRT, TFLite
Micro or, where TFLite itself rounds the activations too (dynamic range), with numpy. Skips without the peers.
SPDX-License-Identifier: Apache-2.0

    test_storage_peer.py BUILD_DIR
"""
import os
import random
import shutil
import subprocess
import sys

import peer
from peer import Failure, need

peer.enter()
import numpy  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from one_op_models import FLOAT32, INT8, OP, OPTIONS, Model, flatbuffers, run_tflm, schema  # noqa: E402

SAMPLES, ROUNDS, NEAR = 4, 12, 1e-5

FLOAT16, INT4 = 1, 17


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

    def layer(self, w, w_id, b_id, dtype=FLOAT32, in_grid=(), out_grid=(), version=1):
        """A fully connected layer or, for 4 dimensions, a convolution; the input is tensor 0."""
        if w.ndim == 2:
            y = self.tensor([1, w.shape[0]], dtype, *out_grid)
            self.run(OP.FULLY_CONNECTED, [0, w_id, b_id], y, OPTIONS.FullyConnectedOptions,
                     schema.FullyConnectedOptionsT(), version)
            return
        y = self.tensor([1, 6, 6, w.shape[0]], dtype, *out_grid)
        o = schema.Conv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.dilationHFactor, o.dilationWFactor = 0, 1, 1, 1, 1
        self.run(OP.CONV_2D, [0, w_id, b_id], y, OPTIONS.Conv2DOptions, o, version)


def shapes(r):
    """Of weights and input."""
    if r.random() < 0.5:
        n = 4 * r.randint(1, 8)
        return [4 * r.randint(1, 4), n], [1, n]
    c = 2 * r.randint(1, 4)
    return [2 * r.randint(1, 4), 3, 3, c], [1, 6, 6, c]


def layer_by_numpy(w, b, x):
    if w.ndim == 2:
        return w.astype(float) @ x[0] + b
    x = numpy.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    return numpy.array([[(w.astype(float) * x[r:r + 3, c:c + 3][None]).sum((1, 2, 3)) + b for c in range(6)]
                        for r in range(6)])


# --- sparse storage ---

def sparse_parameters(r, w):
    """(SparsityParameters, values) of a tensor: its dimensions in order or reversed, blocks in some, CSR in some."""
    rank = w.ndim
    order = list(range(rank))
    if r.random() < 0.4:
        order.reverse()
    cut = sorted(d for d in range(rank) if w.shape[d] % 2 == 0 and r.random() < 0.4)
    block = {d: 2 for d in cut}
    levels = order + [rank + i for i in range(len(cut))]
    csr = [i < rank and r.random() < 0.6 for i in range(len(levels))]
    extent = [w.shape[e] // block.get(e, 1) if e < rank else block[cut[e - rank]] for e in levels]
    segments, indices, values = [[0] for _ in levels], [[] for _ in levels], []

    def part(prefix):
        """The elements below a node, whose indices so far are `prefix`."""
        key = [slice(None)] * rank
        for e, i in zip(levels, prefix):
            if e < rank:
                size = block.get(e, 1)
                key[e] = slice(i * size, (i + 1) * size)
            else:
                d = cut[e - rank]
                key[d] = slice(key[d].start + i, key[d].start + i + 1)
        return w[tuple(key)]

    def walk(prefix):
        depth = len(prefix)
        if depth == len(levels):
            values.append(part(prefix).flatten()[0])
            return
        for i in range(extent[depth]):
            if csr[depth] and not part(prefix + [i]).any():
                continue
            if csr[depth]:
                indices[depth].append(i)
            walk(prefix + [i])
        if csr[depth]:
            segments[depth].append(len(indices[depth]))

    walk([])
    p = schema.SparsityParametersT()
    p.traversalOrder, p.blockMap, p.dimMetadata = levels, cut, []
    for i in range(len(levels)):
        m = schema.DimensionMetadataT()
        m.format, m.denseSize = int(csr[i]), 0 if csr[i] else extent[i]
        if csr[i]:
            m.arraySegmentsType, m.arraySegments = index_vector(r, segments[i])
            m.arrayIndicesType, m.arrayIndices = index_vector(r, indices[i])
        p.dimMetadata.append(m)
    return p, numpy.array(values, w.dtype)


def index_vector(r, numbers):
    kinds = [schema.Int32VectorT] + [schema.Uint16VectorT] + ([schema.Uint8VectorT] if max(numbers + [0]) < 256 else [])
    kind = r.randint(0, len(kinds) - 1)
    v = kinds[kind]()
    v.values = numbers
    return kind + 1, v


# --- kinds of storage: each returns (model, input type, who is right) ---

def with_weights(m, add_weights, few=False):
    w_shape, x_shape = shapes(m.r)
    rng = numpy.random.RandomState(m.r.randint(0, 10 ** 6))
    w = rng.randn(*w_shape).astype(numpy.float32)
    if few:
        w *= rng.rand(*w_shape) < 0.3
    m.tensor(x_shape, FLOAT32)
    w_id, w = add_weights(w)
    b = rng.randn(w_shape[0]).astype(numpy.float32)
    m.layer(w, w_id, m.tensor([w_shape[0]], FLOAT32, data=b))
    m.right = lambda x: layer_by_numpy(w, b, x)


def float16(m):
    def add(w):
        half, whole = m.tensor(w.shape, FLOAT16, data=w.astype(numpy.float16)), m.tensor(w.shape, FLOAT32)
        m.run(OP.DEQUANTIZE, [half], whole, OPTIONS.DequantizeOptions, schema.DequantizeOptionsT(), 3)
        return whole, w.astype(numpy.float16).astype(numpy.float32)
    with_weights(m, add)


def sparse(m):
    def add(w):
        p, values = sparse_parameters(m.r, w)
        stored, dense = m.tensor(w.shape, FLOAT32, data=values), m.tensor(w.shape, FLOAT32)
        m.tensors[stored].sparsity = p
        m.run(OP.DENSIFY, [stored], dense, OPTIONS.DensifyOptions, schema.DensifyOptionsT())
        return dense, w
    with_weights(m, add, True)


def dynamic_range(m):
    def add(w):
        count = w.shape[0] if w.ndim == 4 else 1
        scale = (numpy.abs(w).reshape(count, -1).max(1) / 127).astype(numpy.float32)
        s = scale.reshape([-1] + [1] * (w.ndim - 1))
        q = numpy.round(w / s).astype(numpy.int8)
        return m.tensor(w.shape, INT8, scale, 0, 0, q), q * s
    with_weights(m, add)
    m.numpy_only = True


def four_bits(m):
    r, (w_shape, x_shape) = m.r, shapes(m.r)
    rng = numpy.random.RandomState(r.randint(0, 10 ** 6))
    w = rng.randint(-7, 8, w_shape)
    flat = numpy.append(w.flatten() & 15, [0] * (w.size % 2)).astype(numpy.uint8)
    s_in, s_w = m.scale(), 2.0 ** r.uniform(-6, -2)
    s_out = s_in * s_w * 300 * numpy.sqrt(w.size / w_shape[0]) * r.uniform(0.5, 2) / 3
    m.tensor(x_shape, INT8, s_in, m.zero())
    scales = [s_w] * w_shape[0] if w.ndim == 4 else s_w
    w_id = m.tensor(w_shape, INT4, scales, 0, 0, flat[0::2] | flat[1::2] << 4)
    b = m.bias(w_shape[0], numpy.float32(s_in) * numpy.array(scales, numpy.float32))
    m.layer(w, w_id, b, INT8, (), (s_out, m.zero()), 7)


KINDS = {"float16": float16, "sparse": sparse, "dynamic range": dynamic_range, "4-bit weights": four_bits}


def litert(data, samples):
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    out = []
    for x in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        out.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).flatten())
    return numpy.concatenate(out)


def check(build, folder, name, number):
    m = Network(random.Random(f"{name} {number}"))
    KINDS[name](m)
    data, shape = m.pack(), m.tensors[0].shape
    rng = numpy.random.RandomState(number)
    stem = os.path.join(folder, f"{name.replace(' ', '_')}_{number}")
    integer = m.tensors[0].type == INT8
    samples = (rng.randint(-128, 128, [SAMPLES, *shape]).astype(numpy.int8) if integer
               else rng.randn(SAMPLES, *shape).astype(numpy.float32))
    with open(stem + ".tflite", "wb") as f:
        f.write(data)
    samples.tofile(stem + ".in.bin")
    done = subprocess.run([os.path.join(build, "thimble"), "run", stem + ".tflite", "--input", stem + ".in.bin", "-o",
                           stem + ".out.bin", "--quiet"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    need(done.returncode == 0, f"{stem}: exit code {done.returncode}\n{done.stderr}")
    if integer:
        run_tflm(data, [samples], stem + ".want.bin")
        got, want = (numpy.fromfile(stem + s, numpy.int8) for s in (".out.bin", ".want.bin"))
        need(len(got) == len(want) and (got == want).all(), f"{stem}: {numpy.sum(got != want)} bytes differ")
        need(len(set(want)) > 3, f"{stem}: the outputs are all the same")
        return
    got = numpy.fromfile(stem + ".out.bin", numpy.float32)
    wanted = [numpy.concatenate([m.right(x).flatten() for x in samples])]
    if not hasattr(m, "numpy_only"):
        wanted.append(litert(data, samples))
    for want in wanted:
        far = numpy.max(numpy.abs(got - want)) / numpy.max(numpy.abs(want))
        need(far <= NEAR, f"{stem}: differs by {far:g} of the largest value")


def check_damage(build, folder, number, seed):
    """A sparse file with wrong bytes is read or refused, nothing else."""
    with open(os.path.join(folder, f"sparse_{number}.tflite"), "rb") as f:
        data = bytearray(f.read())
    rng = random.Random(seed)
    for _ in range(3):
        data[rng.randrange(8, len(data))] = rng.choice([0, 1, 2, 127, 128, 255])
    path = os.path.join(folder, "damaged.tflite")
    with open(path, "wb") as f:
        f.write(data)
    done = peer.thimble(build, "info", path)
    need(done.returncode in (0, 3), f"{path}: exit code {done.returncode}\n{done.stderr}")


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "storage_peer")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    failed = 0
    for name in KINDS:
        try:
            for number in range(ROUNDS):
                check(build, folder, name, number)
            for number in range(10 * ROUNDS if name == "sparse" else 0):
                check_damage(build, folder, number % ROUNDS, number)
        except (Failure, ValueError, RuntimeError) as reason:
            failed += 1
            print(f"[  FAILED  ] {name}: {reason}")
    print(f"{len(KINDS) - failed} of {len(KINDS)} kinds of storage agree, {ROUNDS} models each")
    sys.exit(1 if failed else 0)


main()
