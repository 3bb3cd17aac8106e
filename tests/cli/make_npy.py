#!/usr/bin/env python3
"""Writes NumPy arrays of the numbers k * 37 % 101 / 101 - 0.5 (whole numbers k % 3 for i types) without NumPy.

    make_npy.py FILE.npy TYPE SHAPE [fortran]       TYPE <f4, <f8, |u1, ...; SHAPE 2x3
    make_npy.py FILE.npz NAME=TYPE:SHAPE ...        several arrays
    make_npy.py FILE.bin TYPE SHAPE                 the numbers alone
SPDX-License-Identifier: Apache-2.0"""
import struct
import sys
import zipfile

CODES = {"<f4": "f", "<f8": "d", "|u1": "B", "<i4": "i", "<c8": "q"}


def numbers(kind, dims):
    count = 1
    for d in dims:
        count *= d
    values = [k % 3 if kind[1] in "iuc" else k * 37 % 101 / 101 - 0.5 for k in range(count)]
    return struct.pack(f"<{count}{CODES[kind]}", *values)


def npy(kind, shape, fortran=False):
    dims = [int(d) for d in shape.split("x")]
    text = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': ({', '.join(map(str, dims))},), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + numbers(kind, dims)


def main():
    path, words = sys.argv[1], sys.argv[2:]
    if path.endswith(".npz"):
        with zipfile.ZipFile(path, "w") as z:
            for word in words:
                name, _, array = word.partition("=")
                z.writestr(name + ".npy", npy(*array.split(":")))
        return
    kind, shape = words[:2]
    with open(path, "wb") as f:
        f.write(numbers(kind, map(int, shape.split("x"))) if path.endswith(".bin") else npy(kind, shape, len(words) > 2))


main()
