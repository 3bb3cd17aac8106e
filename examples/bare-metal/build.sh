#!/usr/bin/env bash
# A network that this project trained, in firmware for a target, classifying real pictures; built and run, emulated where the
# target is not this machine.    build.sh [TARGET [OUTPUT-FOLDER]]                      SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
target=${1:-cortex-m4}
out=$(realpath -m "${2:-$root/build/examples/bare-metal-$target}")
thimble=${THIMBLE:-$root/build/thimble}
pictures=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}

model=ds-cnn-28 optimize=speed count=8
if [ "$target" = avr ]; then # 32 KB of flash: the small network, which is one for digits, and a few pictures to show it on
  model=digits-2k optimize=ram count=2
fi
mkdir -p "$out"
"$thimble" quantize "$root/models/$model.thim" --data "$pictures,limit=2000" -q -o "$out/model.thim" >"$out/quantize.log"
"$thimble" compile "$out/model.thim" --target "$target" --optimize $optimize --name fashion -q -o "$out" >"$out/compile.log"
python3 "$here/pictures.py" "$pictures" "$out/fashion.h" $count >"$out/pictures.h"
cp "$here/main.c" "$out/main.c"

cd "$out"
rm -f report.txt
if [ "$target" = host ]; then
  cp "$here/host_board.h" board.h
  cmake -S . -B build >cmake.log && cmake --build build >>cmake.log
  build/fashion_run
else
  cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=toolchain.cmake >cmake.log && cmake --build build >>cmake.log
  run=$(sed -n '/# Run it/,$ s/^# *\(\S.*firmware.elf.*\)$/\1/p' CMakeLists.txt) # as the project itself says
  # shellcheck disable=SC2086 # words
  if [ "$target" = avr ]; then ${run% input.hex} 2>&1 | grep -o 'picture .*[0-9]' >report.txt; else $run; fi
fi
cat report.txt
if [ "$target" = avr ]; then echo "clothes, shown to a network for digits: that it runs is all there is to see; docs/guide/firmware.md has digits"; fi
