#!/usr/bin/env python3
"""report.html in headless Chromium: see browse.mjs. Skips without Chromium, Node.js, npm or playwright-core.
Usage: test_report_browser.py BUILD_DIR [SHOTS]: screenshots go to the folder SHOTS. SPDX-License-Identifier: Apache-2.0"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import results

HERE = os.path.dirname(os.path.abspath(__file__))
CHART = re.compile(r"<script>/\*!\n \* Chart\.js.*?</script>\n", re.S)


def main(build, shots="-"):
    found = subprocess.run([os.path.join(HERE, "playwright.sh"), build], capture_output=True, text=True)
    if found.returncode:
        print(found.stderr.strip())
        sys.exit(found.returncode)
    with tempfile.TemporaryDirectory() as folder:
        results.make(build, folder)
        names = ("fit", "full", "lossless", "hostile")
        pages = [shutil.copy(os.path.join(folder, n, "report.html"), os.path.join(folder, n + ".html")) for n in names]
        text, removed = CHART.subn("", results.read(pages[1]))
        if removed:  # what a build without Chart.js writes
            pages.append(os.path.join(folder, "no-charts.html"))
            results.write(text, pages[-1])
        sys.stdout.flush()
        sys.exit(subprocess.run(["node", os.path.join(HERE, "browse.mjs"), found.stdout.strip(), shutil.which("chromium"),
                                 shots, *pages], check=False).returncode)


main(*sys.argv[1:])
