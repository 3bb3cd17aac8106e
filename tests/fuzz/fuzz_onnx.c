/* Fuzzes the reader of ONNX files, and everything a graph that it accepts goes through. SPDX-License-Identifier:
 * Apache-2.0 */
#include "fuzz/exercise.h"
#include "fuzz/guard.h"
#include "read/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  guarded file = guard_copy(data, size, 1);
  th_graph *g;
  if (th_read_onnx_bytes(file.data, size, "fuzz", &g) == TH_OK) exercise(g);
  th_error_clear();
  guard_free(&file);
  return 0;
}
