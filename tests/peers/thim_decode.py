#!/usr/bin/env python3
"""Decodes .thim programs. Written from docs/format.md alone, to check the C code against it.

    thim_decode.py FILE     prints the whole program as text, one line per part; weights are decoded
    thim_decode.py --example   decodes the worked example of the document

SPDX-License-Identifier: Apache-2.0"""
import struct
import sys
import zlib

U, S, R = "USR"


class Bad(Exception):
    pass


class Cursor:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        if self.at + n > len(self.data):
            raise Bad(f"{n} bytes expected at {self.at}")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            b = self.u8()
            value |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        if value >= 1 << 32:
            raise Bad("varint of more than 32 bits")
        return value

    def svarint(self):
        v = self.varint()
        return -(v + 1) // 2 if v & 1 else v // 2


class Bits:
    def __init__(self, data):
        self.data, self.at = data, 0

    def ended(self):
        return self.at >= 8 * len(self.data)

    def take(self, n):
        value = 0
        for _ in range(n):
            bit = 0
            if not self.ended():
                bit = self.data[self.at // 8] >> (7 - self.at % 8) & 1
            value = value << 1 | bit
            self.at += 1
        return value


def int8(v):
    return (v + 128) % 256 - 128


# --- weight coders ---

class CodeTable:
    def __init__(self, cursor):
        head, form = cursor.u8(), cursor.u8()
        self.longest, self.extra = head & 15, head >> 4 & 7
        width = (form & 7) + 1
        self.base, self.step = (cursor.u8(), cursor.u8()) if form & 8 else (0, 1)
        count_bits = 4 if head & 128 else 8
        bits = Bits(cursor.take((self.longest * count_bits + 7) // 8))
        counts = [1] if self.longest == 0 else [0]
        counts += [bits.take(count_bits) for _ in range(self.longest)]
        bits = Bits(cursor.take((sum(counts) * width + 7) // 8))
        self.symbol = {}  # (length, word) -> symbol
        word = 0
        for length, count in enumerate(counts):
            for _ in range(count):
                self.symbol[length, word] = bits.take(width)
                word += 1
            word *= 2

    def read_symbol(self, bits):
        word = 0
        for length in range(self.longest + 1):
            if length:
                word = word << 1 | bits.take(1)
            if (length, word) in self.symbol:
                return self.symbol[length, word]
        raise Bad("no such code word")

    def read(self, bits):
        symbol = self.read_symbol(bits)
        return self.base + self.step * (symbol << self.extra | bits.take(self.extra))


def bitpack(table, data, n):
    width, rest, bits, out = table[0] & 15, table[1:], Bits(data), []
    for _ in range(n):
        if width and bits.ended():
            out.append(0)
            continue
        index = bits.take(width)
        out.append(int8(rest[0] + rest[1] * index) if table[0] & 128 else int8(rest[index]))
    return out


def huffman(table, data, n):
    code, bits = CodeTable(Cursor(table)), Bits(data)
    return [0 if bits.ended() else int8(code.read(bits)) for _ in range(n)]


def gap_huffman(table, data, n):
    cursor = Cursor(table)
    escape = cursor.u8()
    gaps, values = CodeTable(cursor), CodeTable(cursor)
    bits, out = Bits(data), []
    while len(out) < n and not bits.ended():
        symbol = gaps.base + gaps.step * gaps.read_symbol(bits)
        if symbol == escape:
            out += [0] * max(1, escape << gaps.extra)
            continue
        out += [0] * (symbol << gaps.extra | bits.take(gaps.extra))
        out.append(int8(values.read(bits)))
    return (out + [0] * n)[:n]


NORMAL, LOGISTIC, LAPLACE = (
    [int(x) for x in text.split()] for text in (
        """32768 29508 26299 23189 20220 17432 14852 12503 10398 8539 6924 5542 4378 3413 2625 1992 1491 1101
        801 575 407 284 195 132 88 58 38 24 15 9 6 3 2 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
        0 0 0 0 0 0 0 0""",
        """32768 29069 25463 22035 18850 15958 13381 11128 9187 7538 6152 4999 4048 3268 2631 2115 1697 1360
        1089 871 696 556 444 354 283 226 180 144 114 91 73 58 46 37 29 23 19 15 12 9 8 6 5 4 3 2 2 2
        1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0""",
        """32768 27458 23009 19281 16157 13539 11345 9507 7966 6676 5594 4688 3928 3292 2758 2311 1937 1623
        1360 1140 955 800 671 562 471 395 331 277 232 195 163 137 114 96 80 67 56 47 40 33 28 23 20
        16 14 11 10 8 7 6 5 4 3 3 2 2 2 1 1 1 1 1 1 0"""))
WIDTHS = 32768, 30048, 27554, 25268, 23170, 21247, 19484, 17867


def signed4(v):
    return (v & 15) - 16 * (v >> 3 & 1)


class RangeModel:
    def __init__(self, table):
        cursor = Cursor(table)
        form, self.width, spikes = cursor.u8(), int8(cursor.u8()), cursor.u8()
        self.constant, self.deviation = int8(cursor.u8()), 256 * cursor.u8()
        self.curve = (NORMAL, LOGISTIC, LAPLACE)[form & 3]
        self.follow, self.shift = form >> 2 & 7, (form >> 5 & 3) + 3
        self.zero, self.edge = 16 * (2 ** min(spikes & 15, 11) - 1), 4 * (2 ** min(spikes >> 4, 11) - 1)
        self.near = self.far = None
        if form & 128:
            shares, both = cursor.u8(), cursor.u8()
            self.shares = signed4(shares), signed4(shares >> 4), signed4(both)
            self.near, far, self.row = cursor.u8() + 1, cursor.u8() + 1, cursor.number("H")
            self.far = far if both & 16 else None

    def expect(self, out):
        e, near, far = 8 * self.constant, self.near, self.far
        if near is None:
            return e
        place = len(out) % self.row if self.row else len(out)
        has_near = place >= near and not (far and far % near == 0 and place % far < near)
        has_far = far is not None and place >= far
        e += self.shares[0] * out[-near] if has_near else 0
        e += self.shares[1] * out[-far] if has_far else 0
        if has_near and has_far and place >= near + far and near + far <= 256:
            e += self.shares[2] * out[-near - far]
        return e

    def begin(self, out):
        self.e, u = self.expect(out), self.deviation + 8
        o = u.bit_length() - 1
        self.k = min(max(self.width + (self.follow * (8 * o + (u >> (o - 3) & 7)) >> 2), 0), 79)

    def below(self, v):
        if v < -126:
            return v + 128
        if v > 127:
            return 65536
        t = 8 * v - 4 - self.e
        z = abs(t) * WIDTHS[self.k % 8] >> (5 + self.k // 8)
        j, tail = z >> 8, 0
        if j < 63:
            tail = self.curve[j] - ((self.curve[j] - self.curve[j + 1]) * (z & 255) >> 8)
        part, inside = tail if t < 0 else 65536 - tail, 65536 - 256 - self.zero - 2 * self.edge
        return ((part >> 1) * (inside >> 1) >> 14) + v + 128 + self.edge + (self.zero if v > 0 else 0)

    def end(self, v):
        a = 64 * abs(8 * v - self.e)
        self.deviation += (a - self.deviation) >> self.shift if a >= self.deviation else -(self.deviation - a >> self.shift)


def range_coder(table, data, n):
    model, data, out = RangeModel(table), iter(data), []
    code, size = 0, 2 ** 32 - 1
    for _ in range(4):
        code = code * 256 + next(data, 0)
    while len(out) < n:
        model.begin(out)
        unit, v = size >> 16, 127
        while model.below(v) * unit > code:
            v -= 1
        low, high = model.below(v), model.below(v + 1)
        code -= low * unit
        size = size - low * unit if high == 65536 else (high - low) * unit
        while size < 1 << 24:
            size, code = size * 256, code * 256 + next(data, 0)
        model.end(v)
        out.append(v)
    return out


class Questions:
    """The arithmetic of the context coder, and its states: [chance, count]."""

    def __init__(self, data, first):
        self.data = iter(data)
        self.code, self.size = 0, 2 ** 32 - 1
        for _ in range(4):
            self.code = self.code * 256 + next(self.data, 0)
        self.states = {("zero", a): [first, 0] for a in range(6)}
        self.states.update({("sign", b): [32768, 0] for b in range(-2, 3)})
        self.states.update({("bit", node): [32768, 0] for node in range(1, 16)})

    def ask(self, *name):
        state = self.states.get(name, [32768, None])
        chance = min(max(state[0], 32), 65504) * (self.size >> 16)
        yes = self.code < chance
        if yes:
            self.size = chance
        else:
            self.code, self.size = self.code - chance, self.size - chance
        while self.size < 1 << 24:
            self.size, self.code = self.size * 256, self.code * 256 + next(self.data, 0)
        if state[1] is not None:
            share = state[1] + 2
            state[0] += (65535 - state[0]) // share if yes else -(state[0] // share)
            state[1] = min(state[1] + 1, 255)
        return yes


def neighbours(out, near, line, row):
    place = len(out) % row if row else len(out)
    pairs = [(near, 2), (line, 2), (max(line - near, 0), 1), (line + near if line else 0, 1), (2 * near, 1), (2 * line, 1)]
    seen = [(out[-d], share) for d, share in pairs if 0 < d < 256 and d <= place] if near else []
    return (sum(share for w, share in seen if w),
            sum(share * ((w > 0) - (w < 0)) for w, share in seen))


def context(table, data, n):
    cursor, out = Cursor(table), []
    form, first = cursor.u8(), 256 * cursor.u8() + 128
    near, line, row = (cursor.u8(), cursor.u8(), cursor.number("H")) if form & 8 else (0, 0, 0)
    questions = Questions(data, first)
    while len(out) < n:
        a, b = neighbours(out, near, line, row)
        if not questions.ask("zero", min(a, 5)):
            out.append(0)
            continue
        positive, node = questions.ask("sign", min(max(b, -2), 2)), 1
        for _ in range(form & 7):
            node = 2 * node + questions.ask("bit", node)
        magnitude = node - 2 ** (form & 7) + 1
        out.append(int8(magnitude if positive else -magnitude))
    return out


CODERS = {1: bitpack, 2: huffman, 3: gap_huffman, 4: range_coder, 5: context}

# --- fields: (name, coding, default: a number or the name of an earlier field) ---

CONV2D = [("in_y", U, 1), ("in_x", U, "in_y"), ("in_c", U, 1), ("out_c", U, "in_c"), ("kernel_y", U, 1),
          ("in_zero", S, -128), ("out_zero", S, -128), ("pad_y", U, 0), ("out_y", U, "in_y"), ("stride_y", U, 1),
          ("out_x", U, "out_y"), ("lo", S, -128), ("hi", S, 127), ("kernel_x", U, "kernel_y"),
          ("stride_x", U, "stride_y"), ("pad_x", U, "pad_y"), ("groups", U, 1), ("dilation_y", U, 1),
          ("dilation_x", U, "dilation_y"), ("w_zero", S, 0), ("acc64", U, 0)]
FULLY_CONNECTED = [("in_n", U, 1), ("out_n", U, 1), ("in_zero", S, -128), ("out_zero", S, -128), ("lo", S, -128),
                   ("hi", S, 127), ("w_zero", S, 0), ("acc64", U, 0)]
POOL2D = [("in_y", U, 1), ("in_x", U, "in_y"), ("c", U, 1), ("out_y", U, 1), ("out_x", U, "out_y"),
          ("kernel_y", U, 2), ("kernel_x", U, "kernel_y"), ("stride_y", U, "kernel_y"), ("stride_x", U, "stride_y"),
          ("pad_y", U, 0), ("pad_x", U, "pad_y"), ("lo", S, -128), ("hi", S, 127)]
ELEMENTWISE = [("dim[3]", U, 1), ("a_zero", S, -128), ("b_zero", S, -128), ("out_zero", S, -128), ("mult[0]", R, 0),
               ("mult[1]", R, 0), ("mult[2]", R, 0), ("shift[0]", S, 0), ("shift[1]", S, 0), ("shift[2]", S, 0),
               ("left_shift", U, 20), ("lo", S, -128), ("hi", S, 127), ("dim[0]", U, 1), ("dim[1]", U, 1),
               ("dim[2]", U, 1), ("stride_a[0]", U, 0), ("stride_a[1]", U, 0), ("stride_a[2]", U, 0),
               ("stride_a[3]", U, 1), ("stride_b[0]", U, 0), ("stride_b[1]", U, 0), ("stride_b[2]", U, 0),
               ("stride_b[3]", U, 1)]
SOFTMAX = [("depth", U, 1), ("mult", R, 0), ("diff_min", S, 0), ("shift", S, 0), ("rows", U, 1)]
UNARY = [("n", U, 1), ("in_zero", S, -128), ("out_zero", S, -128), ("mult[0]", R, 0), ("shift[0]", S, 0),
         ("radius", U, 0), ("lo", S, -128), ("hi", S, 127), ("mult[1]", R, 0), ("shift[1]", S, 0)]
MEAN = [("y", U, 1), ("x", U, "y"), ("c", U, 1), ("mult", R, 0), ("shift", S, 0), ("count", U, 1),
        ("in_zero", S, -128), ("out_zero", S, "in_zero"), ("lo", S, -128), ("hi", S, 127), ("over_y", U, 1),
        ("over_x", U, 1), ("over_c", U, 0)]
COPY = [("block", U, 1), ("outer", U, 1), ("out_step", U, "block"), ("out_offset", U, 0)]
PAD = [("value", S, -128), ("in[1]", U, 1), ("in[2]", U, 1), ("in[3]", U, 1), ("before[1]", U, 0), ("after[1]", U, 0),
       ("before[2]", U, 0), ("after[2]", U, 0), ("before[3]", U, 0), ("after[3]", U, 0), ("in[0]", U, 1),
       ("before[0]", U, 0), ("after[0]", U, 0)]
LOOKUP = [("n", U, 1)]
ARGMAX = [("depth", U, 1), ("outer", U, 1), ("inner", U, 1), ("smallest", U, 0), ("last", U, 0)]
L2_NORMALIZATION = [("depth", U, 1), ("in_zero", S, -128), ("rows", U, 1)]
LOG_SOFTMAX = SOFTMAX + [("back_mult", R, 0), ("back_shift", S, 0)]
STRIDED_COPY = [("block", U, 1), ("dim[5]", U, 1), ("in_step[5]", S, 0), ("out_step[5]", U, "block"), ("dim[4]", U, 1),
                ("in_step[4]", S, 0), ("out_step[4]", U, 0), ("in_at", U, 0), ("out_at", U, 0)]
for i in (3, 2, 1, 0):
    STRIDED_COPY += [("dim[%d]" % i, U, 1), ("in_step[%d]" % i, S, 0), ("out_step[%d]" % i, U, 0)]
RESIZE = [("in_y", U, 1), ("in_x", U, "in_y"), ("out_y", U, 1), ("out_x", U, "out_y")]
RESIZE_NEAREST = RESIZE + [("pixel", U, 1), ("scale_y", U, 1), ("scale_x", U, "scale_y"), ("shift_y", U, 0),
                           ("shift_x", U, "shift_y"), ("half", U, 0), ("round", U, 0)]
RESIZE_BILINEAR = RESIZE + [("c", U, 1), ("scale_y", U, 0), ("scale_x", U, "scale_y"), ("half", U, 0)]
BATCH_MATMUL = [("m", U, 1), ("n", U, 1), ("k", U, 1), ("mult", R, 0), ("shift", S, 0), ("a_zero", S, 0), ("b_zero", S, 0),
                ("out_zero", S, 0), ("adj_a", U, 0), ("adj_b", U, 0)]
for i in (2, 1, 0):
    BATCH_MATMUL += [("dim[%d]" % i, U, 1), ("a_step[%d]" % i, U, 0), ("b_step[%d]" % i, U, 0)]
QUANTIZE = [("n", U, 1), ("zero", S, -128), ("scale", R, 0), ("type", U, 1)]
SVDF = [("in_n", U, 1), ("filters", U, 1), ("memory", U, 1), ("rank", U, 1), ("in_zero", S, -128), ("out_zero", S, -128),
        ("state_zero", S, 0)]
LSTM = [("time", U, 1), ("in_n", U, 1), ("n", U, 1), ("in_zero", S, -128), ("out_zero", S, 0), ("clip", U, 0),
        ("tanh_mult", U, 3), ("tanh_shift", U, 0), ("restart", U, 0)]
REQUANTIZE = [("n", U, 1), ("in_type", U, 1), ("out_type", U, 1), ("in_zero", S, 0), ("out_zero", S, 0), ("mult", R, 0),
              ("shift", S, 0)]

# kernel: (fields, operands, bytes of an input element)
KERNELS = {1: (CONV2D, 1, 1), 2: (CONV2D, 1, 1), 3: (FULLY_CONNECTED, 1, 1), 4: (POOL2D, 1, 1), 5: (POOL2D, 1, 1),
           6: (ELEMENTWISE, 2, 1), 7: (ELEMENTWISE, 2, 1), 8: (ELEMENTWISE, 2, 1), 9: (SOFTMAX, 1, 1),
           10: (UNARY, 1, 1), 11: (UNARY, 1, 1), 12: (UNARY, 1, 1), 13: (UNARY, 1, 1), 14: (UNARY, 1, 1),
           15: (MEAN, 1, 1), 16: (COPY, 1, 1), 17: (PAD, 1, 1), 18: (QUANTIZE, 1, 4), 19: (QUANTIZE, 1, 1),
           20: (LOOKUP, 2, 1), 21: (ELEMENTWISE, 2, 1), 22: (ELEMENTWISE, 2, 1), 23: (ELEMENTWISE, 2, 1),
           24: (ELEMENTWISE, 2, 1), 25: (ELEMENTWISE, 2, 1), 26: (ARGMAX, 1, 1), 27: (MEAN, 1, 1), 28: (MEAN, 1, 1),
           29: (L2_NORMALIZATION, 1, 1), 30: (LOG_SOFTMAX, 1, 1), 31: (STRIDED_COPY, 1, 1),
           32: (RESIZE_NEAREST, 1, 1), 33: (RESIZE_BILINEAR, 1, 1), 34: (CONV2D, 1, 1), 35: (BATCH_MATMUL, 2, 1),
           36: (CONV2D, 1, 1), 37: (CONV2D, 1, 1), 38: (FULLY_CONNECTED, 1, 1), 39: (POOL2D, 1, 1),
           40: (UNARY, 1, 1), 41: (UNARY, 1, 1), 42: (CONV2D, 1, 2), 43: (CONV2D, 1, 2), 44: (FULLY_CONNECTED, 1, 2),
           45: (POOL2D, 1, 2), 46: (POOL2D, 1, 2), 47: (ELEMENTWISE, 2, 2), 48: (ELEMENTWISE, 2, 2),
           49: (ELEMENTWISE, 2, 2), 50: (SOFTMAX, 1, 2), 51: (SOFTMAX, 1, 1), 52: (UNARY, 1, 2), 53: (UNARY, 1, 2),
           54: (UNARY, 1, 2), 55: (UNARY, 1, 2), 56: (MEAN, 1, 2), 57: (PAD, 1, 2), 58: (REQUANTIZE, 1, 4),
           59: (QUANTIZE, 1, 4), 60: (QUANTIZE, 1, 4), 61: (SVDF, 2, 1), 62: (SVDF, 2, 1), 63: (LSTM, 3, 1),
           64: (CONV2D, 1, 2), 65: (BATCH_MATMUL, 2, 2), 66: (ELEMENTWISE, 2, 2), 67: (ELEMENTWISE, 2, 2),
           68: (ELEMENTWISE, 2, 2), 69: (UNARY, 1, 2), 70: (UNARY, 1, 2)}
DEPTHWISE = {2, 37, 43}
OWN_SCRATCH = {63}
WIDE_STATE = {62}


def read_fields(cursor, fields):
    mask, values = cursor.varint(), {}
    for i, (name, coding, default) in enumerate(fields):
        if mask >> i & 1:
            values[name] = {U: cursor.varint, S: cursor.svarint, R: lambda: cursor.number("i")}[coding]()
        else:
            values[name] = values[default] if isinstance(default, str) else default
    return values


def read_weights(cursor, n, own_scratch):
    coder = cursor.u8()
    if coder == 0:
        return coder, own_scratch or 0, [int8(b) for b in cursor.take(n)]
    scratch = cursor.varint() if own_scratch is None else own_scratch
    table_bytes, data_bytes = cursor.varint(), cursor.varint()
    table = cursor.take(table_bytes)
    return coder, scratch, CODERS[coder](table, cursor.take(data_bytes), n)


def rice(bits, k):
    ones = 0
    while ones < 24 and bits.take(1):
        ones += 1
    return bits.take(32) if ones == 24 else (ones << k) + bits.take(k)


def read_coded_channels(stream, rows):
    highest, one, two, three = int8(stream[0]), stream[1], stream[2], stream[3]
    bits, key, biases, pairs = Bits(stream[4:]), 0, [], []
    for row in range(rows):
        if row and not two & 128 and three >> 5 == 7:
            pairs.append(pairs[0])
        else:
            if two & 128:
                key = (key + rice(bits, three >> 5)) % 65536
                down, known, v = key >> 8, 8, 255 - key % 256
            else:
                down, known, v = rice(bits, two >> 5 & 3), 0, 0
            length = (one & 31) + rice(bits, one >> 5)
            mult = 0
            if length < 31:
                missing = max(0, length - known)
                mult = (1 << 30) + ((v << missing) + bits.take(missing) << 30 - known - missing)
            pairs.append((mult, min(max(highest - (down & 127), -31), 30)))
        b = rice(bits, two & 31)
        v = ((b >> 1) ^ -(b & 1)) << (three & 31)
        biases.append((v + 2 ** 31) % 2 ** 32 - 2 ** 31)
    return biases, pairs


def read_channels(cursor, rows, mults, in_bytes, fixed_pairs):
    form = cursor.u8()
    if form == 124:
        return read_coded_channels(cursor.take(cursor.varint()), rows)
    width = (0, 1, 2, 4)[form & 3] * (2 if in_bytes == 2 else 1)
    data = cursor.take(rows * width)
    bias = [int.from_bytes(data[r * width:(r + 1) * width], "little", signed=True) << (form >> 2 & 31)
            for r in range(rows)]
    first, pairs = cursor.varint(), cursor.varint()
    shifts = [int8(b) for b in cursor.take(pairs)]
    if fixed_pairs:
        return bias, [(mults[first + k], shifts[k]) for k in range(pairs)]
    index = cursor.take(rows) if form & 128 else range(rows) if pairs > 1 else [0] * rows
    return bias, [(mults[first + k], shifts[k]) for k in index]


def weight_shape(kernel, f):
    """Rows and their length; None for a kernel without weights."""
    if KERNELS[kernel][0] is FULLY_CONNECTED:
        return f["out_n"], f["in_n"]
    if KERNELS[kernel][0] is SVDF:
        return f["filters"], f["in_n"] + f["memory"] * (2 if kernel in WIDE_STATE else 1)
    if KERNELS[kernel][0] is LSTM:
        return 4 * f["n"], f["in_n"] + f["n"]
    if KERNELS[kernel][0] is not CONV2D:
        return None
    depth = 1 if kernel in DEPTHWISE else f["in_c"] // f["groups"]
    return f["out_c"], f["kernel_y"] * f["kernel_x"] * depth


def show(label, values):
    print(label, *values)


def read_stage(cursor, n_operands):
    """Of a chain: how many stages follow, lines of the output, kept ones; for each operand its stage + 1 and lines kept."""
    values = [cursor.varint(), cursor.varint(), cursor.varint()]
    for _ in range(n_operands):
        values.append(cursor.varint())
        if values[-1]:
            values.append(cursor.varint())
    return values


def read_step(cursor, number, mults):
    kernel = cursor.u8()
    chained, kernel = kernel >= 128, kernel % 128
    field_list, n_operands, in_bytes = KERNELS[kernel]
    if chained:
        show("stage", read_stage(cursor, n_operands))
    operands = []
    for _ in range(n_operands):
        v = cursor.varint()
        if v & 1 and any(cursor.take(-cursor.at % in_bytes)):
            raise Bad("padding that is not zero")
        operands.append("const " + cursor.take(v // 2).hex() if v & 1 else f"{v // 2}")
    out = cursor.varint()
    show("step", [number, "kernel", kernel, "in", *operands, "out", out])
    own_scratch = cursor.varint() if kernel in OWN_SCRATCH else None
    fields = read_fields(cursor, field_list)
    if kernel in DEPTHWISE:
        fields["groups"] = fields["in_c"]
    show("fields", [f"{k}={v}" for k, v in fields.items()])
    shape = weight_shape(kernel, fields)
    if not shape:
        return
    rows, row = shape
    coder, scratch, weights = read_weights(cursor, rows * row, own_scratch)
    show("coder", [coder, "scratch", scratch])
    show("weights", weights)
    bias, pairs = read_channels(cursor, rows, mults, in_bytes, field_list in (SVDF, LSTM))
    show("bias", bias)
    show("requant", [f"{m}*2^{s}" for m, s in pairs])


def read_variable(cursor):
    offset, v = cursor.varint(), cursor.varint()
    show("variable", ["offset", offset, "begins", (cursor.take(v // 2) if v & 1 else cursor.take(1) * (v // 2)).hex()])


def read_io(cursor):
    offset, dtype, rank = cursor.varint(), cursor.u8(), cursor.u8()
    dims = [cursor.varint() for _ in range(rank)]
    scale = cursor.number("I")
    show("io", ["offset", offset, "dtype", dtype, "dims", *dims, "scale", f"{scale:08x}", "zero", cursor.svarint()])


def read_program(blob):
    cursor = Cursor(blob)
    if cursor.take(4) != b"THIM" or cursor.u8() != 1 or cursor.u8() != 1:
        raise Bad("not a program of version 1")
    variables = cursor.u8()
    if cursor.u8() != 0:
        raise Bad("not a program of version 1")
    if cursor.number("I") != len(blob) or cursor.number("I") != zlib.crc32(blob[16:]):
        raise Bad("length or checksum")
    arena, steps, inputs, outputs = (cursor.number(form) for form in "IHBB")
    mults = [cursor.number("i") for _ in range(cursor.number("I"))]
    show("program", ["arena", arena, "steps", steps, "inputs", inputs, "outputs", outputs])
    for _ in range(inputs + outputs):
        read_io(cursor)
    for _ in range(variables):
        read_variable(cursor)
    for i in range(steps):
        read_step(cursor, i, mults)
    if cursor.at != len(blob):
        raise Bad("bytes behind the last step")


def main():
    if sys.argv[1:] == ["--example"]:
        table = bytes.fromhex("04 83 02 11 20 81 30 81 08 fb 0a 20 40")
        show("weights", gap_huffman(table, bytes.fromhex("d4 f0"), 16))
        return 0
    try:
        with open(sys.argv[1], "rb") as f:
            read_program(f.read())
    except (Bad, KeyError, IndexError) as error:
        print(f"{sys.argv[1]}: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
