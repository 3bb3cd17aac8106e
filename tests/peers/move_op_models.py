"""Random models of one operator that moves values, resizes or multiplies, with inputs and what a peer answers.

    move_op_models.py FOLDER COUNT
    move_op_models.py --again FOLDER COUNT

Writes FOLDER/N.tflite, FOLDER/N.in (4 samples of input 0, then of input 1, ...) and FOLDER/N.out (4 samples of output 0,
then of output 1, ...) for N below COUNT; model N depends on N alone. Integer models are answered by TFLite Micro (those
that only move values and that it does not have: by LiteRT's reference kernels), float ones by LiteRT's reference
kernels. With --again, FOLDER/N.again.tflite, where there is one, must give the same bytes in the same peer.

SPDX-License-Identifier: Apache-2.0
"""

import os
import random
import sys

import flatbuffers
import numpy
from one_op_models import FLOAT32, INT8, INT32, OP, OPTIONS, SAMPLES, Model, schema

INT16 = 7
TYPES = [FLOAT32, INT8, INT16]
NOT_IN_MICRO = {OP.TILE, OP.REVERSE_V2, OP.REDUCE_PROD}
NOT_IN_MICRO_S16 = NOT_IN_MICRO | {OP.GATHER, OP.MIRROR_PAD}


class MoveModel(Model):
    """All activations have one type and, where values only move, one grid."""

    def __init__(self, r, dtype):
        super().__init__(r)
        self.dtype, self.codes, self.operators = dtype, [], []
        self.grid = () if dtype == FLOAT32 else (self.scale(), 0 if dtype == INT16 else self.zero())

    def value(self, shape, data=None):
        return self.tensor(shape, self.dtype, *self.grid, data=data)

    def numbers(self, values, shape=None):
        array = numpy.array(values, numpy.int32)
        return self.tensor(list(array.shape) if shape is None else shape, INT32, data=array)

    def run(self, *words):
        super().run(*words)
        self.operator.opcodeIndex = len(self.codes)
        self.codes.append(self.code)
        self.operators.append(self.operator)

    def inputs(self):
        made = [o for op in self.operators for o in op.outputs]
        used = [i for op in self.operators for i in op.inputs if self.tensors[i].buffer == 0 and i not in made]
        return list(dict.fromkeys(used))

    def pack(self):
        g, m = schema.SubGraphT(), schema.ModelT()
        g.tensors, g.operators, g.inputs, g.outputs = self.tensors, self.operators, self.inputs(), self.operator.outputs
        m.version, m.operatorCodes, m.subgraphs, m.buffers = 3, self.codes, [g], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def several(self, code, inputs, outputs, kind, options, version=2):
        self.run(code, inputs, outputs[0], kind, options, version)
        self.operator.outputs = outputs

    def dims(self, rank, most=5):
        return [1] + [self.r.randint(1, most) for _ in range(rank - 1)]


def options(name, **fields):
    o = getattr(schema, name + "OptionsT")()
    for field, value in fields.items():
        setattr(o, field, value)
    return getattr(OPTIONS, name + "Options"), o


def transpose(m):
    rank = m.r.choice([2, 3, 4, 4, 5, 6 if m.dtype == FLOAT32 else 5])  # TFLite Micro has no more than 5
    shape, perm = m.dims(rank, 4), list(range(rank))
    while True:
        m.r.shuffle(perm)
        if shape[perm[0]] == 1:
            break
    x, p = m.value(shape), m.numbers(perm)
    m.run(OP.TRANSPOSE, [x, p], m.value([shape[i] for i in perm]), *options("Transpose"))


def slice_of(m):
    shape = m.dims(m.r.randint(2, 5), 6)
    begin = [m.r.randint(0, d - 1) for d in shape]
    out = [m.r.randint(1, d - b) for d, b in zip(shape, begin)]
    size = [-1 if b + o == d and m.r.random() < 0.5 else o for b, o, d in zip(begin, out, shape)]
    m.run(OP.SLICE, [m.value(shape), m.numbers(begin), m.numbers(size)], m.value(out), *options("Slice"))


