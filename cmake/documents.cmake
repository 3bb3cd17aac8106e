# Manual pages and completions, as the program prints them. Run with cmake -DTHIMBLE=... -DCOMMANDS="info|run|..." -DOUT=FOLDER
# -P documents.cmake; writes man/*.1, completion/thimble (bash) and completion/_thimble (zsh) below OUT.
# SPDX-License-Identifier: Apache-2.0
function(print file) # ARGUMENTS...
  execute_process(COMMAND ${THIMBLE} ${ARGN} OUTPUT_FILE ${OUT}/${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUT}/man ${OUT}/completion)
file(MAKE_DIRECTORY ${OUT}/man ${OUT}/completion)
print(man/thimble.1 man)
string(REPLACE "|" ";" commands "${COMMANDS}")
foreach(name IN LISTS commands)
  print(man/thimble-${name}.1 man ${name})
endforeach()
print(completion/thimble completion bash)
print(completion/_thimble completion zsh)
