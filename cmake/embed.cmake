# Turns files into C arrays. Run with cmake -DROOT=... -DFILES="a|b|..." -DOUT=x.c -P embed.cmake; paths are relative to
# ROOT. Defines th_embedded_files[] and th_embedded_count of src/write/embedded.h.
# SPDX-License-Identifier: Apache-2.0
string(REPLACE "|" ";" files "${FILES}")
set(text "/* Made by cmake/embed.cmake. */\n#include \"write/embedded.h\"\n\n")
set(rows "")
set(n 0)
foreach(file ${files})
  file(READ "${ROOT}/${file}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR bytes "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND text "static const unsigned char f${n}[] = {${hex}0x00};\n")
  string(APPEND rows "  {\"${file}\", f${n}, ${bytes}},\n")
  math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "\nconst th_embedded_file th_embedded_files[] = {\n${rows}};\nconst int th_embedded_count = ${n};\n")
file(WRITE "${OUT}" "${text}")
