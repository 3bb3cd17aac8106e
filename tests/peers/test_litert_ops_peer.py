#!/usr/bin/env python3
"""Single operators as LiteRT's reference kernels compute them: float ones to 1e-5 of the largest value, and int8 ones
that LiteRT, unlike TFLite Micro, has tables for, byte for byte. Each model is read and run by `thimble run`, then
written again by `thimble convert` and run by LiteRT once more, which must give the same bytes as the original.
Skips when the peers cannot be had. SPDX-License-Identifier: Apache-2.0

    test_litert_ops_peer.py BUILD_DIR
"""
import os
import random
import shutil
import sys

import peer
from peer import Failure, need

peer.enter()
import numpy  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from one_op_models import FLOAT32, INT8, INT32, OP, OPTIONS, Model, schema  # noqa: E402

SAMPLES = 4
NEAR = 1e-5

INT64, BOOL, UINT8 = 4, 6, 3


def unary(code, kind=None, near=(-4, 4), **fields):
    """A float operator of one tensor; `kind` names its options."""
    def make(m):
        shape = [1, m.r.randint(1, 4), m.r.randint(1, 9)]
        x, y = m.tensor(shape, FLOAT32), m.tensor(shape, FLOAT32)
        m.run(code, [x], y, *options(kind, **fields), version=1)
        m.near = near
    return make


def options(kind, **fields):
    if not kind:
        return OPTIONS.NONE, None
    o = getattr(schema, kind + "T")()
    for name, value in fields.items():
        setattr(o, name, value)
    return getattr(OPTIONS, kind), o


def binary(code, kind=None, near=(-4, 4), constant_near=None, **fields):
    def make(m):
        shape = [1, m.r.randint(1, 4), m.r.randint(1, 4), m.r.randint(1, 6)]
        other = m.r.choice([shape, [shape[3]], [1, 1, 1, shape[3]], [1]])
        values = numpy.array(numpy.random.RandomState(m.r.randint(0, 9999)).uniform(*(constant_near or near), other),
                             numpy.float32)
        x, c, y = m.tensor(shape, FLOAT32), m.tensor(other, FLOAT32, data=values), m.tensor(shape, FLOAT32)
        m.run(code, [x, c], y, *options(kind, **fields), version=1)
        m.near = near
    return make


def reduction(code):
    def make(m):
        shape = [1, m.r.randint(1, 5), m.r.randint(1, 5), m.r.randint(1, 5)]
        axes = m.r.choice([[1], [1, 2], [3], [-1, 1], [1, 2, 3], [0, 1, 2, 3]])
        keep = m.r.random() < 0.5
        gone = [a % 4 for a in axes]
        out = [1 if i in gone else d for i, d in enumerate(shape) if keep or i not in gone]
        x, a = m.tensor(shape, FLOAT32), m.tensor([len(axes)], INT32, data=numpy.array(axes, numpy.int32))
        m.run(code, [x, a], m.tensor(out, FLOAT32), *options("ReducerOptions", keepDims=keep), version=1)
        m.near = (-2, 2)
    return make


def index(code, kind, wide):
    def make(m):
        shape, axis = [1, m.r.randint(1, 5), m.r.randint(1, 5), m.r.randint(1, 5)], m.r.randint(1, 3)
        x, a = m.tensor(shape, FLOAT32), m.tensor([1], INT32, data=numpy.array([axis], numpy.int32))
        y = m.tensor(shape[:axis] + shape[axis + 1:], INT64 if wide else INT32)
        m.run(code, [x, a], y, *options(kind, outputType=INT64 if wide else INT32), version=1)
        m.near = (-2, 2)
    return make


def cast(to):
    def make(m):
        shape = [1, m.r.randint(1, 40)]
        x, y = m.tensor(shape, FLOAT32), m.tensor(shape, to)
        m.run(OP.CAST, [x], y, *options("CastOptions", inDataType=FLOAT32, outDataType=to), version=1)
        m.near = (0, 100) if to == UINT8 else (-100, 100)
    return make


def table(code, kind=None, grid_in=None, grid_out=None, version=2, **fields):
    """An int8 operator of one tensor."""
    def make(m):
        shape = [1, m.r.randint(1, 200)]
        s_in, z_in = grid_in(m.r) if grid_in else (m.scale(), m.zero())
        s_out, z_out = grid_out(m.r) if grid_out else (s_in * m.r.uniform(0.5, 2), m.zero())
        x, y = m.tensor(shape, INT8, s_in, z_in), m.tensor(shape, INT8, s_out, z_out)
        m.run(code, [x], y, *options(kind, **fields), version=version)
    return make


