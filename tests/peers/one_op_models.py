"""Random models of one int8 operator each, with inputs and what TFLite Micro answers.

    one_op_models.py FOLDER COUNT

Writes FOLDER/N.tflite, FOLDER/N.in (4 samples of input 0, then of input 1, ...) and FOLDER/N.out (4 samples) for N below
COUNT; model N depends on N alone. TFLite Micro runs in a child process, since it aborts on what it does not like; that
fails here too, because every model made is meant to be acceptable.

SPDX-License-Identifier: Apache-2.0
"""

import math
import os
import random
import sys

import flatbuffers
import numpy
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

SAMPLES = 4
FLOAT32, INT32, INT64, INT16, INT8 = 0, 2, 4, 7, 9
OP = schema.BuiltinOperator
OPTIONS = schema.BuiltinOptions
NUMPY = {INT8: numpy.int8, INT16: numpy.int16, INT32: numpy.int32}
ACTIVATIONS = [0, 0, 1, 2, 3]  # none twice, relu, relu_n1_to_1, relu6


class Model:
    """Tensors and one operator; `r` is the source of all choices."""

    top = 128  # integers of the activations lie below it
    least = None  # of the inputs, where not all are allowed

    def __init__(self, r):
        self.r = r
        self.tensors = []
        self.buffers = [schema.BufferT()]
        self.operator = None

    def tensor(self, shape, dtype=INT8, scale=None, zero=0, axis=0, data=None):
        t = schema.TensorT()
        t.shape, t.type, t.name = list(shape), dtype, "t%d" % len(self.tensors)
        if scale is not None:
            q = schema.QuantizationParametersT()
            q.scale = [float(numpy.float32(s)) for s in numpy.atleast_1d(scale)]
            q.zeroPoint = [zero] * len(q.scale)
            q.quantizedDimension = axis
            t.quantization = q
        t.buffer = 0
        if data is not None:
            b = schema.BufferT()
            b.data = list(data.tobytes())
            self.buffers.append(b)
            t.buffer = len(self.buffers) - 1
        self.tensors.append(t)
        return len(self.tensors) - 1

    def run(self, code, inputs, output, kind=OPTIONS.NONE, options=None, version=2):
        self.code = schema.OperatorCodeT()
        self.code.builtinCode, self.code.deprecatedBuiltinCode, self.code.version = code, min(code, 127), version
        self.operator = schema.OperatorT()
        self.operator.opcodeIndex, self.operator.inputs, self.operator.outputs = 0, inputs, [output]
        self.operator.builtinOptionsType, self.operator.builtinOptions = kind, options

    def inputs(self):
        return [i for i in self.operator.inputs if i >= 0 and self.tensors[i].buffer == 0 and not self.tensors[i].isVariable]

    def pack(self):
        g, m = schema.SubGraphT(), schema.ModelT()
        g.tensors, g.operators = self.tensors, [self.operator]
        g.inputs, g.outputs = self.inputs(), self.operator.outputs
        m.version, m.operatorCodes, m.subgraphs, m.buffers = 3, [self.code], [g], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # --- random pieces ---

    def scale(self):
        return 2.0 ** self.r.uniform(-8, 1)

    def zero(self):
        return self.r.choice([-128, 127, 0, self.r.randint(-128, 127), self.r.randint(-128, 127)])

    def weights(self, shape):
        values = [self.r.randint(-127, 127) for _ in range(int(numpy.prod(shape)))]
        return numpy.array(values, numpy.int8).reshape(shape)

    def bias(self, n, scale):
        values = numpy.array([self.r.randint(-5000, 5000) for _ in range(n)], numpy.int32)
        return self.tensor([n], INT32, scale, 0, 0, values)


