#!/usr/bin/env bash
# Builds and runs each example, on each target whose compiler and emulator are here: the pictures are classified as on this
# machine, an update that is not genuine is refused, a stream equals the host's. SPDX-License-Identifier: Apache-2.0
set -euo pipefail
build=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$build/examples
export THIMBLE=$build/thimble
ran=0
mkdir -p "$out"

have() { # PROGRAM...; says which one is missing
  local p
  for p in "$@"; do
    command -v "$p" >/dev/null || {
      echo "not run: no $p"
      return 1
    }
  done
}

quietly() { # NAME COMMAND...
  local log=$out/$1.log
  shift
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log"
    return 1
  fi
}

bare_metal() { # TARGET PROGRAM...
  local target=$1
  shift
  have cmake "$@" || return 0
  quietly "bare-metal-$target" "$root/examples/bare-metal/build.sh" "$target" "$out/bare-metal-$target"
  cat "$out/bare-metal-$target/report.txt"
  if [ "$target" = avr ]; then # the network for digits: what it finds in a picture of clothes does not matter
    [ "$(grep -cE '^picture 0[01] is a [0-9], found [0-9]$' "$out/bare-metal-avr/report.txt")" = 2 ]
  else
    cmp "$out/bare-metal-$target/report.txt" "$out/bare-metal-host/report.txt"
  fi
  ran=$((ran + 1))
}

if [ -d "${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}" ]; then
  bare_metal host cc
  right=$(grep -cE 'is a ([0-9]), found \1' "$out/bare-metal-host/report.txt")
  [ "$right" -ge 7 ] || { echo "only $right of 8 pictures are recognized" && exit 1; }
  for target in cortex-m0plus cortex-m4 cortex-m7 cortex-m33 cortex-m55; do
    bare_metal $target arm-none-eabi-gcc qemu-system-arm
  done
  bare_metal rv32imc riscv64-unknown-elf-gcc qemu-system-riscv32
  bare_metal avr avr-gcc simavr

  quietly over-the-air "$root/examples/over-the-air/build.sh" "$out/over-the-air"
  sed 's/:.*ok$/: ok/; s/^revision \([0-9]*\):.*/runs \1/' "$out/over-the-air/report.txt" >"$out/over-the-air/short.txt"
  diff "$out/over-the-air/short.txt" - <<'WANTED'
mse.thim: no signature of the expected signer
first.signed: ok
runs 1
second.signed: ok
runs 2
forged.signed: no signature of the expected signer
runs 2
damaged.signed: no signature of the expected signer
runs 2
first.signed: signed, but of an older revision than is wanted
runs 2
WANTED
  ran=$((ran + 1))
else
  echo "not run: bare-metal, over-the-air: no Fashion-MNIST (Debian: dataset-fashion-mnist)"
fi

model=$("$root/scripts/test-data")/models/tflm/keyword_scrambled.tflite
if [ -f "$model" ]; then
  quietly streaming "$root/examples/streaming/build.sh" "$model" "$out/streaming"
  tail -n 1 "$out/streaming.log"
  ran=$((ran + 1))
else
  echo "not run: streaming: no $model (THIMBLE_TEST_DATA)"
fi

rm -rf "$out/recordings" && mkdir -p "$out/recordings"
(cd "$out/recordings" && python3 "$root/tests/cli/make_media.py" words)
EPOCHS=4 BATCH=8 quietly keyword "$root/examples/keyword/build.sh" "$out/recordings/words" "$out/keyword"
if [ -f "$out/keyword/bench.json" ]; then
  jq -e '.accuracy > 0.8 and .different_bytes == 0' "$out/keyword/bench.json" >/dev/null || { cat "$out/keyword/bench.json" && exit 1; }
fi
ran=$((ran + 1))
echo "$ran examples built and run"
