#!/bin/sh
# Measures what kernels and forms cost on each target, and writes src/lib/costs.def. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
