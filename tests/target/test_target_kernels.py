#!/usr/bin/env python3
"""Builds the kernel tests for every emulated target of src/write/targets.def and runs them there: variants, forms and
primitives as the instructions of that processor (emulated.py). Targets without compiler or emulator are skipped; one name
as the second argument picks one target. SPDX-License-Identifier: Apache-2.0"""
import sys
import tempfile

from emulated import build, missing_tool, run, target_rows

PROGRAMS = {  # source, and the folder of rt/kernel that a target must have for it; all of the runtime, or headers alone
    "tests/target/kernels.c": (None, True),
    "tests/kernel/test_dsp.c": ("dsp", False),
    "tests/kernel/test_mve.c": ("mve", False),
}


def check(target, family, program, runtime):
    """What went wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        problem = build(target, family, program, runtime, folder)
        if problem:
            return problem
        lines = run(target, family, folder).splitlines() or ["no report"]
        return None if lines[-1].startswith("passed ") else "\n    ".join(lines[-3:])


def main():
    wanted = sys.argv[2] if len(sys.argv) > 2 else None
    ran = failed = 0
    for target, family in target_rows():
        if wanted and target["name"] != wanted:
            continue
        tool = missing_tool(family)
        if tool:
            print(f"skipped {target['name']}: no {tool}")
            continue
        for program, (folder, runtime) in PROGRAMS.items():
            if folder and folder not in target["kernels"].split():
                continue
            problem = check(target, family, program, runtime)
            print(f"{target['name']}, {program}: {problem or 'passed'}", flush=True)
            ran, failed = ran + 1, failed + (problem is not None)
    return 1 if failed else 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
