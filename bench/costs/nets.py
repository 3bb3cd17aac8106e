"""The layers whose instructions bench/costs counts, as graphs in their text form: a net is a list of layers that stand beside each
other, each with inputs and an output of its own, so that one run of one firmware measures them all. Shapes are those of small
networks and odd ones between; none is taken from a model that predictions are checked with.
SPDX-License-Identifier: Apache-2.0"""
import random

# y, x, channels in, channels out, kernel y, kernel x, stride, padding
CONV = [(12, 12, 3, 8, 3, 3, 1, 1), (13, 11, 3, 12, 3, 3, 2, 1), (10, 10, 8, 8, 3, 3, 1, 1), (9, 9, 16, 16, 3, 3, 1, 1),
        (8, 8, 32, 16, 3, 3, 1, 1), (11, 11, 16, 32, 3, 3, 2, 1), (8, 8, 16, 24, 3, 3, 1, 0), (12, 12, 1, 6, 5, 5, 1, 0),
        (10, 10, 6, 16, 5, 5, 1, 0), (9, 9, 16, 10, 5, 5, 1, 2), (20, 8, 1, 32, 8, 4, 2, 2), (7, 7, 20, 20, 3, 3, 1, 1),
        (6, 6, 48, 48, 3, 3, 1, 1), (5, 5, 64, 24, 3, 3, 1, 1), (16, 16, 4, 9, 3, 3, 1, 1), (4, 4, 64, 64, 3, 3, 2, 1),
        (24, 6, 2, 40, 7, 3, 2, 1), (10, 10, 12, 7, 3, 3, 1, 1), (14, 14, 8, 20, 3, 3, 2, 0), (6, 1, 24, 32, 3, 1, 1, 0),
        (18, 18, 3, 16, 3, 3, 1, 1), (18, 18, 1, 20, 3, 3, 1, 1)]
POINT = [(9, 9, 8, 16), (8, 8, 16, 32), (6, 6, 32, 32), (5, 5, 64, 64), (4, 3, 128, 32), (3, 3, 96, 128), (12, 10, 24, 24), (11, 7, 12, 20),
         (10, 10, 7, 10), (7, 7, 48, 18), (14, 14, 8, 8), (2, 2, 160, 96), (5, 5, 40, 9), (1, 1, 64, 32), (6, 5, 33, 17), (13, 5, 64, 48)]
STRIDED = [(12, 12, 16, 32, 2), (10, 10, 32, 24, 2), (7, 7, 8, 40, 2), (8, 8, 64, 16, 2), (9, 11, 12, 12, 2), (16, 16, 16, 16, 2)]  # 1x1
DEPTH = [(12, 12, 8, 3, 3, 1, 1), (10, 10, 16, 3, 3, 1, 1), (16, 12, 24, 3, 3, 1, 1), (7, 7, 64, 3, 3, 1, 1), (6, 5, 32, 3, 3, 1, 1),
         (4, 4, 96, 3, 3, 1, 1), (20, 20, 8, 3, 3, 1, 1), (9, 14, 20, 3, 3, 1, 1), (8, 8, 32, 3, 3, 1, 0), (3, 3, 128, 3, 3, 1, 1),
         (13, 13, 16, 3, 3, 2, 1), (12, 12, 24, 3, 3, 2, 1), (8, 8, 64, 3, 3, 2, 1), (24, 24, 8, 3, 3, 2, 1), (17, 9, 32, 3, 3, 2, 1), (6, 6, 96, 3, 3, 2, 1),
         (7, 6, 48, 3, 3, 2, 0), (12, 12, 8, 5, 5, 1, 2), (9, 9, 16, 5, 5, 1, 2), (7, 7, 24, 5, 5, 1, 0), (12, 5, 16, 7, 4, 1, 1), (16, 16, 8, 4, 4, 2, 1),
         (8, 8, 20, 5, 3, 1, 1), (10, 4, 32, 10, 4, 1, 0)]
