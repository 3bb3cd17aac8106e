#!/bin/sh
# Predictions beside what is built and emulated. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
