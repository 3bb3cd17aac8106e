#!/bin/sh
# What shrink --lossless makes of public int8 models, and the proof that no bit changed. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
