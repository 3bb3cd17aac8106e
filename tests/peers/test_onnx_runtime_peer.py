#!/usr/bin/env python3
"""ONNX models against ONNX Runtime: the float ones of the shared test data, and integer ones that its quantizer makes of
them (QDQ and QLinear operators, int8 and uint8, per tensor and per channel). Float outputs agree within 1e-5 of the
largest; integer ones within 2 steps of the output, because ONNX Runtime rounds in float and Thimble as TensorFlow Lite
Micro does. Skips when models or peers cannot be had.

    test_onnx_runtime_peer.py BUILD_DIR

SPDX-License-Identifier: Apache-2.0"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("THIMBLE_TEST_DATA") or os.path.join(HERE, "../../../shared/data")
SAMPLES, FLOAT_MOST, STEPS_MOST = 20, 1e-5, 2

# file, the input is a picture (channels last in Thimble), range of random inputs
MODELS = [("onnx2c/test__mnist__model.onnx", True, 0, 255), ("onnx2c/test__mnist__pytorch.onnx", False, -1, 1),
          ("onnx2c/test__tfl_helloworld__model.onnx", False, -1, 1), ("onnx2c/test__velardo__lesson9.onnx", False, -1, 1),
          ("onnx2c/examples__atmega_mnist__mnist.simplified.onnx", True, -1, 1),
          ("stm32/yamnet_256_64x96_tl.onnx", False, -1, 1)]
QUANTIZED = [0, 1, 2, 4]  # of MODELS


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def under_peers(build):
    """Runs this script again with the python that has the peers."""
    done = subprocess.run([os.path.join(HERE, "venv.sh"), build], capture_output=True, text=True)
    if done.returncode != 0:
        skip(done.stderr.strip().replace("skipped: ", ""))
    sys.exit(subprocess.run([done.stdout.strip(), os.path.abspath(__file__), build, "peers"]).returncode)


class Thimble:
    def __init__(self, build):
        self.program = os.path.join(build, "thimble")
        self.work = os.path.join(build, "onnx_runtime")
        os.makedirs(self.work, exist_ok=True)

    def run(self, path, x, picture):
        if picture and x.ndim == 4:
            x = numpy.ascontiguousarray(x.transpose(0, 2, 3, 1))
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
    for name, picture, low, high in MODELS:
        try:
            worst, largest = compare(thimble, os.path.join(DATA, "models", name), picture, low, high)
        except RuntimeError as error:
            failures.append(f"{name}: {error}")
            continue
        print(f"{name}: {worst / largest:.1e} of the largest value")
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
    kinds = [(f, a, c) for f in (QuantFormat.QDQ, QuantFormat.QOperator) for a in (QuantType.QInt8, QuantType.QUInt8)
             for c in (False, True)]
    for name, picture, low, high in [MODELS[i] for i in QUANTIZED]:
        source = prepared(thimble, os.path.join(DATA, "models", name))
        port = onnxruntime.InferenceSession(source).get_inputs()[0]
        shape = [d if isinstance(d, int) else 1 for d in port.shape]
        for form, activations, per_channel in kinds:
            what = f"{name} {form.name} {activations.name}{' per channel' if per_channel else ''}"
            path = os.path.join(thimble.work, "quantized.onnx")
            try:
                quantize_static(source, path, Samples(port.name, shape, low, high), quant_format=form,
                                activation_type=activations, weight_type=QuantType.QInt8, per_channel=per_channel,
                                extra_options={"WeightSymmetric": True})
            except ValueError as error:  # the quantizer's own
                print(f"{what}: cannot be made: {str(error)[:60]}")
                continue
            try:
                steps = compare(thimble, path, picture, low, high)[0] / last_step(path)
            except RuntimeError as error:
                failures.append(f"{what}: {error}")
                continue
            print(f"{what}: {steps:.2f} steps")
            if steps > STEPS_MOST:
                failures.append(f"{what}: differs by {steps:.2f} steps")


def main():
    if len(sys.argv) == 2:
        under_peers(sys.argv[1])
    if not os.path.exists(os.path.join(DATA, "models/onnx2c")):
        skip(f"there is no {DATA}/models/onnx2c")
    thimble, failures = Thimble(sys.argv[1]), []
    check_float(thimble, failures)
    check_quantized(thimble, failures)
    for failure in failures:
        print(f"FAIL: {failure}")
    sys.exit(1 if failures else 0)


if len(sys.argv) > 2:
    import logging

    logging.getLogger().setLevel(logging.ERROR)
    try:
        import numpy
        import onnx
        import onnxruntime
        from onnx import numpy_helper, version_converter  # noqa: F401
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as missing:
        skip(f"the peers have no ONNX Runtime ({missing}); remove BUILD/peers to install it")
main()
