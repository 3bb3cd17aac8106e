#!/usr/bin/env bash
# Everything that must hold before a change goes in. A check is a function check_<name> and a row in CHECKS; its output
# goes to build-check/<name>.log and is shown only when it fails (or says why it skipped something). Exit code 77 of a
# check means skipped. The last line counts single tests plus checks. With arguments: only the checks so named.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."

CHECKS=(
  "words|no machine paths, unfinished-work marks, stray white space"
  "format|clang-format changes nothing"
  "shell|shellcheck is content with dev and the scripts"
  "layers|folders include only what the layer rule allows"
  "headers|each header compiles alone"
  "by_hand|the runtime compiles by the one command of its README"
  "gcc|gcc builds everything without a warning"
  "symbols|only th_, thr_, thimble_ symbols; no writable data in the runtime"
  "tests|the tests pass"
  "clang|clang builds everything without a warning, and the runtime too"
  "arm|the runtime builds for Cortex-M4, with the same symbol rules"
  "riscv|the runtime builds for RV32IMC, with the same symbol rules"
  "asan|the tests pass under AddressSanitizer and UndefinedBehaviorSanitizer"
  "mutations|a wrong kernel makes its test fail (a sixth of the list, by turns)"
  "documents|the commands of README and guides run"
)

JOBS=$(nproc)
LOGS=build-check
PASSED=0 FAILED=0 SKIPPED=0
THIMBLE_TEST_DATA=$(scripts/test-data)
export THIMBLE_TEST_DATA

build_quiet() { # FOLDER CMAKE-OPTIONS...
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja -DTHIMBLE_WERROR=ON "$@" && cmake --build "$folder" -j "$JOBS"
}

check_words() { scripts/check-words; }
check_format() { python3 scripts/tree.py .c .h | xargs clang-format --dry-run -Werror; }
check_shell() {
  local scripts
  mapfile -t scripts < <(python3 scripts/tree.py .sh)
  shellcheck dev .ci/run "${scripts[@]}"
}
check_layers() { scripts/check-layers; }
check_headers() { scripts/check-headers; }
check_by_hand() {
  local out=$LOGS/by-hand
  rm -rf "$out" && mkdir -p "$out"
  (cd "$out" && cc -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror -I../../rt/include \
    -c ../../rt/core/*.c ../../rt/decode/*.c ../../rt/kernel/ref/*.c && ls ./*.o)
}
check_gcc() { build_quiet build -DCMAKE_BUILD_TYPE=Release; }
check_symbols() { scripts/check-symbols build; }

check_tests() {
  local status=0 counts
  ctest --test-dir build -j "$JOBS" --output-junit tests.xml --test-output-size-passed 1000000 \
    --test-output-size-failed 1000000 || status=$?
  scripts/count-tests build/tests.xml >"$LOGS/tests.count"
  head -n -1 "$LOGS/tests.count" | tee "$LOGS/tests.notes"
  counts=$(tail -n 1 "$LOGS/tests.count")
  echo "$counts" >"$LOGS/tests.total"
  [ $status -eq 0 ] && [ "${counts%% *}" -gt 0 ]
}

check_clang() { build_quiet build-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang; }
check_arm() {
  command -v arm-none-eabi-gcc >/dev/null || { echo "arm-none-eabi-gcc is not installed" && return 77; }
  build_quiet build-arm -DCMAKE_TOOLCHAIN_FILE=cmake/arm-none-eabi.cmake -DCMAKE_BUILD_TYPE=MinSizeRel &&
    scripts/check-symbols build-arm arm-none-eabi-nm arm-none-eabi-size
}
check_riscv() {
  command -v riscv64-unknown-elf-gcc >/dev/null || { echo "riscv64-unknown-elf-gcc is not installed" && return 77; }
  build_quiet build-riscv -DCMAKE_TOOLCHAIN_FILE=cmake/riscv-unknown-elf.cmake -DCMAKE_BUILD_TYPE=MinSizeRel &&
    scripts/check-symbols build-riscv riscv64-unknown-elf-nm riscv64-unknown-elf-size
}
# Without the peers: they compare numbers with other programs, which the plain build has done; without the mutants, whose limit of
# memory the sanitizer's address space does not fit into; and without what other compilers, emulators and a browser spend their
# time on.
check_asan() {
  build_quiet build-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O1 -g" \
    -DTHIMBLE_SANITIZE=ON && ctest --test-dir build-asan -j "$JOBS" --output-on-failure \
      -E '_peer|test_mutants|test_growth|test_target_kernels|test_digits_avr|test_examples|test_packages|test_report_browser'
}
check_mutations() { scripts/check-mutations --part; }
check_documents() { scripts/check-readme; }

run_check() { # NAME WHAT
  local name=$1 what=$2 log=$LOGS/$1.log status=0 begin=$SECONDS
  # A subshell with errexit of its own: "if check_x" would switch errexit off inside the check.
  set +e
  (
    set -e
    "check_$name"
  ) >"$log" 2>&1 </dev/null
  status=$?
  set -e
  case $status in
    0) PASSED=$((PASSED + 1)) && printf 'ok    %-10s %3d s  %s\n' "$name" $((SECONDS - begin)) "$what" ;;
    77) SKIPPED=$((SKIPPED + 1)) && printf 'skip  %-10s %3d s  %s\n' "$name" $((SECONDS - begin)) "$(tail -n 1 "$log")" ;;
    *)
      FAILED=$((FAILED + 1))
      printf 'FAIL  %-10s %3d s  %s (log: %s)\n' "$name" $((SECONDS - begin)) "$what" "$log"
      tail -n 60 "$log" | sed 's/^/      | /'
      ;;
  esac
}

add_test_counts() { # adds the single tests of check_tests to the totals
  local passed failed skipped
  [ -f "$LOGS/tests.total" ] || return 0
  read -r passed failed skipped <"$LOGS/tests.total"
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
  grep '^skipped:' "$LOGS/tests.notes" | sed 's/^/      /' || true
}

main() {
  mkdir -p "$LOGS"
  rm -f "$LOGS"/tests.*
  local row name
  for row in "${CHECKS[@]}"; do
    name=${row%%|*}
    if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then
      run_check "$name" "${row#*|}"
    fi
  done
  add_test_counts
  printf '%d s in all\n' "$SECONDS"
  printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

main "$@"
