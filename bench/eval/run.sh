#!/bin/sh
# Inference on the host: Thimble against LiteRT and TFLite Micro. See run.py. SPDX-License-Identifier: Apache-2.0
here=$(dirname "$0")
python=$(bash "$here/../../tests/peers/venv.sh" "${BUILD:-$here/../../build}") || exit $?
exec "$python" "$here/run.py" "$@"
