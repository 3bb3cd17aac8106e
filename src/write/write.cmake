# The C writer hands out the runtime's sources and a start-up template, so the tool carries them with it: every file of
# rt/ and src/write/templates/ becomes a C array (cmake/embed.cmake). SPDX-License-Identifier: Apache-2.0
file(GLOB EMBEDDED_FILES CONFIGURE_DEPENDS LIST_DIRECTORIES false RELATIVE ${CMAKE_SOURCE_DIR}
  rt/include/*.h rt/core/*.c rt/core/*.h rt/core/*.def rt/decode/*.c rt/decode/*.h rt/decode/*.def
  rt/kernel/*.h rt/kernel/*.def rt/kernel/*/*.c rt/kernel/*/*.h LICENSE src/write/templates/*.in
  src/write/templates/*/*.in)
list(FILTER EMBEDDED_FILES EXCLUDE REGEX "rt/kernel/x86/|_pack\\.[ch]$") # what the host alone runs
list(SORT EMBEDDED_FILES)
list(TRANSFORM EMBEDDED_FILES PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE EMBEDDED_PATHS)
list(JOIN EMBEDDED_FILES "|" EMBEDDED_LIST)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/embedded_files.c
  COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} "-DFILES=${EMBEDDED_LIST}" -DHEADER=write/embedded.h
          -DNAME=th_embedded -DOUT=${CMAKE_BINARY_DIR}/embedded_files.c -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${EMBEDDED_PATHS} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "Embedding the runtime's sources"
  VERBATIM)
target_sources(thimble_host PRIVATE ${CMAKE_BINARY_DIR}/embedded_files.c)
