#!/usr/bin/env python3
"""What the program exports, as others run it: networks of models/ on the first 200 test images of Fashion-MNIST.

An int8 .tflite (quantized, or pruned, clustered and quantized) must give in TFLite Micro the bytes of `thimble run`,
for itself and for the .thim it was made from. LiteRT must run it: with its own kernels to the same answers, with its
reference kernels to logits within one step (its fully connected layers round differently now and then). A float .tflite,
also one with float16 weights, must give in LiteRT the values of the float .thim. Skips when data or peers cannot be had; then test_eval_golden still
compares layers with recorded ones of TFLite Micro. SPDX-License-Identifier: Apache-2.0

    test_export_peer.py BUILD_DIR
"""
import array
import gzip
import json
import os
import shutil
import subprocess
import sys

import peer
from peer import Failure, SOURCE, need

DATA_DIRS = [os.environ.get("THIMBLE_DATA", ""), os.path.join(SOURCE, "data"), "/usr/share/datasets"]
SAMPLES, PIXELS, CLASSES = 200, 28 * 28, 10
DATA = "fashion-mnist,limit=2000"  # enough for calibration and for one short epoch
ANSWERS_MIN = 0.99  # part of the images on which LiteRT's own kernels must give the same class
FLOAT_MAX = 1e-4

# name of the model, settings of prune (None: neither pruned nor clustered)
INT8 = [("lenet-5", None), ("ds-cnn-28", None), ("lenet-5", "--sparsity=0.9"), ("ds-cnn-28", "--sparsity=0.4")]
FLOAT = ["lenet-5", "ds-cnn-28"]


def skip(reason):
    print(f"skipped: {reason}; test_eval_golden compares recorded layers where the shared test data is")
    sys.exit(77)


def command(*words):
    """stdout of a command that must succeed."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    need(done.returncode == 0, f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def find_images():
    """First samples of the test set: (pixels, labels), or skips."""
    for folder in (os.path.join(d, "fashion-mnist") for d in DATA_DIRS if d):
        if os.path.isdir(folder):
            images = read_idx(os.path.join(folder, "t10k-images-idx3-ubyte"), 16, SAMPLES * PIXELS)
            return images, read_idx(os.path.join(folder, "t10k-labels-idx1-ubyte"), 8, SAMPLES)
    return skip("data set fashion-mnist is not installed")


def read_idx(path, header, size):
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as f:
        return f.read(header + size)[header:]


class Export:
    """A network on its way: the files it becomes, and what everyone computes from them."""

    def __init__(self, folder, thimble, model, prune, halves=False):
        self.model, self.prune, self.thimble, self.halves = model, prune, thimble, halves
        self.is_float = prune is False
        self.what = "float16" if halves else "float" if self.is_float else "int8, pruned and clustered" if prune else "int8"
        self.stem = os.path.join(folder, f"{model}-{self.what.split()[-1]}")
        self.input = os.path.join(folder, "x.f32.bin" if self.is_float else "x.s8.bin")
        self.tflite = self.stem + ".tflite"
        engines = ["litert"] if self.is_float else ["tflm", "litert", "tflm-logits", "litert-ref-logits"]
        self.jobs = [(engine, self.tflite, f"{self.stem}.{engine}", self.input) for engine in engines]

    def stage(self, name, source, *settings):
        output = f"{self.stem}-{name}.thim"
        command(self.thimble, name, source, "--data", DATA, "-o", output, "--quiet", *settings)
        return output

    def make(self):
        """The .tflite file, and what `thimble run` gives for it and for the .thim it is made from."""
        thim = os.path.join(SOURCE, "models", self.model + ".thim")
        if self.prune:
            thim = self.stage("prune", thim, "--scope=layer", "--epochs=1", self.prune)
            thim = self.stage("cluster", thim, "--epochs=1")
        if not self.is_float:
            thim = self.stage("quantize", thim)
        if self.halves:
            thim = self.stage("quantize", thim, "--weights=float16")
        command(self.thimble, "convert", thim, self.tflite)
        for path, out in ((thim, "thim.out"), (self.tflite, "out")):
            command(self.thimble, "run", path, "--input", self.input, "-o", f"{self.stem}.{out}")

    def output(self, suffix):
        with open(f"{self.stem}.{suffix}", "rb") as f:
            values = array.array("f" if self.is_float else "b", f.read())
        need(len(values) == SAMPLES * CLASSES, f"{suffix}: {len(values)} values, expected {SAMPLES * CLASSES}")
        return values

    def check(self, labels):
        if self.is_float:
            self.check_float()
        else:
            self.check_bytes()
            self.check_accuracy(labels)
            self.check_litert()

    def check_float(self):
        ours = self.output("thim.out")
        for engine in ("out", "litert"):
            d = max(abs(a - b) for a, b in zip(ours, self.output(engine)))
            print(f"{engine}: largest difference {d:.2g}")
            need(d <= FLOAT_MAX, f"{engine}: differs by {d:g} from the .thim, at most {FLOAT_MAX:g} is expected")

    def check_bytes(self):
        ours = self.output("out")
        need(len(set(answers(ours))) > CLASSES // 2, "the network gives the same few answers to all images")
        for engine in ("thim.out", "tflm"):
            n = sum(a != b for a, b in zip(ours, self.output(engine)))
            need(n == 0, f"{engine}: {n} of {len(ours)} output bytes differ from `thimble run {self.tflite}`")

    def check_accuracy(self, labels):
        """That of `thimble eval` is that of TFLite Micro's bytes."""
        said = json.loads(command(self.thimble, "eval", self.tflite, "--data", "fashion-mnist", f"--limit={SAMPLES}",
                                  "--json", "--quiet"))
        right = sum(a == b for a, b in zip(answers(self.output("tflm")), labels))
        need(said["samples"] == SAMPLES and round(said["accuracy"] * SAMPLES) == right,
             f"thimble eval says {said['accuracy']}, TFLite Micro has {right} of {SAMPLES} right")

    def check_litert(self):
        ours, theirs = self.output("out"), self.output("litert")
        same = sum(a == b for a, b in zip(answers(ours), answers(theirs)))
        different = sum(a != b for a, b in zip(ours, theirs))
        steps = [abs(a - b) for a, b in zip(self.output("tflm-logits"), self.output("litert-ref-logits"))]
        print(f"LiteRT: {same} of {SAMPLES} answers are the same, {different} of {len(ours)} output bytes differ; "
              f"with reference kernels {sum(d > 0 for d in steps)} of {len(steps)} logits differ, by {max(steps)}")
        need(same >= ANSWERS_MIN * SAMPLES, f"LiteRT gives the same answer on only {same} of {SAMPLES} images")
        need(max(steps) <= 1, f"a logit of LiteRT's reference kernels differs by {max(steps)} steps")


