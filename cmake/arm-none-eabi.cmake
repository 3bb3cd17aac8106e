# Toolchain: the runtime for an Arm Cortex-M4F, with Debian's gcc-arm-none-eabi. Other cores: -DTHIMBLE_CPU=cortex-m0plus
# and its flags in THIMBLE_CPU_FLAGS. SPDX-License-Identifier: Apache-2.0
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THIMBLE_CPU THIMBLE_CPU_FLAGS)
set(THIMBLE_CPU cortex-m4 CACHE STRING "Value of -mcpu")
set(THIMBLE_CPU_FLAGS "-mfloat-abi=hard -mfpu=fpv4-sp-d16" CACHE STRING "Further flags of that core")
set(CMAKE_C_FLAGS_INIT "-mcpu=${THIMBLE_CPU} -mthumb ${THIMBLE_CPU_FLAGS} -ffunction-sections -fdata-sections")
