#!/usr/bin/env python3
"""Measures what the pages of docs/guide/ show: one JSON file a topic, from which draw.py makes pictures and tables.

    bench/figures/run.py [--build build] [--keep DIR] [--threads 1] [TOPIC ...]

A topic is a function below and a row in TOPICS. LeNet-5 is models/lenet-5.thim on Fashion-MNIST, LeNet-300-100 is trained here on
MNIST. Every point has the accuracy on the validation split, which is what one chooses by, and on the test set, which chose
nothing here. Bytes are the whole model.thim, all that the runtime needs. With --keep, models that are there are not made again.
All topics take about an hour on one processor. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIGURES = os.path.join(ROOT, "docs", "guide", "figures")
LENET = os.path.join(ROOT, "models", "lenet-5.thim")
FASHION = ["--data", "fashion-mnist"]
MNIST = ["--data", "mnist"]
FLOAT_BYTES = 4
RETRAINING = 1  # epochs after pruning; more help, by less each


class Tool:
    """Runs thimble; a command that writes a model is run once for each name and its JSON kept beside the model."""

    def __init__(self, args, folder):
        self.program = os.path.join(os.path.abspath(args.build), "thimble")
        self.folder, self.threads = folder, ["--threads", str(args.threads)]

    def path(self, name):
        return os.path.join(self.folder, name)

    def json(self, *command):
        done = subprocess.run([self.program, *command, *self.threads, "--json", "--quiet"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"thimble {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def make(self, name, *command):
        """The model made by `command -o name` and the JSON that this printed."""
        model = self.path(name + ".thim")
        return model, self.once(name, *command, "-o", model)

    def once(self, name, *command):
        """The JSON that `command` printed, now or when it was run under this name before."""
        record = self.path(name + ".json")
        if not os.path.exists(record):
            print("  thimble", " ".join(command), file=sys.stderr, flush=True)
            result = self.json(*command)
            with open(record, "w", encoding="utf-8") as f:
                json.dump(result, f)
        with open(record, encoding="utf-8") as f:
            return json.load(f)

    def deployed(self, name, model, data, *settings):
        """What the device gets of a float model: accuracies and bytes after quantization."""
        model, result = self.make(name + "-q", "quantize", model, *data, *settings)
        return model, point_of(self, model, result)


def point_of(tool, model, result):
    info = tool.json("info", model)
    return {"validation": result["validation_accuracy"], "accuracy": result["accuracy"], "bytes": info["bytes"], "macs": info["macs"],
            "params": result["params"], "sparsity": round(result["sparsity"], 5)}


def quantization(tool):
    methods = {"nearest": ["--no-bias-correction"], "adaround": ["--rounding", "adaround"], "qat": ["--method", "qat", "--epochs", "1"]}
    points = []
    for method, settings in methods.items():
        for weights in ["int8", "int4", "int3", "int2", "ternary"][method == "qat":]:
            model, result = tool.make(f"quant-{weights}-{method}", "quantize", LENET, *FASHION, "--weights", weights, "--dense-channels", *settings)
            points.append({"weights": weights, "method": method, **point_of(tool, model, result)})
    return {"points": points}


def pruned(tool, granularity, sparsity, epochs):
    how = [] if granularity == "n:m" else ["--sparsity", str(sparsity)]
    return tool.make(f"prune-{granularity.replace(':', '-')}-{sparsity}-{epochs}", "prune", LENET, *FASHION, "--granularity", granularity, *how,
                     "--epochs", str(epochs))


def pruning(tool):
    points = []
    for epochs in [0, RETRAINING]:
        for granularity, levels in [("element", [0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98]), ("channel", [0.25, 0.5, 0.7, 0.85]), ("n:m", [0.5])]:
            for sparsity in levels:
                model, _ = pruned(tool, granularity, sparsity, epochs)
                _, point = tool.deployed(f"prune-{granularity.replace(':', '-')}-{sparsity}-{epochs}", model, FASHION)
                points.append({"granularity": granularity, "asked": sparsity, "epochs": epochs, **point})
    _, dense = tool.deployed("dense", LENET, FASHION)
    return {"dense": dense, "points": points}


CLUSTERS = [2, 4, 8, 16, 32, 64]
INITS = [("linear", 1), ("density", 1), ("random", 1), ("random", 2), ("random", 3)]


def cluster_grid(tool, network, model, data, epochs, clusters):
    """Accuracies of the clustered networks; bytes of the device's program where the centroids began linearly."""
    points = []
    for k in clusters:
        for init, seed in INITS:
            name = f"cluster-{network}-{k}-{init}-{seed}-{epochs}"
            clustered, result = tool.make(name, "cluster", model, *data, "--clusters", str(k), "--init", init, "--scope", "layer", "--epochs",
                                          str(epochs), "--seed", str(seed))
            point = {"network": network, "clusters": k, "init": init, "seed": seed, "epochs": epochs,
                     "validation": result["validation_accuracy"], "accuracy": result["accuracy"]}
            if init == "linear":
                _, device = tool.deployed(name, clustered, data)
                point.update(bytes=device["bytes"], int8_accuracy=device["accuracy"])
            points.append(point)
    return points


