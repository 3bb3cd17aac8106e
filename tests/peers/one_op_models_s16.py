"""Random models of one operator with int16 activations, with inputs and what TFLite Micro answers.

    one_op_models_s16.py FOLDER COUNT

Writes what one_op_models.py writes, whose makers it uses where an operator differs in the type alone: its tensors become
int16 with zero point 0, except weights of int8, and its biases have 64 bits where the layer asks for it.

SPDX-License-Identifier: Apache-2.0
"""

import numpy
import one_op_models as narrow
from one_op_models import FLOAT32, INT8, INT16, INT32, INT64, OP, OPTIONS, Model, main, schema


class WideModel(Model):
    top = 32768

    def __init__(self, r):
        super().__init__(r)
        self.wide_constants, self.wide_bias = True, True

    def tensor(self, shape, dtype=INT8, scale=None, zero=0, axis=0, data=None):
        if dtype == INT8 and (data is None or data.dtype == numpy.int16):
            dtype, zero = INT16, 0
        return super().tensor(shape, dtype, scale, zero, axis, data)

    def plain(self, *words):
        """A tensor of the type that is asked for."""
        return super().tensor(*words)

    def scale(self):
        return 2.0 ** self.r.uniform(-16, -7)

    def weights(self, shape):
        if not self.wide_constants:
            return super().weights(shape)
        values = [self.r.randint(-32767, 32767) for _ in range(int(numpy.prod(shape)))]
        return numpy.array(values, numpy.int16).reshape(shape)

    def bias(self, n, scale):
        top = 1 << 38 if self.wide_bias and self.r.random() < 0.1 else 1 << 21
        values = [self.r.randint(-top, top) for _ in range(n)]
        return self.tensor([n], INT64 if self.wide_bias else INT32, scale, 0, 0,
                           numpy.array(values, numpy.int64 if self.wide_bias else numpy.int32))


def layer(m, make, either):
    """`either`: the bias may have 32 bits as well."""
    m.wide_constants, m.wide_bias = False, not either or m.r.random() < 0.5
    make(m)


def convolution(m):
    layer(m, narrow.convolution, True)


def depthwise_convolution(m):
    layer(m, narrow.depthwise_convolution, False)


def fully_connected(m):
    layer(m, narrow.fully_connected, True)


def transpose_convolution(m):
    r = m.r
    m.wide_constants = False
    size, kernel, stride = ([r.randint(*limits) for _ in range(2)] for limits in ((1, 4), (1, 4), (1, 3)))
    padding, in_c, out_c = r.randint(0, 1), r.randint(1, 6), r.randint(1, 4)
    out = [n * s if padding == 0 else (n - 1) * s + k for n, k, s in zip(size, kernel, stride)]
    s_in, s_w = m.scale(), [2.0 ** r.uniform(-9, -4) for _ in range(out_c if r.random() < 0.8 else 1)]
    s_out = s_in * numpy.mean(s_w) * 70 * numpy.sqrt(in_c * max(1, numpy.prod(kernel) / numpy.prod(stride))) * r.uniform(0.5, 2)
    shape = m.tensor([4], INT32, data=numpy.array([1, *out, out_c], numpy.int32))
    w = m.tensor([out_c, *kernel, in_c], INT8, s_w, 0, 0, m.weights([out_c, *kernel, in_c]))
    x = m.tensor([1, *size, in_c], INT8, s_in)
    b = [m.bias(out_c, numpy.float32(s_in) * numpy.array(s_w, numpy.float32))] if r.random() < 0.8 else []
    y = m.tensor([1, *out, out_c], INT8, s_out)
    o = schema.TransposeConvOptionsT()
    o.padding, (o.strideH, o.strideW) = padding, stride
    m.run(OP.TRANSPOSE_CONV, [shape, w, x, *b], y, OPTIONS.TransposeConvOptions, o, 3)


def softmax(m):
    shape = [1, m.r.randint(1, 40)]
    x = m.plain(shape, *(m.r.choice([(INT16, m.scale()), (INT16, m.scale() * 8), (INT8, Model.scale(m), Model.zero(m))])))
    int8 = m.tensors[x].type == INT8
    y = m.plain(shape, INT16, 1 / 65536, -32768) if int8 else m.plain(shape, INT16, 1 / 32768)
    o = schema.SoftmaxOptionsT()
    o.beta = m.r.choice([1.0, 1.0, 0.5, 2.0])
    m.run(OP.SOFTMAX, [x], y, OPTIONS.SoftmaxOptions, o)


def curve(m):
    """Sigmoid and tanh, of any scale and of powers of two."""
    shape = [1, m.r.randint(1, 4), m.r.randint(1, 64)]
    s = m.r.choice([m.scale(), m.scale() / 2, 2.0 ** -m.r.randint(8, 16), 2.0 ** -m.r.randint(11, 12)])
    m.run(m.r.choice([OP.LOGISTIC, OP.TANH]), [m.tensor(shape, INT8, s)], m.tensor(shape, INT8, 1 / 32768))


def rectifier(m):
    """Leaky relu of powers of two, where float32 and double give the same ratios (docs/numerics.md, section 3)."""
    r = m.r
    shape, s = [1, r.randint(1, 4), r.randint(1, 64)], m.scale()
    leaky = schema.LeakyReluOptionsT()
    leaky.alpha = r.choice([0.01, 0.3, 0.1, 0.2, 1.5])
    two = 2.0 ** -r.randint(8, 16)
    code, s_in, s_out, kind, o = r.choice([
        (OP.RELU, s, s * r.uniform(0.3, 2), OPTIONS.NONE, None),
        (OP.RELU6, s, s, OPTIONS.NONE, None),
        (OP.LEAKY_RELU, two, two * r.choice([0.5, 1, 2]), OPTIONS.LeakyReluOptions, leaky),
    ])
    m.run(code, [m.tensor(shape, INT8, s_in)], m.tensor(shape, INT8, s_out), kind, o)


