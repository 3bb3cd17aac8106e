#!/usr/bin/env bash
# Flash and RAM of the runtime's objects for each microcontroller target: one table per target.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."

size_of() { # PRESET TOOL-PREFIX
  if ! command -v "$2gcc" >/dev/null; then
    echo "$1: $2gcc is not installed, skipped"
    return
  fi
  cmake --preset "$1" >/dev/null
  cmake --build --preset "$1" -j "$(nproc)" >/dev/null
  echo "$1: text = code and constants (flash), data + bss = RAM of its own"
  "$2size" -t "build-$1/libthimble_rt.a"
}

size_of arm arm-none-eabi-
size_of riscv riscv64-unknown-elf-
