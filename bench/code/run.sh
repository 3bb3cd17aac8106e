#!/bin/sh
# Measures how large the runtime's code is on each target, and writes src/lib/code.def. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