def answers(values):
    rows = [values[i:i + CLASSES] for i in range(0, len(values), CLASSES)]
    return [row.index(max(row)) for row in rows]


def save_inputs(folder, pixels):
    """As the models want them: pixel / 255, and for int8 a scale of 1/255 with zero point -128."""
    with open(os.path.join(folder, "x.s8.bin"), "wb") as f:
        f.write(bytes(p ^ 0x80 for p in pixels))
    with open(os.path.join(folder, "x.f32.bin"), "wb") as f:
        array.array("f", (p / 255 for p in pixels)).tofile(f)


def run_peers(python, folder, exports):
    jobs, log = os.path.join(folder, "jobs"), os.path.join(folder, "log")
    with open(jobs, "w", encoding="utf-8") as f:
        f.writelines("\t".join(job) + "\n" for e in exports for job in e.jobs)
    with open(log, "w", encoding="utf-8") as f:
        done = subprocess.run([python, os.path.join(SOURCE, "tests/peers/run_tflite.py"), "--jobs", jobs], stderr=f)
    need(done.returncode == 0, f"a peer refuses a file, see the end of {log}")


def main():
    build = os.path.abspath(sys.argv[1])
    os.environ.setdefault("THIMBLE_DATA", os.path.join(SOURCE, "data"))
    pixels, labels = find_images()
    python = peer.python(build)
    folder, thimble = os.path.join(build, "export_peer"), os.path.join(build, "thimble")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    save_inputs(folder, pixels)
    exports = [Export(folder, thimble, *e) for e in INT8] + [
        Export(folder, thimble, model, False, halves) for model in FLOAT for halves in (False, True)]
    for e in exports:
        e.make()
    run_peers(python, folder, exports)
    failed = 0
    for e in exports:
        name = f"{e.model} {e.what}"
        print(f"[ RUN      ] {name}")
        try:
            e.check(labels)
            print(f"[       OK ] {name}")
        except Failure as reason:
            failed += 1
            print(f"{reason}\n[  FAILED  ] {name}")
    sys.exit(1 if failed else 0)


try:
    main()
except Failure as reason:
    sys.exit(str(reason))
