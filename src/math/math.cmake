# Float kernels: the same sources once per instruction set; src/math/math.c chooses at run time.
# Contraction is the only freedom given to the compiler (fused multiply-add); no -ffast-math anywhere.
# SPDX-License-Identifier: Apache-2.0
file(GLOB MATH_KERNELS CONFIGURE_DEPENDS src/math/kernel/*.c)
set(MATH_OPTIMIZE -O3)
if(THIMBLE_SANITIZE OR THIMBLE_FUZZ)
  set(MATH_OPTIMIZE -O1) # the sanitizers' checks in dozens of unrolled copies take minutes to optimize
endif()
set(MATH_OPTIONS ${MATH_OPTIMIZE} -ffp-contract=fast -fno-math-errno -fno-trapping-math -fno-signed-zeros -Wno-psabi)

function(thimble_math isa lanes)
  add_library(math_${isa} OBJECT ${MATH_KERNELS})
  target_include_directories(math_${isa} PRIVATE src)
  target_compile_definitions(math_${isa} PRIVATE TH_ISA=${isa} TH_LANES=${lanes})
  target_compile_options(math_${isa} PRIVATE ${MATH_OPTIONS} ${ARGN})
  if(THIMBLE_SANITIZE OR THIMBLE_FUZZ)
    # gcc needs minutes and a gigabyte to instrument the unrolled tiles; guarded buffers in the tests watch their bounds.
    target_compile_options(math_${isa} PRIVATE -fno-sanitize=all)
  endif()
  target_sources(thimble_host PRIVATE $<TARGET_OBJECTS:math_${isa}>)
endfunction()

target_sources(thimble_host PRIVATE src/math/math.c)
thimble_math(portable 4)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  thimble_math(avx2 8 -mavx2 -mfma)
  thimble_math(avx512 16 -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mprefer-vector-width=256)
endif()
