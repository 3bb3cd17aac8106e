#!/usr/bin/env python3
"""Streaming models with resource variables (CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE) and with SVDF, on 20 samples in a
row without reset and on 20 with one before each: `thimble run` must give TFLite Micro's bytes (float: within 1e-5), from the .tflite,
from the programs compiled and shrunk from it and from what is saved of it, which TFLite Micro must run alike; what is not supported is
named. Skips where the peers cannot be had.
SPDX-License-Identifier: Apache-2.0

    test_variables_peer.py BUILD_DIR
"""
import os
import random
import shutil
import subprocess
import sys

from peer import Failure, enter, need

enter()

import flatbuffers  # noqa: E402
import numpy  # noqa: E402
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema  # noqa: E402
from tflite_micro.python.tflite_micro import runtime  # noqa: E402

SAMPLES, ROUNDS = 20, 4
FLOAT32, INT32, INT16, INT8, RESOURCE = 0, 2, 7, 9, 13
TYPES = {INT8: numpy.int8, INT16: numpy.int16, FLOAT32: numpy.float32, INT32: numpy.int32}
OP, OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions


class Graph:
    """One subgraph."""

    def __init__(self, model):
        self.m, self.tensors, self.operators, self.inputs, self.outputs = model, [], [], [], []

    def tensor(self, shape, dtype, quant=None, data=None, variable=False):
        t = schema.TensorT()
        t.shape, t.type, t.name, t.isVariable = list(shape), dtype, "t%d" % len(self.tensors), variable
        if quant:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [float(numpy.float32(quant[0]))], [quant[1]]
        t.buffer = 0 if data is None else self.m.buffer(data)
        self.tensors.append(t)
        return len(self.tensors) - 1

    def run(self, code, inputs, outputs, kind=OPTIONS.NONE, version=1, **fields):
        o = schema.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = self.m.code(code, version), inputs, outputs
        if kind:
            names = {v: k for k, v in vars(OPTIONS).items() if k[0] != "_"}
            o.builtinOptionsType, o.builtinOptions = kind, getattr(schema, names[kind] + "T")()
            for name, value in fields.items():
                setattr(o.builtinOptions, name, value)
        self.operators.append(o)

    def handle(self, name):
        h = self.tensor([], RESOURCE)
        self.run(OP.VAR_HANDLE, [], [h], OPTIONS.VarHandleOptions, container="", sharedName=name)
        return h

    def read(self, name, shape, dtype, quant):
        value = self.tensor(shape, dtype, quant)
        self.run(OP.READ_VARIABLE, [self.handle(name)], [value], OPTIONS.ReadVariableOptions)
        return value

    def assign(self, name, value):
        self.run(OP.ASSIGN_VARIABLE, [self.handle(name), value], [], OPTIONS.AssignVariableOptions)

    def pack(self):
        g = schema.SubGraphT()
        g.tensors, g.operators, g.inputs, g.outputs = self.tensors, self.operators, self.inputs, self.outputs
        return g


class Model:
    def __init__(self):
        self.buffers, self.codes = [schema.BufferT()], []
        self.graphs = [Graph(self)]

    def buffer(self, data):
        b = schema.BufferT()
        b.data = list(numpy.ascontiguousarray(data).tobytes())
        self.buffers.append(b)
        return len(self.buffers) - 1

    def code(self, code, version):
        for i, c in enumerate(self.codes):
            if (c.builtinCode, c.version) == (code, version):
                return i
        c = schema.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), version
        self.codes.append(c)
        return len(self.codes) - 1

    def begin_with(self, values):
        """A CALL_ONCE whose subgraph assigns {name: (array, dtype, quant)}."""
        init = Graph(self)
        for name, (array, dtype, quant) in values.items():
            init.assign(name, init.tensor(array.shape, dtype, quant, array))
        self.graphs.append(init)
        self.graphs[0].run(OP.CALL_ONCE, [], [], OPTIONS.CallOnceOptions, initSubgraphIndex=len(self.graphs) - 1)

    def pack(self):
        m = schema.ModelT()
        m.version, m.operatorCodes, m.buffers = 3, self.codes, self.buffers
        m.subgraphs = [g.pack() for g in self.graphs]
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def values(r, shape, dtype):
    if dtype == FLOAT32:
        return numpy.array([r.gauss(0, 1) for _ in range(int(numpy.prod(shape)))], numpy.float32).reshape(shape)
    limits = numpy.iinfo(TYPES[dtype])
    flat = [r.randint(limits.min, limits.max) for _ in range(int(numpy.prod(shape)))]
    return numpy.array(flat, TYPES[dtype]).reshape(shape)


