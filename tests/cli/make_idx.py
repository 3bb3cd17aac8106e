#!/usr/bin/env python3
"""A small data set that a small network learns in a second: 8x8 grey pictures with noise, where the quadrant that is bright
is the class (4 classes). make_idx.py FOLDER [TRAIN TEST]   SPDX-License-Identifier: Apache-2.0"""
import os
import random
import struct
import sys


def picture(rng, label):
    pixels = [rng.randrange(100) for _ in range(64)]
    y0, x0 = 4 * (label // 2), 4 * (label % 2)
    for y in range(y0, y0 + 4):
        for x in range(x0, x0 + 4):
            pixels[8 * y + x] = min(255, pixels[8 * y + x] + rng.randrange(60, 155))
    return bytes(pixels)


def write(folder, prefix, count, rng):
    labels = [i % 4 for i in range(count)]
    rng.shuffle(labels)
    with open(os.path.join(folder, f"{prefix}-images-idx3-ubyte"), "wb") as f:
        f.write(struct.pack(">4i", 0x803, count, 8, 8) + b"".join(picture(rng, v) for v in labels))
    with open(os.path.join(folder, f"{prefix}-labels-idx1-ubyte"), "wb") as f:
        f.write(struct.pack(">2i", 0x801, count) + bytes(labels))


def main():
    folder = sys.argv[1]
    train, test = (int(a) for a in sys.argv[2:4]) if len(sys.argv) > 3 else (2000, 400)
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(1)
    write(folder, "train", train, rng)
    write(folder, "t10k", test, rng)


main()
