#!/bin/sh
# What MLPerf Tiny's int8 models cost on microcontrollers, beside TensorFlow Lite Micro with CMSIS-NN. See run.py.
# SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