def lenet300(tool):
    return tool.make("lenet-300-100", "train", os.path.join(ROOT, "models", "lenet-300-100.txt"), *MNIST, "--epochs", "20", "--lr", "0.1")


def clustering(tool):
    model, result = lenet300(tool)
    points = cluster_grid(tool, "lenet-300-100", model, MNIST, 0, CLUSTERS) + cluster_grid(tool, "lenet-300-100", model, MNIST, 2, CLUSTERS[:2])
    return {"float": {"validation": result["validation_accuracy"], "accuracy": result["accuracy"], "bytes": result["bytes"]}, "points": points}


def clustering_lenet5(tool):
    points = cluster_grid(tool, "lenet-5", LENET, FASHION, 0, CLUSTERS[:4])
    float5 = {"validation": tool.json("eval", LENET, *FASHION, "--validation")["accuracy"], "accuracy": tool.json("eval", LENET, *FASHION)["accuracy"]}
    return {"float": {**float5, "bytes": tool.json("info", LENET)["bytes"]}, "points": points}


def weights_of(model, layer):
    """Values of a layer's weights in a .thim of kind graph (docs/format.md, "Graphs")."""
    with open(model, "rb") as f:
        data = f.read()
    (text_bytes,) = struct.unpack_from("<I", data, 16)
    text = data[20:20 + text_bytes].decode()
    line = next(l for l in text.splitlines() if l.split()[:2] == ["const", f"%{layer}.weight"])
    wanted, at = int(line.split("#")[1], 16), 20 + text_bytes
    (number,) = struct.unpack_from("<I", data, at)
    at += 4
    for _ in range(number):
        hashed, size = struct.unpack_from("<QQ", data, at)
        if hashed == wanted:
            return struct.unpack_from(f"<{size // 4}f", data, at + 16)
        at += 16 + size
    raise ValueError(f"{model}: no values of {layer}.weight")


def histogram(values, bins, limit):
    counts = [0] * bins
    for v in values:
        counts[min(bins - 1, max(0, int((v + limit) / (2 * limit) * bins)))] += 1
    return counts


def weights(tool):
    prune, _ = pruned(tool, "element", 0.9, RETRAINING)
    cluster, _ = tool.make("weights-clustered", "cluster", prune, *FASHION, "--clusters", "16", "--scope", "layer", "--epochs", "1")
    stages = {"float": LENET, "pruned": prune, "clustered": cluster}
    values = {name: weights_of(model, "conv2") for name, model in stages.items()}
    limit = max(max(abs(v) for v in w) for w in values.values())
    limit = math.ceil(limit * 50) / 50
    out = {"layer": "conv2", "limit": limit, "stages": {}}
    for name, w in values.items():
        kept = [v for v in w if v != 0]
        out["stages"][name] = {"zeros": len(w) - len(kept), "weights": len(w)}
        if name == "clustered":
            out["stages"][name]["centroids"] = [{"value": round(c, 6), "weights": n} for c, n in sorted(Counter(kept).items())]
        else:
            out["stages"][name]["bins"] = histogram(kept, 80, limit)
    return out


CODERS = ["raw", "bitpack", "huffman", "gap", "range", "context"]


