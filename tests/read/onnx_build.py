"""Small ONNX files made by hand, for tests. Field numbers: onnx.proto. SPDX-License-Identifier: Apache-2.0"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
from onnx_wire import field_bytes, number_bytes  # noqa: E402

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10
FORMAT = {FLOAT: "f", UINT8: "B", INT8: "b", INT32: "i", INT64: "q", FLOAT16: "e"}


def tensor(name, shape, values, kind=FLOAT, raw=True):
    """TensorProto: dims 1, data_type 2, float_data 4, name 8, raw_data 9."""
    out = b"".join(field_bytes(1, d) for d in shape) + field_bytes(2, kind) + field_bytes(8, name.encode())
    packed = struct.pack(f"<{len(values)}{FORMAT[kind]}", *values)
    return out + field_bytes(9 if raw else 4, packed)


def attribute(name, value):
    """AttributeProto: name 1, f 2, i 3, s 4, t 5, ints 8, type 20."""
    out = field_bytes(1, name.encode())
    if isinstance(value, int):
        return out + field_bytes(3, value) + field_bytes(20, 2)
    if isinstance(value, float):
        return out + number_bytes(2 << 3 | 5) + struct.pack("<f", value) + field_bytes(20, 1)
    if isinstance(value, str):
        return out + field_bytes(4, value.encode()) + field_bytes(20, 3)
    if isinstance(value, bytes):
        return out + field_bytes(5, value) + field_bytes(20, 4)
    return out + b"".join(field_bytes(8, v) for v in value) + field_bytes(20, 7)


def node(op, inputs, outputs, name="", domain="", **attributes):
    """NodeProto: input 1, output 2, name 3, op_type 4, attribute 5, domain 7."""
    out = b"".join(field_bytes(1, i.encode()) for i in inputs) + b"".join(field_bytes(2, o.encode()) for o in outputs)
    out += field_bytes(3, name.encode()) + field_bytes(4, op.encode())
    out += b"".join(field_bytes(5, attribute(k, v)) for k, v in attributes.items())
    return out + (field_bytes(7, domain.encode()) if domain else b"")


def value(name, shape, kind=FLOAT):
    """ValueInfoProto: name 1, type 2 (tensor_type 1: elem_type 1, shape 2 (dim 1: dim_value 1, dim_param 2))."""
    dims = b"".join(field_bytes(1, field_bytes(2, d.encode()) if isinstance(d, str) else field_bytes(1, d)) for d in shape)
    return field_bytes(1, name.encode()) + field_bytes(2, field_bytes(1, field_bytes(1, kind) + field_bytes(2, dims)))


def model(nodes, inputs, outputs, constants=(), opset=13, extra=b""):
    """ModelProto: ir_version 1, graph 7 (node 1, name 2, initializer 5, input 11, output 12), opset_import 8."""
    graph = b"".join(field_bytes(1, n) for n in nodes) + field_bytes(2, b"g")
    graph += b"".join(field_bytes(5, c) for c in constants) + b"".join(field_bytes(11, i) for i in inputs)
    graph += b"".join(field_bytes(12, o) for o in outputs)
    return field_bytes(1, 8) + field_bytes(7, graph) + field_bytes(8, field_bytes(2, opset)) + extra
