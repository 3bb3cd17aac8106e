#!/usr/bin/env python3
"""The ONNX reader through the tool: models made by hand against formulas written here, and bad files against their
messages. Usage: test_onnx.py BUILD_DIR. SPDX-License-Identifier: Apache-2.0"""
import json
import math
import os
import random
import struct
import subprocess
import sys

from onnx_build import FLOAT16, INT32, INT64, INT8, UINT8, field_bytes, model, node, tensor, value

BUILD = sys.argv[1]
THIMBLE = os.path.join(BUILD, "thimble")
WORK = os.path.join(BUILD, "onnx_test")
random.seed(1)
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAIL: {what}")


def write(name, data):
    path = os.path.join(WORK, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def tool(*arguments):
    done = subprocess.run([THIMBLE, *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def operators(data):
    code, out, err = tool("info", "--json", write("m.onnx", data))
    if code:
        check(False, f"is read: {err.strip()}")
        return []
    return [layer["op"] for layer in json.loads(out)["layers"]]


def run(data, inputs, kinds="f", out_kind="f"):
    command = ["run", write("m.onnx", data)]
    for i, values in enumerate(inputs):
        command += ["--input", write(f"in{i}.bin", struct.pack(f"<{len(values)}{kinds[i % len(kinds)]}", *values))]
    code, _out, err = tool(*command, "-o", os.path.join(WORK, "out.bin"))
    if code:
        check(False, f"runs: {err.strip()}")
        return []
    with open(os.path.join(WORK, "out.bin"), "rb") as f:
        raw = f.read()
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(out_kind)}{out_kind}", raw))


def close(a, b, tolerance=1e-5):
    most = max([abs(v) for v in b] + [1e-30])
    return len(a) == len(b) and all(abs(x - y) <= tolerance * most for x, y in zip(a, b))


def refused(data, *words):
    code, _out, err = tool("info", write("bad.onnx", data))
    check(code == 3, f"exit code 3, not {code}, for {words}: {err.strip()}")
    for word in words:
        check(word in err, f"'{word}' is in: {err.strip()}")


def numbers(count):
    return [random.uniform(-1, 1) for _ in range(count)]


# --- formulas; pictures are [channel][y][x] ---

def picture(values, c, h, w):
    return [[[values[(k * h + y) * w + x] for x in range(w)] for y in range(h)] for k in range(c)]


def conv(x, weights, bias, pad, stride=1, groups=1):
    """weights: [out][in / groups][ky][kx]"""
    h, w, k = len(x[0]), len(x[0][0]), len(weights[0][0])
    per = len(weights[0])
    out = []
    for o, kernel in enumerate(weights):
        first = o // (len(weights) // groups) * per
        plane = []
        for y in range(0, h + 2 * pad - k + 1, stride):
            row = []
            for z in range(0, w + 2 * pad - k + 1, stride):
                total = bias[o]
                for i in range(per):
                    for a in range(k):
                        for b in range(k):
                            u, v = y + a - pad, z + b - pad
                            if 0 <= u < h and 0 <= v < w:
                                total += kernel[i][a][b] * x[first + i][u][v]
                row.append(total)
            plane.append(row)
        out.append(plane)
    return out


def flat(p):
    return [v for plane in p for row in plane for v in row]


def channels_last(p):
    return [p[k][y][x] for y in range(len(p[0])) for x in range(len(p[0][0])) for k in range(len(p))]


def kernels(values, out, per, k):
    size = per * k * k
    return [picture(values[o * size:(o + 1) * size], per, k, k) for o in range(out)]


# --- models ---

def test_network():
    """Conv, Relu, a flattening by shape arithmetic, Gemm: no transpose, and the rows of the Gemm in the data's order."""
    w, b, g, c = numbers(4 * 2 * 9), numbers(4), numbers(3 * 4 * 5 * 6), numbers(3)
    data = model(
        [node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]), node("Relu", ["y"], ["z"]),
         node("Shape", ["z"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0),
         node("Unsqueeze", ["n", "list"], ["n1"]), node("Concat", ["n1", "rest"], ["target"], axis=0),
         node("Reshape", ["z", "target"], ["f"]), node("Gemm", ["f", "g", "c"], ["out"], transB=1, alpha=0.5, beta=2.0)],
        [value("x", ["batch", 2, 5, 6])], [value("out", ["batch", 3])],
        [tensor("w", [4, 2, 3, 3], w), tensor("b", [4], b), tensor("g", [3, 120], g), tensor("c", [3], c, raw=False),
         tensor("zero", [], [0], INT64), tensor("list", [1], [0], INT64), tensor("rest", [1], [-1], INT64)])
    check(operators(data) == ["conv2d", "relu", "fully_connected"], f"no other operators in {operators(data)}")
    x = picture(numbers(60), 2, 5, 6)
    hidden = [max(v, 0) for v in flat(conv(x, kernels(w, 4, 2, 3), b, 1))]
    expected = [0.5 * sum(g[o * 120 + i] * hidden[i] for i in range(120)) + 2 * c[o] for o in range(3)]
    check(close(run(data, [channels_last(x)]), expected), "conv, relu, reshape, gemm")


def test_depthwise():
    w = numbers(6 * 9)
    data = model([node("Conv", ["x", "w"], ["y"], group=3, strides=[2, 2]), node("Add", ["y", "b"], ["z"])],
                 [value("x", [1, 3, 7, 7])], [value("z", [1, 6, 3, 3])],
                 [tensor("w", [6, 1, 3, 3], w), tensor("b", [6, 1, 1], [1, 2, 3, 4, 5, 6])])
    check(operators(data) == ["depthwise_conv2d"], f"one depthwise convolution, not {operators(data)}")
    x = picture(numbers(147), 3, 7, 7)
    expected = channels_last(conv(x, kernels(w, 6, 1, 3), [1, 2, 3, 4, 5, 6], 0, 2, 3))
    check(close(run(data, [channels_last(x)]), expected), "depthwise with the Add behind it as bias")


def test_border_transposes():
    """As tf2onnx exports: channels last outside, channels first inside."""
    w = numbers(8)
    data = model([node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]), node("Conv", ["a", "w"], ["b"]),
                  node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1])],
                 [value("x", [1, 4, 4, 2])], [value("y", [1, 4, 4, 4])], [tensor("w", [4, 2, 1, 1], w)])
    check(operators(data) == ["conv2d"], f"the transposes vanish from {operators(data)}")
    x = numbers(32)
    expected = [sum(w[2 * o + i] * x[2 * p + i] for i in range(2)) for p in range(16) for o in range(4)]
    check(close(run(data, [x]), expected), "transposes at the border")


