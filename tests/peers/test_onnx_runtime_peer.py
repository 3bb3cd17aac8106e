#!/usr/bin/env python3
"""ONNX models against ONNX Runtime: the float ones of the shared test data, and integer ones that its quantizer makes of
them (QDQ and QLinear operators, int8 and uint8, per tensor and per channel, weights
with and without zero point). Float outputs agree within 1e-5 of the
largest; integer ones within a few steps of the output, because ONNX Runtime rounds in float and Thimble as TensorFlow Lite
Micro does. Skips when models or peers cannot be had.

    test_onnx_runtime_peer.py BUILD_DIR

SPDX-License-Identifier: Apache-2.0"""
import logging
import os
import subprocess
import sys

import peer

SAMPLES, FLOAT_MOST, STEPS_MOST = 10, 1e-5, 2
STEPS_ATTENTION = 4  # a softmax inside keeps TensorFlow Lite Micro's grid, and a layer norm magnifies what that costs

# file, the input is a picture (channels last in Thimble), range of random inputs
MODELS = [("onnx2c/test__mnist__model.onnx", True, 0, 255), ("onnx2c/test__mnist__pytorch.onnx", False, -1, 1),
          ("onnx2c/test__tfl_helloworld__model.onnx", False, -1, 1), ("onnx2c/test__velardo__lesson9.onnx", False, -1, 1),
          ("onnx2c/examples__atmega_mnist__mnist.simplified.onnx", True, -1, 1),
          ("stm32/yamnet_256_64x96_tl.onnx", False, -1, 1)]
QUANTIZED = [0, 1, 2, 4, 5]  # of MODELS


sys.path.insert(0, os.path.join(peer.SOURCE, "tests/read"))
from onnx_build import INT64, model, node, tensor, value  # noqa: E402


def weights(name, *shape):
    """Numbers that look random and are the same everywhere."""
    count = 1
    for d in shape:
        count *= d
    return tensor(name, shape, [((k * 7919 + len(name) * 104729) % 1009 / 1009 - 0.5) * 2 / (count / shape[0]) ** 0.5
                                for k in range(count)])


def list_of(name, *values):
    return tensor(name, [len(values)], list(values), INT64)


