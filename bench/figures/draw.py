#!/usr/bin/env python3
"""Makes the pictures and tables of docs/guide/ from the measurements beside them (run.py writes those, and
bench/deep-compression/run.py its own).

    bench/figures/draw.py [--check]

A picture is a function draw_NAME and a row in PICTURES, a table a function table_NAME and a row in TABLES. Pictures become
docs/guide/figures/NAME.svg; a table replaces what stands in a page between `<!-- table NAME -->` and `<!-- end -->`. The text
and the axes of a picture take their colour from the page's light or dark scheme. With --check nothing is written: tables must
be what the measurements say, each picture must carry the checksum of its measurements, and where matplotlib has the version
that drew it, drawing it again must give the same bytes. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import functools
import glob
import hashlib
import io
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GUIDE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "guide")
FIGURES = os.path.join(GUIDE, "figures")
INK = "#010203"  # stands for the page's text colour
BLUE, ORANGE, GREEN, PINK, GREY = "#2f7ed8", "#e07b00", "#2a9d5c", "#c2539d", "#8a8f98"
STYLE = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
LENET5_BYTES = 1724320


def load(name):
    with open(os.path.join(FIGURES, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def pick(points, **wanted):
    return [p for p in points if all(p[k] == v for k, v in wanted.items())]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def spread(values):
    """What stands behind a mean: the standard deviation, of one value nothing."""
    values = list(values)
    return f" +- {(sum((v - mean(values)) ** 2 for v in values) / (len(values) - 1)) ** 0.5:.2f}" if len(values) > 1 else ""


def percent(fraction):
    return f"{100 * fraction:.2f} %"


def rows(header, body):
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(str(c) for c in row) + " |" for row in body])


# Pruning

def table_pruning():
    data = load("pruning")
    body = [["none", "", percent(data["dense"]["accuracy"]), percent(data["dense"]["accuracy"]), f"{data['dense']['bytes']:,}", f"{data['dense']['macs']:,}"]]
    retrained = max(p["epochs"] for p in data["points"])
    names = {"element": "single weights", "n:m": "2 of every 4 weights", "channel": "whole channels"}
    for granularity, name in names.items():
        for before in pick(data["points"], granularity=granularity, epochs=0):
            after = pick(data["points"], granularity=granularity, epochs=retrained, asked=before["asked"])[0]
            body.append([name, f"{100 * before['asked']:.0f} %", percent(before["accuracy"]), percent(after["accuracy"]), f"{after['bytes']:,}", f"{after['macs']:,}"])
    return rows(["what goes", "how much", "accuracy, not retrained", f"retrained for {retrained} epoch", "bytes, int8 and coded", "MACs"], body)


def draw_pruning(plot):
    data = load("pruning")
    figure, (left, right) = plot.subplots(1, 2, sharey=True)
    retrained = max(p["epochs"] for p in data["points"])
    for granularity, color, name, offset in [("element", BLUE, "single weights", (-22, 3)), ("channel", ORANGE, "channels", (4, -9))]:
        for epochs, style, how in [(retrained, "o-", "retrained"), (0, "o--", "not retrained")]:
            points = pick(data["points"], granularity=granularity, epochs=epochs)
            left.plot([100 * p["asked"] for p in points], [100 * p["accuracy"] for p in points], style, color=color, label=f"{name}, {how}")
        points = pick(data["points"], granularity=granularity, epochs=retrained)
        right.plot([p["bytes"] / 1000 for p in points], [100 * p["accuracy"] for p in points], "o-", color=color, label=name)
        for p in points[1::2]:
            right.annotate(f"{100 * p['asked']:.0f} %", (p["bytes"] / 1000, 100 * p["accuracy"]), xytext=offset, textcoords="offset points", fontsize=7)
    for axes in (left, right):
        axes.axhline(100 * data["dense"]["accuracy"], color=GREY, linewidth=1)
        axes.grid(True)
    left.set(xlabel="pruned away, %", ylabel="test accuracy, %", ylim=(80, 93))
    right.set(xlabel="KB of model.thim, retrained", xscale="log")
    right.set_xticks([10, 20, 50, 100, 200, 400], ["10", "20", "50", "100", "200", "400"])
    right.minorticks_off()
    right.legend(handles=left.get_lines()[:4], loc="lower right")
    return figure


# Clustering

def init_means(data, key, **wanted):
    """{init: [(clusters, mean, lowest, highest)]}"""
    out = {}
    for init in ["linear", "density", "random"]:
        series = []
        for k in sorted({p["clusters"] for p in pick(data["points"], **wanted)}):
            values = [p[key] for p in pick(data["points"], init=init, clusters=k, **wanted)]
            series.append((k, mean(values), min(values), max(values)))
        out[init] = series
    return out


def table_clusters(data):
    body = [["float32", "", percent(data["float"]["accuracy"]), "", "", f"{data['float']['bytes']:,}", "1.0x"]]
    for epochs in sorted({p["epochs"] for p in data["points"]}):
        by_init = init_means(data, "accuracy", epochs=epochs)
        for i, (k, _, _, _) in enumerate(by_init["linear"]):
            size = pick(data["points"], init="linear", clusters=k, epochs=epochs)[0]["bytes"]
            random = by_init["random"][i]
            body.append([k, epochs or "none", percent(by_init["linear"][i][1]), percent(by_init["density"][i][1]),
                         f"{percent(random[1])} ({100 * random[2]:.2f} to {100 * random[3]:.2f})", f"{size:,}", f"{data['float']['bytes'] / size:.1f}x"])
    return rows(["values a layer", "epochs of fine-tuning", "linear", "density", "random, 3 seeds", "bytes, linear", "ratio"], body)


def draw_clusters(plot, data, low):
    epochs = sorted({p["epochs"] for p in data["points"]})
    figure, panels = plot.subplots(1, len(epochs), sharey=True, squeeze=False)
    panels = panels[0]
    for axes, e in zip(panels, epochs):
        for init, color in [("linear", BLUE), ("density", ORANGE), ("random", GREEN)]:
            series = init_means(data, "accuracy", epochs=e)[init]
            k = [s[0] for s in series]
            axes.plot(k, [100 * s[1] for s in series], "o-", color=color, label=init + (", 3 seeds" if init == "random" else ""))
            if init == "random":
                axes.fill_between(k, [100 * s[2] for s in series], [100 * s[3] for s in series], color=color, alpha=0.2, linewidth=0)
        axes.axhline(100 * data["float"]["accuracy"], color=GREY, linewidth=1)
        axes.set(xscale="log", xlabel="values a layer", title="clustered only" if e == 0 else f"{e} epoch{'s' if e > 1 else ''} of fine-tuning")
        axes.set_xticks(k, [str(x) for x in k])
        axes.minorticks_off()
        axes.grid(True)
    panels[0].set(ylabel="test accuracy, %", ylim=(low, 100 * data["float"]["accuracy"] + 1))
    panels[-1].legend(loc="lower right")
    return figure


def table_clustering():
    return table_clusters(load("clustering"))


def table_clustering_lenet_5():
    return table_clusters(load("clustering-lenet-5"))


def draw_clustering(plot):
    return draw_clusters(plot, load("clustering"), 80)


def draw_clustering_lenet_5(plot):
    return draw_clusters(plot, load("clustering-lenet-5"), 80)


# Deep Compression beside the paper: bench/deep-compression/run.py --json

NETWORKS = {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"}
BEGINNINGS = ["linear", "density", "random"]


def table_deep_compression():
    """Means over the seeds; the paper names neither what pruning alone leaves in its format nor a file."""
    body = []
    for network, data in load("deep-compression").items():
        error, runs = data["paper"]["error"], data["runs"]
        body.append([NETWORKS[network], "paper", f"{error[0]:.2f} %", f"{error[1]:.2f} %", "", f"{data['paper']['ratio']}x", f"{data['paper']['kilobytes']} KB, no file"])
        for init in BEGINNINGS:
            of = lambda *keys: [functools.reduce(lambda v, k: v[k], keys, r) for r in runs]
            ours = lambda *keys: of(init, *keys)
            body.append(["", f"{init}, {len(runs)} seed{'s' if len(runs) > 1 else ''}", f"{mean(of('error_float')):.2f}{spread(of('error_float'))} %",
                         f"{mean(ours('error')):.2f}{spread(ours('error'))} %", f"{mean(ours('ratio', 'pq')):.1f}x", f"{mean(ours('ratio', 'pqh')):.1f}x",
                         f"{mean(ours('thim_bytes', 'smallest')):,.0f} bytes"])
    return rows(["network", "centroids begin", "test error, float", "at the end", "P+Q", "P+Q+H", "file of the device"], body)


def table_deep_compression_layers():
    """Of the first seed."""
    body = []
    for network, data in load("deep-compression").items():
        for layer, (kept, bits, coded_bits, _, coded_index, pq, pqh) in data["paper"]["layers"].items():
            ours = [data["runs"][0][init]["layers"][layer] for init in BEGINNINGS]
            by_init = lambda key, digits: ", ".join(f"{o[key]:.{digits}f}" for o in ours)
            body.append([f"{NETWORKS[network]} {layer}", f"{ours[0]['kept']:.0f} / {kept} %", f"{ours[0]['value_bits']} / {bits}", f"{by_init('value_bits_huffman', 1)} / {coded_bits}",
                         f"{ours[0]['index_bits_huffman']:.1f} / {coded_index}", f"{ours[0]['pq']:.1f} / {pq} %", f"{by_init('pqh', 2)} / {pqh:.2f} %"])
    return rows(["layer", "kept", "bits of a value", "with Huffman coding", "of an index", "P+Q", "P+Q+H"], body)


# Weights, stage by stage

def draw_weights(plot):
    data = load("weights")
    figure, panels = plot.subplots(3, 1, sharex=True, figsize=(6.4, 4.6))
    width = 2 * data["limit"] / 80
    distinct = len(data["stages"]["clustered"]["centroids"])
    titles = {"float": "trained", "pruned": "pruned", "clustered": f"clustered: {distinct} values and zero"}
    for axes, (stage, color) in zip(panels, [("float", BLUE), ("pruned", ORANGE), ("clustered", GREEN)]):
        s = data["stages"][stage]
        if "centroids" in s:
            axes.bar([c["value"] for c in s["centroids"]], [c["weights"] for c in s["centroids"]], width=width / 2, color=color)
            axes.plot([c["value"] for c in s["centroids"]], [0] * len(s["centroids"]), "^", color=PINK, clip_on=False, markersize=4)
        else:
            axes.stairs(s["bins"], [-data["limit"] + i * width for i in range(81)], fill=True, color=color)
        zeros = f"{s['zeros']:,} zeros, not shown" if s["zeros"] else ""
        axes.text(0.99, 0.72, f"{titles[stage]}\n{s['weights'] - s['zeros']:,} weights\n{zeros}", transform=axes.transAxes, ha="right", va="center")
        axes.grid(True, axis="y")
    panels[-1].set(xlabel=f"value of a weight of {data['layer']}")
    return figure


# Quantization

METHODS = [("nearest", BLUE, "to the nearest, biases as they were"), ("adaround", ORANGE, "adaround, bias correction"), ("qat", GREEN, "trained (qat), 1 epoch")]


def table_quantization():
    points, body = load("quantization")["points"], []
    for weights in ["int8", "int4", "int3", "int2", "ternary"]:
        found = {m: pick(points, weights=weights, method=m) for m, _, _ in METHODS}
        body.append([weights] + [percent(found[m][0]["accuracy"]) if found[m] else "" for m, _, _ in METHODS] + [f"{found['adaround'][0]['bytes']:,}",
                    f"{LENET5_BYTES / found['adaround'][0]['bytes']:.1f}x"])
    return rows(["weights"] + [name for _, _, name in METHODS] + ["bytes, adaround, coded", "ratio"], body)


def draw_quantization(plot):
    points = load("quantization")["points"]
    figure, axes = plot.subplots()
    kinds = ["int8", "int4", "int3", "int2", "ternary"]
    for method, color, name in METHODS:
        found = [p for k in kinds for p in pick(points, weights=k, method=method)]
        axes.plot([kinds.index(p["weights"]) for p in found], [100 * p["accuracy"] for p in found], "o-", color=color, label=name)
    sizes = [pick(points, weights=k, method="adaround")[0]["bytes"] / 1000 for k in kinds]
    axes.set_xticks(range(5), [f"{k}\n{s:.0f} KB" for k, s in zip(kinds, sizes)])
    axes.set(ylabel="test accuracy, %", ylim=(80, 93), xlabel="type of the weights; bytes after coding (adaround)")
    axes.grid(True)
    axes.legend(loc="lower left")
    return figure


# Coding

CODERS = [("raw", GREY, "raw (int8)"), ("bitpack", PINK, "bit packing"), ("huffman", BLUE, "Huffman"), ("gap", ORANGE, "gaps and values"), ("range", GREEN, "range coder"), ("context", INK, "context coder")]


KINDS = [("clustered", "16 clusters"), ("int4", "int4")]


def table_coding():
    points = load("coding")["points"]
    levels = sorted({p["sparsity"] for p in points})
    return rows(["weights", "zeros"] + [name for _, _, name in CODERS],
                [[name, f"{100 * s:.0f} %"] + [" ".join(f"{p['bytes']:,}" for p in pick(points, kind=kind, sparsity=s, coder=c)) for c, _, _ in CODERS]
                 for kind, name in KINDS for s in levels])


def table_coding_device():
    device = load("coding")["device"]
    return rows(["`--coder`", "flash, linked", "arena", "stack", "instructions"],
                [[d["coder"], f"{d['flash_bytes']:,}", f"{d['arena_bytes']:,}", f"{d['stack_bytes']:,}", f"{d['instructions'] / 1e6:.2f} M"] for d in device])


def draw_coding(plot):
    data = load("coding")
    figure, panels = plot.subplots(1, 2, sharey=True)
    for axes, (kind, title) in zip(panels, KINDS):
        for coder, color, name in CODERS:
            found = pick(data["points"], coder=coder, kind=kind)
            axes.plot([100 * p["sparsity"] for p in found], [8 * p["bytes"] / data["weights"] for p in found], "o-", color=color, label=name)
        axes.set(xlabel="zeros, %", title=title)
        axes.grid(True)
    panels[0].set(ylabel="bits a weight, tables included", ylim=(0, 8.5))
    panels[1].legend(loc="upper left", bbox_to_anchor=(0, 0.93))
    return figure


# Distillation

def table_distillation():
    body = []
    for taught in [False, True]:
        found = [p["accuracy"] for p in pick(load("distillation")["points"], teacher=taught)]
        body.append(["labels and teacher" if taught else "labels alone", percent(mean(found)) + spread(100 * v for v in found)])
    return rows(["learns from", "test accuracy, 3 seeds"], body)


def draw_distillation(plot):
    figure, axes = plot.subplots(figsize=(3.6, 3))
    for x, (taught, color) in enumerate([(False, BLUE), (True, ORANGE)]):
        found = [100 * p["accuracy"] for p in pick(load("distillation")["points"], teacher=taught)]
        axes.plot([x] * len(found), found, "o", color=color, alpha=0.6)
        axes.plot([x - 0.2, x + 0.2], [mean(found)] * 2, "-", color=color, linewidth=2)
    axes.set_xticks([0, 1], ["labels alone", "with teacher"])
    axes.set(xlim=(-0.5, 1.5), ylabel="test accuracy, %")
    axes.grid(True, axis="y")
    return figure


# All of LeNet-5

def draw_choosing(plot):
    figure, axes = plot.subplots()
    pruning, clustering = load("pruning"), load("clustering-lenet-5")
    best = lambda points: sorted(points, key=lambda p: p["bytes"])
    series = [("pruned weights, int8", BLUE, best(p for p in pruning["points"] if p["granularity"] == "element" and p["epochs"])),
              ("pruned channels, int8", PINK, best(p for p in pruning["points"] if p["granularity"] == "channel" and p["epochs"])),
              ("clustered, not trained on", GREEN, best(p for p in clustering["points"] if p["init"] == "linear")),
              ("fewer bits (adaround)", ORANGE, best(p for p in load("quantization")["points"] if p["method"] == "adaround")),
              ("pruned, then 16 values", INK, best(p for p in load("coding")["chain"] if p["asked"]))]
    for name, color, points in series:
        axes.plot([p["bytes"] / 1000 for p in points], [100 * p["accuracy"] for p in points], "o-", color=color, label=name)
    axes.axhline(100 * clustering["float"]["accuracy"], color=GREY, linewidth=1)
    axes.set(xscale="log", xlabel="KB of model.thim", ylabel="test accuracy, %", xlim=(9, 450), ylim=(84, 93))
    axes.set_xticks([10, 20, 50, 100, 200, 400], ["10", "20", "50", "100", "200", "400"])
    axes.minorticks_off()
    axes.grid(True)
    axes.legend(loc="lower left", bbox_to_anchor=(0.31, 0))
    return figure


# name: function, topics it is made from
PICTURES = {"pruning": (draw_pruning, ["pruning"]), "clustering": (draw_clustering, ["clustering"]), "weights": (draw_weights, ["weights"]),
            "clustering-lenet-5": (draw_clustering_lenet_5, ["clustering-lenet-5"]), "quantization": (draw_quantization, ["quantization"]),
            "coding": (draw_coding, ["coding"]), "distillation": (draw_distillation, ["distillation"]),
            "choosing": (draw_choosing, ["pruning", "clustering-lenet-5", "quantization", "coding"])}
# name: function, topic it is made from
TABLES = {"pruning": (table_pruning, "pruning"), "clustering": (table_clustering, "clustering"),
          "clustering-lenet-5": (table_clustering_lenet_5, "clustering-lenet-5"), "quantization": (table_quantization, "quantization"),
          "coding": (table_coding, "coding"), "coding-device": (table_coding_device, "coding"), "distillation": (table_distillation, "distillation"),
          "deep-compression": (table_deep_compression, "deep-compression"), "deep-compression-layers": (table_deep_compression_layers, "deep-compression")}


def matplotlib_or_none():
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("svg")
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "thimble", "figure.figsize": (6.4, 3.4), "figure.constrained_layout.use": True, "font.size": 9,
        "font.family": "sans-serif", "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
        "grid.color": INK, "grid.alpha": 0.15, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
        "legend.fontsize": 8, "axes.titlesize": 9, "lines.markersize": 4, "savefig.transparent": True})
    return matplotlib


def checksum(topics):
    digest = hashlib.sha256()
    for topic in topics:
        with open(os.path.join(FIGURES, topic + ".json"), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def render(matplotlib, name):
    """The picture's file: a first comment says what it was made from and by what."""
    from matplotlib import pyplot
    function, topics = PICTURES[name]
    out = io.StringIO()
    figure = function(pyplot)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    pyplot.close(figure)
    text = out.getvalue().replace(INK, "currentColor")
    text = re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m.group()):.2f}", text[text.index("<svg"):])
    text = re.sub(r' ?\n(?=[LQCzMmv]|")', " ", text)
    at = text.index(">") + 1
    return f"<!-- {checksum(topics)} matplotlib {matplotlib.__version__} -->\n{text[:at]}\n {STYLE}{text[at:]}"


