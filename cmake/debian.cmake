# What Debian wants of a package's files, between their installation into a staging folder and packing: copyright and
# changelog in each, manual pages and changelog packed, no debugging symbols in archives, completions of zsh where Debian's zsh
# looks. Run by cpack.
# SPDX-License-Identifier: Apache-2.0
set(name_tool ${CPACK_DEBIAN_TOOL_PACKAGE_NAME})
set(name_library ${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME})
set(name_development ${CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME})
string(TIMESTAMP year "%Y" UTC)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)

function(run) # COMMAND...
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component tool library development)
  set(share ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share)
  set(doc ${share}/doc/${name_${component}})
  file(WRITE ${doc}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: thimble

Files: *
Copyright: ${year} the Thimble developers
License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0.
")
  file(WRITE ${doc}/changelog
"thimble (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * This version; CHANGES.md of package thimble lists what is in it.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  file(REMOVE ${doc}/LICENSE)
  file(GLOB pages ${share}/man/man1/*.1)
  file(GLOB archives ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/lib/*.a)
  run(gzip -9nf ${doc}/changelog ${pages})
  if(archives)
    run(strip --strip-debug --enable-deterministic-archives ${archives})
  endif()
  if(EXISTS ${share}/zsh/site-functions)
    file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
  endif()
endforeach()