DENSE = [(8, 128), (64, 10), (100, 10), (256, 32), (400, 60), (128, 128), (640, 24), (31, 12), (17, 5), (64, 12), (1024, 16), (84, 10), (120, 84), (512, 3)]
POOL = [(12, 12, 6, 2, 2, 2, 0), (9, 9, 16, 3, 3, 2, 1), (8, 8, 32, 2, 2, 2, 0), (6, 6, 64, 6, 6, 6, 0), (20, 5, 24, 20, 5, 1, 0), (10, 10, 12, 3, 3, 1, 1),
        (16, 16, 8, 2, 2, 2, 0), (7, 7, 20, 7, 7, 1, 0), (3, 3, 128, 3, 3, 1, 0), (14, 14, 10, 3, 3, 3, 0)]
MAPS = [(8, 8, 8), (1, 1, 100), (4, 4, 33), (1, 1, 10), (24, 24, 3)]
UNARY = ["relu", "relu6", "leaky_relu", "hard_swish", "sigmoid", "tanh"]
BINARY = ["add", "sub", "mul", "minimum", "maximum"]
MEAN = [(7, 7, 20), (5, 5, 32), (4, 4, 64), (8, 8, 16), (12, 12, 8), (3, 3, 128), (2, 2, 16), (10, 1, 24), (6, 9, 10), (25, 5, 60), (3, 3, 7), (5, 3, 33)]
SOFTMAX = [(1, 4), (1, 10), (1, 12), (1, 35), (1, 100), (6, 8), (20, 3), (1, 2)]