def with_tables(text):
    """The page with its tables as measured; what has not been measured yet stays as it is."""
    def fill(m):
        if not os.path.exists(os.path.join(FIGURES, TABLES[m.group(1)][1] + ".json")):
            return m.group(0)
        return f"<!-- table {m.group(1)} -->\n{TABLES[m.group(1)][0]()}\n<!-- end -->"
    return re.sub(r"<!-- table ([\w-]+) -->\n.*?<!-- end -->", fill, text, flags=re.S)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check_picture(matplotlib, name, path):
    if not os.path.exists(path):
        return [f"{path}: missing"]
    text = read(path)
    made_from, version = re.match(r"<!-- (\w+) matplotlib (\S+) -->", text).groups()
    if made_from != checksum(PICTURES[name][1]):
        return [f"{path}: not made from the measurements beside it"]
    if matplotlib and matplotlib.__version__ == version and render(matplotlib, name) != text:
        return [f"{path}: drawing it again gives another picture"]
    return []


def check(matplotlib):
    problems, shown, tables = [], set(), set()
    for page in sorted(glob.glob(os.path.join(GUIDE, "*.md"))):
        text = read(page)
        shown.update(re.findall(r"\(figures/([\w-]+)\.svg\)", text))
        tables.update(re.findall(r"<!-- table ([\w-]+) -->", text))
        if with_tables(text) != text:
            problems.append(f"{page}: a table is not what was measured")
    for name in PICTURES:
        problems += check_picture(matplotlib, name, os.path.join(FIGURES, name + ".svg"))
    problems += [f"picture {name} is on no page" for name in sorted(set(PICTURES) - shown)]
    problems += [f"picture {name} is drawn by nothing" for name in sorted(shown - set(PICTURES))]
    problems += [f"table {name} is on no page" for name in sorted(set(TABLES) - tables)]
    return problems


def write(matplotlib):
    if not matplotlib:
        sys.exit("draw.py: no matplotlib for this Python (Debian: python3-matplotlib, for /usr/bin/python3)")
    for name in PICTURES:
        if all(os.path.exists(os.path.join(FIGURES, topic + ".json")) for topic in PICTURES[name][1]):
            with open(os.path.join(FIGURES, name + ".svg"), "w", encoding="utf-8") as f:
                f.write(render(matplotlib, name))
    for page in sorted(glob.glob(os.path.join(GUIDE, "*.md"))):
        text = read(page)
        new = with_tables(text)
        if new != text:
            with open(page, "w", encoding="utf-8") as f:
                f.write(new)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    matplotlib = matplotlib_or_none()
    if not args.check:
        return write(matplotlib)
    problems = check(matplotlib)
    print("\n".join(problems + [f"{len(PICTURES)} pictures and {len(TABLES)} tables checked" + ("" if matplotlib else "; not drawn again: no matplotlib")]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
