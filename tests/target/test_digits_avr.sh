#!/usr/bin/env bash
# The digit network on an ATmega328P: flash and RAM hold it, stack included, and each output byte is the host's. With MNIST at
# hand 200 of its test pictures are run, else 20 of Fashion-MNIST. SPDX-License-Identifier: Apache-2.0
set -euo pipefail
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
thimble=$build/thimble

skip() {
  echo "skipped: $1"
  exit 77
}
command -v avr-gcc >/dev/null || skip "no avr-gcc (Debian: gcc-avr, avr-libc)"
command -v simavr >/dev/null || skip "no simavr (Debian: simavr)"

# Quantizing needs pictures, of any kind as far as bits are concerned.
data=mnist samples=200
"$thimble" eval "$root/models/digits-2k.thim" --data mnist >"$out/eval.log" 2>&1 || data=fashion-mnist samples=20
"$thimble" quantize "$root/models/digits-2k.thim" --data "$data,limit=2000" -q -o "$out/digits.tflite" >"$out/quantize.log" 2>&1 ||
  skip "no MNIST and no Fashion-MNIST (Debian: dataset-fashion-mnist)"
"$thimble" bench "$out/digits.tflite" --target avr --optimize ram --data "$data" --samples "$samples" \
  -q --json -o "$out/firmware" >"$out/bench.json"
cat "$out/bench.json"

python3 - "$out/bench.json" <<'PYTHON'
import json, sys
b = json.load(open(sys.argv[1]))
assert b["different_bytes"] == 0, "outputs differ from the host's"
assert b["flash_bytes"] <= 32 * 1024, "more than 32 KB of flash"
all_ram = b["ram_bytes"] + b["stack_bytes"] + 64  # main's own frame and an interrupt
assert all_ram <= 2048, f"{all_ram} bytes of RAM"
PYTHON

# What an AVR cannot run is refused by name.
code=0
"$thimble" compile "$out/digits.tflite" --target avr --coder huffman -o "$out/coded" >"$out/coded.log" 2>&1 || code=$?
if [ $code != 3 ] || ! grep -q "read raw weights" "$out/coded.log"; then
  cat "$out/coded.log"
  exit 1
fi
