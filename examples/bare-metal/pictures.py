#!/usr/bin/env python3
"""The first test pictures of a data set in IDX files as a C header, quantized as the model's header says.
    pictures.py FOLDER MODEL.h COUNT > pictures.h
SPDX-License-Identifier: Apache-2.0"""
import gzip
import os
import re
import sys


def load(folder, name):
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
                return f.read()
    sys.exit(f"no {name}[.gz] in {folder}")


def main():
    folder, header, count = sys.argv[1], open(sys.argv[2], encoding="utf-8").read(), int(sys.argv[3])
    scale = float(re.search(r"_INPUT0_SCALE (\S+)f", header).group(1))
    zero = int(re.search(r"_INPUT0_ZERO \((-?\d+)\)", header).group(1))
    images, labels = load(folder, "t10k-images-idx3-ubyte")[16:], load(folder, "t10k-labels-idx1-ubyte")[8:]
    print(f"/* Made by pictures.py. */\n#include <stdint.h>\n\n#if defined(__AVR__)\n#include <avr/pgmspace.h>\n#else\n"
          f"#include <string.h>\n#define PROGMEM\n#define memcpy_P memcpy\n#endif\n\nenum {{ PICTURES = {count} }};\n")
    print(f"static const int8_t pictures[{count}][784] PROGMEM = {{")
    for i in range(count):
        values = (max(-128, min(127, round(p / 255 / scale) + zero)) for p in images[784 * i:784 * (i + 1)])
        print("  {" + ",".join(map(str, values)) + "},")
    print("};\n")
    print("static inline void picture_read(unsigned i, int8_t *to) {\n  memcpy_P(to, pictures[i], 784);\n}\n")
    print("static inline unsigned picture_label(unsigned i) {\n  static const char labels[] = \"" +
          "".join(map(str, labels[:count])) + "\";\n  return (unsigned)(labels[i] - '0');\n}")


main()
