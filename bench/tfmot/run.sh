#!/bin/sh
# Thimble against TensorFlow's Model Optimization Toolkit: bytes, accuracy and time of one job. See run.py. SPDX-License-Identifier: Apache-2.0
exec python3 "$(dirname "$0")/run.py" "$@"