def grid(r, dtype):
    if dtype == FLOAT32:
        return None
    return (2.0 ** r.uniform(-8, 1) / (256 if dtype == INT16 else 1), r.randint(-128, 127) if dtype == INT8 else 0)


def dense(g, r, x, n_in, dtype, quant, n_out):
    y_quant = quant and (quant[0] * 0.01 * 70 * numpy.sqrt(n_in) * (0.3 if dtype == INT16 else 2), 0)
    w = g.tensor([n_out, n_in], FLOAT32 if dtype == FLOAT32 else INT8, quant and (0.01, 0), values(r, [n_out, n_in], FLOAT32 if dtype == FLOAT32 else INT8))
    y = g.tensor([1, n_out], dtype, y_quant)
    g.run(OP.FULLY_CONNECTED, [x, w, -1], [y], OPTIONS.FullyConnectedOptions, 4)
    return y


def ring(r, dtype, initial):
    """The last `keep` rows of what came: concat(read, x), of which the end is assigned, and a layer over all."""
    m, n, keep, quant = Model(), r.randint(2, 6), r.randint(2, 5), grid(r, dtype)
    g = m.graphs[0]
    if initial:
        m.begin_with({"ring": (values(r, [1, keep, n], dtype), dtype, quant)})
    x = g.tensor([1, 1, n], dtype, quant)
    both, rest = g.tensor([1, keep + 1, n], dtype, quant), g.tensor([1, keep, n], dtype, quant)
    flat, old = g.tensor([1, (keep + 1) * n], dtype, quant), g.read("ring", [1, keep, n], dtype, quant)
    g.run(OP.CONCATENATION, [old, x], [both], OPTIONS.ConcatenationOptions, 2, axis=1)
    ints = [g.tensor([3], INT32, None, numpy.array(v, numpy.int32)) for v in ([0, 1, 0], [1, keep + 1, n], [1, 1, 1])]
    g.run(OP.STRIDED_SLICE, [both, *ints], [rest], OPTIONS.StridedSliceOptions, 2)
    g.assign("ring", rest)
    shape = g.tensor([2], INT32, None, numpy.array([1, (keep + 1) * n], numpy.int32))
    g.run(OP.RESHAPE, [both, shape], [flat])
    g.inputs, g.outputs = [x], [dense(g, r, flat, (keep + 1) * n, dtype, quant, r.randint(1, 5))]
    return m


def exchange(r, dtype, initial):
    """Two variables change places, one takes the input after its old value went out, and a later read sees the new one."""
    m, n, quant = Model(), r.randint(2, 9), grid(r, dtype)
    g = m.graphs[0]
    if initial:
        m.begin_with({name: (values(r, [1, n], dtype), dtype, quant) for name in "abc"})
    x = g.tensor([1, n], dtype, quant)
    a, b = g.read("a", [1, n], dtype, quant), g.read("b", [1, n], dtype, quant)
    g.assign("a", b)
    g.assign("b", a)
    c = g.read("c", [1, n], dtype, quant)
    g.assign("c", a)
    g.assign("c", x)  # of two the last counts
    later = g.read("c", [1, n], dtype, quant)
    a_again = g.read("a", [1, n], dtype, quant)
    total = g.tensor([1, 2 * n], dtype, quant)
    g.run(OP.CONCATENATION, [later, a_again], [total], OPTIONS.ConcatenationOptions, 2, axis=1)
    g.inputs, g.outputs = [x], [c, total, a]
    return m


