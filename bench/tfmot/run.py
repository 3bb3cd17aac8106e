#!/usr/bin/env python3
"""Prune, cluster and quantize one float network in Thimble and in TensorFlow's Model Optimization Toolkit (TFMOT), side by side.

    bench/tfmot/run.py --python PYTHON [--build build] [--data DIR] [--seeds 3] [--threads 0] [--json] [NET ...]

PYTHON belongs to an environment that has the packages tensorflow, tf-keras and tensorflow-model-optimization; DIR is a folder
with Fashion-MNIST (or MNIST) as gzipped IDX files. Each seed: tf-keras trains a float network and saves it as .h5; from that
one file both tools prune to the same sparsity (TFMOT: of every layer, Thimble: of the whole network), cluster to the same number
of values, quantize to int8 (TFMOT by training, Thimble by training or after it) and write the result, in batches of 64. TFMOT takes 4, 2 and 2
epochs, Thimble as many or fewer (JOBS). Thimble then sweeps, which TFMOT has nothing like; its epochs and seconds count. The whole job is timed from the start
of the program to its end, judging included, one after the other, both with every core or with the given number of threads:
wall time, and processor time, which a busy machine disturbs less. TFMOT's bytes are its zipped .tflite, as its own
tutorials count; Thimble's are the whole model.thim, which a microcontroller runs as it is. Each judges its own model on the
test set. Prints mean and spread over the seeds and the ratios ours / theirs. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FLOAT_EPOCHS, PRUNE_EPOCHS, CLUSTER_EPOCHS, QAT_EPOCHS = 6, 4, 2, 2  # of TFMOT
SPARSITY, CLUSTERS = 0.9, 16  # clusters of a layer
RECIPE = f"""stages:
  - prune:
      sparsity: {SPARSITY}
      scope: global
      epochs: @prune
      optimizer: adam
      lr: 0.003
      weight-decay: 0
  - cluster:
      clusters: {CLUSTERS}
      scope: layer
      rate: @rate
      epochs: 2
      optimizer: adam
      lr: 0.002
  - quantize:
@quantize
  - sweep:
      rounds: @rounds
      epochs: 1
      step: 0.1
      optimizer: adam
      lr: 0.0005
      max-drop: @drop
  - compile:
      coder: smallest
"""
QAT = """      method: qat
      epochs: 2
      optimizer: adam
      lr: 0.001"""
# Of LeNet-5 fewer epochs, 5 for TFMOT's 8: the float network is far from its best, and the bar is the time of the whole job. Chosen on the
# validation split among some ten settings, from float networks that `thimble train` made, with their test errors printed beside.
JOBS = {"lenet-300-100": {"prune": 4, "rate": 0.2, "quantize": QAT, "rounds": 2, "drop": 0.4},
        "lenet-5": {"prune": 2, "rate": 0.1, "quantize": "      method: ptq", "rounds": 1, "drop": 0.3}}
LIMITS = {"bytes": 0.5, "seconds": 0.3}


def call(command, threads=0):
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    if threads:
        environment |= {k: str(threads) for k in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def clock():
    """Wall seconds, and processor seconds of all programs that were run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.time(), used.ru_utime + used.ru_stime


def timed(command, threads):
    before = clock()
    text = call(command, threads)
    return text, dict(zip(("seconds", "cpu_seconds"), (b - a for a, b in zip(before, clock()))))


def peer(args, *words):
    text, times = timed([args.python, os.path.join(HERE, "peer.py"), *map(str, words)], args.threads)
    return {**json.loads(text.splitlines()[-1]), **times}


def thimble(args, source, folder, net, seed):
    recipe, text = os.path.join(folder, "recipe.yaml"), RECIPE
    for key, value in JOBS[net].items():
        text = text.replace("@" + key, str(value))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(text)
    text, times = timed([os.path.join(args.build, "thimble"), "shrink", source, "--data", args.data, "--recipe", recipe, "--seed", str(seed),
                              "-o", os.path.join(folder, "out"), "--quiet", "--json", "--threads", str(args.threads)], args.threads)
    last = json.loads(text)["stages"][-1]
    return {"bytes": last["bytes"], "accuracy": last["accuracy"], "sparsity": last["sparsity"], **times}


def one(args, net, seed):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "float.h5")
        float_accuracy = peer(args, "float", net, args.data, source, FLOAT_EPOCHS, seed)["accuracy"]
        theirs = peer(args, "chain", source, args.data, os.path.join(folder, "peer.tflite"), SPARSITY, CLUSTERS, PRUNE_EPOCHS, CLUSTER_EPOCHS,
                      QAT_EPOCHS, seed)
        ours = thimble(args, source, folder, net, seed)
    return {"seed": seed, "float_accuracy": float_accuracy, "tfmot": theirs, "thimble": ours}


def mean(runs, tool, key):
    values = [r[tool][key] for r in runs]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def summarize(args, net):
    runs = [one(args, net, seed) for seed in range(1, args.seeds + 1)]
    result = {"net": net, "sparsity": SPARSITY, "clusters": CLUSTERS, "runs": runs}
    for key in ("bytes", "accuracy", "seconds", "cpu_seconds"):
        result[key] = {tool: dict(zip(("mean", "spread"), mean(runs, tool, key))) for tool in ("tfmot", "thimble")}
        result[key]["ratio"] = result[key]["thimble"]["mean"] / result[key]["tfmot"]["mean"]
    result["holds"] = (all(result[k]["ratio"] <= most for k, most in LIMITS.items()) and
                       result["accuracy"]["thimble"]["mean"] >= result["accuracy"]["tfmot"]["mean"])
    return result


def show(r):
    print(f"{r['net']}: {100 * r['sparsity']:.0f} % zeros, {r['clusters']} clusters a layer, {len(r['runs'])} seeds; float accuracy "
          f"{100 * statistics.mean(x['float_accuracy'] for x in r['runs']):.2f} %")
    for tool in ("tfmot", "thimble"):
        print(f"  {tool:8} {r['bytes'][tool]['mean']:9,.0f} ± {r['bytes'][tool]['spread']:.0f} bytes   "
              f"{100 * r['accuracy'][tool]['mean']:.2f} ± {100 * r['accuracy'][tool]['spread']:.2f} %")
    print(f"  ratio    bytes {r['bytes']['ratio']:.2f} (at most {LIMITS['bytes']}), time {r['seconds']['ratio']:.2f} (at most {LIMITS['seconds']}), "
          f"processor time {r['cpu_seconds']['ratio']:.2f}: "
          f"{'holds' if r['holds'] else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of both tools; 0: one per processor")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("nets", nargs="*", default=list(JOBS))
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    if subprocess.run([args.python, "-c", "import tensorflow, tf_keras, tensorflow_model_optimization"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: --python needs tensorflow, tf-keras and tensorflow-model-optimization", file=sys.stderr)
        sys.exit(77)
    results = []
    for net in args.nets:
        results.append(summarize(args, net))
        if not args.json:
            show(results[-1])
    if args.json:
        print(json.dumps({"jobs": results}))
    sys.exit(0 if all(r["holds"] for r in results) else 1)


main()