class Net:
    """Grows as text. coded: "few" values and many zeros, as pruning and clustering leave them, "clumps" of zeros and of one sign, as pruning
    does, or "many" values, as training does; else any.
    cut: a relu cuts half of the outputs of every second layer. scale: the least of the weights."""

    def __init__(self, seed, coded="", cut=False, scale=0.001):
        self.lines, self.outputs, self.n, self.random, self.coded = ["graph net"], [], 0, random.Random(seed), coded
        self.zeros, self.levels, self.quant, self.cut, self.sign, self.scale = 0.0, 255, {}, cut, 0, scale

    def name(self):
        self.n += 1
        return f"t{self.n}"

    def input(self, shape):
        name = self.name()
        self.lines.append(f"input %{name} s8 {dims(shape)} q(0.05,-3)")
        return name

    def clump(self):
        """Zero or one sign for a while."""
        if self.random.random() < 0.15:
            self.sign = self.random.choice([0, 0, 1, -1])
        return self.sign * self.random.randint(1, max(1, self.levels // 2))

    def weight(self):
        if self.coded == "clumps":
            return self.clump()
        if self.coded == "many":
            tail = self.random.expovariate(1 / self.levels) * self.random.choice([-1, 1])
            return max(-127, min(127, round(self.random.gauss(0, self.levels) if self.zeros else tail)))
        if self.coded:
            if self.random.random() < self.zeros:
                return 0
            half = max(1, self.levels // 2)
            return max(-127, min(127, self.random.randint(-half, half) * (127 // half)))
        return self.random.randint(-127, 127)

    def weights(self, shape, axis):
        name, n = self.name(), 1
        for d in shape:
            n *= d
        if self.coded == "many":
            self.levels, self.zeros = self.random.choice([4, 8, 12, 25]), self.random.choice([0, 0, 1])
        elif self.coded:
            self.zeros, self.levels = self.random.choice([0.0, 0.3, 0.6, 0.8, 0.9, 0.95]), self.random.choice([3, 5, 8, 15, 31, 63])
        scales = " ".join(f"{self.scale + 0.002 * self.random.random():.9g},0" for _ in range(shape[axis])) if axis is not None else "0.002,0"
        self.lines.append(f"const %{name} s8 {dims(shape)} q{'' if axis is None else f'[{axis}]'}({scales}) = "
                          f"{{{' '.join(str(self.weight()) for _ in range(n))}}}")
        return name, scales

    def bias(self, n, scales, per_channel):
        name = self.name()
        scaled = " ".join(f"{0.05 * float(s.split(',')[0]):.9g},0" for s in scales.split())
        self.lines.append(f"const %{name} s32 {n} q{'[0]' if per_channel else ''}({scaled}) = "
                          f"{{{' '.join(str(self.random.randint(-3000, 3000)) for _ in range(n))}}}")
        return name

    def node(self, operator, inputs, shape, attributes="", quant="q(0.1,-10)", ends=True):
        name = self.name()
        if self.cut and len(self.outputs) % 2:
            quant = "q(0.1,-128)"
        self.lines.append(f"node {operator}_{name} = {operator}({' '.join('%' + i for i in inputs)}) -> %{name} s8 {dims(shape)} {quant}"
                          + (f" {{{attributes}}}" if attributes else ""))
        self.quant[name] = quant
        if ends:
            self.outputs.append(name)
        return name

    def windows(self, operator, x, shape, kernel, stride, pad, out_c, weights, ends=True):
        y, x_ = [(n + 2 * pad - k) // stride + 1 for n, k in zip(shape[1:3], kernel)]
        attributes = f"stride_y={stride} stride_x={stride} pad_top={pad} pad_bottom={pad} pad_left={pad} pad_right={pad}"
        if not weights:
            attributes = f"kernel_y={kernel[0]} kernel_x={kernel[1]} " + attributes
        out = (1, y, x_, out_c)
        quant = "q(0.1,-10)" if weights else self.quant.get(x, "q(0.05,-3)")
        return self.node(operator, [x] + weights, out, attributes, quant, ends), out

    def conv2d(self, y, x, ic, oc, ky, kx, stride, pad, source=None, ends=True):
        shape = (1, y, x, ic)
        w, scales = self.weights((oc, ky, kx, ic), 0)
        b = self.bias(oc, scales, True)
        return self.windows("conv2d", source or self.input(shape), shape, (ky, kx), stride, pad, oc, [w, b], ends)

    def depthwise(self, y, x, c, ky, kx, stride, pad, source=None, ends=True):
        shape = (1, y, x, c)
        w, scales = self.weights((1, ky, kx, c), 3)
        b = self.bias(c, scales, True)
        return self.windows("depthwise_conv2d", source or self.input(shape), shape, (ky, kx), stride, pad, c, [w, b], ends)

    def dense(self, n, m):
        x = self.input((1, n))
        w, scales = self.weights((m, n), None)
        b = self.bias(m, scales, False)
        return self.node("fully_connected", [x, w, b], (1, m))

    def pool(self, kind, y, x, c, ky, kx, stride, pad, source=None, ends=True):
        return self.windows(kind, source or self.input((1, y, x, c)), (1, y, x, c), (ky, kx), stride, pad, c, [], ends)

    def binary(self, operator, shape):
        quant = "q(0.05,-3)" if operator in ("minimum", "maximum") else "q(0.1,-10)"
        whole = (1,) + shape
        return self.node(operator, [self.input(whole), self.input(whole)], whole, "", quant)

    def unary(self, operator, shape):
        whole = (1,) + shape
        quant = {"sigmoid": "q(0.00390625,-128)", "tanh": "q(0.0078125,0)"}.get(operator, "q(0.1,-10)")
        return self.node(operator, [self.input(whole)], whole, "", quant)

    def softmax(self, rows, depth):
        return self.node("softmax", [self.input((rows, depth))], (rows, depth), "", "q(0.00390625,-128)")

    def mean(self, y, x, c):
        """Over all points."""
        return self.node("mean", [self.input((1, y, x, c))], (1, c), "axes_mask=6")

    def text(self):
        return "\n".join(self.lines + [f"output %{name}" for name in self.outputs]) + "\n"


def dims(shape):
    return "x".join(str(d) for d in shape)


# Of each kind, layers as calls of a Net. Orders of many branches are hard to search, so nets have some forty layers.
WEIGHTED = ([("conv2d", c) for c in CONV] + [("conv2d", (y, x, ic, oc, 1, 1, 1, 0)) for y, x, ic, oc in POINT] +
            [("conv2d", (y, x, ic, oc, 1, 1, s, 0)) for y, x, ic, oc, s in STRIDED] + [("depthwise", d) for d in DEPTH] +
            [("dense", d) for d in DENSE])
PLAIN = ([("pool", (kind,) + p) for kind in ("max_pool2d", "avg_pool2d") for p in POOL] +
         [("binary", (o, m)) for o in BINARY for m in MAPS] + [("unary", (o, m)) for o in UNARY for m in MAPS] +
         [("softmax", s) for s in SOFTMAX])
MEANS = [("mean", m) for m in MEAN]
CODED = [(kind, c) for kind, c in WEIGHTED[::3]]
TRAINED = [(kind, c) for kind, c in WEIGHTED[::2]]
RICH = [(kind, c) for kind, c in WEIGHTED[1::9]] + [("dense", d) for d in DENSE[::2]]
APART = [(kind, c) for kind, c in WEIGHTED[::2] if kind == "conv2d"]  # with scales so large that their shift goes left
CLUMPS = [(kind, c) for kind, c in WEIGHTED[2::6]]
MOST = 42


# Layers that run line by line in builds for RAM: the input's shape, then kind, channels out (0: as many as in), kernel, stride, padding.
CHAINS = [((24, 24, 3), ("conv2d", 16, 3, 1, 1), ("max_pool2d", 0, 2, 2, 0)),
          ((24, 24, 1), ("conv2d", 8, 5, 1, 2), ("max_pool2d", 0, 2, 2, 0), ("conv2d", 12, 3, 1, 1), ("max_pool2d", 0, 2, 2, 0)),
          ((20, 20, 4), ("conv2d", 24, 1, 1, 0), ("depthwise", 0, 3, 2, 1), ("conv2d", 8, 1, 1, 0)),
          ((16, 16, 8), ("conv2d", 48, 1, 1, 0), ("depthwise", 0, 3, 1, 1), ("conv2d", 8, 1, 1, 0)),
          ((32, 32, 3), ("conv2d", 8, 3, 2, 1), ("depthwise", 0, 3, 1, 1), ("conv2d", 16, 1, 1, 0), ("depthwise", 0, 3, 2, 1)),
          ((28, 28, 1), ("conv2d", 6, 5, 1, 0), ("avg_pool2d", 0, 2, 2, 0), ("conv2d", 16, 5, 1, 0), ("avg_pool2d", 0, 2, 2, 0)),
          ((14, 14, 16), ("conv2d", 64, 3, 1, 1), ("avg_pool2d", 0, 7, 7, 0)),
          ((18, 18, 6), ("conv2d", 20, 3, 1, 1), ("conv2d", 20, 3, 1, 1), ("max_pool2d", 0, 3, 3, 0)),
          ((40, 10, 1), ("conv2d", 32, 4, 2, 1), ("depthwise", 0, 3, 1, 1), ("conv2d", 16, 1, 1, 0), ("avg_pool2d", 0, 5, 5, 0)),
          ((12, 12, 32), ("conv2d", 96, 1, 1, 0), ("depthwise", 0, 5, 1, 2), ("conv2d", 16, 1, 1, 0)),
          ((36, 36, 2), ("depthwise", 0, 3, 1, 1), ("conv2d", 12, 1, 1, 0), ("max_pool2d", 0, 2, 2, 0)),
          ((22, 22, 8), ("conv2d", 40, 3, 2, 1), ("conv2d", 40, 1, 1, 0), ("max_pool2d", 0, 2, 2, 0))]


def chains():
    """Texts of nets of one chain each."""
    found = []
    for k, ((y, x, c), *layers) in enumerate(CHAINS):
        net = Net(k + 1)
        source = net.input((1, y, x, c))
        for i, (kind, out, kernel, stride, pad) in enumerate(layers):
            ends = i + 1 == len(layers)
            if kind == "conv2d":
                source, shape = net.conv2d(y, x, c, out, kernel, kernel, stride, pad, source, ends)
            elif kind == "depthwise":
                source, shape = net.depthwise(y, x, c, kernel, kernel, stride, pad, source, ends)
            else:
                source, shape = net.pool(kind, y, x, c, kernel, kernel, stride, pad, source, ends)
            y, x, c = shape[1:]
        found.append(net.text())
    return found


def nets(layers, coded="", cut=False, scale=0.001):
    """Texts of nets of so many layers, each kind in all of them."""
    parts = -(-len(layers) // MOST)
    found = []
    for k in range(parts):
        net = Net(k + 1, coded, cut, scale)
        for kind, numbers in layers[k::parts]:
            getattr(net, kind)(*numbers)
        found.append(net.text())
    return found