def strided_slice(m):
    r = m.r
    shape = m.dims(r.randint(2, 4), 7)
    begin, end, step, out, masks = [], [], [], [], [0, 0, 0]
    for i, d in enumerate(shape):
        s = r.choice([1, 1, 2, 3, -1, -2]) if i else 1
        b = r.randint(0, d - 1)
        count = r.randint(1, (d - b + s - 1) // s if s > 0 else b // -s + 1)
        e = b + (count - 1) * s + (1 if s > 0 else -1)
        if r.random() < 0.3:
            masks[0] |= 1 << i
            b = 0 if s > 0 else d - 1
            e = s
            count = 1 if d else 0
            e = b + (1 if s > 0 else -1)
        if r.random() < 0.3 or e < 0:
            masks[1] |= 1 << i
            count = (d - b + s - 1) // s if s > 0 else b // -s + 1
            e = r.randint(-3, 3)
        elif r.random() < 0.2 and e < d and s > 0:
            e -= d  # from the end
        if not masks[0] >> i & 1 and r.random() < 0.3:
            b -= d
        if i and count == 1 and s > 0 and not masks[1] >> i & 1 and r.random() < 0.5:
            masks[2] |= 1 << i
        else:
            out.append(count)
        begin.append(b), end.append(e), step.append(s)
    o = options("StridedSlice", beginMask=masks[0], endMask=masks[1], shrinkAxisMask=masks[2])
    m.run(OP.STRIDED_SLICE, [m.value(shape), m.numbers(begin), m.numbers(end), m.numbers(step)], m.value(out), *o)


def split(m):
    shape, n = m.dims(4), m.r.randint(1, 4)
    axis = m.r.randint(1, 3)
    part = list(shape)
    shape[axis] = part[axis] * n
    a = m.numbers(m.r.choice([axis, axis - 4]), [])
    m.several(OP.SPLIT, [a, m.value(shape)], [m.value(part) for _ in range(n)], *options("Split", numSplits=n))


def split_v(m):
    shape, sizes = m.dims(3), [m.r.randint(1, 4) for _ in range(m.r.randint(1, 4))]
    axis = m.r.randint(1, 2)
    parts = [shape[:axis] + [s] + shape[axis + 1:] for s in sizes]
    shape[axis] = sum(sizes)
    if m.r.random() < 0.3:
        sizes[m.r.randrange(len(sizes))] = -1
    m.several(OP.SPLIT_V, [m.value(shape), m.numbers(sizes), m.numbers(axis, [])], [m.value(p) for p in parts],
              *options("SplitV", numSplits=len(parts)))


def pack(m):
    shape, n = m.dims(m.r.randint(2, 4)), m.r.randint(1, 4)
    axis = m.r.randint(1, len(shape))
    o = options("Pack", valuesCount=n, axis=m.r.choice([axis, axis - len(shape) - 1]))
    m.run(OP.PACK, [m.value(shape) for _ in range(n)], m.value(shape[:axis] + [n] + shape[axis:]), *o)


def unpack(m):
    shape = m.dims(m.r.randint(2, 4), 4)
    axis = m.r.randint(1, len(shape) - 1)
    o = options("Unpack", num=shape[axis], axis=m.r.choice([axis, axis - len(shape)]))
    outs = [m.value(shape[:axis] + shape[axis + 1:]) for _ in range(shape[axis])]
    m.several(OP.UNPACK, [m.value(shape)], outs, *o)


def gather(m):
    shape, n = m.dims(m.r.randint(2, 4), 6), m.r.randint(1, 6)
    axis = m.r.randint(1, len(shape) - 1)
    index = [m.r.randrange(shape[axis]) for _ in range(n)]
    o = options("Gather", axis=axis, batchDims=0)
    m.run(OP.GATHER, [m.value(shape), m.numbers(index)], m.value(shape[:axis] + [n] + shape[axis + 1:]), *o)


def tile(m):
    shape = m.dims(m.r.randint(2, 4), 4)
    times = [1] + [m.r.randint(1, 3) for _ in shape[1:]]
    m.run(OP.TILE, [m.value(shape), m.numbers(times)], m.value([a * b for a, b in zip(shape, times)]), *options("Tile"))


def broadcast_to(m):
    out = m.dims(m.r.randint(2, 4))
    shape = [1] + [m.r.choice([1, d]) for d in out[1:]]
    m.run(OP.BROADCAST_TO, [m.value(shape), m.numbers(out)], m.value(out), *options("BroadcastTo"), 3)


def mirror_pad(m):
    shape, mode = [1] + [m.r.randint(2, 5) for _ in range(m.r.randint(1, 3))], m.r.randint(0, 1)
    amount = [[0, 0]] + [[m.r.randint(0, d - 1 + mode) for _ in range(2)] for d in shape[1:]]
    out = [d + sum(a) for d, a in zip(shape, amount)]
    m.run(OP.MIRROR_PAD, [m.value(shape), m.numbers(amount)], m.value(out), *options("MirrorPad", mode=mode))


def block(m):
    b, shape = m.r.randint(1, 3), m.dims(4, 4)
    deep, wide = shape[:3] + [shape[3] * b * b], [1, shape[1] * b, shape[2] * b, shape[3]]
    if m.r.random() < 0.5:
        m.run(OP.SPACE_TO_DEPTH, [m.value(wide)], m.value(deep), *options("SpaceToDepth", blockSize=b))
    else:
        m.run(OP.DEPTH_TO_SPACE, [m.value(deep)], m.value(wide), *options("DepthToSpace", blockSize=b), 1)


def reverse(m):
    shape = m.dims(3)
    m.run(OP.REVERSE_V2, [m.value(shape), m.numbers([m.r.randint(1, 2)])], m.value(shape), *options("ReverseV2"))


def resize(m, code, name):
    shape, out = m.dims(4, 7), [m.r.randint(1, 12), m.r.randint(1, 12)]
    kind = m.r.choice([{}, {"alignCorners": True}, {"halfPixelCenters": True}])
    y = m.value([1, *out, shape[3]])
    m.run(code, [m.value(shape), m.numbers(out)], y, *options(name, **kind), 3)


def resize_nearest(m):
    resize(m, OP.RESIZE_NEAREST_NEIGHBOR, "ResizeNearestNeighbor")


def resize_bilinear(m):
    resize(m, OP.RESIZE_BILINEAR, "ResizeBilinear")


def floats(m, shape):
    return numpy.array([m.r.uniform(-1, 1) for _ in range(int(numpy.prod(shape)))], numpy.float32).reshape(shape)


def transpose_convolution(m):
    r = m.r
    size, kernel, stride = [[r.randint(1, n) for _ in range(2)] for n in (5, 4, 3)]
    in_c, out_c, padding = r.randint(1, 6), r.randint(1, 6), r.randint(0, 1)
    out = [i * s if padding == 0 else (i - 1) * s + max(k, s) for i, k, s in zip(size, kernel, stride)]
    shape, bias = [out_c, *kernel, in_c], r.random() < 0.7
    x = m.value([1, *size, in_c])
    if m.dtype == FLOAT32:
        w, b = m.tensor(shape, FLOAT32, data=floats(m, shape)), m.tensor([out_c], FLOAT32, data=floats(m, [out_c]))
        y = m.value([1, *out, out_c])
    else:
        s_w = [2.0 ** r.uniform(-9, -4) for _ in range(out_c)]
        w = m.tensor(shape, INT8, s_w, 0, 0, m.weights(shape))
        scales = numpy.float32(m.grid[0]) * numpy.array(s_w, numpy.float32)
        b = m.bias(out_c, scales) if m.dtype == INT8 else m.tensor([out_c], 4, scales, 0, 0, numpy.array(
            [r.randint(-90000, 90000) for _ in range(out_c)], numpy.int64))
        s_out = m.grid[0] * numpy.mean(s_w) * 70 * numpy.sqrt(kernel[0] * kernel[1] * in_c) * r.uniform(0.3, 1.5)
        y = m.tensor([1, *out, out_c], m.dtype, s_out, 0 if m.dtype == INT16 else m.zero())
    fused = r.choice([0, 0, 1, 3])
    o = options("TransposeConv", padding=padding, strideH=stride[0], strideW=stride[1], fusedActivationFunction=fused)
    m.run(OP.TRANSPOSE_CONV, [m.numbers([1, *out, out_c]), w, x] + ([b] if bias else []), y, *o, 4)


def batch_matmul(m):
    r = m.r
    rows, inner, cols, heads = r.randint(1, 6), r.randint(1, 9), r.randint(1, 6), r.choice([[1], [1, 3], [1, 2, 2]])
    adj_x, adj_y, constant = r.random() < 0.5, r.random() < 0.5, r.random() < 0.3
    a = heads + ([inner, rows] if adj_x else [rows, inner])
    b = r.choice([heads, [1] * len(heads)]) + ([cols, inner] if adj_y else [inner, cols])
    x, out = m.value(a), heads + [rows, cols]
    if m.dtype == FLOAT32:
        y, z = m.tensor(b, FLOAT32, data=floats(m, b) if constant else None), m.value(out)
    else:
        s_y = m.scale()
        data = m.weights(b).astype(numpy.int8 if m.dtype == INT8 else numpy.int16) if constant else None
        y = m.tensor(b, m.dtype, s_y, m.grid[1] and m.zero(), 0, data)
        top = 130 if m.dtype == INT8 else 33000
        s_out = m.grid[0] * s_y * top * numpy.sqrt(inner) * r.uniform(0.3, 1.5)
        z = m.tensor(out, m.dtype, s_out, 0 if m.dtype == INT16 else m.zero())
    m.run(OP.BATCH_MATMUL, [x, y], z, *options("BatchMatMul", adjX=adj_x, adjY=adj_y))


def rows_of_layer(m):
    """A fully connected layer over several rows."""
    r = m.r
    lead, n_in, n_out, keep = r.choice([[1, 3], [1, 2, 4], [5]]), r.randint(1, 30), r.randint(1, 9), r.random() < 0.5
    x, shape = m.value([*lead, n_in]), [n_out, n_in]
    out = [*lead, n_out] if keep else [int(numpy.prod(lead)), n_out]
    if m.dtype == FLOAT32:
        w, b = m.tensor(shape, FLOAT32, data=floats(m, shape)), m.tensor([n_out], FLOAT32, data=floats(m, [n_out]))
        y = m.value(out)
    else:
        s_w = [2.0 ** r.uniform(-9, -4) for _ in range(r.choice([1, n_out]))]
        w = m.tensor(shape, INT8, s_w, 0, 0, m.weights(shape))
        b = m.bias(n_out, numpy.float32(m.grid[0]) * numpy.array(s_w, numpy.float32))
        y = m.tensor(out, INT8, m.grid[0] * numpy.mean(s_w) * 130 * numpy.sqrt(n_in) * r.uniform(0.3, 1.5), m.zero())
    o = options("FullyConnected", keepNumDims=keep, fusedActivationFunction=r.choice([0, 0, 1, 3]))
    m.run(OP.FULLY_CONNECTED, [x, w, b], y, *o, 5)


def computed_shape(m):
    """A reshape whose target is computed from shapes, by way of every operator that computes such."""
    shape = [1, *(m.r.randint(1, 5) for _ in range(3))]
    x, whole = m.value(shape), m.tensor([4], INT32)
    m.run(OP.SHAPE, [x], whole, *options("Shape", outType=INT32), 1)
    one = m.tensor([], INT32)
    m.run(OP.STRIDED_SLICE, [whole, m.numbers([0]), m.numbers([1]), m.numbers([1])], one,
          *options("StridedSlice", shrinkAxisMask=1), 1)
    pair, product = m.tensor([2], INT32), m.tensor([], INT32)
    m.run(OP.GATHER, [whole, m.numbers([3, 1])], pair, *options("Gather", axis=0), 1)
    m.run(OP.REDUCE_PROD, [pair, m.numbers([0])], product, *options("Reducer", keepDims=False), 1)
    front, wide = m.tensor([2], INT32), m.tensor([2], 4)
    m.run(OP.PACK, [one, product], front, *options("Pack", valuesCount=2, axis=0), 1)
    m.run(OP.CAST, [front], wide, *options("Cast", inDataType=INT32, outDataType=4), 1)
    again, doubled, back = m.tensor([2], INT32), m.tensor([2], INT32), m.tensor([2], INT32)
    m.run(OP.CAST, [wide], again, *options("Cast", inDataType=4, outDataType=INT32), 1)
    m.run(OP.ADD, [again, again], doubled, *options("Add"), 1)
    m.run(OP.SUB, [doubled, again], back, *options("Sub"), 1)
    rest, target = m.tensor([1], INT32), m.tensor([3], INT32)
    m.run(OP.SLICE, [whole, m.numbers([2]), m.numbers([1])], rest, *options("Slice"), 1)
    m.run(OP.CONCATENATION, [back, rest], target, *options("Concatenation", axis=0), 1)
    y = m.value([1, shape[1] * shape[3], shape[2]])
    m.run(OP.RESHAPE, [x, target], y, *options("Reshape", newShape=[]), 1)


def filled(m):
    """Zeros of a computed shape, as recurrent layers start from, then two values next to each other."""
    shape = m.dims(3)
    computed = m.dtype == FLOAT32  # TFLite Micro wants a constant shape
    x, whole, zeros = m.value(shape), m.tensor([3], INT32) if computed else m.numbers(shape), m.value(shape)
    value = m.tensor([], m.dtype, *m.grid, data=numpy.array([m.grid[1] if m.grid else 0.25], NUMPY[m.dtype]))
    if computed:
        m.run(OP.SHAPE, [x], whole, *options("Shape", outType=INT32), 1)
    m.run(OP.FILL, [whole, value], zeros, *options("Fill"), 3)
    m.run(OP.PACK, [x, zeros], m.value([1, 2, *shape[1:]]), *options("Pack", valuesCount=2, axis=1))


MAKERS = [transpose, slice_of, strided_slice, split, split_v, pack, unpack, gather, tile, broadcast_to, mirror_pad, block,
          reverse, resize_nearest, resize_bilinear, transpose_convolution, batch_matmul, rows_of_layer, computed_shape, filled]
NUMPY = {FLOAT32: numpy.float32, INT8: numpy.int8, INT16: numpy.int16}


# Neither peer has the others in int16, or the runtime has no kernel of it.
MAKERS_S16 = [transpose, slice_of, strided_slice, split, split_v, pack, unpack, gather, tile, broadcast_to, mirror_pad,
              reverse, resize_nearest, computed_shape]


def make_model(number):
    maker, dtype = MAKERS[number % len(MAKERS)], TYPES[number // len(MAKERS) % len(TYPES)]
    m = MoveModel(random.Random(number), INT8 if dtype == INT16 and maker not in MAKERS_S16 else dtype)
    maker(m)
    return m


def random_inputs(model, seed):
    rng = numpy.random.RandomState(seed)
    arrays = []
    for i in model.inputs():
        shape = [SAMPLES, *model.tensors[i].shape]
        if model.dtype == FLOAT32:
            arrays.append(rng.uniform(-1, 1, shape).astype(numpy.float32))
        else:
            limit = numpy.iinfo(NUMPY[model.dtype])
            arrays.append(rng.randint(limit.min, limit.max + 1, shape).astype(NUMPY[model.dtype]))
    return arrays


def run_micro(data, arrays, outputs):
    from tflite_micro.python.tflite_micro import runtime

    interpreter, found = runtime.Interpreter.from_bytes(data), []
    for k in range(SAMPLES):
        for i, a in enumerate(arrays):
            interpreter.set_input(a[k], i)
        interpreter.invoke()
        found.append([numpy.array(interpreter.get_output(o)) for o in range(outputs)])
    return found


def run_litert(data, arrays):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    found = []
    for k in range(SAMPLES):
        for d, a in zip(interpreter.get_input_details(), arrays):
            interpreter.set_tensor(d["index"], a[k])
        interpreter.invoke()
        found.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return found


def answers(model, data, arrays):
    missing = NOT_IN_MICRO_S16 if model.dtype == INT16 else NOT_IN_MICRO
    if model.dtype == FLOAT32 or any(c.builtinCode in missing for c in model.codes):
        found = run_litert(data, arrays)
    else:
        found = run_micro(data, arrays, len(model.operator.outputs))
    return b"".join(numpy.ascontiguousarray(s[o]).tobytes() for o in range(len(found[0])) for s in found)


def in_a_child(number, work):
    """Peers abort on what they do not like."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("a peer does not run model %d (%s), or gives other bytes" % (number, MAKERS[number % len(MAKERS)].__name__))


def save(path, data):
    with open(path, "wb") as f:
        f.write(data)


def make(folder, number):
    model = make_model(number)
    data, arrays = model.pack(), random_inputs(model, number)
    base = os.path.join(folder, str(number))
    save(base + ".tflite", data)
    save(base + ".in", b"".join(a.tobytes() for a in arrays))
    in_a_child(number, lambda: save(base + ".out", answers(model, data, arrays)))


def check_again(folder, number):
    model, base = make_model(number), os.path.join(folder, str(number))
    if not os.path.exists(base + ".again.tflite"):
        return
    with open(base + ".again.tflite", "rb") as f:
        data = f.read()
    with open(base + ".out", "rb") as f:
        expected = f.read()

    def work():
        if answers(model, data, random_inputs(model, number)) != expected:
            os._exit(1)

    in_a_child(number, work)


def main():
    again = sys.argv[1:2] == ["--again"]
    words = sys.argv[2:] if again else sys.argv[1:]
    if len(words) != 2:
        sys.exit(__doc__)
    for number in range(int(words[1])):
        (check_again if again else make)(words[0], number)


if __name__ == "__main__":
    main()
