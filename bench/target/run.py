#!/usr/bin/env python3
"""What MLPerf Tiny's int8 models cost on microcontrollers, beside TensorFlow Lite Micro with CMSIS-NN.

    bench/target/run.py [--build build] [--data DIR] [--target T,...] [--model AD,...] [--jobs N] [--json]
    bench/target/run.py --check [--tolerance 0.02]     compare with baseline.json; exit code 1 when a figure has grown
    bench/target/run.py --record                       write baseline.json

Each model goes through `thimble bench --lossless --all`: builds for speed, size and RAM of what the lossless passes make of it,
run under emulation on the golden input, their outputs equal to those of the model itself on the host, which in turn must be
TFLite Micro's golden ones. Instructions are executed ones of one inference. Figures of the peer and what Thimble promises are in
figures.py. With MNIST at hand the network of digits on an ATmega328P follows. Exit code 1 when an output byte differs; 77
(skipped) without data or tools.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

from figures import DIGITS, FILES, NAMES, PEER, PROMISES, SIZE_MAY_COST, SIZE_MODELS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BASELINE = os.path.join(HERE, "baseline.json")
BUILDS = ("speed", "size", "ram")
TARGETS = ("cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc")
KEPT = ("instructions", "flash_bytes", "arena_bytes", "stack_bytes")  # by baseline.json
FIGURES = {"instructions": "instructions", "flash_bytes": "flash, whole", "code_bytes": "flash without the model",
           "arena_bytes": "arena + scratch", "stack_bytes": "stack"}


# --- running ---

def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def golden_input(work, args, name):
    """The agreed input: byte i = (37 i + 11) mod 256 - 128, as many as the model takes. Checks its output on the host."""
    model = model_path(args, name)
    given, got = os.path.join(work, name + ".in"), os.path.join(work, name + ".out")
    size = input_bytes(args, model)
    with open(given, "wb") as f:
        f.write(bytes((i * 37 + 11 - 128) & 255 for i in range(size)))
    run(args.thimble, "run", model, "--input", given, "-o", got, "--quiet")
    with open(got, "rb") as f, open(golden_path(args, name), "rb") as g:
        if f.read() != g.read():
            raise SystemExit(f"{name}: the host's output is not the golden one")
    return given


def input_bytes(args, model):
    shapes = {"ad01_int8": 640, "pretrainedResnet_quant": 32 * 32 * 3, "kws_ref_model": 49 * 10, "vww_96_int8": 96 * 96 * 3}
    return shapes[os.path.splitext(os.path.basename(model))[0]]


def bench(args, work, target, name, given):
    folder = os.path.join(work, f"{target}-{name}")
    text = run(args.thimble, "bench", model_path(args, name), "--target", target, "--input", given, "--lossless", "--all",
               "--totals", "-o", folder, "--json", "--quiet")
    shutil.rmtree(folder)
    return {b["optimize"]: b for b in json.loads(text)["builds"]}


def measure(args):
    """{target: {model: {build: what `bench --json` says}}}"""
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        given = {name: golden_input(work, args, name) for name in args.model}
        jobs = {(t, n): pool.submit(bench, args, work, t, n, given[n]) for t in args.target for n in args.model}
        return {t: {n: jobs[t, n].result() for n in args.model} for t in args.target}


def digits(args):
    """MNIST on an ATmega328P: the accuracy that `eval` finds on the 10,000 test pictures, and simavr's figures on 200 of them,
    whose bytes are the host's. Or why not."""
    for tool in ("avr-gcc", "simavr"):
        if not shutil.which(tool):
            return f"no {tool}"
    with tempfile.TemporaryDirectory() as work:
        model, given = os.path.join(work, "digits.tflite"), os.path.join(ROOT, "models", "digits-2k.thim")
        done = subprocess.run([args.thimble, "quantize", given, "--data", "mnist,limit=2000", "-q", "-o", model],
                              capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
        found = json.loads(run(args.thimble, "eval", model, "--data", "mnist", "--json", "-q"))
        text = run(args.thimble, "bench", model, "--target", "avr", "--optimize", "ram", "--data", "mnist", "-n", "200",
                   "--totals", "--json", "-q", "-o", os.path.join(work, "firmware"))
        figures = {k: v for k, v in json.loads(text).items() if isinstance(v, (int, str))}
        return {**figures, "accuracy": found["accuracy"]}  # of all test pictures


# --- showing ---

def cell(value):
    return "" if value is None else f"{value:,.0f}"


def print_row(label, values):
    print(f"  {label:44s}" + "".join(f"{v:>22s}" for v in values))


def print_figure(target, key, found, names):
    print_row(FIGURES[key], names)
    peer = PEER.get(target, {}).get(key)
    if peer:
        print_row("  TFLite Micro", [cell(peer[n]) for n in names])
    for build in BUILDS:
        values = [found[n][build].get(key, 0) for n in names]
        print_row(f"  for {build}", [cell(v) + (f"  ({v / peer[n]:.2f})" if peer else "") for n, v in zip(names, values)])
    promise = PROMISES.get((target, key))
    if promise:
        build, most, aim = promise
        print_row(f"  promised for {build}: at most", [cell(most.get(n)) for n in names])
        if aim:
            print_row("  aim", [cell(aim.get(n)) for n in names])
        print_row("  kept", [verdict(found[n][build].get(key, 0), most.get(n), aim.get(n)) for n in names])


def verdict(value, most, aim):
    if most is None:
        return ""
    if value > most:
        return f"no, {value / most:.2f} x"
    return "yes, and the aim" if aim and value <= aim else "yes"


def print_cost_of_size(found, names):
    ratios = {n: found[n]["size"]["instructions"] / found[n]["speed"]["instructions"] for n in names}
    print_row("instructions, size / speed", [f"{ratios[n]:.2f}" for n in names])
    print_row(f"  promised: at most {SIZE_MAY_COST:.2f}",
              ["" if n not in SIZE_MODELS else "yes" if ratios[n] <= SIZE_MAY_COST else "no" for n in names])


def print_tables(results, names):
    for target, found in results.items():
        print(f"{target}")
        for key in FIGURES:
            print_figure(target, key, found, names)
        if target == "cortex-m4":
            print_cost_of_size(found, names)
        print()


def print_digits(found):
    print("MNIST on an ATmega328P")
    if isinstance(found, str):
        print("  skipped:", found)
        return
    ram = found["ram_bytes"] + found["stack_bytes"]
    print(f"  accuracy {100 * found['accuracy']:.2f} % (promised {100 * DIGITS['accuracy']:.2f}, published elsewhere "
          f"{100 * DIGITS['published']:.2f}), {found['cycles']:,} cycles\n"
          f"  flash {found['flash_bytes']:,} of {DIGITS['flash_bytes']:,}, RAM and stack {ram:,} of {DIGITS['ram_bytes']:,}, "
          f"{found['different_bytes']} of {found['output_bytes']:,} output bytes differ from the host's\n")


# --- the baseline ---

def kept(results):
    return {t: {n: {b: {k: r[k] for k in KEPT} for b, r in builds.items()} for n, builds in found.items()}
            for t, found in results.items()}


def grown(results, baseline, tolerance):
    for target, found in kept(results).items():
        for name, builds in found.items():
            for build, figures in builds.items():
                before = baseline.get(target, {}).get(name, {}).get(build, {})
                for key, value in figures.items():
                    if key in before and value > before[key] * (1 + tolerance):
                        yield f"{target} {name} for {build}: {key} {before[key]:,} -> {value:,}"


def check(results, args):
    """Figures without a row in the baseline are new and pass."""
    with open(BASELINE) as f:
        baseline = json.load(f)
    worse = list(grown(results, baseline, args.tolerance))
    for line in worse:
        print("grown:", line)
    count = sum(len(KEPT) * len(builds) for found in results.values() for builds in found.values())
    print(f"{count} figures, {len(worse)} grown by more than {100 * args.tolerance:g} %")
    return 1 if worse else 0


def record(results):
    baseline = {}
    if os.path.exists(BASELINE):
        with open(BASELINE) as f:
            baseline = json.load(f)
    for target, found in kept(results).items():
        baseline.setdefault(target, {}).update(found)
    with open(BASELINE, "w") as f:
        json.dump(baseline, f, indent=1)
        f.write("\n")


# --- the whole ---

def model_path(args, name):
    return os.path.join(args.data, "models", "mlperf_tiny", FILES[name] + ".tflite")


def golden_path(args, name):
    return os.path.join(args.data, "golden", FILES[name] + ".out.bin")


def missing(args):
    """Why nothing can be measured; None when everything is there."""
    for name in args.model:
        for path in (model_path(args, name), golden_path(args, name)):
            if not os.path.exists(path):
                return f"{path} is not there"
    tools = {"arm-none-eabi-gcc", "qemu-system-arm"} if any(t.startswith("cortex") for t in args.target) else set()
    if "rv32imc" in args.target:
        tools |= {"riscv64-unknown-elf-gcc", "qemu-system-riscv32"}
    absent = sorted(t for t in tools if not shutil.which(t))
    return f"{', '.join(absent)} not installed" if absent else None


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--data", default=subprocess.check_output(os.path.join(ROOT, "scripts", "test-data"), text=True).strip())
    p.add_argument("--target", type=lambda s: s.split(","), default=list(TARGETS))
    p.add_argument("--model", type=lambda s: s.split(","), default=list(NAMES))
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--tolerance", type=float, default=0.02)
    for flag in ("--json", "--check", "--record"):
        p.add_argument(flag, action="store_true")
    args = p.parse_args()
    args.thimble = os.path.join(args.build, "thimble")
    return args


def main():
    args = options()
    why = missing(args)
    if args.check and not os.path.exists(BASELINE):
        why = "there is no baseline.json; --record writes it"
    if why:
        print("skipped:", why)
        return 77
    results = measure(args)
    if args.check:
        return check(results, args)
    tiny = digits(args)
    if args.json:
        print(json.dumps({"peer": PEER, "results": results, "digits": tiny}, indent=1))
    else:
        print_tables(results, args.model)
        print_digits(tiny)
    if args.record:
        record(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
