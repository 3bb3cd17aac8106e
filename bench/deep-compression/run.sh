#!/bin/sh
# Deep Compression as published, on its own networks, beside the tables of the paper. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
