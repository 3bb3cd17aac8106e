#!/usr/bin/env python3
"""Small folders of pictures and sounds for the cases: make_media.py pictures|words|machine

pictures: pictures/{train,test}/{dark,light}/N.bmp, 8x8. words: words/{high,low}/N.wav, tones of 1 s at 16 kHz.
machine: machine/train/normal and machine/test/{normal,anomaly}, hums of 1 s, the anomalous ones with a whistle.
SPDX-License-Identifier: Apache-2.0"""
import math
import os
import random
import struct
import sys
import wave

R = random.Random(7)


def picture(path, level):
    rows = b"".join(bytes([min(255, max(0, level + R.randrange(-60, 60))) for _ in range(8)]) for _ in range(8))
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54 + 1024 + 64, 0, 54 + 1024, 40, 8, 8, 1, 8, 0, 64, 0, 0, 256, 0)
    with open(path, "wb") as f:
        f.write(header + palette + rows)


def sound(path, tones):
    phase = [R.uniform(0, 6.28) for _ in tones]
    with wave.open(path, "wb") as w:
        w.setparams((1, 2, 16000, 0, "NONE", ""))
        w.writeframes(b"".join(struct.pack("<h", int(sum(a * math.sin(6.2832 * f * i / 16000 + p) for (f, a), p in
                                                         zip(tones, phase)) + R.gauss(0, 200))) for i in range(16000)))


def fill(folder, count, ending, make):
    os.makedirs(folder)
    for i in range(count):
        make(os.path.join(folder, f"{i}.{ending}"))


def main():
    if sys.argv[1] == "pictures":
        for part, count in (("train", 60), ("test", 20)):
            for name, level in (("dark", 90), ("light", 160)):
                fill(f"pictures/{part}/{name}", count, "bmp", lambda path, level=level: picture(path, level))
    elif sys.argv[1] == "words":
        for name, low, high in (("high", 1500, 2500), ("low", 200, 500)):
            fill(f"words/{name}", 30, "wav", lambda path, a=low, b=high: sound(path, [(R.uniform(a, b), 8000)]))
    else:
        for folder, count, whistle in (("train/normal", 12, 0), ("test/normal", 6, 0), ("test/anomaly", 6, 1500)):
            fill("machine/" + folder, count, "wav",
                 lambda path, w=whistle: sound(path, [(120, 6000), (R.uniform(300, 320), 3000), (3000, w)]))


main()