def mobile():
    """What small vision networks are made of: gates, squeeze and excite, a skip connection, resizing, concatenation."""
    nodes = [node("Conv", ["x", "w1"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]), node("HardSwish", ["a"], ["b"]),
             node("Conv", ["b", "w2"], ["c"], group=8, pads=[1, 1, 1, 1]), node("Relu", ["c"], ["d"]),
             node("GlobalAveragePool", ["d"], ["e"]), node("Conv", ["e", "w3"], ["f"]), node("Sigmoid", ["f"], ["g"]),
             node("Mul", ["d", "g"], ["h"]), node("Add", ["h", "b"], ["i"]),
             node("ConvTranspose", ["i", "w4"], ["j"], strides=[2, 2]),
             node("Resize", ["i", "", "scales"], ["k"], mode="nearest", coordinate_transformation_mode="asymmetric",
                  nearest_mode="floor"), node("Concat", ["j", "k"], ["l"], axis=1),
             node("MaxPool", ["l"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
             node("AveragePool", ["m"], ["n"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0]),
             node("Flatten", ["n"], ["o"]), node("Gemm", ["o", "w5", "b5"], ["p"], transB=1),
             node("Softmax", ["p"], ["y"], axis=-1)]
    return model(nodes, [value("x", [1, 3, 16, 16])], [value("y", [1, 5])],
                 [weights("w1", 8, 3, 3, 3), weights("w2", 8, 1, 3, 3), weights("w3", 8, 8, 1, 1),
                  weights("w4", 8, 4, 2, 2), weights("w5", 5, 192), weights("b5", 5),
                  tensor("scales", [4], [1.0, 1.0, 2.0, 2.0])], opset=14)


def attention():
    """One head of attention over 6 tokens of 8 numbers, and a layer norm."""
    nodes = [node("MatMul", ["x", "wq"], ["q"]), node("MatMul", ["x", "wk"], ["k"]), node("MatMul", ["x", "wv"], ["v"]),
             node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]), node("MatMul", ["q", "kt"], ["s"]),
             node("Softmax", ["s"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["a"]), node("Add", ["a", "x"], ["r"]),
             node("LayerNormalization", ["r", "g", "b"], ["n"]), node("ReduceMean", ["n"], ["m"], axes=[1], keepdims=0),
             node("MatMul", ["m", "wo"], ["y"])]
    return model(nodes, [value("x", [1, 6, 8])], [value("y", [1, 3])],
                 [weights("wq", 8, 8), weights("wk", 8, 8), weights("wv", 8, 8), weights("wo", 8, 3), weights("g", 8),
                  weights("b", 8)], opset=17)


def sequence():
    """Convolutions over a series, with a split and an extreme."""
    nodes = [node("Conv", ["x", "w1", "b1"], ["a"], pads=[2, 2], dilations=[2]), node("LeakyRelu", ["a"], ["b"], alpha=0.1),
             node("Split", ["b", "half"], ["c", "d"], axis=1), node("Max", ["c", "d"], ["e"]),
             node("Conv", ["e", "w2"], ["f"], strides=[2]), node("Tanh", ["f"], ["g"]),
             node("Slice", ["g", "zero", "four", "axis"], ["h"]), node("Reshape", ["h", "shape"], ["i"]),
             node("MatMul", ["i", "w3"], ["y"])]
    return model(nodes, [value("x", [1, 2, 16])], [value("y", [1, 2])],
                 [weights("w1", 8, 2, 3), weights("b1", 8), weights("w2", 4, 4, 3), weights("w3", 16, 2),
                  list_of("half", 4, 4), list_of("zero", 0), list_of("four", 4), list_of("axis", 2), list_of("shape", 1, 16)])


def recurrent():
    """LSTMs as PyTorch exports them: batch first, both directions, then one backwards whose last state a layer reads."""
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
             node("LSTM", ["t", "w1", "r1", "b1", "", "zero", "zero"], ["a"], hidden_size=5, direction="bidirectional"),
             node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3]), node("Reshape", ["b", "shape"], ["c"]),
             node("LSTM", ["c", "w2", "r2"], ["d", "h"], hidden_size=4, direction="reverse"),
             node("LSTM", ["c", "w3", "r3", "b3"], ["e"], hidden_size=4), node("Squeeze", ["d", "one"], ["f"]),
             node("Squeeze", ["e", "one"], ["g"]), node("Add", ["f", "g"], ["i"]),
             node("ReduceMean", ["i"], ["j"], axes=[0], keepdims=1), node("Add", ["j", "h"], ["k"]),
             node("Squeeze", ["k", "none"], ["l"]), node("Gemm", ["l", "w4", "b4"], ["y"], transB=1)]
    return model(nodes, [value("x", ["batch", 7, 3])], [value("y", [1, 3])],
                 [weights("w1", 2, 20, 3), weights("r1", 2, 20, 5), weights("b1", 2, 40), weights("w2", 1, 16, 10),
                  weights("r2", 1, 16, 4), weights("w3", 1, 16, 10), weights("r3", 1, 16, 4), weights("b3", 1, 32),
                  weights("w4", 3, 4), weights("b4", 3), tensor("zero", [2, 1, 5], [0.0] * 10),
                  list_of("shape", 7, 1, 10), list_of("one", 1), list_of("none", 0)], opset=14)


OWN = [("mobile", mobile, True), ("attention", attention, False), ("sequence", sequence, True)]


FLOAT_ONLY = [("recurrent", recurrent, False)]  # no quantizer for integers makes these


def own_models(thimble, models):
    """Models made here, as rows like those of MODELS."""
    rows = []
    for name, make, picture in models:
        path = os.path.join(thimble.work, f"{name}.onnx")
        with open(path, "wb") as f:
            f.write(make())
        rows.append((path, picture, -1, 1))
    return rows


