#!/usr/bin/env python3
"""Deep Compression (Han, Mao, Dally 2016) as published, on its own networks and data, beside the paper's tables.

    bench/deep-compression/run.py [--build build] [--seeds 1] [--epochs 1.0] [--model FILE] [--keep DIR] [--threads 0]
                                  [--json] [NETWORK ...]

NETWORK is lenet-300-100 or lenet-5 (both when none is named), on MNIST (`thimble data get mnist`). A network is trained, pruned
layer by layer to the fractions that the paper keeps, retrained, clustered to the paper's numbers of values per layer with
linear, density and random centroids, fine-tuned, quantized to integers and coded. Printed for each layer, ours beside the
paper's: weights kept, bits of a value and of an index without and with Huffman coding, and what is left of 32 bits after
pruning (P: value and index), quantization (P+Q) and Huffman coding (P+Q+H). These follow the paper's format: 5-bit gaps
with filler zeros, code tables and codebooks left out as there, so that the columns compare. Beside them stands what counts
for a device: the bytes of the whole model.thim. Test errors are means over the seeds; the epoch that is kept is chosen on
a validation split. `--epochs F` multiplies all epochs. A seed takes about a minute of one processor for lenet-300-100 and
some ten for lenet-5. Prints a table, with --json one object.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import heapq
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GAP_BITS = 5
INITS = ["linear", "density", "random"]
# Kept %, bits of a value P+Q and P+Q+H, bits of an index P+Q and P+Q+H, size % P+Q and P+Q+H: the paper's tables 2 and 3;
# errors and sizes: its table 1. Values of a layer: 2^bits, as there.
PAPER = {
    "lenet-300-100": {
        "error": (1.64, 1.58), "kilobytes": 27, "ratio": 40,
        "layers": {"fc1": (8, 6, 4.4, 5, 3.7, 3.1, 2.32), "fc2": (9, 6, 4.4, 5, 4.3, 3.8, 3.04),
                   "fc3": (26, 6, 4.3, 5, 3.2, 15.7, 12.70)}},
    "lenet-5": {
        "error": (0.80, 0.74), "kilobytes": 44, "ratio": 39,
        "layers": {"conv1": (66, 8, 7.2, 5, 1.5, 78.5, 67.45), "conv2": (12, 8, 7.2, 5, 3.9, 6.0, 5.28),
                   "fc1": (8, 5, 4.5, 5, 4.5, 2.7, 2.45), "fc2": (19, 5, 5.2, 5, 3.7, 6.9, 6.13)}}}
EPOCHS = {"train": 20, "prune": 20, "cluster": 5}
RATES = {"lenet-300-100": (0.1, 0.01), "lenet-5": (0.02, 0.005)}


def thimble(args, *command):
    done = subprocess.run([os.path.join(args.build, "thimble"), *command, "--quiet", "--threads", str(args.threads)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"thimble {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def error_of(args, model):
    return 100 * (1 - json.loads(thimble(args, "eval", model, "--data", "mnist", "--json"))["accuracy"])


def values_of(program):
    """Integers of each layer with weights, in order, by the independent decoder of the tests."""
    decoder = os.path.join(ROOT, "tests", "peers", "thim_decode.py")
    text = subprocess.run([sys.executable, decoder, program], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [[int(v) for v in m.group(1).split()] for m in re.finditer(r"^weights (.*)$", text, re.M)]


def huffman_bits(symbols):
    """Total length of an optimal prefix code (Huffman 1952); one bit a symbol when there is but one."""
    counts = list(Counter(symbols).values())
    if len(counts) < 2:
        return len(symbols)
    heapq.heapify(counts)
    total = 0
    while len(counts) > 1:
        both = heapq.heappop(counts) + heapq.heappop(counts)
        total += both
        heapq.heappush(counts, both)
    return total


def relative_index(weights):
    """[(gap, value)] with gaps of GAP_BITS bits: a run too long is cut by a filler of value zero (the paper's figure 2)."""
    entries, gap, most = [], 0, (1 << GAP_BITS) - 1
    for w in weights:
        if w == 0 and gap < most:
            gap += 1
            continue
        entries.append((gap, w))
        gap = 0
    return entries


def sizes_of(args, model):
    """Weights of each layer, biases left out."""
    layers = json.loads(thimble(args, "info", model, "--json"))["layers"]
    return {l["name"]: l["params"] - int(l["shape"].split("x")[-1]) for l in layers if l["params"]}


def layer_row(weights, all_weights):
    """`weights`: what is stored; rows and columns without any weight are gone. `all_weights`: how many there were."""
    entries = relative_index(weights)
    kept = sum(w != 0 for w in weights)
    gaps, values = [g for g, _ in entries], [v for _, v in entries]
    bits = max(1, math.ceil(math.log2(max(2, len(set(values))))))
    dense, n = 32 * all_weights, max(1, len(entries))
    coded = huffman_bits(gaps) + huffman_bits(values)
    return {"weights": all_weights, "kept": 100 * kept / all_weights, "fillers": len(entries) - kept, "value_bits": bits,
            "value_bits_huffman": huffman_bits(values) / n, "index_bits": GAP_BITS, "index_bits_huffman": huffman_bits(gaps) / n,
            "p": 100 * n * (32 + GAP_BITS) / dense, "pq": 100 * n * (bits + GAP_BITS) / dense, "pqh": 100 * coded / dense,
            "p_bits": n * (32 + GAP_BITS), "pq_bits": n * (bits + GAP_BITS), "pqh_bits": coded}


def epochs(args, stage):
    return str(max(1, round(args.epochs * EPOCHS[stage])))


def settings(network, column, number):
    return ",".join(f"{name}={number(row[column])}" for name, row in PAPER[network]["layers"].items())


def run_seed(args, network, seed, folder):
    common = ["--data", "mnist", "--seed", str(seed)]
    fast, slow = (str(r) for r in RATES[network])
    path = {name: os.path.join(folder, f"{network}-{seed}-{name}.thim") for name in ["float", "pruned"]}
    if args.model and len(args.networks) == 1:
        path["float"] = args.model
    elif not os.path.exists(path["float"]):
        thimble(args, "train", os.path.join(ROOT, "models", network + ".txt"), *common, "--epochs", epochs(args, "train"),
                "--lr", fast, "-o", path["float"])
    thimble(args, "prune", path["float"], *common, "--scope", "layer", "--layers",
            settings(network, 0, lambda kept: f"{1 - kept / 100:.2f}"), "--epochs", epochs(args, "prune"), "--lr", slow,
            "-o", path["pruned"])
    out = {"seed": seed, "error_float": error_of(args, path["float"]), "error_pruned": error_of(args, path["pruned"])}
    sizes = sizes_of(args, path["float"])
    for init in INITS:
        names = {n: os.path.join(folder, f"{network}-{seed}-{init}-{n}.thim") for n in ["clustered", "int8"]}
        thimble(args, "cluster", path["pruned"], *common, "--init", init, "--scope", "layer", "--layers",
                settings(network, 1, lambda bits: 2 ** bits), "--epochs", epochs(args, "cluster"), "--lr", "0.001", "-o",
                names["clustered"])
        thimble(args, "quantize", names["clustered"], *common, "-o", names["int8"])
        made = os.path.join(folder, f"{network}-{seed}-{init}")
        made_bytes = {}
        for coder in ["gap", "smallest"]:
            report = json.loads(thimble(args, "compile", names["int8"], "--coder", coder, "--as", "thim", "-o", made, "--json"))
            made_bytes[coder] = report["bytes"]
        values = values_of(os.path.join(made, "model.thim"))
        layers = {name: layer_row(w, sizes[name]) for name, w in zip(PAPER[network]["layers"], values)}
        total = {k: sum(row[k] for row in layers.values()) for k in ["weights", "p_bits", "pq_bits", "pqh_bits"]}
        out[init] = {"error_clustered": error_of(args, names["clustered"]), "error": error_of(args, names["int8"]),
                     "thim_bytes": made_bytes, "layers": layers, "ratio": {k: 32 * total["weights"] / total[k + "_bits"] for k in ["p", "pq", "pqh"]}}
    return out


def spread(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1))


