#!/usr/bin/env python3
"""What every kernel and form costs on each emulated microcontroller, beside the reference kernel on the same cases.

    bench/kernel/run.py [--json] [TARGET ...]

kernels.c runs the random cases of tests/kernel, the same in every run; it is built as the kernel tests are
(tests/target/emulated.py). "as selected": the kernel that rt/kernel/select.h takes there. Instructions are executed ones, per byte
of output; the last column tells how many times fewer than the reference. Exit code 77 without any compiler or emulator.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "target"))
from emulated import build, missing_tool, run, target_rows  # noqa: E402

PROGRAM = "bench/kernel/kernels.c"


def measure(target, family):
    """[{kind, name, cases, bytes, reference, instructions}] or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        problem = build(target, family, PROGRAM, True, folder)
        if problem:
            sys.exit(f"{target['name']}: {problem}")
        lines = run(target, family, folder, count=True).splitlines()
    if not lines or lines[-1] != "done":
        sys.exit(f"{target['name']}: the program did not end: {lines[-1:]}")
    return [row(line.split(), 1e9 / target["hertz"]) for line in lines[:-1]]


def row(words, per_tick):
    cases, size, reference, own = map(int, words[2:])
    return {"kind": words[0], "name": words[1], "cases": cases, "output_bytes": size,
            "reference": round(reference * per_tick), "instructions": round(own * per_tick)}


def show(name, rows):
    print(f"{name}\n  {'kernel as selected, or form':34s}{'cases':>7s}{'outputs':>10s}{'reference':>14s}{'instructions':>14s}"
          f"{'per output':>12s}{'fewer':>8s}")
    for r in rows:
        if r["cases"] == 0:
            print(f"  {r['name']:34s}      0  can run none of these cases")
            continue
        print(f"  {r['name']:34s}{r['cases']:7d}{r['output_bytes']:10,}{r['reference']:14,}{r['instructions']:14,}"
              f"{r['instructions'] / r['output_bytes']:12.1f}{r['reference'] / max(1, r['instructions']):8.2f}")
    print(flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--json", action="store_true")
    p.add_argument("target", nargs="*")
    args = p.parse_args()
    results = {}
    for target, family in target_rows():
        tool = missing_tool(family)
        if tool:
            print(f"skipped {target['name']}: no {tool}", file=sys.stderr)
        elif not args.target or target["name"] in args.target:
            results[target["name"]] = measure(target, family)
            if not args.json:
                show(target["name"], results[target["name"]])
    if args.json:
        print(json.dumps(results, indent=1))
    return 0 if results else 77


if __name__ == "__main__":
    sys.exit(main())