def svdf(r, dtype, initial):
    m, rank, units, n, memory = Model(), r.randint(1, 3), r.randint(1, 8), r.randint(1, 30), r.randint(1, 8)
    g, filters = m.graphs[0], rank * units
    s_in, s_f, s_t = 0.05, 0.01, 2.0**-10
    s_state = s_in * s_f * 70 * 128 * numpy.sqrt(n) / 32768
    x = g.tensor([1, n], INT8, (s_in, r.randint(-128, 127)))
    w = g.tensor([filters, n], INT8, (s_f, 0), values(r, [filters, n], INT8))
    t = g.tensor([filters, memory], INT16, (s_t, 0), values(r, [filters, memory], INT16))
    b = g.tensor([units], INT32, (s_state * s_t, 0), values(r, [units], INT16).astype(numpy.int32))
    state = g.tensor([1, filters * memory], INT16, (s_state, 0), None, True)
    y = g.tensor([1, units], INT8, (s_state * s_t * 32768 * 8000 / 127, r.randint(-128, 127)))
    g.run(OP.SVDF, [x, w, t, b, state], [y], OPTIONS.SVDFOptions, 3, rank=rank)
    g.inputs, g.outputs = [x], [y]
    return m


def command(*words, code=0):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    need(done.returncode == code, f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr


def by_tflm(data, x, outputs, stream):
    """One array of all samples per output. A new interpreter begins anew, also with what CALL_ONCE assigns."""
    peer, out = runtime.Interpreter.from_bytes(data, arena_size=1 << 18), []
    for sample in x:
        if not stream:
            peer = runtime.Interpreter.from_bytes(data, arena_size=1 << 18)
        peer.set_input(sample, 0)
        peer.invoke()
        out.append([peer.get_output(i).copy() for i in range(outputs)])
    return [numpy.stack([sample[i] for sample in out]) for i in range(outputs)]


def by_thimble(build, program, x, like, stream):
    folder = os.path.dirname(program)
    x.tofile(f"{folder}/x.bin")
    names = [f"{folder}/y{i}.bin" for i in range(len(like))]
    command(f"{build}/thimble", "run", program, "--input", f"{folder}/x.bin", *[w for n in names for w in ("-o", n)],
            *(["--stream"] if stream else []))
    return [numpy.fromfile(n, y.dtype).reshape(y.shape) for n, y in zip(names, like)]


def compare(got, want, what):
    for a, b in zip(got, want):
        if a.dtype == numpy.float32:
            need(numpy.abs(a - b).max() <= 1e-5 * numpy.abs(b).max(), f"{what}: off by {numpy.abs(a - b).max()}")
        else:
            need((a == b).all(), f"{what}: {int((a != b).sum())} of {a.size} values differ")


def check_written(build, base, data, x, maker, dtype, initial):
    """The .tflite that is written, run by TFLite Micro; what has no form is refused by name."""
    written = f"{base}/written.tflite"
    if initial or dtype == INT16:
        text = command(f"{build}/thimble", "convert", f"{base}/model.tflite", written, code=3)
        need(("does not begin as zero" if initial else ".tflite is written for f32 and s8") in text, f"{base}: {text}")
        return
    command(f"{build}/thimble", "convert", f"{base}/model.tflite", written)
    with open(written, "rb") as f:
        again = f.read()
    outputs = 3 if maker is exchange else 1
    compare(by_tflm(again, x, outputs, True), by_tflm(data, x, outputs, True), written)
    compare(by_thimble(build, written, x, by_tflm(data, x, outputs, True), True), by_tflm(data, x, outputs, True), written)


def check(build, folder, maker, dtype, initial, number):
    r = random.Random(f"{maker.__name__} {dtype} {initial} {number}")
    model = maker(r, dtype, initial)
    g, data = model.graphs[0], model.pack()
    entry = g.tensors[g.inputs[0]]
    x = numpy.stack([values(r, entry.shape, entry.type) for _ in range(SAMPLES)])
    base = f"{folder}/{maker.__name__}_{dtype}_{int(initial)}_{number}"
    os.makedirs(base)
    with open(f"{base}/model.tflite", "wb") as f:
        f.write(data)
    programs = [f"{base}/model.tflite"]
    if entry.type != FLOAT32:
        command(f"{build}/thimble", "compile", programs[0], "-o", f"{base}/out")
        command(f"{build}/thimble", "shrink", "--lossless", programs[0], "-o", f"{base}/lossless")
        programs += [f"{base}/out/model.thim", f"{base}/lossless/model.thim"]
    command(f"{build}/thimble", "convert", programs[0], f"{base}/graph.thim")
    programs.append(f"{base}/graph.thim")
    check_written(build, base, data, x, maker, entry.type, initial)
    for stream in (True, False):
        want = by_tflm(data, x, len(g.outputs), stream)
        for program in programs:
            compare(by_thimble(build, program, x, want, stream), want, f"{program}, stream {stream}")
    need(stream or maker is not ring or len({y.tobytes() for y in want[0]}) > 1, f"{base}: all answers are alike")


def refuse(build, folder):
    """What is not supported is named."""

    def refused(model, message):
        with open(f"{folder}/refused.tflite", "wb") as f:
            f.write(model.pack())
        text = command(f"{build}/thimble", "info", f"{folder}/refused.tflite", code=3)
        need(message in text, f"'{text.strip()}' does not say '{message}'")

    r, quant = random.Random(1), (0.5, 0)
    m = ring(r, INT8, False)
    m.graphs.append(Graph(m))
    refused(m, "has 2 subgraphs (control flow or several signatures), expected 1")
    m = ring(r, INT8, True)
    init = m.graphs[1]
    init.run(OP.RELU, [init.tensor([1, 2], INT8, quant)], [init.tensor([1, 2], INT8, quant)], version=2)
    refused(m, "initialization: relu_2 (relu) is not computed from constants")
    m = ring(r, INT8, True)
    m.graphs[1].operators[1].inputs[1] = m.graphs[1].tensor([1, 2], INT8, quant)
    refused(m, "initialization: operator 1 (ASSIGN_VARIABLE): t2_1 is not a constant")
    m = ring(r, INT8, True)
    m.graphs[0].operators[0].builtinOptions.initSubgraphIndex = 2
    refused(m, "operator 0 (CALL_ONCE): calls subgraph 2, expected 1 to 1")
    m = ring(r, INT8, True)
    m.graphs[1].run(OP.CALL_ONCE, [], [], OPTIONS.CallOnceOptions, initSubgraphIndex=1)
    refused(m, "initialization: operator 2 (CALL_ONCE): is part of an initialization itself")
    m = ring(r, INT8, True)
    m.graphs[0].operators.append(m.graphs[0].operators.pop(0))
    refused(m, "(CALL_ONCE): comes after variables were used")
    m = ring(r, INT8, False)
    m.graphs[0].run(OP.RELU, [m.graphs[0].handle("ring")], [m.graphs[0].tensor([1, 2], INT8, quant)], version=2)
    refused(m, "(RELU): input 0 is a handle of a variable")
    m = ring(r, INT8, False)
    m.graphs[0].assign("ring", m.graphs[0].tensor([1, 1], INT8, quant))
    refused(m, "and variable ring differ in type, size or scale")
    m = ring(r, INT8, False)
    m.graphs[0].operators.pop(0)
    refused(m, "(READ_VARIABLE): input 0 is not a handle that a VAR_HANDLE gave before")


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "variables_peer")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    failed, models = 0, 0
    cases = [(maker, dtype, initial) for maker in (ring, exchange) for dtype in (INT8, INT16, FLOAT32) for initial in (False, True)]
    for maker, dtype, initial in cases + [(svdf, INT8, False)]:
        for number in range(ROUNDS):
            models += 1
            try:
                check(build, folder, maker, dtype, initial, number)
            except (Failure, ValueError, RuntimeError) as reason:
                failed += 1
                print(f"[  FAILED  ] {reason}")
    try:
        refuse(build, folder)
    except Failure as reason:
        failed += 1
        print(f"[  FAILED  ] {reason}")
    print(f"{models} models, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
