#!/usr/bin/env python3
"""Processor seconds (user + system) per training epoch, Thimble against PyTorch, side by side on this machine.

    bench/train/run.py [--build build] [--python /usr/bin/python3] [--runs 3] [--steps 0] [--threads 1] [NET ...]

Prints one JSON line per net: seconds of each, and `ratio` = Thimble / the faster layout of PyTorch. Runs alternate and
the least of each counts, so a busy machine disturbs little. --steps N extrapolates from N steps of 64 images; 0 is a
whole epoch. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EPOCH_STEPS = 937
LAYOUTS = {"lenet-300-100": ["default"], "lenet-5": ["default", "channels_last"],
           "ds-cnn-28": ["default", "channels_last"]}


def seconds(command):
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    result = json.loads(done.stdout.splitlines()[-1])
    return result["cpu_seconds"] * EPOCH_STEPS / result["steps"], result


def compare(net, args):
    thimble = [os.path.join(args.build, "bench", "train", "bench_train_epoch"),
               os.path.join(ROOT, "models", net + ".txt"), str(args.steps), str(args.threads)]
    least = {}
    losses = {}
    for _ in range(args.runs):
        for key in ["thimble"] + LAYOUTS[net]:
            peer = [args.python, os.path.join(HERE, "peer.py"), net, key, str(args.steps), str(args.threads)]
            took, result = seconds(thimble if key == "thimble" else peer)
            least[key] = min(took, least.get(key, took))
            losses[key] = result["train_loss"]
            version = result.get("torch", "")
    best = min(least[layout] for layout in LAYOUTS[net])
    return {"net": net, "thimble_seconds": round(least["thimble"], 3),
            "pytorch_seconds": {k: round(least[k], 3) for k in LAYOUTS[net]},
            "ratio": round(least["thimble"] / best, 3), "train_loss": losses, "threads": args.threads,
            "runs": args.runs, "steps": args.steps or EPOCH_STEPS, "torch": version}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("nets", nargs="*", default=list(LAYOUTS))
    args = parser.parse_args()
    if subprocess.run([args.python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        sys.exit(f"{args.python} has no PyTorch: install python3-torch or pass --python")
    for net in args.nets:
        print(json.dumps(compare(net, args)), flush=True)


main()
