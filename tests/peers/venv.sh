#!/bin/bash
# Makes (once) a Python virtual environment with the peers that tests compare against, and prints its python.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/peers/venv.sh BUILD_DIR
#
# Prints the path of the interpreter and exits 0; or says on stderr why there is none and exits 77 (skip). A failure is
# remembered for an hour, so that a machine without network does not wait in every test; remove BUILD_DIR/peers to retry.
# THIMBLE_PEERS=off skips at once.
set -u
build=${1:?usage: venv.sh BUILD_DIR}
dir=$build/peers
packages=(numpy tflite-micro ai-edge-litert onnx onnxruntime)

skip() {
  echo "skipped: $1" >&2
  exit 77
}

works() {
  [ -x "$dir/venv/bin/python" ] && "$dir/venv/bin/python" - >/dev/null 2>&1 <<'PY'
import numpy
from tflite_micro.python.tflite_micro import runtime
from ai_edge_litert.interpreter import Interpreter
PY
}

[ "${THIMBLE_PEERS:-on}" = off ] && skip "THIMBLE_PEERS=off"
mkdir -p "$dir" || skip "cannot make $dir"
exec 9>"$dir/lock" # two tests may start at the same time
flock 9
if [ -e "$dir/checked" ] || works; then
  touch "$dir/checked"
  echo "$dir/venv/bin/python"
  exit 0
fi
if [ -n "$(find "$dir/failed" -mmin -60 2>/dev/null)" ]; then
  skip "$(cat "$dir/failed")"
fi

fail() {
  echo "$1" >"$dir/failed"
  skip "$1"
}

command -v python3 >/dev/null || fail "there is no python3"
rm -rf "$dir/venv"
python3 -m venv "$dir/venv" >"$dir/log" 2>&1 || fail "python3 -m venv does not work (Debian: python3-venv), see $dir/log"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 30 \
  --only-binary :all: "${packages[@]}" >>"$dir/log" 2>&1 ||
  fail "pip cannot install ${packages[*]} for $(python3 --version), see $dir/log"
works || fail "the installed peers cannot be imported, see $dir/log"
rm -f "$dir/failed"
touch "$dir/checked"
echo "$dir/venv/bin/python"