def print_layers(paper, layers):
    for name, theirs in paper["layers"].items():
        r = layers[name]
        cells = [(f"{r['kept']:.0f}", theirs[0]), (r["value_bits"], theirs[1]), (f"{r['value_bits_huffman']:.1f}", theirs[2]),
                 (r["index_bits"], theirs[3]), (f"{r['index_bits_huffman']:.1f}", theirs[4])]
        shares = [(f"{r['pq']:.1f}", theirs[5]), (f"{r['pqh']:.2f}", f"{theirs[6]:.2f}")]
        widths, more = [15, 13, 12, 12, 12], [15, 16]
        print(f"{name:8}{r['weights']:9,}" + "".join(f"{f'{a} / {b}':>{w}}" for (a, b), w in zip(cells, widths)) +
              f"{r['p']:8.1f}" + "".join(f"{f'{a} / {b}':>{w}}" for (a, b), w in zip(shares, more)))


def print_network(network, paper, runs):
    print(f"\n{network} on MNIST, {len(runs)} seed(s); each column: ours / paper; layers: first seed")
    print(f"{'layer':8}{'weights':>9}{'kept %':>15}{'value bits':>13}{'+H':>12}{'index bits':>12}{'+H':>12}{'P %':>8}{'P+Q %':>15}{'P+Q+H %':>16}")
    for init in INITS:
        print(f"centroids begin {init}")
        print_layers(paper, runs[0][init]["layers"])
    print(f"\n{'':24}{'test error %':>20}{'P':>7}{'P+Q':>7}{'P+Q+H':>8}{'model.thim':>12}{'smallest':>10}")
    print(f"{'paper':24}{paper['error'][0]:>9.2f} -> {paper['error'][1]:.2f}{'':>20}{str(paper['ratio']) + 'x':>9}{str(paper['kilobytes']) + ' KB':>12}")
    before, pruned = spread([r["error_float"] for r in runs]), spread([r["error_pruned"] for r in runs])
    print(f"ours, float {before[0]:.2f} +- {before[1]:.2f}, pruned {pruned[0]:.2f} +- {pruned[1]:.2f}; centroids begin")
    for init in INITS:
        error = spread([r[init]["error"] for r in runs])
        ratio = {k: spread([r[init]["ratio"][k] for r in runs])[0] for k in ["p", "pq", "pqh"]}
        size = {k: round(spread([r[init]["thim_bytes"][k] for r in runs])[0]) for k in ["gap", "smallest"]}
        print(f"  {init:22}{error[0]:>12.2f} +- {error[1]:.2f}{ratio['p']:>6.1f}x{ratio['pq']:>6.1f}x{ratio['pqh']:>7.1f}x{size['gap']:>12,}{size['smallest']:>10,}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--model", help="a float model of the one network named, instead of training one")
    parser.add_argument("--keep", help="folder for the models; those that are there are not trained again")
    parser.add_argument("--threads", type=int, default=0, help="0: one per processor; results are the same")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("networks", nargs="*", choices=[*PAPER, []])
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    args.networks = args.networks or list(PAPER)
    result = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or temporary
        os.makedirs(folder, exist_ok=True)
        for network in args.networks:
            result[network] = {"paper": PAPER[network], "runs": [run_seed(args, network, seed, folder) for seed in range(1, args.seeds + 1)]}
            if not args.json:
                print_network(network, **result[network])
    if args.json:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
