#!/usr/bin/env bash
# The whole chain on real data: shrink two networks that this project trained on Fashion-MNIST, then run the firmware on an
# emulated Cortex-M4 and compare every output byte with the host. Ends with the promises of the README, checked.
#   scripts/demo.sh [OUTPUT-FOLDER]                                                 SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."

OUT=${1:-build/demo}
THIMBLE=build/thimble
DATA=fashion-mnist
SAMPLES=1000
FAILED=0

# model, smallest ratio of float32 weights to deployed bytes, largest loss of test accuracy in points
PROMISES=(
  "lenet-5 60 0.5"
  "ds-cnn-28-wide 12 0.7"
)

promise() { # WHAT VALUE OPERATOR LIMIT
  if awk -v a="$2" -v b="$4" "BEGIN { exit !(a $3 b) }"; then
    printf 'ok    %s: %s (%s %s)\n' "$1" "$2" "$3" "$4"
  else
    printf 'FAIL  %s: %s, should be %s %s\n' "$1" "$2" "$3" "$4"
    FAILED=1
  fi
}

# Steps of generated source are called sSTEP_LAYER, their tables sSTEP_LAYER_PART; a .tflite file does not keep the
# names of layers.
without_names() { # FILE
  sed -E 's/\bs([0-9]+)_\w+_(weights|table|bias|mult|shift|index)\b/s\1.\2/g; s/\bs([0-9]+)_\w+/s\1/g; s|^/\* \S+ \*/$||' "$1"
}

same() { # WHAT FILE FILE [NAME]
  local names=${4:-$2 and $3}
  if cmp -s "$2" "$3"; then
    printf 'ok    %s: %s are the same\n' "$1" "$names"
  else
    printf 'FAIL  %s: %s differ\n' "$1" "$names"
    FAILED=1
  fi
}

demo_one() { # MODEL RATIO POINTS
  local model=$1 ratio=$2 points=$3 dir=$OUT/$1 recipe=()
  [ ! -f "recipes/$model.yaml" ] || recipe=(--recipe "recipes/$model.yaml")
  printf '\n== %s: from float32 to firmware\n' "$model"
  "$THIMBLE" shrink "models/$model.thim" --data "$DATA" "${recipe[@]}" -o "$dir"
  printf '\n== %s: the firmware on an emulated Cortex-M4, %d test images\n' "$model" "$SAMPLES"
  "$THIMBLE" bench "$dir/model.tflite" --data "$DATA" -n "$SAMPLES" -o "$dir/bench" --json >"$dir/bench.json"
  jq -r '"flash \(.flash_bytes) bytes, RAM \(.ram_bytes) bytes, stack \(.stack_bytes) bytes, \(.instructions) instructions per image, accuracy \(.accuracy)"' \
    "$dir/bench.json"
  "$THIMBLE" compile "$dir/model.tflite" --as thim -o "$dir/again" --quiet >"$dir/again.txt"
  same "$model, what is benched is what is shipped" "$dir/model.thim" "$dir/again/model.thim"
  same "$model, what is benched is what is shipped (names of layers aside)" \
    <(without_names "$dir/firmware/model.c") <(without_names "$dir/bench/model.c") "model.c of firmware/ and bench/"
  promise "$model ratio" "$(jq '.stages[-1].ratio' "$dir/report.json")" ">=" "$ratio"
  promise "$model points lost" \
    "$(jq '(.stages[0].accuracy - .stages[-1].accuracy) * 10000 | round / 100' "$dir/report.json")" "<=" "$points"
}

for row in "${PROMISES[@]}"; do
  # shellcheck disable=SC2086 # three words
  demo_one $row
done
exit $FAILED
