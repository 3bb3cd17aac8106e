#!/bin/sh
# Measures and draws the figures of docs/guide/. See run.py and draw.py.
# SPDX-License-Identifier: Apache-2.0
set -e
python3 "$(dirname "$0")/run.py" "$@"
exec /usr/bin/python3 "$(dirname "$0")/draw.py"
