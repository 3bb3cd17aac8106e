#!/usr/bin/env python3
"""No figure of bench/target may grow by more than 2 %: instructions, flash, arena and stack of four models, three builds each, on
three cores, against bench/target/baseline.json; outputs must be the golden ones. test_growth.py BUILD-FOLDER
SPDX-License-Identifier: Apache-2.0"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "bench", "target", "run.py")
TARGETS = "cortex-m0plus,cortex-m4,cortex-m55"

sys.exit(subprocess.call([sys.executable, PROGRAM, "--check", "--build", sys.argv[1], "--target", TARGETS]))