def test_shuffle():
    """Channel shuffle: Reshape, Transpose, Reshape between convolutions; the values must come out in order."""
    shape = [tensor("split", [5], [1, 2, 3, 2, 2], INT64), tensor("join", [4], [1, 6, 2, 2], INT64)]
    eye = [1.0 if i == j else 0.0 for i in range(6) for j in range(6)]
    data = model([node("Conv", ["x", "w"], ["a"]), node("Reshape", ["a", "split"], ["b"]),
                  node("Transpose", ["b"], ["c"], perm=[0, 2, 1, 3, 4]), node("Reshape", ["c", "join"], ["d"]),
                  node("Conv", ["d", "w"], ["y"])],
                 [value("x", [1, 6, 2, 2])], [value("y", [1, 6, 2, 2])], [tensor("w", [6, 6, 1, 1], eye), *shape])
    x = numbers(24)
    expected = [x[6 * p + 3 * (k % 2) + k // 2] for p in range(4) for k in range(6)]
    check(close(run(data, [x]), expected), "channel shuffle")


def test_sequence():
    """Conv over sequences: (1, c, l) in the file, (1, 1, l, c) here."""
    w = numbers(3 * 2 * 3)
    data = model([node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER"), node("GlobalAveragePool", ["y"], ["m"]),
                  node("Squeeze", ["m", "last"], ["z"])],
                 [value("x", [1, 2, 8])], [value("z", [1, 3])],
                 [tensor("w", [3, 2, 3], w), tensor("last", [1], [2], INT64)])
    x = numbers(16)  # [l][c]
    at = [[x[2 * t + i] if 0 <= t < 8 else 0 for i in range(2)] for t in range(-1, 9)]
    expected = [sum(w[(o * 2 + i) * 3 + k] * at[t + k][i] for t in range(8) for i in range(2) for k in range(3)) / 8
                for o in range(3)]
    check(close(run(data, [x]), expected), "convolution over a sequence")


def test_half():
    data = model([node("MatMul", ["x", "w"], ["y"])], [value("x", [1, 2], FLOAT16)], [value("y", [1, 2], FLOAT16)],
                 [tensor("w", [2, 2], [1.5, -2.0, 0.25, 65504.0], FLOAT16)])
    check(close(run(data, [[2.0, 4.0]]), [4.0, 262012.0]), "float16 weights, float32 arithmetic")


def test_fixed_batch():
    """A batch that the file fixes is taken as 1, in shapes of Reshape too."""
    data = model([node("Conv", ["x", "w"], ["a"]), node("Reshape", ["a", "s"], ["f"]), node("MatMul", ["f", "m"], ["y"])],
                 [value("x", [8, 1, 2, 2])], [value("y", [8, 1])],
                 [tensor("w", [1, 1, 1, 1], [2.0]), tensor("s", [2], [8, 4], INT64), tensor("m", [4, 1], [1, 2, 3, 4])])
    check(close(run(data, [[1, 1, 1, 1, 1, 0, 0, 0]]), [20.0, 2.0]), "two samples of a model with a batch of 8")


def quantized(name, scale, zero, kind=INT8):
    return [tensor(name + "_s", [], [scale]), tensor(name + "_z", [], [zero], kind)]


def test_qdq():
    """All scales are powers of two, so that every rounding is exact and the integers follow by hand."""
    w = [random.randint(-8, 8) for _ in range(4 * 2)]
    b = [random.randint(-64, 64) for _ in range(4)]
    data = model(
        [node("QuantizeLinear", ["x", "x_s", "x_z"], ["xq"]), node("DequantizeLinear", ["xq", "x_s", "x_z"], ["xf"]),
         node("DequantizeLinear", ["w", "w_s", "w_z"], ["wf"], axis=0),
         node("DequantizeLinear", ["b", "b_s", "b_z"], ["bf"], axis=0), node("Conv", ["xf", "wf", "bf"], ["y"]),
         node("Relu", ["y"], ["r"]), node("QuantizeLinear", ["r", "y_s", "y_z"], ["yq"]),
         node("DequantizeLinear", ["yq", "y_s", "y_z"], ["yf"])],
        [value("x", ["n", 2, 3, 3])], [value("yf", ["n", 4, 3, 3])],
        [*quantized("x", 0.5, 3), *quantized("y", 0.25, -100), tensor("w", [4, 2, 1, 1], w, INT8),
         tensor("w_s", [4], [0.5, 1.0, 0.5, 2.0]), tensor("w_z", [4], [0] * 4, INT8), tensor("b", [4], b, INT32),
         tensor("b_s", [4], [0.25, 0.5, 0.25, 1.0]), tensor("b_z", [4], [0] * 4, INT32)])
    check(operators(data) == ["quantize", "conv2d", "dequantize"], f"one integer convolution in {operators(data)}")
    x = [random.randint(-100, 100) * 0.5 for _ in range(18)]
    scale = [0.5, 1.0, 0.5, 2.0]
    expected = []
    for p in range(9):
        for o in range(4):
            total = sum(w[2 * o + i] * x[2 * p + i] * scale[o] for i in range(2)) + b[o] * 0.5 * scale[o]
            expected.append((min(127, max(-100, int(4 * total) - 100)) + 100) * 0.25)
    check(run(data, [x]) == expected, "QDQ convolution, bit for bit")


def test_qlinear():
    w = [random.randint(-8, 8) for _ in range(3 * 2)]
    data = model(
        [node("QLinearMatMul", ["x", "x_s", "x_z", "w", "w_s", "w_z", "y_s", "y_z"], ["y"])],
        [value("x", [1, 3], INT8)], [value("y", [1, 2], INT8)],
        [*quantized("x", 0.5, 3), *quantized("w", 0.5, 0), *quantized("y", 0.25, 7), tensor("w", [3, 2], w, INT8)])
    x = [5, -20, 9]
    expected = [min(127, max(-128, sum((x[i] - 3) * w[2 * i + o] for i in range(3)) + 7)) for o in range(2)]
    check(run(data, [x], "b", "b") == expected, "QLinearMatMul")


def test_uint8():
    """uint8 data and uint8 weights with a zero point; the border keeps uint8."""
    w = [random.randint(100, 160) for _ in range(3 * 2)]
    data = model(
        [node("QLinearMatMul", ["x", "x_s", "x_z", "w", "w_s", "w_z", "y_s", "y_z"], ["y"])],
        [value("x", [1, 3], UINT8)], [value("y", [1, 2], UINT8)],
        [*quantized("x", 0.5, 131, UINT8), *quantized("w", 0.5, 140, UINT8), *quantized("y", 0.25, 120, UINT8),
         tensor("w", [3, 2], w, UINT8)])
    x = [133, 130, 135]
    expected = [min(255, max(0, sum((x[i] - 131) * (w[2 * i + o] - 140) for i in range(3)) + 120)) for o in range(2)]
    check(run(data, [x], "B", "B") == expected, "QLinearMatMul of uint8")


def test_concat_of_grids():
    """Parts on grids of their own are brought onto that of the result; powers of two keep it exact."""
    data = model(
        [node("QuantizeLinear", ["x", "x_s", "x_z"], ["q"]), node("DequantizeLinear", ["q", "x_s", "x_z"], ["f"]),
         node("Relu", ["f"], ["r"]), node("QuantizeLinear", ["r", "y_s", "y_z"], ["rq"]),
         node("DequantizeLinear", ["rq", "y_s", "y_z"], ["rf"]), node("Concat", ["f", "rf"], ["c"], axis=1),
         node("QuantizeLinear", ["c", "x_s", "x_z"], ["cq"]), node("DequantizeLinear", ["cq", "x_s", "x_z"], ["y"])],
        [value("x", [1, 3])], [value("y", [1, 6])], [*quantized("x", 0.5, 0), *quantized("y", 0.25, -128)])
    check("concat" in operators(data), f"an integer concat in {operators(data)}")
    check(run(data, [[-3.0, 1.5, 20.0]]) == [-3.0, 1.5, 20.0, 0.0, 1.5, 20.0], "concat of two grids")


def test_moves_between_grids():
    """What only moves values keeps the integers: no dequantize around it."""
    data = model(
        [node("DequantizeLinear", ["x", "x_s", "x_z"], ["xf"]), node("MaxPool", ["xf"], ["t"], kernel_shape=[2, 2]),
         node("QuantizeLinear", ["t", "x_s", "x_z"], ["y"])],
        [value("x", [1, 1, 2, 2], INT8)], [value("y", [1, 1, 1, 1], INT8)], quantized("x", 0.5, 3))
    check(operators(data) == ["max_pool2d"], f"no float in {operators(data)}")
    check(run(data, [[3, -7, 90, 4]], "b", "b") == [90], "a pool of integers")


def test_normalization():
    x, gamma, beta, mean, variance = numbers(12), [1.0, 2.0], [0.5, -0.5], [0.1, 0.2], [1.5, 0.7]
    data = model([node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"], epsilon=0.001)],
                 [value("x", [1, 2, 2, 3])], [value("y", [1, 2, 2, 3])],
                 [tensor("g", [2], gamma), tensor("b", [2], beta), tensor("m", [2], mean), tensor("v", [2], variance)])
    check(operators(data) == ["batch_norm"], "batch norm stays what it is")
    expected = [(v - mean[i % 2]) / math.sqrt(variance[i % 2] + 0.001) * gamma[i % 2] + beta[i % 2]
                for i, v in enumerate(x)]
    check(close(run(data, [x]), expected), "batch norm")


def test_gates():
    """x sigmoid(x) and x hard_sigmoid(x) become one operator each."""
    data = model([node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["a"]),
                  node("HardSigmoid", ["a"], ["h"], alpha=1 / 6), node("Mul", ["h", "a"], ["y"])],
                 [value("x", [1, 5])], [value("y", [1, 5])])
    check(operators(data) == ["silu", "hard_swish"], f"silu and hard swish, not {operators(data)}")
    x = [-4.0, -1.0, 0.0, 2.0, 5.0]
    silu = [v / (1 + math.exp(-v)) for v in x]
    check(close(run(data, [x]), [v * min(1, max(0, v / 6 + 0.5)) for v in silu]), "silu and hard swish")


# --- bad files ---

def simple(**changes):
    parts = {"nodes": [node("Relu", ["x"], ["y"], name="act")], "inputs": [value("x", [1, 4])],
             "outputs": [value("y", [1, 4])]}
    parts.update(changes)
    return model(**parts)


def test_lstm_refusals():
    constants = [tensor("w", [1, 8, 3], numbers(24)), tensor("r", [1, 8, 2], numbers(16)), tensor("b", [1, 16], numbers(16)),
                 tensor("h", [1, 1, 2], [0.0, 0.5]), tensor("l", [1], [4], INT32), tensor("p", [1, 6], numbers(6))]

    def lstm(inputs, outputs=("y",), shape=(4, 1, 3), made="y", **attributes):
        return model([node("LSTM", inputs, outputs, **attributes)], [value("x", shape)], [value(made, [4, 1, 1, 2])],
                     constants)

    check(operators(lstm(["x", "w", "r", "b"])).count("lstm") == 1, "an LSTM is read")
    refused(lstm(["x", "w", "r", "b", "l"]), "LSTM", "sequence_lens")
    refused(lstm(["x", "w", "r", "b", "", "h"]), "initial_h", "zero")
    refused(lstm(["x", "w", "r", "b", "", "", "h"]), "initial_c", "zero")
    refused(lstm(["x", "w", "r", "b", "", "", "", "p"]), "peepholes")
    refused(lstm(["x", "w", "r"], ["y", "", "c"], made="c"), "Y_c")
    refused(lstm(["x", "w", "r"], clip=1.0), "clip")
    refused(lstm(["x", "w", "r"], input_forget=1), "input_forget")
    refused(lstm(["x", "w", "r"], layout=2), "layout is 2")
    refused(lstm(["x", "w", "r"], direction="sideways"), "sideways")
    refused(lstm(["x", "w", "r"], direction="bidirectional"), "2 direction(s)")
    refused(lstm(["x", "w", "r"], hidden_size=3), "hidden_size 3")
    refused(lstm(["x", "r", "w"]), "do not fit", "3 inputs and 3 units")
    refused(lstm(["x", "w", "r"], shape=("steps", 1, 3)), "dimension 0 is open ('steps')")
    refused(lstm(["x", "x", "r"]), "weights x depend on the data")


def test_refusals():
    refused(simple(opset=5), "opset 5")
    refused(simple(inputs=[value("x", ["n", "width"])]), "input x", "'width'")
    refused(simple(inputs=[value("x", [1, 4], INT64)]), "input x", "int64")
    refused(simple(nodes=[node("Frobnicate", ["x"], ["y"], name="odd")]), "node 0 'odd'", "Frobnicate", "makes y")
    refused(simple(nodes=[node("Relu", ["x"], ["y"], domain="my.own")]), "my.own")
    refused(simple(nodes=[node("GRU", ["x", "x", "x"], ["y"])]), "GRU", "unrolled")
    refused(simple(nodes=[node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])]), "DynamicQuantizeLinear", "QDQ")
    refused(simple(nodes=[node("Relu", ["ghost"], ["y"])]), "ghost", "no node before it")
    refused(simple(nodes=[node("Relu", ["x"], ["x"])]), "made before")
    refused(simple(nodes=[]), "output y")
    refused(simple(nodes=[node("Conv", ["x", "w"], ["y"])], constants=[tensor("w", [1, 1, 1, 1, 1], [1.0])],
                   inputs=[value("x", [1, 1, 4, 4, 4])]), "three dimensions")
    refused(simple(nodes=[node("Reshape", ["x", "s"], ["y"])], constants=[tensor("s", [2], [1, 5], INT64)]), "1x4", "1x5")
    refused(simple(nodes=[node("MatMul", ["x", "w"], ["y"])], constants=[tensor("w", [3, 2], numbers(6))]),
            "4 numbers in a row", "take 3")
    short = field_bytes(1, 4) + field_bytes(2, 1) + field_bytes(8, b"c") + field_bytes(9, b"\0" * 12)
    refused(simple(constants=[short]), "constant c", "12 bytes", "need 16")
    huge = field_bytes(1, 1 << 40) + field_bytes(2, 1) + field_bytes(8, b"c")
    refused(simple(constants=[huge]), "constant c", "dimension 0")
    where = field_bytes(1, b"location") + field_bytes(2, b"weights.bin")
    outside = field_bytes(1, 4) + field_bytes(2, 1) + field_bytes(8, b"c") + field_bytes(13, where) + field_bytes(14, 1)
    refused(simple(constants=[outside]), "constant c", "weights.bin", "one file")
    refused(simple(nodes=[node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])],
                   constants=[tensor("s", [3], [1 << 20, 1 << 20, 4], INT64)]), "too large")


def test_nesting():
    """A type inside a type inside a type, deeper than any schema needs."""
    inner = field_bytes(1, field_bytes(1, 1))
    for _ in range(200):
        inner = field_bytes(4, field_bytes(1, inner))
    refused(simple(inputs=[field_bytes(1, b"x") + field_bytes(2, inner)]), "nested")


def test_cut_files():
    data = simple(nodes=[node("Conv", ["x", "w"], ["y"])], inputs=[value("x", [1, 1, 4, 4])],
                  constants=[tensor("w", [1, 1, 2, 2], numbers(4))])
    for size in range(1, len(data), 7):
        code, _out, err = tool("info", write("cut.onnx", data[:size]))
        check(code in (0, 3), f"cut to {size} bytes: exit code {code}: {err}")


def main():
    os.makedirs(WORK, exist_ok=True)
    tests = [v for k, v in sorted(globals().items()) if k.startswith("test_")]
    for test in tests:
        test()
    print(f"{len(tests)} tests, {len(failures)} failures")
    sys.exit(1 if failures else 0)


main()
