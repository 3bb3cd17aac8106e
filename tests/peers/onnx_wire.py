"""ONNX files read without any ONNX software: protocol buffers by hand, for tests of the reader.
Schema: onnx.proto. Field numbers stand beside their use. SPDX-License-Identifier: Apache-2.0"""
import struct


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field: ints for varints, bytes for all else."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            value = data[at:at + size]
            at += size
        else:
            size = {5: 4, 1: 8}[wire]
            value = data[at:at + size]
            at += size
        yield number, value


def number_bytes(value):
    out = b""
    value &= (1 << 64) - 1
    while True:
        out += bytes([value & 127 | (128 if value > 127 else 0)])
        value >>= 7
        if not value:
            return out


def field_bytes(number, value):
    if isinstance(value, int):
        return number_bytes(number << 3) + number_bytes(value)
    return number_bytes(number << 3 | 2) + number_bytes(len(value)) + value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def get(data, number, default=None):
    for n, value in fields(data):
        if n == number:
            return value
    return default


def get_all(data, number):
    return [value for n, value in fields(data) if n == number]


def numbers(data, number):
    """A repeated whole number, packed or not."""
    out = []
    for value in get_all(data, number):
        if isinstance(value, int):
            out.append(signed(value))
            continue
        at = 0
        while at < len(value):
            v, at = varint(value, at)
            out.append(signed(v))
    return out


FORMAT = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d", 12: "I", 13: "Q"}
LISTS = {1: (4, "f"), 11: (10, "d")}  # of float types: field, format of an element


class Tensor:
    """TensorProto: dims 1, data_type 2, float_data 4, int32_data 5, int64_data 7, name 8, raw_data 9, double_data 10."""

    def __init__(self, data):
        self.data = data
        self.shape = numbers(data, 1)
        self.type = get(data, 2, 0)
        self.name = get(data, 8, b"").decode()
        self.values = self.read() if self.type in FORMAT else None

    def read(self):
        raw = get(self.data, 9)
        if raw is not None:
            size = struct.calcsize("<" + FORMAT[self.type])
            return list(struct.unpack(f"<{len(raw) // size}{FORMAT[self.type]}", raw))
        if self.type in LISTS:
            field, kind = LISTS[self.type]
            packed = b"".join(get_all(self.data, field))
            return list(struct.unpack(f"<{len(packed) // struct.calcsize(kind)}{kind}", packed))
        whole = numbers(self.data, 7 if self.type == 7 else 11 if self.type in (12, 13) else 5)
        if self.type == 10:
            return [struct.unpack("<e", struct.pack("<H", v & 0xFFFF))[0] for v in whole]
        return whole


class Model:
    """ModelProto: graph 7. GraphProto: node 1, initializer 5, input 11, output 12. NodeProto: input 1, output 2,
    op_type 4."""

    def __init__(self, data):
        self.data = data
        graph = get(data, 7)
        self.nodes = [Node(n) for n in get_all(graph, 1)]
        constants = {get(t, 8, b"").decode() for t in get_all(graph, 5)}
        names = [get(v, 1).decode() for v in get_all(graph, 11)]
        self.inputs = [n for n in names if n not in constants]
        self.outputs = [get(v, 1).decode() for v in get_all(graph, 12)]

    def with_constants(self, tensors):
        """The model with some inputs (name -> bytes of a TensorProto) made constants."""
        out = b""
        for number, value in fields(self.data):
            if number == 7:
                kept = [(n, v) for n, v in fields(value) if n != 11 or get(v, 1).decode() not in tensors]
                value = b"".join(field_bytes(n, v) for n, v in kept)
                for name, tensor in tensors.items():
                    body = b"".join(field_bytes(n, v) for n, v in with_floats(tensor) if n != 8)
                    value += field_bytes(5, body + field_bytes(8, name.encode()))
            out += field_bytes(number, value)
        return out


def with_floats(tensor):
    """Fields of a TensorProto such that field_bytes gives the same again: lists of floats come packed."""
    rest = [(n, v) for n, v in fields(tensor) if n not in (4, 10)]
    packed = [(number, b"".join(v for n, v in fields(tensor) if n == number)) for number in (4, 10)]
    return rest + [(n, v) for n, v in packed if v]


class Node:
    def __init__(self, data):
        self.op = get(data, 4, b"").decode()
        self.inputs = [v.decode() for v in get_all(data, 1)]
        self.outputs = [v.decode() for v in get_all(data, 2)]
