#!/usr/bin/env python3
"""The ONNX project's own backend cases through the tool: each passes, or is refused with exit code 3 and named. None
may crash and none may give other numbers. Prints and pins the counts.

    test_onnx_cases_peer.py BUILD_DIR [FOLDER WITH CASES]

Cases come from peers/onnx_backend_tests.tar.xz below the test data. A case is a model and one set of inputs and outputs.
Many give as an input what a network has as a constant (weights, shapes, axes); when the tool refuses a case as it stands,
it is tried with the inputs behind the first made constants. Pictures lie channels last in the tool (read/onnx.h), so
inputs and outputs of operators on pictures are put into that order here. A case with a batch of n runs as n samples.
SPDX-License-Identifier: Apache-2.0"""
import collections
import os
import struct
import subprocess
import sys
import tarfile

import onnx_wire

PASSED = 403  # of the cases in the archive, at least; more is better, and to be written here

PICTURES = {"Conv", "ConvTranspose", "QLinearConv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
            "BatchNormalization", "InstanceNormalization", "DepthToSpace", "SpaceToDepth", "ConvInteger"}
MOVES = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Expand",
         "Tile", "Pad", "Gemm", "MatMul"}
FLOAT_MOST = 3.4028234e38
RTOL, ATOL = 1e-3, 1e-7  # those of the ONNX project's runner
TYPES = {1: "f", 10: "f", 11: "f", 2: "B", 3: "b", 6: "i"}  # as the tool takes them; it refuses all others


def is_picture(model, name):
    """Does an operator on pictures read the value, directly or through elementwise operators?"""
    for node in model.nodes:
        if name in node.inputs:
            if node.op in PICTURES:
                return True
            if node.op in MOVES or not node.outputs:
                return False
            name = node.outputs[0]
    return False


def permuted(values, shape, order):
    out_shape = [shape[i] for i in order]
    steps = [0] * len(shape)
    size = 1
    for i in reversed(range(len(shape))):
        steps[i] = size
        size *= shape[i]
    out, index = [], [0] * len(shape)
    for _ in range(size):
        out.append(values[sum(index[k] * steps[order[k]] for k in range(len(order)))])
        for k in reversed(range(len(order))):
            index[k] += 1
            if index[k] < out_shape[k]:
                break
            index[k] = 0
    return out


def channels_last(values, shape):
    return permuted(values, shape, [0] + list(range(2, len(shape))) + [1])


def pack(tensor, picture):
    values = tensor.values
    if picture and len(tensor.shape) in (3, 4):
        values = channels_last(values, tensor.shape)
    kind = TYPES.get(tensor.type)
    if kind is None:
        return b"\0"
    if kind == "f":
        values = [max(min(v, FLOAT_MOST), -FLOAT_MOST) if v - v == 0 else v for v in values]
    try:
        return struct.pack(f"<{len(values)}{kind}", *values)
    except struct.error:  # no tensor at all, but a list or an optional one
        return b"\0"


def same(a, b):
    if abs(b) > FLOAT_MOST:  # a double that float32 does not hold
        return abs(a) >= FLOAT_MOST and (a > 0) == (b > 0)
    if a == b or (a != a and b != b):
        return True
    return abs(a - b) <= ATOL + RTOL * abs(b)


def matches(raw, tensor):
    """The output's numbers are the expected ones, in the file's order or channels last."""
    size = len(raw) // len(tensor.values) if tensor.values else 0
    kind = "f" if tensor.type in (1, 10, 11) else {4: "i", 1: "b" if tensor.type == 3 else "B"}.get(size, "f")
    if size * len(tensor.values) != len(raw) or size not in (1, 4):
        return False
    got = struct.unpack(f"<{len(tensor.values)}{kind}", raw)
    orders = [tensor.values]
    if len(tensor.shape) in (3, 4):
        orders.append(channels_last(tensor.values, tensor.shape))
    return any(all(same(a, b) for a, b in zip(got, order)) for order in orders)


