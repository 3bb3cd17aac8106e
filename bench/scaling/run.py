#!/usr/bin/env python3
"""What a second thread brings to training: wall seconds of an epoch on Fashion-MNIST with 1 and with 2 threads, on this machine.

    bench/scaling/run.py [--build build] [--runs 3] [--steps 0] [--threads 2] [NET ...]

Prints one JSON line per net: the least seconds of each (runs alternate), `speedup`, whether the weights are the same bits, and
whether the bar holds, 1.7 for the LeNets with 2 threads. Exit code 1 when it does not. Says something on a quiet machine only:
`busy` is the share of the processors that others took meanwhile. --steps N takes N steps of 64 images; 0 is a whole epoch.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NETS = ["lenet-300-100", "lenet-5", "ds-cnn-28"]
LEAST = 1.7


def spent():
    """Processor seconds of the whole machine, not idle."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(t) for t in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def own():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def epoch(args, net, threads):
    command = [os.path.join(args.build, "bench", "train", "bench_train_epoch"), os.path.join(ROOT, "models", net + ".txt"), str(args.steps),
               str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(args, net):
    least, weights = {}, set()
    before = (spent(), own(), time.time())
    for _ in range(args.runs):
        for threads in (1, args.threads):
            result = epoch(args, net, threads)
            weights.add(result["weights"])
            least[threads] = min(result["seconds"], least.get(threads, result["seconds"]))
    passed = time.time() - before[2]
    others = (spent() - before[0]) - (own() - before[1])
    speedup = least[1] / least[args.threads]
    bar = LEAST if args.threads == 2 and net.startswith("lenet") else None
    return {"net": net, "seconds": least, "threads": args.threads, "speedup": round(speedup, 3), "same_bits": len(weights) == 1, "bar": bar,
            "holds": len(weights) == 1 and (bar is None or speedup >= bar), "busy": round(max(0, others) / passed / os.cpu_count(), 2),
            "runs": args.runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("nets", nargs="*", default=NETS)
    args = parser.parse_args()
    results = []
    for net in args.nets:
        results.append(measure(args, net))
        print(json.dumps(results[-1]), flush=True)
    sys.exit(0 if all(r["holds"] for r in results) else 1)


main()
