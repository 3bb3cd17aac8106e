#!/usr/bin/env bash
# What `cmake --install` leaves works without the project: only the public header's functions are visible, also to C++; there is a
# manual page for every command; the example builds by pkg-config and by CMake; and once the tree is moved and the project's own
# folders are out of sight, the program still writes, builds and runs firmware. SPDX-License-Identifier: Apache-2.0
set -euo pipefail
build=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
[ -f "$build/thimble.pc" ] || { echo "skipped: this build has no installation (sanitizers)" && exit 77; }
out=$build/install-test
prefix=$out/prefix
die() {
  echo "$*"
  exit 1
}

rm -rf "$out"
mkdir -p "$out"
cmake --install "$build" --prefix "$prefix" >"$out/install.log" || { tail -n 20 "$out/install.log" && exit 1; }
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
lib=$(pkg-config --variable=libdir thimble)

# --- symbols and versions ---
nm -D --defined-only "$lib/libthimble.so" | awk '{ print $3 }' | sort >"$out/visible"
cat "$prefix"/include/thimble/*.h | tr -d '\n' | sed 's,/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/,,g' |
  grep -oE '\bth_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$out/declared"
diff "$out/declared" "$out/visible" || die "the header (<) and libthimble.so (>) disagree"
version=$(pkg-config --modversion thimble)
[ "$("$prefix/bin/thimble" --version)" = "thimble $version" ] || die "thimble --version is not $version"
grep -q "#define THIMBLE_VERSION \"$version\"" "$prefix/include/thimble/thimble.h" || die "THIMBLE_VERSION is not $version"

if command -v c++ >/dev/null; then
  cat >"$out/cpp.cc" <<'CPP'
#include <thimble/thimble.h>
#include <cstring>
int main() {
  th_model *model = nullptr;
  if (th_model_open("no such file", &model) != TH_ERR_INPUT || !std::strstr(th_error_message(), "no such file")) return 1;
  return std::strcmp(th_version(), THIMBLE_VERSION) != 0;
}
CPP
  mapfile -t flags < <(pkg-config --cflags --libs thimble | tr -s '[:space:]' '\n')
  c++ -Wall -Werror "$out/cpp.cc" -o "$out/cpp" "${flags[@]}" || die "C++ does not link"
  LD_LIBRARY_PATH=$lib "$out/cpp" || die "C++ gets other answers"
else
  echo "not run: C++: no c++"
fi

# --- manual pages and completions ---
commands=$("$prefix/bin/thimble" help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
for c in $commands; do
  [ -s "$prefix/share/man/man1/thimble-$c.1" ] || die "no manual page of $c"
  grep -q "^ *$c)" "$prefix/share/bash-completion/completions/thimble" || die "no completion of $c"
done
[ "$(find "$prefix/share/man/man1" -name '*.1' | wc -l)" = $(($(wc -w <<<"$commands") + 1)) ]
bash -n "$prefix/share/bash-completion/completions/thimble"
if command -v man >/dev/null; then
  for page in "$prefix"/share/man/man1/*.1; do
    complaints=$(MANROFFSEQ='' man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
    [ -z "$complaints" ] || die "$page: $complaints"
  done
fi

# --- the example ---
"$root/examples/library/build.sh" "$prefix" "$out/example" >"$out/example.log" 2>&1 || { tail -n 30 "$out/example.log" && exit 1; }
grep -q 'progress shown yes' "$out/example/report.txt"
[ "$(xargs <"$out/example/answers.txt")" = "127 -128 -128 127" ] || die "the points are told apart wrongly: $(cat "$out/example/answers.txt")"

# The runtime as a microcontroller's project compiles it.
if command -v arm-none-eabi-gcc >/dev/null; then
  mkdir -p "$out/cross"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(cross LANGUAGES C)' 'find_package(Thimble 0.1 REQUIRED)' \
    'add_library(user OBJECT user.c)' 'target_link_libraries(user PRIVATE Thimble::rt)' >"$out/cross/CMakeLists.txt"
  printf '%s\n' '#include "thr.h"' 'uint32_t room(const thr_model *m) { return thr_arena_bytes(m); }' >"$out/cross/user.c"
  cmake -Werror=dev -S "$out/cross" -B "$out/cross/build" --toolchain "$root/cmake/arm-none-eabi.cmake" \
    -DCMAKE_PREFIX_PATH="$prefix" >"$out/cross.log" 2>&1 || { cat "$out/cross.log" && exit 1; }
  cmake --build "$out/cross/build" --target user >>"$out/cross.log" 2>&1 || { tail -n 20 "$out/cross.log" && exit 1; }
else
  echo "not run: the runtime for a microcontroller: no arm-none-eabi-gcc"
fi

# --- moved, and the project hidden ---
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
cp -r "$prefix" "$away/moved"
cp "$out/example/small-/model.tflite" "$away/model.tflite"
cat >"$away/run.sh" <<'SCRIPT'
set -euo pipefail
cd "$1"
if [ -n "$2" ]; then
  for folder in "$2" "$3"; do [ ! -d "$folder" ] || mount -t tmpfs none "$folder"; done
  [ ! -e "$2/CMakeLists.txt" ]
fi
export PATH=$1/moved/bin:/usr/local/bin:/usr/bin:/bin
thimble compile model.tflite -o firmware --quiet >compile.log
thimble bench model.tflite --target host -n 10 -o bench --quiet >bench.log
for tool in arm-none-eabi-gcc qemu-system-arm; do
  command -v $tool >/dev/null || { echo "not run: bench for Cortex-M4: no $tool" && exit; }
done
thimble bench model.tflite --target cortex-m4 -n 2 -o bench-m4 --json --quiet | grep -q '"different_bytes":.0,'
SCRIPT
if unshare -rm true 2>/dev/null; then
  unshare -rm bash "$away/run.sh" "$away" "$root" "$build"
else
  echo "not hidden: the project's folders (unshare -rm is not allowed here)"
  bash "$away/run.sh" "$away" "" ""
fi
echo "installed, moved, used: $(wc -l <"$out/visible") functions, $(wc -w <<<"$commands") manual pages"
