#!/bin/sh
# Quantization after training beside the int8 twins of public models, and 4 bits beside 8. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
