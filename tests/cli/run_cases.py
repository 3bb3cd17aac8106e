#!/usr/bin/env python3
"""Runs the cases of a .case file against the thimble program: run_cases.py THIMBLE FILE.case [PATTERN]

A case file is text. '#' begins a comment line.

    case NAME              a new case, in an empty folder of its own
    needs data NAME        skip the case when the data set NAME is not installed
    needs program NAME     ... or the program
    needs shared           ... or the folder of shared test data (scripts/test-data says which)
    $ COMMAND              a line of bash; thimble is in $PATH, $SOURCE is the project, $SHARED the shared test data.
                           What follows are expectations on it:
    exit N                 exit code, 0 when not said
    out REGEX / err REGEX  found in stdout or stderr;  out! and err!: not found
    json EXPRESSION        stdout is JSON and jq's EXPRESSION is true
    file PATH / file! PATH is there / is not there
Results are printed in cmocka's form, which scripts/count-tests understands. SPDX-License-Identifier: Apache-2.0"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = subprocess.check_output(os.path.join(SOURCE, "scripts", "test-data"), text=True).strip()
DATA_DIRS = [os.environ.get("THIMBLE_DATA", ""), os.path.join(SOURCE, "data"), "/usr/share/datasets"]
STEP_SECONDS = 300


def parse(path):
    """[(name, [needs], [(command, [(word, argument, line)])])]"""
    cases = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word == "case":
            cases.append((rest, [], []))
        elif not cases:
            sys.exit(f"{path}:{number}: a line before the first case")
        elif word == "needs":
            cases[-1][1].append(rest)
        elif word == "$":
            cases[-1][2].append((rest, []))
        elif word in ("exit", "out", "err", "out!", "err!", "json", "file", "file!") and cases[-1][2]:
            cases[-1][2][-1][1].append((word, rest, number))
        else:
            sys.exit(f"{path}:{number}: not understood: {line}")
    return cases


def missing(need):
    """Reason to skip, or None."""
    kind, _, name = need.partition(" ")
    if kind == "data" and not any(d and os.path.isdir(os.path.join(d, name)) for d in DATA_DIRS):
        return f"data set {name} is not installed"
    if kind == "program" and not shutil.which(name):
        return f"program {name} is not installed"
    if kind == "shared" and not os.path.isdir(SHARED):
        return f"no folder {SHARED}"
    return None


def check(word, argument, done, folder):
    """Complaint, or None."""
    text = done.stdout if word.startswith(("out", "json")) else done.stderr
    if word in ("out", "err") and not re.search(argument, text):
        return f"{argument!r} not found in std{word}"
    if word in ("out!", "err!") and re.search(argument, text):
        return f"{argument!r} found in std{word[:3]}"
    if word in ("file", "file!") and os.path.exists(os.path.join(folder, argument)) != (word == "file"):
        return f"{argument} {'is missing' if word == 'file' else 'should not be there'}"
    if word == "json":
        jq = subprocess.run(["jq", "-e", argument], input=text, capture_output=True, text=True)
        if jq.returncode:
            return f"jq {argument!r}: {jq.stdout.strip()} {jq.stderr.strip()}"
    return None


def run_step(command, expected, folder, env):
    """List of complaints."""
    try:
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=STEP_SECONDS)
    except subprocess.TimeoutExpired:
        return [f"$ {command}\n  takes longer than {STEP_SECONDS} s"]
    code = int(next((a for w, a, _ in expected if w == "exit"), "0"))
    wrong = [f"line {n}: {c}" for w, a, n in expected if w != "exit" for c in [check(w, a, done, folder)] if c]
    if done.returncode != code:
        wrong.insert(0, f"exit code {done.returncode}, expected {code}")
    if wrong:
        wrong = [f"$ {command}"] + ["  " + w for w in wrong] + ["  stdout: " + done.stdout[-2000:],
                                                                "  stderr: " + done.stderr[-2000:]]
    return wrong


def run_case(name, steps, thimble):
    env = dict(os.environ, SOURCE=SOURCE, SHARED=SHARED, LC_ALL="C.UTF-8",
               PATH=os.path.dirname(os.path.abspath(thimble)) + os.pathsep + os.environ["PATH"])
    env.setdefault("THIMBLE_DATA", os.path.join(SOURCE, "data"))
    with tempfile.TemporaryDirectory(prefix="thimble-cli-") as folder:
        for command, expected in steps:
            wrong = run_step(command, expected, folder, env)
            if wrong:
                print("\n".join(wrong))
                return False
    return True


def main():
    thimble, path = sys.argv[1:3]
    cases = [c for c in parse(path) if len(sys.argv) < 4 or sys.argv[3] in c[0]]
    failed = 0
    for name, needs, steps in cases:
        print(f"[ RUN      ] {name}")
        reason = next((r for r in map(missing, needs) if r), None)
        if reason:
            print(f"{reason}\n[  SKIPPED ] {name}")
        elif run_case(name, steps, thimble):
            print(f"[       OK ] {name}")
        else:
            print(f"[  FAILED  ] {name}")
            failed += 1
    sys.exit(1 if failed or not cases else 0)


main()
