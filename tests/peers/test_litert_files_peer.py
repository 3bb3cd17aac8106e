#!/usr/bin/env python3
"""68 real .tflite files of one or few operators, collected from LiteRT's tests: each is either read, and then `thimble
run` gives what TFLite Micro gives (integers, where it has the operators) or LiteRT, or refused with exit code 3 and a message that
names the file, or the node without an integer kernel. Counts are printed, and may not fall. Skips when the files or the peers cannot be had. SPDX-License-Identifier: Apache-2.0

    test_litert_files_peer.py BUILD_DIR
"""
import os
import re
import shutil
import subprocess
import sys
import tarfile

import peer
from peer import Failure, need, thimble

ARCHIVE = peer.collected("peers/litert_single_op_models.tar.xz")
peer.enter()
import numpy  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402

FILES, AGREE_LEAST = 68, 39
NOT_FOR_LITERT = ["simple_squeeze.tflite"]  # a scalar squeezed along dimension 1: read here, refused there
NEAR = 1e-5

TYPES = {"f32": numpy.float32, "s8": numpy.int8, "u8": numpy.uint8, "s16": numpy.int16, "s32": numpy.int32,
         "bool": numpy.bool_}


def litert(path, values):
    """Outputs of LiteRT, in its kernels of reference where there are all of them."""
    for kind in (OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        try:
            interpreter = Interpreter(model_path=path, experimental_op_resolver_type=kind)
            break
        except ValueError:
            continue
    else:
        return None
    interpreter.allocate_tensors()
    for d in interpreter.get_input_details():
        interpreter.set_tensor(d["index"], values(d["shape"], d["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def tflm(path, inputs, wants):
    """Outputs of TFLite Micro, the definition of our integers; None where it lacks an operator, and then it may abort."""
    runner = [sys.executable, os.path.join(peer.SOURCE, "tests/peers/run_tflite.py"), "tflm", path, f"{path}.tflm", *inputs]
    if subprocess.run(runner, stdin=subprocess.DEVNULL, capture_output=True).returncode:
        return None
    return [numpy.fromfile(f"{path}.tflm" + (f".{i}" if i else ""), w.dtype).reshape(w.shape) for i, w in enumerate(wants)]


class Values:
    """Inputs made in order, the same for both; kept for the second."""

    def __init__(self, seed, positive):
        self.rng, self.made, self.positive = numpy.random.RandomState(seed), [], positive

    def __call__(self, shape, dtype):
        x = self.rng.uniform(0.1, 3, shape)
        if numpy.issubdtype(dtype, numpy.integer):
            info = numpy.iinfo(dtype)
            x = self.rng.randint(info.min, info.max + 1, shape) if info.bits <= 16 else self.rng.randint(0, 9, shape)
            x = numpy.maximum(numpy.abs(x), 1) if self.positive else x
        self.made.append(numpy.asarray(x, dtype))
        return self.made[-1]


def check(build, folder, name, number):
    """True: agrees. False: refused as it should be."""
    path = os.path.join(folder, name)
    values = Values(number, "rsqrt" in name)  # of other numbers LiteRT has none
    wants = None
    info = thimble(build, "info", path, "--json")
    if info.returncode == 0:
        wants = litert(path, values)
        need(wants is not None, f"{name}: is read, but LiteRT does not know it")
    words = []
    for i, x in enumerate(values.made):
        x.tofile(f"{path}.{i}.bin")
        words += ["--input", f"{path}.{i}.bin"]
    for i in range(len(wants or [])):
        words += ["-o", f"{path}.out{i}.bin"]
    run = thimble(build, "run", path, *words) if wants else info
    if run.returncode == 3:
        named = name in run.stderr or re.search(r"\w+ \(\w+\): |output \S+ is", run.stderr)
        need(named, f"{name}: the message names neither the file nor a node: {run.stderr}")
        reason = re.sub(r"^thimble \w+: |\S*/", "", run.stderr.strip().splitlines()[-1])
        print(f"refused: {reason[:150]}")
        return False
    need(run.returncode == 0, f"{name}: exit code {run.returncode}: {run.stderr}")
    if any(numpy.issubdtype(w.dtype, numpy.integer) for w in wants):
        wants = tflm(path, words[1 : 2 * len(values.made) : 2], wants) or wants
    for i, want in enumerate(wants):
        dtype = numpy.int32 if want.dtype == numpy.int64 else want.dtype
        got = numpy.fromfile(f"{path}.out{i}.bin", dtype)
        need(got.size == want.size, f"{name}: output {i} has {got.size} values, LiteRT's {want.size}")
        want = want.flatten()
        if dtype == numpy.float32:
            far = numpy.max(numpy.abs(got - want)) / max(1e-3, numpy.max(numpy.abs(want)))
            need(far <= NEAR, f"{name}: output {i} differs by {far:g} of the largest value")
        else:
            need((got == want).all(), f"{name}: output {i}: {numpy.sum(got != want)} of {want.size} values differ")
    return True


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "litert_files")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tarfile.open(ARCHIVE) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.endswith(".tflite"):
                with open(os.path.join(folder, os.path.basename(member.name)), "wb") as f:
                    f.write(archive.extractfile(member).read())
    names = sorted(os.listdir(folder))
    need(all(name in names for name in NOT_FOR_LITERT), "the archive is another one")
    agree, failed = 0, 0
    for number, name in enumerate(n for n in names if n not in NOT_FOR_LITERT):
        try:
            agree += check(build, folder, name, number)
        except (Failure, ValueError, RuntimeError) as reason:
            failed += 1
            print(f"[  FAILED  ] {name}: {reason}")
    print(f"{len(names)} files: {agree} agree with the peers, {len(names) - agree - failed - len(NOT_FOR_LITERT)} are refused, {failed} failed")
    sys.exit(1 if failed or len(names) != FILES or agree < AGREE_LEAST else 0)


main()
