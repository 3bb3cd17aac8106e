#!/usr/bin/env python3
"""The 127 single-operator int16 models of TFLite Micro's seanet tests, each with recorded outputs: `thimble run` must
give the recorded bytes, from the .tflite and from the program compiled from it. Skips where the shared test data is absent.
SPDX-License-Identifier: Apache-2.0

    test_seanet_peer.py BUILD_DIR
"""
import array
import glob
import os
import subprocess
import sys

import peer

MODELS = 127
LETTER = {"int16": "h", "int32": "i"}


def read_csv(path):
    """Bytes of the numbers in a file named ..._TYPE.csv."""
    with open(path) as f:
        numbers = [int(word) for word in f.read().replace("\n", ",").split(",") if word.strip()]
    return array.array(LETTER[path.rsplit("_", 1)[1].removesuffix(".csv")], numbers).tobytes()


def command(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{' '.join(words[1:3])}: exit code {done.returncode}: {done.stderr.strip()}"


def check(thimble, model):
    """None, or what is wrong."""
    stem = model.removesuffix(".tflite")
    inputs = sorted(glob.glob(f"{stem}_input*.csv"))
    words = []
    for i, path in enumerate(inputs):
        with open(f"{stem}.in{i}.bin", "wb") as f:
            f.write(read_csv(path))
        words += ["--input", f"{stem}.in{i}.bin"]
    expected = read_csv(glob.glob(f"{stem}_golden*.csv")[0])
    wrong = command(thimble, "compile", model, "-o", f"{stem}.out")
    if wrong:
        return wrong
    for program in (model, f"{stem}.out/model.thim"):
        wrong = command(thimble, "run", program, *words, "-o", f"{stem}.out.bin")
        if wrong:
            return wrong
        with open(f"{stem}.out.bin", "rb") as f:
            if f.read() != expected:
                return f"{os.path.basename(program)}: other values than the recorded ones"
    return None


def main():
    build = os.path.abspath(sys.argv[1])
    models = sorted(glob.glob(os.path.join(peer.unpack("peers/tflm_seanet.tar.xz", os.path.join(build, "seanet")), "seanet/*/*.tflite")))
    if len(models) != MODELS:
        print(f"{len(models)} models, expected {MODELS}")
        return 1
    failures = 0
    for model in models:
        wrong = check(os.path.join(build, "thimble"), model)
        if wrong:
            print(f"{os.path.basename(model)}: {wrong}")
            failures += 1
    print(f"{MODELS - failures} of {MODELS} models give the recorded outputs")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