def change_of_type(m):
    """Between float, int8, int16 and int32, as far as TFLite Micro has it; one side has 16 or 32 bits."""
    r = m.r
    s, shape = m.scale(), [1, r.randint(1, 64)]
    s8, s32 = s * 256, s / 2 ** r.uniform(0, 16)
    code, x, y = r.choice([
        (OP.QUANTIZE, (FLOAT32,), (INT16, s)),
        (OP.DEQUANTIZE, (INT16, s), (FLOAT32,)),
        (OP.QUANTIZE, (INT16, s), (INT16, s * r.uniform(0.2, 4))),
        (OP.QUANTIZE, (INT8, s8 * r.uniform(0.2, 4), Model.zero(m)), (INT16, s)),
        (OP.QUANTIZE, (INT16, s), (INT8, s8 * r.uniform(0.2, 4), Model.zero(m))),
        (OP.QUANTIZE, (INT16, s), (INT32, s32)),
        (OP.QUANTIZE, (INT32, s32 / 65536), (INT16, s)),
        (OP.QUANTIZE, (INT8, s8, Model.zero(m)), (INT32, s32)),
        (OP.QUANTIZE, (INT32, s32 / 65536), (INT8, s8, Model.zero(m))),
    ])
    x, y = m.plain(shape, *x), m.plain(shape, *y)
    if code == OP.QUANTIZE:
        m.run(code, [x], y, OPTIONS.QuantizeOptions, schema.QuantizeOptionsT())
    else:
        m.run(code, [x], y, OPTIONS.DequantizeOptions, schema.DequantizeOptionsT())


def reshape(m):
    shape, s = [1, m.r.randint(1, 5), m.r.randint(1, 5), m.r.randint(1, 5)], m.scale()
    target = m.r.choice([[1, shape[1] * shape[2], shape[3]], [1, int(numpy.prod(shape))]])
    o = schema.ReshapeOptionsT()
    o.newShape = target
    x, t = m.tensor(shape, INT8, s), m.tensor([len(target)], INT32, data=numpy.array(target, numpy.int32))
    m.run(OP.RESHAPE, [x, t], m.tensor(target, INT8, s), OPTIONS.ReshapeOptions, o)


def batch_matmul(m):
    r = m.r
    rows, depth, columns = r.randint(1, 6), r.randint(1, 24), r.randint(1, 6)
    lead = [1] + [r.randint(1, 2) for _ in range(r.randint(0, 2))]
    lead_b = r.choice([lead, [1] * len(lead)])
    o = schema.BatchMatMulOptionsT()
    o.adjX, o.adjY = r.random() < 0.5, r.random() < 0.5
    a = lead + ([depth, rows] if o.adjX else [rows, depth])
    b = lead_b + ([columns, depth] if o.adjY else [depth, columns])
    s_a, s_b = m.scale(), m.scale()
    s_out = s_a * s_b * m.top * numpy.sqrt(depth) * r.uniform(0.2, 1)
    x, y = m.tensor(a, INT8, s_a), m.tensor(b, INT8, s_b, 0, 0, m.weights(b) if r.random() < 0.3 else None)
    m.run(OP.BATCH_MATMUL, [x, y], m.tensor([*lead, rows, columns], INT8, s_out), OPTIONS.BatchMatMulOptions, o)


def magnitude(m):
    shape, s = [1, m.r.randint(1, 4), m.r.randint(1, 64)], m.scale()
    x, y = m.tensor(shape, INT8, s), m.tensor(shape, INT8, s if m.r.random() < 0.2 else s * m.r.uniform(0.3, 2))
    m.run(OP.ABS, [x], y, OPTIONS.AbsOptions, schema.AbsOptionsT())


def inverse_root(m):
    """Of positive values, since negative numbers make TFLite Micro fail."""
    shape, s = [1, m.r.randint(1, 64)], m.scale()
    x, y = m.tensor(shape, INT8, s), m.tensor(shape, INT8, 2.0 ** m.r.uniform(-12, -6) / numpy.sqrt(s) / 100)
    m.least = 0
    m.run(OP.RSQRT, [x], y)


def total(m):
    r = m.r
    shape = [1, r.randint(1, 9), r.randint(1, 9), r.randint(1, 9)]
    axes = r.choice([[1, 2], [1], [2], [3], [2, 3], [1, 2, 3], [1, 3]])
    o = schema.ReducerOptionsT()
    o.keepDims = r.random() < 0.5
    out = [1 if i in axes else d for i, d in enumerate(shape) if o.keepDims or i not in axes]
    s = m.scale()
    x, a = m.tensor(shape, INT8, s), m.tensor([len(axes)], INT32, data=numpy.array(axes, numpy.int32))
    m.run(OP.SUM, [x, a], m.tensor(out, INT8, s * r.uniform(1, 5)), OPTIONS.ReducerOptions, o)


MAKERS = [convolution, depthwise_convolution, fully_connected, transpose_convolution, narrow.pool, narrow.element_wise,
          softmax, curve, rectifier, narrow.mean, narrow.concatenation, narrow.pad, change_of_type, reshape, batch_matmul,
          narrow.extremes, narrow.squared_difference, magnitude, inverse_root, total]

if __name__ == "__main__":
    main(WideModel, MAKERS)
