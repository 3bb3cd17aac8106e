# The page report.html is made from files of src/report/page/ and Chart.js, which the tool carries with it. Chart.js comes
# from Debian's libjs-chart.js; without it pages have their tables and no charts. SPDX-License-Identifier: Apache-2.0
find_file(THIMBLE_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH
  DOC "Chart.js 3, minified: draws the charts of report.html")
if(NOT THIMBLE_CHART_JS)
  message(WARNING "Chart.js is not installed (Debian: libjs-chart.js), so report.html will have tables and no charts")
endif()
file(GLOB PAGE_FILES CONFIGURE_DEPENDS LIST_DIRECTORIES false RELATIVE ${CMAKE_SOURCE_DIR} src/report/page/*)
list(TRANSFORM PAGE_FILES PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE PAGE_PATHS)
if(THIMBLE_CHART_JS)
  list(APPEND PAGE_FILES ${THIMBLE_CHART_JS})
endif()
list(JOIN PAGE_FILES "|" PAGE_LIST)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/page_files.c
  COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} "-DFILES=${PAGE_LIST}" -DHEADER=report/page_files.h -DNAME=th_page
          -DOUT=${CMAKE_BINARY_DIR}/page_files.c -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${PAGE_PATHS} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "Embedding the page of reports"
  VERBATIM)
target_sources(thimble_host PRIVATE ${CMAKE_BINARY_DIR}/page_files.c)
