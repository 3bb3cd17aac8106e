#!/usr/bin/env bash
# Pictures and tables of docs/guide/ are what the measurements beside them say; by a Python that can draw them again, if there is one.
#   test_figures.sh BUILD_DIR                                                        SPDX-License-Identifier: Apache-2.0
set -euo pipefail
draw=$(dirname "$0")/../../bench/figures/draw.py
for python in python3 /usr/bin/python3; do
  ! "$python" -c 'import matplotlib' 2>/dev/null || exec "$python" "$draw" --check
done
exec python3 "$draw" --check
