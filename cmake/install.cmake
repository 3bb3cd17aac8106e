# What `cmake --install` puts where, in three components: tool (the program, its manual pages and completions), library (the
# shared library) and development (headers, pkg-config, CMake package, the runtime as source). All paths are relative to the
# prefix, so that an installed tree may be moved. The program needs no file beside it: what firmware is made of is inside it.
# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(DATA_DIR ${CMAKE_INSTALL_DATADIR}/thimble)
set(CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Thimble)

# --- the program ---
install(TARGETS thimble RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tool)

# Manual pages and completions are printed by the program from the tables it parses its options with.
set(COMMANDS_DEF ${CMAKE_SOURCE_DIR}/src/cli/commands.def)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${COMMANDS_DEF})
file(READ ${COMMANDS_DEF} rows)
string(REGEX MATCHALL "\nCLI_[A-Z]+\\([a-z]+" rows "${rows}")
set(commands "")
foreach(row IN LISTS rows)
  string(REGEX REPLACE ".*\\(" "" name "${row}")
  list(APPEND commands ${name})
endforeach()
list(TRANSFORM commands REPLACE "(.+)" "thimble-\\1.1" OUTPUT_VARIABLE pages)
list(APPEND pages thimble.1)
list(TRANSFORM pages PREPEND ${CMAKE_BINARY_DIR}/man/)
set(completions ${CMAKE_BINARY_DIR}/completion/thimble ${CMAKE_BINARY_DIR}/completion/_thimble)
list(JOIN commands "|" command_list)
add_custom_command(
  OUTPUT ${pages} ${completions}
  COMMAND ${CMAKE_COMMAND} -DTHIMBLE=$<TARGET_FILE:thimble> "-DCOMMANDS=${command_list}" -DOUT=${CMAKE_BINARY_DIR}
          -P ${CMAKE_SOURCE_DIR}/cmake/documents.cmake
  DEPENDS thimble ${CMAKE_SOURCE_DIR}/cmake/documents.cmake
  COMMENT "Printing manual pages and completions"
  VERBATIM)
add_custom_target(documents ALL DEPENDS ${pages} ${completions})
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tool)
install(FILES ${CMAKE_BINARY_DIR}/completion/thimble
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tool)
install(FILES ${CMAKE_BINARY_DIR}/completion/_thimble
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT tool)
install(DIRECTORY recipes DESTINATION ${DATA_DIR} COMPONENT tool FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY models DESTINATION ${DATA_DIR} COMPONENT tool FILES_MATCHING PATTERN "*.txt" PATTERN "*.thim")
install(FILES README.md CHANGES.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tool)
install(DIRECTORY docs/guide DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tool)

# --- the library: all of thimble_host, of which only the public header's functions are visible ---
file(CONFIGURE OUTPUT library.c CONTENT "/* Everything in this library comes from thimble_host. */\n")
add_library(thimble_shared SHARED ${CMAKE_BINARY_DIR}/library.c)
target_link_libraries(thimble_shared PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,thimble_host>)
target_include_directories(thimble_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(thimble_shared PROPERTIES
  OUTPUT_NAME thimble EXPORT_NAME thimble VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
install(TARGETS thimble_shared EXPORT ThimbleTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY include/thimble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# --- the runtime: for other processors as source, for this machine also as a library ---
install(TARGETS thimble_rt ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY rt DESTINATION ${DATA_DIR} COMPONENT development
        PATTERN "x86" EXCLUDE PATTERN "*_pack.[ch]" EXCLUDE) # what the host alone runs

# --- how others find them ---
install(EXPORT ThimbleTargets NAMESPACE Thimble:: DESTINATION ${CMAKE_DIR} COMPONENT development)
set(THIMBLE_RT_DIR ${DATA_DIR}/rt)
configure_package_config_file(cmake/ThimbleConfig.cmake.in ThimbleConfig.cmake
  INSTALL_DESTINATION ${CMAKE_DIR} PATH_VARS THIMBLE_RT_DIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(ThimbleConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_BINARY_DIR}/ThimbleConfig.cmake ${CMAKE_BINARY_DIR}/ThimbleConfigVersion.cmake
        DESTINATION ${CMAKE_DIR} COMPONENT development)
file(RELATIVE_PATH PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(name thimble thimble-rt)
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()
install(DIRECTORY examples/library DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)

include(cmake/package.cmake)
