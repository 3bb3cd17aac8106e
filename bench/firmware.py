"""Building and running firmware without the tool, for benchmarks that do it often: the rows of src/write/targets.def as Python,
and the instructions of each layer of a project folder. SPDX-License-Identifier: Apache-2.0"""
import ast
import collections
import glob
import os
import random
import re
import subprocess

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
Target = collections.namedtuple("Target", "name compiler flags link kernels emulator arguments counting machine hertz")
COMMON = ["-std=c99", "-I.", "-Irt", "-Irt/include", "-ffunction-sections", "-fdata-sections"]


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[:2000]}")
    return done.stdout


def targets():
    """{name: Target} of all that are emulated."""
    path = os.path.join(ROOT, "src", "write", "targets.def")
    text = run(["cc", "-E", "-P", "-x", "c", path], ROOT)  # what is left of the macros are tuples of strings, in Python too
    rows = [(kind, ast.literal_eval(values)) for kind, values in re.findall(r"TH_(FAMILY|TARGET)(\(.*?\))(?=\s*(?:TH_|$))", text, re.S)]
    families = {row[0]: row for kind, row in rows if kind == "FAMILY"}
    found = {}
    for kind, t in rows:
        if kind == "TARGET" and families[t[2]][4]:
            f = families[t[2]]
            found[t[0]] = Target(t[0], f[1], t[3].split(), f[2].split(), t[4].split(), f[4], f[5].split(), f[6].split(), t[5], t[6])
    return found


def flag_of(goal):
    return "-O2" if goal == "speed" else "-Os"  # th_goal_flag


def write_input(folder):
    """Random bytes for all inputs of one sample."""
    with open(os.path.join(folder, "model.h"), encoding="utf-8") as f:
        size = sum(int(n) for n in re.findall(r"_INPUT\d+_BYTES (\d+)u", f.read()))
    with open(os.path.join(folder, "input.bin"), "wb") as f:
        f.write(random.Random(1).randbytes(size))


def count_layers(folder, target, goal):
    """[instructions] of the layers of a project that `thimble compile` wrote to the folder."""
    sources = sorted(os.path.relpath(p, folder) for p in
                     glob.glob(os.path.join(folder, "*.c")) + glob.glob(os.path.join(folder, "rt", "**", "*.c"), recursive=True))
    run([target.compiler, flag_of(goal)] + target.flags + COMMON + ["-DTHIMBLE_PROFILE"] + sources + target.link + ["-o", "profile.elf"], folder)
    write_input(folder)
    words = {"@machine@": target.machine, "@firmware@": "profile.elf"}
    run([target.emulator] + [words.get(w, w) for w in target.arguments + target.counting], folder)
    with open(os.path.join(folder, "report.txt"), encoding="utf-8") as f:
        ticks = re.findall(r"^layer +([0-9a-f]+)", f.read(), re.M)
    return [int(t, 16) * 1000000000 // target.hertz for t in ticks]
