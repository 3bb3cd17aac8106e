#!/usr/bin/env python3
"""Damaged models: whatever is done to a file, `thimble info` ends with exit code 0 or 3, within 2 s of processor time and
1 GiB of address space. Mutant N depends on N alone: it is one of the collected models, cut, with bytes changed, or with
numbers put where sizes and offsets may be. 400 of them in a normal run; THIMBLE_MUTANTS=10000 asks for more.

    test_mutants.py BUILD_DIR [FIRST COUNT]

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = subprocess.check_output(os.path.join(SOURCE, "scripts", "test-data"), text=True).strip()
SUFFIXES = (".tflite", ".onnx", ".h5", ".keras", ".thim")
CPU_SECONDS, MEMORY, FILE_MOST = 2, 1 << 30, 4 << 20
NUMBERS = [0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**24, 2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]


def models():
    found = []
    for folder in (os.path.join(DATA, "models"), os.path.join(SOURCE, "models")):
        for path, _, names in sorted(os.walk(folder)):
            found += [os.path.join(path, n) for n in sorted(names) if n.endswith(SUFFIXES)]
    return [f for f in found if os.path.getsize(f) <= FILE_MOST]


def put_number(data, r):
    width = r.choice([1, 2, 4, 4, 4, 8])
    at = r.randrange(max(1, len(data) - width))
    if width >= 4 and r.random() < 0.8:
        at &= ~3
    data[at : at + width] = struct.pack("<Q", r.choice(NUMBERS))[:width]


def add_to_number(data, r):
    at = r.randrange(max(1, len(data) - 4)) & ~3
    value = int.from_bytes(data[at : at + 4], "little") + r.choice([-8, -4, -1, 1, 4, 8, 1000])
    data[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)


def flip_bit(data, r):
    data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def copy_block(data, r):
    size = r.randrange(1, min(256, len(data)))
    a, b = r.randrange(len(data) - size + 1), r.randrange(len(data) - size + 1)
    data[b : b + size] = data[a : a + size]


def cut(data, r):
    del data[r.randrange(len(data)) :]


def insert(data, r):
    at = r.randrange(len(data))
    data[at:at] = bytes(r.randrange(256) for _ in range(r.choice([1, 2, 4, 16])))


MUTATIONS = [put_number] * 5 + [add_to_number] * 3 + [flip_bit] * 3 + [copy_block, cut, insert]


def near_structure(data, r):
    """Most bytes of a model are weights, whose damage nobody notices; the ends of files hold the structure."""
    size = len(data)
    if size < 4096 or r.random() < 0.3:
        return 0, size
    part = r.choice([512, 2048, size // 8])
    return (0, part) if r.random() < 0.5 else (size - part, size)


def mutant(paths, number):
    r = random.Random(number)
    path = paths[number % len(paths)]
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for _ in range(r.choice([1, 1, 2, 3, 8])):
        begin, end = near_structure(data, r)
        piece = data[begin:end]
        if len(piece) > 1:
            r.choice(MUTATIONS)(piece, r)
            data[begin:end] = piece
    return path, bytes(data)


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(tool, path):
    try:
        done = subprocess.run([tool, "info", path, "--json", "--threads", "1"], stdin=subprocess.DEVNULL, capture_output=True,
                              preexec_fn=limits, timeout=60)
    except subprocess.TimeoutExpired:
        return "60 s without an end", ""
    return done.returncode, done.stderr.decode(errors="replace").strip()


def main():
    build = sys.argv[1]
    tool = os.path.join(build, "thimble")
    first, count = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (0, int(os.environ.get("THIMBLE_MUTANTS", "400")))
    paths = models()
    if not any(p.startswith(DATA) for p in paths):
        print(f"skipped: no folder {DATA} with collected models (THIMBLE_TEST_DATA)")
        sys.exit(77)
    ends, failures = {0: 0, 3: 0}, []
    with tempfile.TemporaryDirectory(dir=build) as folder:
        for number in range(first, first + count):
            path, data = mutant(paths, number)
            file = os.path.join(folder, "mutant" + os.path.splitext(path)[1])
            with open(file, "wb") as f:
                f.write(data)
            code, said = run(tool, file)
            silent = code == 3 and (not said or "\n" in said)
            if code in ends and not silent:
                ends[code] += 1
            else:
                failures.append(f"mutant {number} of {os.path.basename(path)}: exit code {code}: {said[-300:]!r}")
    for f in failures:
        print(f)
    print(f"{count} mutants: {ends[0]} are still models, {ends[3]} refused, {len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
