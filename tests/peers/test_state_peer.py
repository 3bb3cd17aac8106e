#!/usr/bin/env python3
"""Models with state, on 100 random inputs each: `thimble run` must give TFLite Micro's bytes, from the .tflite and from the program
compiled from it, both with a reset before each sample and as one stream; the float LSTM must give LiteRT's values. Written as .tflite, all give
what they gave before. Skips where the
shared models or the peers cannot be had. SPDX-License-Identifier: Apache-2.0

    test_state_peer.py BUILD_DIR
"""
import os
import subprocess
import sys

import peer

MODELS = os.path.join(peer.DATA, "models/tflm")
INTEGER, FLOAT = ("keyword_scrambled", "trained_lstm_int8"), "trained_lstm"
SAMPLES, FLOAT_MAX = 100, 1e-5


def command(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def thimble(build, folder, program, x, dtype, *options):
    import numpy
    x.tofile(f"{folder}/x.bin")
    command(f"{build}/thimble", "run", program, "--input", f"{folder}/x.bin", "-o", f"{folder}/y.bin", *options)
    return numpy.fromfile(f"{folder}/y.bin", dtype)


def check_integer(build, folder, name):
    import numpy
    from tflite_micro.python.tflite_micro import runtime
    model, wrong = f"{MODELS}/{name}.tflite", 0
    command(f"{build}/thimble", "compile", model, "-o", f"{folder}/{name}")
    for stream in (False, True):
        peer = runtime.Interpreter.from_file(model, arena_size=1 << 21)
        shape, dtype = peer.get_input_details(0)["shape"], peer.get_input_details(0)["dtype"]
        rng, limits = numpy.random.RandomState(1), numpy.iinfo(dtype)
        x = rng.randint(limits.min, limits.max + 1, [SAMPLES, *shape]).astype(dtype)
        x[::2] //= 40  # full range and small values in turn
        y = []
        for sample in x:
            if not stream:
                peer.reset()
            peer.set_input(sample, 0)
            peer.invoke()
            y.append(peer.get_output(0).copy())
        for program in (model, f"{folder}/{name}/model.thim"):
            got = thimble(build, folder, program, x, y[0].dtype, *(["--stream"] if stream else []))
            wrong += int((got != numpy.concatenate(y).ravel()).sum())
    print(f"{name}: {wrong} bytes differ")
    return wrong == 0


def check_written(build, folder, name):
    """Written as .tflite again, TFLite Micro gives the same stream of answers."""
    import numpy
    from tflite_micro.python.tflite_micro import runtime
    model, written, answers = f"{MODELS}/{name}.tflite", f"{folder}/{name}.tflite", []
    command(f"{build}/thimble", "convert", model, written)
    for path in (model, written):
        interpreter = runtime.Interpreter.from_file(path, arena_size=1 << 21)
        entry, rng = interpreter.get_input_details(0), numpy.random.RandomState(2)
        limits, y = numpy.iinfo(entry["dtype"]), []
        for k in range(SAMPLES):
            x = rng.randint(limits.min, limits.max + 1, entry["shape"]).astype(entry["dtype"])
            interpreter.set_input(x // 40 if k % 2 else x, 0)
            interpreter.invoke()
            y.append(interpreter.get_output(0).copy())
        answers.append(numpy.concatenate(y).ravel())
    wrong = int((answers[0] != answers[1]).sum())
    print(f"{name} written as .tflite: {wrong} of {len(answers[0])} values differ, {len(set(answers[0].tolist()))} distinct")
    return wrong == 0 and (len(set(answers[0].tolist())) > 2 or name == "keyword_scrambled")  # whose answer is always one half


def check_float(build, folder):
    import numpy
    from ai_edge_litert.interpreter import Interpreter
    peer = Interpreter(f"{MODELS}/{FLOAT}.tflite")
    peer.allocate_tensors()
    entry, end = peer.get_input_details()[0]["index"], peer.get_output_details()[0]["index"]
    x, y = numpy.random.RandomState(3).rand(SAMPLES, 28, 28).astype(numpy.float32), []
    command(f"{build}/thimble", "convert", f"{MODELS}/{FLOAT}.tflite", f"{folder}/{FLOAT}.tflite")
    again = Interpreter(f"{folder}/{FLOAT}.tflite")
    again.allocate_tensors()
    again.set_tensor(again.get_input_details()[0]["index"], x[:1])
    again.invoke()
    for sample in x:
        peer.reset_all_variables()
        peer.set_tensor(entry, sample[None])
        peer.invoke()
        y.append(peer.get_tensor(end).copy())
    want = numpy.concatenate(y).ravel()
    got = thimble(build, folder, f"{MODELS}/{FLOAT}.tflite", x, numpy.float32)
    written = numpy.abs(again.get_tensor(again.get_output_details()[0]["index"]) - y[0]).max() / numpy.abs(y[0]).max()
    print(f"{FLOAT} written as .tflite: off by {written:.1e} on the first sample")
    error = float(numpy.abs(got - want).max() / numpy.abs(want).max())
    print(f"{FLOAT}: off by {error:.1e} of the largest value")
    return error <= FLOAT_MAX and written <= FLOAT_MAX


def main():
    build = os.path.abspath(sys.argv[1])
    peer.collected(f"models/tflm/{FLOAT}.tflite")
    peer.enter()
    folder = os.path.join(build, "state_peer")
    os.makedirs(folder, exist_ok=True)
    good = [check(build, folder, name) for name in INTEGER for check in (check_integer, check_written)]
    good.append(check_float(build, folder))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
