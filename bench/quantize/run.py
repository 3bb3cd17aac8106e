#!/usr/bin/env python3
"""Quantization after training beside the int8 twins of public models, and weights of 4 bits beside those of 8.

    bench/quantize/run.py [--build build] [--data DIR] [--floats DIR] [--keep DIR] [--part twins|bits] [--threads 1] [--json] [MODEL ...]

First part: each float network that was published with an int8 twin is quantized by `thimble quantize` on training samples; float,
twin and ours are measured on test samples, in the arithmetic of the device. `accuracy` is the fraction of right answers, `auc`
that of an anomaly detector, `error` a mean squared error (less is better), `agreement` the part of the float network's answers
that are kept, where there are no labels for the model's task. Ours stands twice: with the default settings, and with those of
SETTINGS that do best on the training samples, chosen for each split by its own, whatever the test samples say. Where training
samples do not tell (the detector's are all normal; `compare` reads test samples only) nothing is chosen.

Second part: MNIST and key words with weights of 8 and of 4 bits, rounded for the least output error and trained on. Networks
for MNIST are DIR/lenet-5.thim and DIR/lenet-300-100.thim of --floats, else they are trained here. The key words are 1,000
samples in all: five random halves calibrate and train, the other halves judge, and the mean counts.

Exit code 1 when the default settings are behind a twin or a limit of 4 bits is missed. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import sets  # noqa: E402

SHARED = subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip()
SPLITS = range(1, 6)
PIXELS = ",std=0.00392156862745098"  # networks that take 0 to 255
KWS = "sets/kws01/kws01_test_mfcc_int8_1000x49x10.bin"


def mnist(_shared, _folder):
    return "mnist"


def pixels(shared, folder):
    return sets.cifar(shared, folder) + PIXELS


def sounds(shared, folder):
    return sets.machine(shared, folder) + ",features=logmel,rate=16000,val=0"


def pictures(shared, folder):
    return sets.pairs(shared, folder) + ",size=96"


def key_words(shared, _folder):
    path = os.path.join(shared, KWS)
    labels = path.replace("mfcc_int8_1000x49x10", "labels_uint8_1000")
    return f"{path},shape=49x10x1,dtype=int8,scale=0.584703,zero=83,labels={labels},test=0.5,val=0,seed={{seed}}"


# name: float, twin, data, what is measured
MODELS = {
    "ad01": ("mlperf_tiny/ad01_fp32.tflite", "mlperf_tiny/ad01_int8.tflite", sounds, "auc"),
    "resnet8": ("mlperf_tiny/pretrainedResnet.tflite", "mlperf_tiny/pretrainedResnet_quant.tflite", pixels, "accuracy"),
    "kws": ("mlperf_tiny/kws_ref_model_float32.tflite", "mlperf_tiny/kws_ref_model.tflite", key_words, "accuracy"),
    "vww": ("mlperf_tiny/vww_96_float.tflite", "mlperf_tiny/vww_96_int8.tflite", pictures, "agreement"),
    "hello_world": ("tflm/hello_world_float.tflite", "tflm/hello_world_int8.tflite", sets.sine, "error"),
    "mnist_dw": ("tinymaix/mnist_dw_f.tflite", "tinymaix/mnist_dw_q.tflite", mnist, "accuracy"),
    "mnist_valid": ("tinymaix/mnist_valid_f.tflite", "tinymaix/mnist_valid_q.tflite", mnist, "accuracy"),
    "mnist_arduino": ("tinymaix/mnist_arduino.h5", "tinymaix/mnist_arduino_q.tflite", mnist, "accuracy"),
    "mnist_rect": ("tinymaix/mnist_rect.h5", "tinymaix/mnist_rect_q.tflite", mnist, "accuracy"),
    "cifar10": ("tinymaix/cifar10_f.tflite", "tinymaix/cifar10_q.tflite", sets.cifar, "accuracy"),
    "vww96": ("tinymaix/vww96_f.tflite", "tinymaix/vww96_q.tflite", pictures, "agreement"),
}
SETTINGS = {"default": [], "adaround": ["--rounding", "adaround"], "minmax": ["--calibration", "minmax"], "2048 samples": ["--samples", "2048"],
            "minmax, adaround": ["--calibration", "minmax", "--rounding", "adaround"], "equalize": ["--equalize"]}
CHOOSABLE = ("accuracy", "error")
INT4 = ["--weights", "int4", "--rounding", "adaround"]
# name: float, data, settings of the training that sees the rounding
SMALL = {
    "lenet-300-100": ("lenet-300-100", mnist, ["--epochs", "3", "--lr", "0.003", "--teacher", "self"]),
    "lenet-5": ("lenet-5", mnist, ["--epochs", "3", "--lr", "0.003", "--teacher", "self"]),
    "kws": (MODELS["kws"][0], key_words, ["--epochs", "15", "--optimizer", "adam", "--lr", "0.0003", "--teacher", "self",
                                          "--alpha", "1"]),
}
TRAIN = ["--epochs", "20", "--lr", "0.02", "--warmup", "0.05"]
INT4_LIMIT, QAT_LIMIT = 1.0, 0.3  # points behind int8


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def thimble(self, *command):
        full = [os.path.join(self.args.build, "thimble"), *command, "--quiet", "--threads", str(self.args.threads)]
        done = subprocess.run(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(full)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def measure(self, measure, model, data, training=False, original=None):
        if measure == "agreement":
            return json.loads(self.thimble("compare", original, model, "--data", data, "--json"))["agreement"]
        metric = {"error": "mse"}.get(measure, measure)
        part = ["--training", "--limit", "10000"] if training else []
        return json.loads(self.thimble("eval", model, "--data", data, "--metric", metric, "--json", *part))[metric]

    def quantize(self, model, data, *settings):
        out = os.path.join(self.folder, "quantized.thim")
        self.thimble("quantize", model, "--data", data, "-o", out, *settings)
        return out

    def float_of(self, name):
        if "/" in name:
            return os.path.join(self.args.data, "models", name)
        path = os.path.join(self.args.floats or self.folder, name + ".thim")
        if not os.path.exists(path):
            self.thimble("train", os.path.join(ROOT, "models", name + ".txt"), "--data", "mnist,augment=shift2", *TRAIN, "-o", path)
        return path

    def data_of(self, make):
        """The data set, or one for each split."""
        data = make(self.args.data, self.folder)
        return [data.format(seed=s) for s in SPLITS] if "{seed}" in data else [data]


def better(measure, a, b):
    """Whether a is at least as good as b."""
    return a <= b if measure == "error" else a >= b


def mean(values):
    return statistics.mean(values)


def choose(bench, original, data, measure):
    """The settings that are best on the samples of `data` that calibrate; the default where none is better."""
    def on_training(name):
        value = bench.measure(measure, bench.quantize(original, data, *SETTINGS[name]), data, training=True)
        return -value if measure == "error" else value
    return max(SETTINGS, key=on_training)


def beside_twin(bench, name):
    original, twin, make, measure = MODELS[name]
    original, twin = (os.path.join(bench.args.data, "models", f) for f in (original, twin))
    data = bench.data_of(make)

    def score(model, d):
        return bench.measure(measure, model, d, original=original)

    def ours(settings):
        return [score(bench.quantize(original, d, *SETTINGS[s]), d) for d, s in zip(data, settings)]

    row = {"model": name, "measure": measure, "float": [1.0 if measure == "agreement" else score(original, d) for d in data],
           "twin": [score(twin, d) for d in data], "default": ours(["default"] * len(data))}
    if measure in CHOOSABLE:
        row["settings"] = [choose(bench, original, d, measure) for d in data]
        row["chosen"] = ours(row["settings"])
    row["holds"] = better(measure, mean(row["default"]), mean(row["twin"]))
    return row


def fewer_bits(bench, name):
    original, make, qat = SMALL[name]
    original, data = bench.float_of(original), bench.data_of(make)

    def score(*settings):
        return 100 * mean([bench.measure("accuracy", bench.quantize(original, d, *settings), d) for d in data])

    row = {"model": name, "float": 100 * mean([bench.measure("accuracy", original, d) for d in data]), "int8": score(),
           "int4": score("--weights", "int4"), "int4_adaround": score(*INT4), "int4_qat": score(*INT4, "--method", "qat", *qat)}
    row["holds"] = row["int8"] - row["int4_adaround"] <= INT4_LIMIT and row["int8"] - row["int4_qat"] <= QAT_LIMIT
    return row


def print_twin(r):
    chosen = f"{mean(r['chosen']):10.4f}  {', '.join(r['settings'])}" if "chosen" in r else f"{'':10}"
    means = "".join(f"{mean(r[k]):10.4f}" for k in ("float", "twin", "default"))
    print(f"{r['model']:15}{r['measure']:11}{means}{chosen}{'' if r['holds'] else '   default BEHIND'}", flush=True)


def print_bits(r):
    print(f"{r['model']:15}" + "".join(f"{r[k]:15.2f}" for k in ("float", "int8", "int4", "int4_adaround", "int4_qat")) +
          ("" if r["holds"] else "   MISSED"), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--data", default=SHARED)
    parser.add_argument("--floats")
    parser.add_argument("--keep")
    parser.add_argument("--part", choices=["twins", "bits"], help="only the first or the second part")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(args.data, "models")):
        sys.exit(f"{args.data}: the public models are not there")
    twins, bits = [], []
    twin_names = [m for m in MODELS if args.part != "bits" and (not args.models or m in args.models)]
    bit_names = [m for m in SMALL if args.part != "twins" and (not args.models or m in args.models)]
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(args, os.path.abspath(args.keep or temporary))
        os.makedirs(bench.folder, exist_ok=True)
        if twin_names and not args.json:
            print(f"{'model':15}{'measure':11}{'float':>10}{'int8 twin':>10}{'default':>10}{'chosen':>10}  settings, by split")
        for name in twin_names:
            twins.append(beside_twin(bench, name))
            if not args.json:
                print_twin(twins[-1])
        if bit_names and not args.json:
            print(f"\n{'accuracy %':15}" + "".join(f"{k:>15}" for k in ("float", "int8", "int4 nearest", "int4 adaround", "int4 qat")))
        for name in bit_names:
            bits.append(fewer_bits(bench, name))
            if not args.json:
                print_bits(bits[-1])
    if args.json:
        print(json.dumps({"twins": twins, "bits": bits}, indent=1))
    return 0 if all(r["holds"] for r in twins + bits) else 1


if __name__ == "__main__":
    sys.exit(main())
