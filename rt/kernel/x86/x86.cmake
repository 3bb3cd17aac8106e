#Kernel variants of the host's processor: each source of this folder is built once per row of isa.def.
#src / eval / variant.c chooses at run time.SPDX - License - Identifier : Apache - 2.0
file(GLOB X86_KERNELS CONFIGURE_DEPENDS rt/kernel/x86/*.c)
set(X86_OPTIMIZE -O3)
if(THIMBLE_SANITIZE OR THIMBLE_FUZZ)
  set(X86_OPTIMIZE -O1)
endif()

function(thimble_x86 isa)
  add_library(x86_${isa} OBJECT ${X86_KERNELS})
  set_target_properties(x86_${isa} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
  target_include_directories(x86_${isa} PRIVATE rt/include)
  target_compile_definitions(x86_${isa} PRIVATE THR_ISA_NAME=${isa})
  target_compile_options(x86_${isa} PRIVATE -Wpedantic -Wconversion ${X86_OPTIMIZE} ${ARGN})
  target_sources(thimble_rt PRIVATE $<TARGET_OBJECTS:x86_${isa}>)
endfunction()

thimble_x86(avx2 -mavx2)
thimble_x86(avx512 -mavx512f -mavx512vl -mavx512bw -mavx512dq -mavx512vnni -mprefer-vector-width=256)