def window_out(size, kernel, stride, dilation, padding):
    span = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == 0 else -(-(size - span + 1) // stride)


def convolution(m, depthwise=False):
    r = m.r
    size = [r.randint(3, 9), r.randint(3, 9)]
    kernel, stride = [r.randint(1, 3), r.randint(1, 3)], [r.randint(1, 3), r.randint(1, 3)]
    dilation = [r.choice([1, 1, 2]) if k * 2 - 1 <= s else 1 for k, s in zip(kernel, size)]
    padding = r.randint(0, 1)
    if depthwise:
        multiplier = r.randint(1, 3)
        in_c = r.randint(1, 8)
        out_c = in_c * multiplier
        shape = [1, *kernel, out_c]
    else:
        groups, depth = r.choice([1, 1, 2]), r.randint(1, 8)
        in_c, out_c = groups * depth, groups * r.randint(1, 8)
        shape = [out_c, *kernel, depth]
    s_in = m.scale()
    s_w = [2.0 ** r.uniform(-9, -4) for _ in range(out_c if r.random() < 0.8 else 1)]
    s_out = s_in * numpy.mean(s_w) * 70 * numpy.sqrt(numpy.prod(shape) / out_c) * r.uniform(0.5, 2)
    out = [window_out(*a, padding) for a in zip(size, kernel, stride, dilation)]
    x = m.tensor([1, *size, in_c], INT8, s_in, m.zero())
    w = m.tensor(shape, INT8, s_w, 0, 3 if depthwise and len(s_w) > 1 else 0, m.weights(shape))
    b = [m.bias(out_c, numpy.float32(s_in) * numpy.array(s_w, numpy.float32))] if r.random() < 0.8 else []
    y = m.tensor([1, *out, out_c], INT8, s_out, m.zero())
    o = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    o.padding, o.fusedActivationFunction = padding, r.choice(ACTIVATIONS)
    o.strideH, o.strideW, o.dilationHFactor, o.dilationWFactor = *stride, *dilation
    if depthwise:
        o.depthMultiplier = multiplier
        m.run(OP.DEPTHWISE_CONV_2D, [x, w, *b], y, OPTIONS.DepthwiseConv2DOptions, o, 3)
    else:
        m.run(OP.CONV_2D, [x, w, *(b or [-1])], y, OPTIONS.Conv2DOptions, o, 3)


def depthwise_convolution(m):
    convolution(m, True)


def fully_connected(m):
    r = m.r
    n_in, n_out, s_in = r.randint(1, 300), r.randint(1, 20), m.scale()
    s_w = [2.0 ** r.uniform(-9, -4) for _ in range(r.choice([1, 1, n_out]))]
    s_out = s_in * numpy.mean(s_w) * 260 * numpy.sqrt(n_in) * r.uniform(0.1, 2)
    x = m.tensor([1, n_in], INT8, s_in, m.zero())
    w = m.tensor([n_out, n_in], INT8, s_w, 0, 0, m.weights([n_out, n_in]))
    b = m.bias(n_out, numpy.float32(s_in) * numpy.array(s_w, numpy.float32)) if r.random() < 0.8 else -1
    y = m.tensor([1, n_out], INT8, s_out, m.zero())
    o = schema.FullyConnectedOptionsT()
    o.fusedActivationFunction = r.choice(ACTIVATIONS)
    m.run(OP.FULLY_CONNECTED, [x, w, b], y, OPTIONS.FullyConnectedOptions, o, 4)


def scaled(acc, real):
    """The answer for a sum `acc` and a real multiplier, with the two roundings of TFLite Micro."""
    fraction, shift = math.frexp(real)
    high = (acc * round(fraction * 2**31) + 2**30) >> 31
    size = (abs(high) + (1 << -shift >> 1)) >> -shift
    return size if high >= 0 else -size


def fully_connected_on_edges(m):
    """Biases whose answers tell a multiplier made from s_in * s_w in double from one made in float32. The weights are
    zero, so that the answers are those of the biases."""
    edges = []
    while len(edges) < 3:
        s_in, s_w, s_out = (numpy.float32(m.r.uniform(*limits)) for limits in ((0.001, 0.01), (0.001, 0.01), (0.1, 1)))
        wide, narrow = float(s_in) * float(s_w) / float(s_out), float(s_in * s_w) / float(s_out)
        near = [round((y + 0.5) / wide) + d for y in range(-120, 120) for d in range(-2, 3)]
        edges = [a for a in near if abs(a) < 2**30 and scaled(a, wide) != scaled(a, narrow)]
    x = m.tensor([1, 4], INT8, s_in, 0)
    w = m.tensor([len(edges), 4], INT8, s_w, 0, 0, numpy.zeros((len(edges), 4), numpy.int8))
    b = m.tensor([len(edges)], INT32, s_in * s_w, 0, 0, numpy.array(edges, numpy.int32))
    y = m.tensor([1, len(edges)], INT8, s_out, 0)
    m.run(OP.FULLY_CONNECTED, [x, w, b], y, OPTIONS.FullyConnectedOptions, schema.FullyConnectedOptionsT(), 4)


def leaky_relu_on_edges(m):
    """Models whose answers tell ratios in double from ratios in float32."""
    edges = []
    while not edges:
        s_in, s_out, alpha = (numpy.float32(m.r.uniform(*limits)) for limits in ((0.05, 0.1), (0.1, 0.2), (0.1, 0.9)))
        wide, narrow = float(s_in) * float(alpha) / float(s_out), float(s_in * alpha / s_out)
        x = numpy.arange(-255, 0)
        near = x[abs(x * math.frexp(wide)[0] % 1 - 0.5) < 1e-4]  # to a half in the first rounding
        edges = [a for a in map(int, near) if scaled(a, wide) != scaled(a, narrow)]
    o = schema.LeakyReluOptionsT()
    o.alpha = float(alpha)
    x, y = m.tensor([1, 1000], INT8, s_in, 127), m.tensor([1, 1000], INT8, s_out, 0)
    m.run(OP.LEAKY_RELU, [x], y, OPTIONS.LeakyReluOptions, o)


def pool(m):
    r = m.r
    size = [r.randint(2, 9), r.randint(2, 9)]
    kernel, stride = [r.randint(1, min(4, s)) for s in size], [r.randint(1, 3), r.randint(1, 3)]
    o = schema.Pool2DOptionsT()
    o.padding, o.fusedActivationFunction = r.randint(0, 1), r.choice(ACTIVATIONS)
    o.strideH, o.strideW, o.filterHeight, o.filterWidth = *stride, *kernel
    s, z, c = m.scale(), m.zero(), r.randint(1, 8)
    out = [window_out(*a, 1, o.padding) for a in zip(size, kernel, stride)]
    x, y = m.tensor([1, *size, c], INT8, s, z), m.tensor([1, *out, c], INT8, s, z)
    m.run(r.choice([OP.AVERAGE_POOL_2D, OP.MAX_POOL_2D]), [x], y, OPTIONS.Pool2DOptions, o)


def element_wise(m):
    r = m.r
    shape = [1, r.randint(1, 5), r.randint(1, 5), r.randint(1, 8)]
    other = r.choice([shape, shape, [1, 1, 1, shape[3]], [1, 1, 1, 1], [shape[3]]])
    s_a, s_b = m.scale(), m.scale()
    code, kind, o = r.choice([(OP.ADD, OPTIONS.AddOptions, schema.AddOptionsT()),
                              (OP.SUB, OPTIONS.SubOptions, schema.SubOptionsT()),
                              (OP.MUL, OPTIONS.MulOptions, schema.MulOptionsT())])
    s_out = s_a * s_b * m.top * r.uniform(0.3, 2) if code == OP.MUL else (s_a + s_b) * r.uniform(0.3, 1.5)
    a = m.tensor(shape, INT8, s_a, m.zero())
    constant = len(other) == 1 or r.random() < 0.5  # an input begins with the batch
    b = m.tensor(other, INT8, s_b, m.zero(), 0, m.weights(other) if constant else None)
    y = m.tensor(shape, INT8, s_out, m.zero())
    o.fusedActivationFunction = r.choice(ACTIVATIONS)
    m.run(code, [a, b], y, kind, o)


def softmax(m):
    shape = [1, m.r.randint(1, 40)]
    x, y = m.tensor(shape, INT8, m.scale(), m.zero()), m.tensor(shape, INT8, 1 / 256, -128)
    o = schema.SoftmaxOptionsT()
    o.beta = m.r.choice([1.0, 1.0, 0.5, 2.0])
    m.run(OP.SOFTMAX, [x], y, OPTIONS.SoftmaxOptions, o)


def unary(m):
    r = m.r
    shape, s, z = [1, r.randint(1, 4), r.randint(1, 64)], m.scale(), m.zero()
    free = (s * r.uniform(0.3, 2), m.zero())
    leaky = schema.LeakyReluOptionsT()
    leaky.alpha = r.choice([0.01, 0.3, 0.1, 0.2, 1.5])
    code, grid, kind, o = r.choice([
        (OP.LOGISTIC, (1 / 256, -128), OPTIONS.NONE, None),
        (OP.TANH, (1 / 128, 0), OPTIONS.NONE, None),
        (OP.RELU, free, OPTIONS.NONE, None),
        (OP.RELU6, (s, z), OPTIONS.NONE, None),
        (OP.LEAKY_RELU, free, OPTIONS.LeakyReluOptions, leaky),
        (OP.HARD_SWISH, free, OPTIONS.HardSwishOptions, schema.HardSwishOptionsT()),
    ])
    x, y = m.tensor(shape, INT8, s, z), m.tensor(shape, INT8, *grid)
    m.run(code, [x], y, kind, o)


def mean(m):
    r = m.r
    shape = [1, r.randint(1, 9), r.randint(1, 9), r.randint(1, 9)]
    axes = r.choice([[1, 2], [1, 2], [1], [2], [3], [2, 3], [1, 2, 3]])
    o = schema.ReducerOptionsT()
    o.keepDims = r.random() < 0.5
    out = [1 if i in axes else d for i, d in enumerate(shape) if o.keepDims or i not in axes]
    s = m.scale()
    x = m.tensor(shape, INT8, s, m.zero())
    a = m.tensor([len(axes)], INT32, data=numpy.array(axes, numpy.int32))
    y = m.tensor(out, INT8, s * r.uniform(0.2, 1.5), m.zero())
    m.run(OP.MEAN, [x, a], y, OPTIONS.ReducerOptions, o)


def concatenation(m):
    r = m.r
    s, z, axis = m.scale(), m.zero(), r.randint(1, 3)
    shape = [1, r.randint(1, 5), r.randint(1, 5), r.randint(1, 5)]
    sizes = [r.randint(1, 5) for _ in range(r.randint(1, 4))]

    def along(n):
        return shape[:axis] + [n] + shape[axis + 1:]

    parts = [m.tensor(along(n), INT8, s, z) for n in sizes]
    y = m.tensor(along(sum(sizes)), INT8, s, z)
    o = schema.ConcatenationOptionsT()
    o.axis = r.choice([axis, axis - 4])
    m.run(OP.CONCATENATION, parts, y, OPTIONS.ConcatenationOptions, o)


def pad(m):
    r = m.r
    s, z = m.scale(), m.zero()
    shape = [1, r.randint(1, 5), r.randint(1, 5), r.randint(1, 5)]
    amount = numpy.array([[0, 0]] + [[r.randint(0, 2), r.randint(0, 2)] for _ in range(3)], numpy.int32)
    x, a = m.tensor(shape, INT8, s, z), m.tensor([4, 2], INT32, data=amount)
    y = m.tensor([int(d + p.sum()) for d, p in zip(shape, amount)], INT8, s, z)
    if r.random() < 0.4:
        v = m.tensor([1], INT8, s, z, 0, m.weights([1]))
        m.run(OP.PADV2, [x, a, v], y, OPTIONS.PadV2Options, schema.PadV2OptionsT())
    else:
        m.run(OP.PAD, [x, a], y, OPTIONS.PadOptions, schema.PadOptionsT())


def change_of_type(m):
    r = m.r
    shape, s, z = [1, r.randint(1, 64)], m.scale(), m.zero()
    code, x, y = r.choice([
        (OP.QUANTIZE, (FLOAT32,), (INT8, s, z)),
        (OP.DEQUANTIZE, (INT8, s, z), (FLOAT32,)),
        (OP.QUANTIZE, (INT8, s, z), (INT8, s * r.uniform(0.2, 4), m.zero())),
    ])
    x, y = m.tensor(shape, *x), m.tensor(shape, *y)
    if code == OP.QUANTIZE:
        m.run(code, [x], y, OPTIONS.QuantizeOptions, schema.QuantizeOptionsT())
    else:
        m.run(code, [x], y, OPTIONS.DequantizeOptions, schema.DequantizeOptionsT())


def two_operands(m, code, kind=OPTIONS.NONE, options=None, version=2):
    """Operators of two int8 tensors, the second one constant or broadcast now and then."""
    r = m.r
    shape = [1, r.randint(1, 5), r.randint(1, 5), r.randint(1, 8)]
    other = r.choice([shape, shape, [1, 1, 1, shape[3]], [1, 1, 1, 1], [shape[3]]])
    s_a, s_b, z_a, z_b = m.scale(), m.scale(), m.zero(), m.zero()
    s_out, z_out = (s_a + s_b) * r.uniform(0.3, 1.5), m.zero()
    if code in (OP.MINIMUM, OP.MAXIMUM):
        s_b, s_out, z_b, z_out = s_a, s_a, z_a, z_a
    if code == OP.SQUARED_DIFFERENCE:
        s_out, z_out = (s_a + s_b) ** 2 * m.top * r.uniform(0.2, 1), r.choice([-128, z_out])
    if code == OP.PRELU:
        s_b = 2.0 ** r.uniform(-9, -5)
        s_out = s_a * r.uniform(0.5, 2)
    constant = len(other) == 1 or r.random() < 0.5
    values = m.weights(other)
    if code == OP.DIV:
        # No division by zero, which is left open; and quotients so fine that no shift exceeds 31, which C leaves open.
        constant, z_a, z_b, z_out = True, -128, r.choice([-128, 127, 0]), r.choice([-128, 0])
        values = numpy.where(values == z_b, values + (1 if z_b < 0 else -1), values).astype(numpy.int8)
        s_out = s_a / s_b / 2 ** r.uniform(8.01, 10)
    a = m.tensor(shape, INT8, s_a, z_a)
    b = m.tensor(other, INT8, s_b, z_b, 0, values if constant else None)
    m.run(code, [a, b], m.tensor(shape, INT8, s_out, z_out), kind, options, version)


def extremes(m):
    two_operands(m, m.r.choice([OP.MINIMUM, OP.MAXIMUM]), OPTIONS.MaximumMinimumOptions, schema.MaximumMinimumOptionsT())


def squared_difference(m):
    two_operands(m, OP.SQUARED_DIFFERENCE, OPTIONS.SquaredDifferenceOptions, schema.SquaredDifferenceOptionsT())


def prelu(m):
    two_operands(m, OP.PRELU, version=1)


def division(m):
    o = schema.DivOptionsT()
    o.fusedActivationFunction = m.r.choice(ACTIVATIONS)
    two_operands(m, OP.DIV, OPTIONS.DivOptions, o, 1)


def by_table(m):
    r = m.r
    code = r.choice([OP.ELU, OP.ABS, OP.RSQRT])
    shape, s, z = [1, r.randint(1, 4), r.randint(1, 64)], m.scale(), m.zero()
    s_out = s * r.uniform(0.3, 2)
    if code == OP.ABS and r.random() < 0.2:
        s_out = s
    if code == OP.RSQRT:  # defined for positive numbers only
        z, s_out = -128, 1 / numpy.sqrt(s) / 100 * r.uniform(0.2, 3)
    x, y = m.tensor(shape, INT8, s, z), m.tensor(shape, INT8, s_out, m.zero())
    kind, o = (OPTIONS.AbsOptions, schema.AbsOptionsT()) if code == OP.ABS else (OPTIONS.NONE, None)
    m.run(code, [x], y, kind, o)


def reduction(m):
    r = m.r
    code = r.choice([OP.SUM, OP.REDUCE_MAX, OP.REDUCE_MIN, OP.MEAN])
    shape = [1, r.randint(1, 9), r.randint(1, 9), r.randint(1, 9)]
    axes = r.choice([[1, 2], [1], [2], [3], [2, 3], [1, 2, 3], [1, 3]])
    o = schema.ReducerOptionsT()
    o.keepDims = r.random() < 0.5
    out = [1 if i in axes else d for i, d in enumerate(shape) if o.keepDims or i not in axes]
    s, z = m.scale(), m.zero()
    grid = (s, z)
    if code == OP.SUM and r.random() < 0.8:
        grid = (s * r.uniform(1, 5), m.zero())
    x = m.tensor(shape, INT8, s, z)
    a = m.tensor([len(axes)], INT32, data=numpy.array(axes, numpy.int32))
    m.run(code, [x, a], m.tensor(out, INT8, *grid), OPTIONS.ReducerOptions, o)


def index_of_extreme(m):
    r = m.r
    shape = [1, r.randint(1, 6), r.randint(1, 6), r.randint(1, 6)]
    axis = r.randint(1, 3)
    x = m.tensor(shape, INT8, m.scale(), m.zero())
    a = m.tensor([1], INT32, data=numpy.array([r.choice([axis, axis - 4])], numpy.int32))
    y = m.tensor(shape[:axis] + shape[axis + 1:], INT32)
    if r.random() < 0.5:
        o = schema.ArgMaxOptionsT()
        o.outputType = INT32
        m.run(OP.ARG_MAX, [x, a], y, OPTIONS.ArgMaxOptions, o)
    else:
        o = schema.ArgMinOptionsT()
        o.outputType = INT32
        m.run(OP.ARG_MIN, [x, a], y, OPTIONS.ArgMinOptions, o)


def rows(m):
    r = m.r
    shape = [1, r.randint(1, 5), r.randint(1, 60)]
    x = m.tensor(shape, INT8, m.scale(), m.zero())
    if r.random() < 0.5:
        y = m.tensor(shape, INT8, 1 / 128, 0)
        m.run(OP.L2_NORMALIZATION, [x], y, OPTIONS.L2NormOptions, schema.L2NormOptionsT())
    else:
        y = m.tensor(shape, INT8, 16 / 256, 127)
        m.run(OP.LOG_SOFTMAX, [x], y, OPTIONS.LogSoftmaxOptions, schema.LogSoftmaxOptionsT())


def svdf(m):
    """With a state of int8 or int16, which is reset before each sample."""
    r = m.r
    rank, units, n_in, memory, wide = r.randint(1, 3), r.randint(1, 8), r.randint(1, 30), r.randint(1, 8), r.random() < 0.7
    filters, s_in, s_f = rank * units, m.scale(), 2.0 ** r.uniform(-9, -4)
    s_state = s_in * s_f * 70 * 128 * numpy.sqrt(n_in) / (32768 if wide else 128) * r.uniform(0.3, 3)
    s_t = 2.0 ** r.uniform(-12, -8) if wide else 2.0 ** r.uniform(-9, -5)
    s_out = s_state * s_t * (32768 * 8000 if wide else 70 * 70) / 127 * r.uniform(0.1, 1)
    x = m.tensor([1, n_in], INT8, s_in, m.zero())
    w = m.tensor([filters, n_in], INT8, s_f, 0, 0, m.weights([filters, n_in]))
    times = numpy.array([r.randint(-30000, 30000) for _ in range(filters * memory)], numpy.int16)
    t = m.tensor([filters, memory], INT16 if wide else INT8, s_t, 0, 0,
                 times if wide else m.weights([filters, memory]))
    values = numpy.array([r.randint(-50000, 50000) for _ in range(units)], numpy.int32)
    b = m.tensor([units], INT32, numpy.float32(s_state) * numpy.float32(s_t), 0, 0, values)
    state = m.tensor([1, filters * memory], INT16 if wide else INT8, s_state, 0 if wide else m.zero())
    m.tensors[state].isVariable = True
    y = m.tensor([1, units], INT8, s_out, m.zero())
    o = schema.SVDFOptionsT()
    o.rank, o.fusedActivationFunction = rank, 0
    m.run(OP.SVDF, [x, w, t, b, state], y, OPTIONS.SVDFOptions, o, 3)


MAKERS = [convolution, depthwise_convolution, fully_connected, pool, element_wise, softmax, unary, mean, concatenation,
          pad, change_of_type, fully_connected_on_edges, leaky_relu_on_edges, svdf,
          extremes, squared_difference, prelu, division, by_table, reduction, index_of_extreme, rows]


def random_inputs(model, seed):
    rng = numpy.random.RandomState(seed)
    arrays = []
    for i in model.inputs():
        t = model.tensors[i]
        if t.type == FLOAT32:
            arrays.append((rng.randn(SAMPLES, *t.shape) * 20).astype(numpy.float32))
        else:
            limits = numpy.iinfo(NUMPY[t.type])
            arrays.append(rng.randint(limits.min if model.least is None else model.least, limits.max + 1, [SAMPLES, *t.shape]).astype(NUMPY[t.type]))
    return arrays


def run_tflm(data, arrays, path):
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data)
    with open(path, "wb") as f:
        for k in range(SAMPLES):
            interpreter.reset()
            for i, a in enumerate(arrays):
                interpreter.set_input(a[k], i)
            interpreter.invoke()
            f.write(numpy.ascontiguousarray(interpreter.get_output(0)).tobytes())


def make(folder, number, kind, makers):
    model = kind(random.Random(number))
    maker = makers[number % len(makers)]
    maker(model)
    data, arrays = model.pack(), random_inputs(model, number)
    base = os.path.join(folder, str(number))
    with open(base + ".tflite", "wb") as f:
        f.write(data)
    with open(base + ".in", "wb") as f:
        f.write(b"".join(a.tobytes() for a in arrays))
    child = os.fork()
    if child == 0:
        run_tflm(data, arrays, base + ".out")
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("TFLite Micro does not run model %d (%s)" % (number, maker.__name__))


def main(kind, makers):
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for number in range(int(sys.argv[2])):
        make(sys.argv[1], number, kind, makers)


if __name__ == "__main__":
    main(Model, MAKERS)
