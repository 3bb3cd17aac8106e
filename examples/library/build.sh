#!/usr/bin/env bash
# Builds programs that use an installed Thimble, by pkg-config and by CMake, shrinks a network for made-up points with one and runs
# the result with the other.
#   build.sh PREFIX [OUTPUT-FOLDER]                SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(realpath "${1:?usage: build.sh PREFIX [OUTPUT-FOLDER]}")
out=$(realpath -m "${2:-library-example}")
pc=$(dirname "$(find "$prefix" -name thimble.pc | head -n 1)")
lib=$(dirname "$pc")
export PKG_CONFIG_PATH=$pc LD_LIBRARY_PATH=$lib
mkdir -p "$out"
cd "$out"

# One command each ...
flags() { pkg-config --cflags --libs "$1" | tr -s '[:space:]' '\n'; }
mapfile -t thimble < <(flags thimble)
mapfile -t rt < <(flags thimble-rt)
cc -std=c11 -O2 -Wall -Wextra -Werror "$here/shrink_model.c" -o shrink_model "${thimble[@]}" -lm
cc -std=c11 -O2 -Wall -Wextra -Werror "$here/run_model.c" -o run_model "${rt[@]}"

# ... or find_package.
cmake -S "$here" -B cmake -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build cmake -j "$(nproc)"

# Points of two kinds, on either side of a line.
awk 'BEGIN { srand(1); print "a,b,kind"; for (i = 0; i < 600; i++) { x = rand() * 2 - 1; y = rand() * 2 - 1
  printf "%.3f,%.3f,%s\n", x, y, x < y ? "left" : "right" } }' >points.csv
printf 'input 2\nfully_connected 16\nrelu\nfully_connected 2\nsoftmax\n' >points.txt
printf 'stages:\n  - train: {epochs: 40, lr: 0.1}\n  - quantize\n  - compile\n' >points.yaml
for program in ./shrink_model cmake/shrink_model; do
  "$program" points.txt points.csv,label=kind,test=0.25 "small-$(dirname $program | tr -d .)" points.yaml | tee report.txt
done
cmp small-/model.thim small-cmake/model.thim # the same bytes
printf '\x81\x7f\x7f\x81' >corners.bin       # left, right
for program in ./run_model cmake/run_model; do
  "$program" small-/model.thim <corners.bin | od -An -td1 | tee answers.txt
done
