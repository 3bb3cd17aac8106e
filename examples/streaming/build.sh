#!/usr/bin/env bash
# A model with state as one C file, and a program that feeds it slices; checked against `thimble run --stream`.
#   build.sh MODEL [OUTPUT-FOLDER]        MODEL: int8, with SVDF, LSTM or variables      SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
model=$(realpath "${1:?usage: build.sh MODEL [OUTPUT-FOLDER]}")
out=$(realpath -m "${2:-$root/build/examples/streaming}")
thimble=${THIMBLE:-$root/build/thimble}
slices=50
mkdir -p "$out"
cd "$out"
"$thimble" compile "$model" --as single-file --target host --name model -q -o . >compile.log
cc -std=c99 -O2 -Wall -Wextra -I. model.c "$here/main.c" -o stream

bytes=0
while read -r n; do bytes=$((bytes + n)); done < <(sed -n 's/^#define MODEL_INPUT[0-9]*_BYTES \([0-9]*\)u/\1/p' model.h)
head -c $((bytes * slices)) "$(command -v bash)" >slices.bin # any bytes will do here: those of a program
./stream <slices.bin >outputs.bin
"$thimble" run "$model" --stream --input slices.bin -o host.bin -q >/dev/null
cmp outputs.bin host.bin
echo "$slices slices of $bytes bytes, outputs equal to those of thimble run --stream"
