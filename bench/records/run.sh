#!/bin/sh
# Small networks at a given test error, over several seeds. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
