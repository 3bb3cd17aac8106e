#!/usr/bin/env python3
"""How `thimble fit` scales: the same search by one process, by N processes and by `mpirun -n N`, one thread each, taking turns. Same
number of trials and seed, so every fit.json must be the same but for its seconds.

    bench/fit/run.py [-n 2] [--trials 12] [--repeat 2] [--tiny] [--keep DIR]

`speedup` is the wall clock of one process / that of N, each the least of its runs. A time limit is not set: all trials are made. --tiny:
the network and pictures of tests/cli, whose jobs take a blink, to see that it works. Exit code 1 when a front differs, 77 (skipped)
without mpirun or data. SPDX-License-Identifier: Apache-2.0"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
THIMBLE = os.environ.get("THIMBLE", os.path.join(ROOT, "build", "thimble"))
MPI = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
LIMITS = ["--flash", "12K", "--ram", "4K"]  # no accuracy: then a search uses all its trials


def run(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: nothing kept the limits, which is a result, too
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr[-2000:]}")


def prepare(folder, tiny):
    """(network, data) or None when the data are not there."""
    network, data = ("tests/cli/tiny.txt", "quads") if tiny else ("models/digits-2k.txt", "fashion-mnist,limit=12000")
    if tiny:
        subprocess.run([sys.executable, os.path.join(ROOT, "tests", "cli", "make_idx.py"), "quads"], cwd=folder, check=True)
    train = [THIMBLE, "train", os.path.join(ROOT, network), "--data", data, "--epochs", "4", "-o", "m.thim", "-q"]
    return ("m.thim", data) if subprocess.run(train, cwd=folder, capture_output=True).returncode == 0 else None


def search(how, ranks, job, trials, folder):
    """(seconds, what fit.json says but for its seconds)"""
    out = os.path.join(folder, how)
    shutil.rmtree(out, ignore_errors=True)
    before = {"mpi": MPI + ["-n", str(ranks)]}.get(how, [])
    jobs = [] if how == "mpi" else ["--jobs", "1" if how == "one" else str(ranks)]
    begin = time.monotonic()
    run(before + [THIMBLE, "fit", job[0], "--data", job[1], "--trials", str(trials), "--threads", "1", "-o", out, "-q"] + LIMITS + jobs, folder)
    seconds = time.monotonic() - begin
    with open(os.path.join(out, "fit.json"), encoding="utf-8") as f:
        found = json.load(f)
    for trial in found["trials"]:
        trial.pop("seconds", None)
    return seconds, found


def measure(args, job, folder):
    seconds, found = {"one": [], "processes": [], "mpi": []}, {}
    for _ in range(args.repeat):
        for how in seconds:
            s, found[how] = search(how, args.n, job, args.trials, folder)
            seconds[how].append(s)
    least = {how: min(s) for how, s in seconds.items()}
    return {
        "ranks": args.n, "trials": len(found["one"]["trials"]), "probes": len(found["one"]["sensitivity"]), "front": found["one"]["front"],
        "same_front": all(f == found["one"] for f in found.values()),
        "speedup": {how: round(least["one"] / least[how], 3) for how in ("processes", "mpi")},
        "spread": {how: round(max(s) / min(s), 3) for how, s in seconds.items()}, "load_at_end": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=2, help="ranks and processes")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--keep", help="folder for what the searches write")
    args = parser.parse_args()
    if not shutil.which("mpirun"):
        print("skipped: no mpirun (Debian: openmpi-bin)", file=sys.stderr)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        folder = os.path.abspath(args.keep or work)
        os.makedirs(folder, exist_ok=True)
        job = prepare(folder, args.tiny)
        if not job:
            print("skipped: fashion-mnist is not there", file=sys.stderr)
            sys.exit(77)
        result = measure(args, job, folder)
    print(json.dumps(result))
    sys.exit(0 if result["same_front"] else 1)


main()
