#!/usr/bin/env bash
# From recordings of words to a keyword spotter in firmware: trains the network of MLPerf Tiny on MFCC features, quantizes it,
# writes it as one C file, and runs it on the test recordings on an emulated Cortex-M4.
#   build.sh WAVS [OUTPUT-FOLDER]        WAVS: a folder per word with its .wav files (docs/guide/data.md)
# EPOCHS and BATCH are for small sets of recordings.                                   SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
wavs=$(realpath "${1:?usage: build.sh WAVS [OUTPUT-FOLDER]}")
out=$(realpath -m "${2:-$root/build/examples/keyword}")
thimble=${THIMBLE:-$root/build/thimble}
mkdir -p "$out"
cd "$out"
words=$(find "$wavs" -mindepth 1 -maxdepth 1 -type d | wc -l)
data="$wavs,features=mfcc,std=10,test=0.3"
sed "s/^fully_connected 12/fully_connected $words/" "$root/models/ds-cnn.txt" >keyword.txt
"$thimble" train keyword.txt --data "$data" --epochs "${EPOCHS:-20}" --batch "${BATCH:-64}" -q -o float.thim
"$thimble" quantize float.thim --data "$data" -q -o keyword.thim
"$thimble" compile keyword.thim --as single-file --target cortex-m4 --name keyword -q -o single-file
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
  "$thimble" bench keyword.thim --target cortex-m4 --data "$data" --name keyword -n 12 -q --json -o firmware | tee bench.json
else
  echo "no arm-none-eabi-gcc or no qemu-system-arm: not run on an emulated Cortex-M4"
fi