def coding(tool):
    """Bytes of the largest layer by coder: 16 clusters on the int8 grid, and the 15 levels of int4; costs of the whole on a device."""
    points, chain = [], []
    models = {0.0: LENET, **{s: pruned(tool, "element", s, RETRAINING)[0] for s in [0.5, 0.7, 0.8, 0.9, 0.95, 0.98]}}
    for sparsity, model in models.items():
        clustered, _ = tool.make(f"coding-{sparsity}", "cluster", model, *FASHION, "--clusters", "16", "--epochs", "0")
        int8, result = tool.make(f"coding-{sparsity}-q", "quantize", clustered, *FASHION)
        int4, _ = tool.make(f"coding-{sparsity}-int4", "quantize", model, *FASHION, "--weights", "int4")
        chain.append({"asked": sparsity, **point_of(tool, int8, result)})
        for kind, program in [("clustered", int8), ("int4", int4)]:
            for coder in CODERS:
                made = tool.once(f"coded-{kind}-{sparsity}-{coder}", "compile", program, "--coder", coder, "--as", "thim", "-o", tool.path("compiled"))
                layer = next(l for l in made["layers"] if l["name"] == "fc1")
                if layer["coder"].split("_")[0] == coder:
                    points.append({"kind": kind, "sparsity": sparsity, "coder": coder, "bytes": layer["weight_bytes"] + layer["table_bytes"]})
    return {"layer": "fc1", "weights": 400000, "points": points, "chain": chain,
            "device": [device(tool, tool.path("coding-0.9-q.thim"), coder) for coder in ["raw", "bitpack", "huffman", "gap", "auto", "smallest"]]}


def device(tool, int8, coder):
    """Costs on an emulated Cortex-M4: decoding happens inside the kernels, row by row."""
    made = tool.once(f"device-{coder}", "bench", int8, *FASHION, "--target", "cortex-m4", "--coder", coder, "-n", "20", "--totals", "-o", tool.path("firmware"))
    return {"coder": coder, **{k: made[k] for k in ["flash_bytes", "ram_bytes", "arena_bytes", "stack_bytes", "instructions"]}}


def distillation(tool):
    """A small network on a tenth of MNIST; LeNet-300-100, trained on all of it, teaches."""
    teacher, result = lenet300(tool)
    student = tool.path("student.txt")
    with open(student, "w", encoding="utf-8") as f:
        f.write("input 28x28x1\nflatten\nfully_connected 16 activation=relu\nfully_connected 10\nsoftmax\n")
    points = []
    for taught in [False, True]:
        for seed in [1, 2, 3]:
            settings = ["--teacher", teacher, "--alpha", "0.7"] if taught else []
            _, made = tool.make(f"distil-student-{taught}-{seed}", "train", student, "--data", "mnist,limit=6000", "--epochs", "20", "--lr", "0.05",
                                "--seed", str(seed), *settings)
            points.append({"teacher": taught, "seed": seed, "validation": made["validation_accuracy"], "accuracy": made["accuracy"]})
    return {"teacher": {"accuracy": result["accuracy"], "validation": result["validation_accuracy"]}, "points": points}


TOPICS = {"weights": weights, "pruning": pruning, "quantization": quantization, "coding": coding, "clustering": clustering,
          "distillation": distillation, "clustering-lenet-5": clustering_lenet5}


def one_line_a_point(text):
    """Innermost lists and objects on one line each, so that a change of one point is a change of one line."""
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda m: re.sub(r"\s*\n\s*", " ", m.group()), text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--keep")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("topics", nargs="*", choices=[*TOPICS, []])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or temporary
        os.makedirs(folder, exist_ok=True)
        tool = Tool(args, folder)
        for topic in args.topics or TOPICS:
            print(topic, file=sys.stderr, flush=True)
            measured = {"topic": topic, "command": f"bench/figures/run.py {topic}", **TOPICS[topic](tool)}
            with open(os.path.join(FIGURES, topic + ".json"), "w", encoding="utf-8") as f:
                f.write(one_line_a_point(json.dumps(measured, indent=1)) + "\n")


if __name__ == "__main__":
    main()