def run(thimble, work, model_bytes, model, inputs, outputs):
    """(status, message): passed, refused, wrong, crashed."""
    path = os.path.join(work, "case.onnx")
    with open(path, "wb") as f:
        f.write(model_bytes)
    command = [thimble, "run", path]
    for i, (name, tensor) in enumerate(inputs):
        file = os.path.join(work, f"in{i}.bin")
        with open(file, "wb") as f:
            f.write(pack(tensor, is_picture(model, name)))
        command += ["--input", file]
    results = [os.path.join(work, f"out{i}.bin") for i in range(len(outputs))]
    for file in results:
        command += ["-o", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if done.returncode == 3:
        return "refused", done.stderr.strip()
    if done.returncode != 0:
        return "crashed", f"exit code {done.returncode}: {done.stderr.strip()}"
    for file, tensor in zip(results, outputs):
        with open(file, "rb") as f:
            if not matches(f.read(), tensor):
                return "wrong", f"output {tensor.name} differs"
    return "passed", ""


def load(folder, what):
    tensors, i = [], 0
    while os.path.exists(path := os.path.join(folder, "test_data_set_0", f"{what}_{i}.pb")):
        with open(path, "rb") as f:
            tensors.append(onnx_wire.Tensor(f.read()))
        i += 1
    return tensors


def check_case(thimble, work, folder):
    with open(os.path.join(folder, "model.onnx"), "rb") as f:
        data = f.read()
    model = onnx_wire.Model(data)
    outputs = load(folder, "output")
    named = list(zip(model.inputs, load(folder, "input")))
    plain = all(t.values is not None for _n, t in named) and all(t.values for t in outputs)
    if not plain or not named:
        return ask_refusal(thimble, folder) + (model,)
    status, message = run(thimble, work, data, model, named, outputs)
    if status == "refused" and len(named) > 1:
        baked = {name: t.data for name, t in named[1:]}
        status, message = run(thimble, work, model.with_constants(baked), model, named[:1], outputs)
    return status, message, model


def ask_refusal(thimble, folder):
    """A case without inputs, or with values of types that the tool has no files for: it must be refused."""
    done = subprocess.run([thimble, "info", os.path.join(folder, "model.onnx")], capture_output=True, text=True,
                          timeout=20)
    if done.returncode == 3:
        return "refused", done.stderr.strip()
    return ("crashed" if done.returncode else "read, without data to compare"), f"exit code {done.returncode}: {done.stderr.strip()}"


def unpack(build):
    data = subprocess.check_output(os.path.join(os.path.dirname(__file__), "../../scripts/test-data"), text=True).strip()
    archive = os.path.join(data, "peers/onnx_backend_tests.tar.xz")
    if not os.path.exists(archive):
        print(f"skipped: {archive} is not there")
        sys.exit(77)
    to = os.path.join(build, "onnx_cases")
    if not os.path.exists(os.path.join(to, "complete")):
        with tarfile.open(archive) as t:
            t.extractall(to, filter="data") if hasattr(tarfile, "data_filter") else t.extractall(to)
        open(os.path.join(to, "complete"), "w").close()
    return to


def report(results):
    counts = collections.Counter(status for status, _m, _ops in results.values())
    refused = collections.Counter(ops for status, _m, ops in results.values() if status == "refused")
    print("refused, by operators of the case:")
    for ops, count in refused.most_common():
        print(f"  {count:4} {ops}")
    for name, (status, message, _ops) in sorted(results.items()):
        if status in ("wrong", "crashed") or os.environ.get("ONNX_CASES_VERBOSE"):
            print(f"{status}: {name}: {message}")
    print(f"{len(results)} cases: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())))
    return counts


def main():
    build = sys.argv[1]
    cases = sys.argv[2] if len(sys.argv) > 2 else unpack(build)
    work = os.path.join(build, "onnx_cases_work")
    os.makedirs(work, exist_ok=True)
    results = {}
    for folder, _dirs, files in sorted(os.walk(cases)):
        if "model.onnx" not in files:
            continue
        status, message, model = check_case(os.path.join(build, "thimble"), work, folder)
        results[os.path.basename(folder)] = status, message, "+".join(sorted({n.op for n in model.nodes}))
    counts = report(results)
    bad = counts["wrong"] + counts["crashed"]
    if len(sys.argv) == 2 and counts["passed"] != PASSED:
        print(f"{counts['passed']} passed, {PASSED} are known to")
        bad += counts["passed"] < PASSED
    sys.exit(1 if bad or not results else 0)


main()
