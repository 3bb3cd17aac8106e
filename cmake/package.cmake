# `cpack -G DEB` in the build folder makes three Debian packages of the components in install.cmake: thimble, libthimble0 and
# libthimble-dev. What they depend on is found by dpkg-shlibdeps. SPDX-License-Identifier: Apache-2.0
set(SO ${PROJECT_VERSION_MAJOR})
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME thimble)
set(CPACK_PACKAGE_CONTACT "The Thimble developers <developers@thimble.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/debian.cmake)
set(CPACK_COMPONENTS_ALL tool library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_TOOL_PACKAGE_NAME thimble)
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION science)
set(CPACK_DEBIAN_TOOL_PACKAGE_SUGGESTS "cmake, gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm, gcc-riscv64-unknown-elf, \
picolibc-riscv64-unknown-elf, qemu-system-misc, gcc-avr, avr-libc, simavr")
set(CPACK_COMPONENT_TOOL_DESCRIPTION "shrinks trained neural networks for microcontrollers
Thimble prunes, distills, clusters, quantizes and entropy-codes a network,
measures accuracy at every step with the arithmetic of the device, and writes
C source that runs without heap, operating system or framework.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libthimble${SO})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
file(WRITE ${CMAKE_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/debian/triggers)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "library that shrinks neural networks for microcontrollers
What the program thimble does, as a C library.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libthimble-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libthimble${SO} (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "headers and runtime of thimble, for development
The header of libthimble, files for pkg-config and CMake, an example, and the
runtime for microcontrollers as source and as library.")
include(CPack)
