# The schema of ONNX files, as C: made at build time by protobuf-c from the distribution's onnx.proto. A library of its own,
# because its symbols carry the schema's prefix. SPDX-License-Identifier: Apache-2.0
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C protoc-c REQUIRED)
find_file(ONNX_PROTO NAMES onnx/onnx.proto onnx/onnx-ml.proto REQUIRED)
set(ONNX_SCHEMA ${CMAKE_BINARY_DIR}/onnx-schema)
configure_file(${ONNX_PROTO} ${ONNX_SCHEMA}/onnx.proto COPYONLY)
add_custom_command(
  OUTPUT ${ONNX_SCHEMA}/onnx.pb-c.c ${ONNX_SCHEMA}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${ONNX_SCHEMA} --c_out=${ONNX_SCHEMA} onnx.proto
  DEPENDS ${ONNX_SCHEMA}/onnx.proto
  VERBATIM)
add_library(onnx_schema STATIC ${ONNX_SCHEMA}/onnx.pb-c.c)
target_include_directories(onnx_schema SYSTEM PUBLIC ${ONNX_SCHEMA})
target_compile_options(onnx_schema PRIVATE -w)
target_link_libraries(onnx_schema PUBLIC PkgConfig::PROTOBUF_C)
