#!/usr/bin/env bash
# Fetches (once) playwright-core, by which tests drive Chromium, and prints its folder; or says why not and exits 77 (skip).
#   tests/report/playwright.sh BUILD_DIR
# A failure is remembered for an hour; remove BUILD_DIR/playwright to try again. SPDX-License-Identifier: Apache-2.0
set -u
dir=${1:?usage: playwright.sh BUILD_DIR}/playwright
version=1.49.1

skip() {
  echo "skipped: $1" >&2
  exit 77
}

for program in chromium node npm; do
  command -v "$program" >/dev/null || skip "$program is not installed (./dev setup)"
done
mkdir -p "$dir" || skip "cannot make $dir"
exec 9>"$dir/lock"
flock 9
if [ ! -e "$dir/node_modules/playwright-core/package.json" ]; then
  [ -n "$(find "$dir/failed" -mmin -60 2>/dev/null)" ] && skip "$(cat "$dir/failed")"
  if ! timeout 120 npm install --no-audit --no-fund --ignore-scripts --prefix "$dir" "playwright-core@$version" >"$dir/log" 2>&1; then
    echo "npm cannot fetch playwright-core $version, see $dir/log" >"$dir/failed"
    skip "$(cat "$dir/failed")"
  fi
fi
rm -f "$dir/failed"
echo "$dir/node_modules"