class Thimble:
    def __init__(self, build):
        self.program = os.path.join(build, "thimble")
        self.work = os.path.abspath(os.path.join(build, "onnx_runtime"))
        os.makedirs(self.work, exist_ok=True)

    def run(self, path, x, picture):
        if picture and x.ndim > 2:
            x = numpy.ascontiguousarray(numpy.moveaxis(x, 1, -1))
        files = [os.path.join(self.work, name) for name in ("in.bin", "out.bin")]
        x.tofile(files[0])
        done = subprocess.run([self.program, "run", path, "--input", files[0], "-o", files[1]], capture_output=True,
                              text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return numpy.fromfile(files[1], numpy.float32)


def compare(thimble, path, picture, low, high):
    """The largest difference, and the largest value."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in port.shape]
    random = numpy.random.default_rng(1)
    worst = largest = 0
    for _ in range(SAMPLES):
        x = random.uniform(low, high, shape).astype(numpy.float32)
        expected = session.run(None, {port.name: x})[0].ravel()
        got = thimble.run(path, x, picture)
        if got.size != expected.size:
            raise RuntimeError(f"{got.size} values, expected {expected.size}")
        worst = max(worst, numpy.abs(got - expected).max())
        largest = max(largest, numpy.abs(expected).max())
    return worst, largest


def check_float(thimble, failures):
    for name, picture, low, high in MODELS + own_models(thimble, OWN + FLOAT_ONLY):
        try:
            worst, largest = compare(thimble, os.path.join(peer.DATA, "models", name), picture, low, high)
        except RuntimeError as error:
            failures.append(f"{name}: {error}")
            continue
        print(f"{os.path.basename(name)}: {worst / largest:.1e} of the largest value")
        if worst > FLOAT_MOST * largest:
            failures.append(f"{name}: differs by {worst / largest:.1e}")


class Samples:
    """What the quantizer calibrates with."""

    def __init__(self, name, shape, low, high):
        random = numpy.random.default_rng(2)
        self.items = iter([{name: random.uniform(low, high, shape).astype(numpy.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.items, None)


def prepared(thimble, path):
    """Opset 13, with batch norm and biases fused as the quantizer wants it."""
    model = onnx.load(path)
    if model.opset_import[0].version < 13:
        model = onnx.version_converter.convert_version(model, 13)
    before, after = (os.path.join(thimble.work, f"{name}.onnx") for name in ("before", "prepared"))
    onnx.save(model, before)
    quant_pre_process(before, after, skip_symbolic_shape=True)
    return after


def last_step(path):
    model = onnx.load(path)
    made = {output: node for node in model.graph.node for output in node.output}
    scale = made[model.graph.output[0].name].input[1]
    return next(float(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer if t.name == scale)


def check_quantized(thimble, failures):
    s8, u8 = QuantType.QInt8, QuantType.QUInt8
    kinds = [(form, a, w, c) for form in (QuantFormat.QDQ, QuantFormat.QOperator)
             for a, w, c in ((s8, s8, False), (u8, s8, True), (u8, u8, False))]
    for name, picture, low, high in [MODELS[i] for i in QUANTIZED] + own_models(thimble, OWN):
        source = prepared(thimble, os.path.join(peer.DATA, "models", name))
        port = onnxruntime.InferenceSession(source).get_inputs()[0]
        shape = [d if isinstance(d, int) else 1 for d in port.shape]
        for form, activations, kind, per_channel in kinds:
            what = f"{os.path.basename(name)} {form.name} {activations.name}/{kind.name}{' per channel' if per_channel else ''}"
            path = os.path.join(thimble.work, "quantized.onnx")
            try:
                quantize_static(source, path, Samples(port.name, shape, low, high), quant_format=form,
                                activation_type=activations, weight_type=kind, per_channel=per_channel,
                                extra_options={"WeightSymmetric": True} if kind == s8 else {})
            except ValueError as error:  # the quantizer's own
                print(f"{what}: cannot be made: {str(error)[:60]}")
                continue
            try:
                steps = compare(thimble, path, picture, low, high)[0] / last_step(path)
            except RuntimeError as error:
                failures.append(f"{what}: {error}")
                continue
            print(f"{what}: {steps:.2f} steps")
            if steps > (STEPS_ATTENTION if "attention" in name else STEPS_MOST):
                failures.append(f"{what}: differs by {steps:.2f} steps")


def main():
    thimble, failures = Thimble(sys.argv[1]), []
    check_float(thimble, failures)
    check_quantized(thimble, failures)
    for failure in failures:
        print(f"FAIL: {failure}")
    sys.exit(1 if failures else 0)


peer.collected("models/onnx2c")
peer.enter()
logging.getLogger().setLevel(logging.ERROR)
try:
    import numpy
    import onnx
    import onnxruntime
    from onnx import numpy_helper, version_converter  # noqa: F401
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
except ImportError as missing:
    peer.skip(f"the peers have no ONNX Runtime ({missing}); remove BUILD/peers to install it")
main()