CASES = {
    "floor": unary(OP.FLOOR), "ceil": unary(OP.CEIL), "round": unary(OP.ROUND),
    "l2_normalization": unary(OP.L2_NORMALIZATION, "L2NormOptions"), "relu_n1_to_1": unary(OP.RELU_N1_TO_1),
    "relu_0_to_1": unary(OP.RELU_0_TO_1), "exp": unary(OP.EXP, "ExpOptions"), "neg": unary(OP.NEG, "NegOptions"),
    "log_softmax": unary(OP.LOG_SOFTMAX, "LogSoftmaxOptions"), "sin": unary(OP.SIN), "cos": unary(OP.COS, "CosOptions"),
    "log": unary(OP.LOG, near=(0.01, 9)), "sqrt": unary(OP.SQRT, near=(0, 9)), "rsqrt": unary(OP.RSQRT, near=(0.1, 9)),
    "square": unary(OP.SQUARE, "SquareOptions"), "abs": unary(OP.ABS, "AbsOptions"), "elu": unary(OP.ELU),
    "gelu": unary(OP.GELU, "GeluOptions", approximate=False),
    "gelu by tanh": unary(OP.GELU, "GeluOptions", approximate=True), "sign": unary(OP.SIGN),
    "div": binary(OP.DIV, "DivOptions", constant_near=(0.5, 3)),
    "div relu6": binary(OP.DIV, "DivOptions", constant_near=(0.5, 3), fusedActivationFunction=3),
    "minimum": binary(OP.MINIMUM, "MaximumMinimumOptions"), "maximum": binary(OP.MAXIMUM, "MaximumMinimumOptions"),
    "pow": binary(OP.POW, "PowOptions", near=(0.1, 3), constant_near=(-2, 3)), "prelu": binary(OP.PRELU),
    "squared_difference": binary(OP.SQUARED_DIFFERENCE, "SquaredDifferenceOptions"),
    "sum": reduction(OP.SUM), "mean": reduction(OP.MEAN), "reduce_max": reduction(OP.REDUCE_MAX),
    "reduce_min": reduction(OP.REDUCE_MIN), "reduce_prod": reduction(OP.REDUCE_PROD),
    "argmax": index(OP.ARG_MAX, "ArgMaxOptions", False), "argmin": index(OP.ARG_MIN, "ArgMinOptions", False),
    "argmax 64": index(OP.ARG_MAX, "ArgMaxOptions", True), "cast to s32": cast(INT32), "cast to u8": cast(UINT8),
    "cast to bool": cast(BOOL),
    "int8 exp": table(OP.EXP, "ExpOptions", grid_out=lambda r: (2.0 ** r.uniform(-6, 3), r.randint(-128, 0))),
    "int8 log": table(OP.LOG, grid_in=lambda r: (2.0 ** r.uniform(-5, 2), -128),
                      grid_out=lambda r: (2.0 ** r.uniform(-6, -3), r.randint(-50, 50))),
    "int8 gelu": table(OP.GELU, "GeluOptions", approximate=False),
    "int8 gelu by tanh": table(OP.GELU, "GeluOptions", approximate=True),
    "int8 relu_n1_to_1": table(OP.RELU_N1_TO_1, grid_in=lambda r: (2.0 ** r.uniform(-7, -4), r.randint(-90, 90)),
                               version=1),
    "int8 relu_0_to_1": table(OP.RELU_0_TO_1, grid_in=lambda r: (2.0 ** r.uniform(-7, -4), r.randint(-90, 90)),
                               version=1),
}
ROUNDS = 5  # models per case


def litert(data, samples):
    """What LiteRT gives, all samples behind one another; 64-bit numbers as 32-bit ones, which is what is read."""
    try:
        interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    except ValueError:  # a few operators have no reference kernel
        kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    out = []
    for x in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        out.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).flatten())
    out = numpy.concatenate(out)
    return out.astype(numpy.int32) if out.dtype == numpy.int64 else out


def check(build, folder, name, number):
    m = Model(random.Random(f"{name} {number}"))
    CASES[name](m)
    t = m.tensors[m.inputs()[0]]
    rng = numpy.random.RandomState(number)
    if t.type == INT8:
        samples = [rng.randint(-128, 128, t.shape).astype(numpy.int8) for _ in range(SAMPLES)]
        if name == "int8 log":  # of 0 LiteRT has no number
            samples = [numpy.maximum(x, -127) for x in samples]
    else:
        samples = [rng.uniform(*m.near, t.shape).astype(numpy.float32) for _ in range(SAMPLES)]
    stem = os.path.join(folder, f"{name.replace(' ', '_')}_{number}")
    data = m.pack()
    with open(stem + ".tflite", "wb") as f:
        f.write(data)
    with open(stem + ".in.bin", "wb") as f:
        f.writelines(x.tobytes() for x in samples)
    want = litert(data, samples)
    peer.thimble_must(build, "run", stem + ".tflite", "--input", stem + ".in.bin", "-o", stem + ".out.bin")
    got = numpy.fromfile(stem + ".out.bin", want.dtype)
    need(len(got) == len(want), f"{len(got)} values, expected {len(want)}")
    if want.dtype == numpy.float32:
        far = numpy.max(numpy.abs(got - want)) / max(1e-3, numpy.max(numpy.abs(want)))
        need(far <= NEAR, f"{stem}: differs by {far:g} of the largest value")
    else:
        need((got == want).all(), f"{stem}: {numpy.sum(got != want)} of {len(want)} values differ")
    peer.thimble_must(build, "convert", stem + ".tflite", stem + ".again.tflite")
    with open(stem + ".again.tflite", "rb") as f:
        again = litert(f.read(), samples)
    need(again.tobytes() == want.tobytes(), f"{stem}.again.tflite: LiteRT gives other bytes than for the original")


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "litert_ops")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    failed = 0
    for name in CASES:
        try:
            for number in range(ROUNDS):
                check(build, folder, name, number)
        except (Failure, ValueError, RuntimeError) as reason:
            failed += 1
            print(f"[  FAILED  ] {name}: {reason}")
    print(f"{len(CASES) - failed} of {len(CASES)} operators agree, {ROUNDS} models each")
    sys.exit(1 if failed else 0)


main()
