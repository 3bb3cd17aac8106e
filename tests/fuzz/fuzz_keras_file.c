/* Fuzzes the containers of Keras models, .h5 and .keras, each through its library and through the reader. What libhdf5
 * does wrong in its process of its own must become an error here. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/exercise.h"
#include "fuzz/guard.h"
#include "read/keras.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  guarded file = guard_copy(data, size, 1);
  th_graph *g = NULL;
  if (th_read_keras_h5_probe(file.data, size))
    th_read_keras_h5_bytes(file.data, size, "fuzz", &g);
  else if (th_read_keras_zip_probe(file.data, size))
    th_read_keras_zip_bytes(file.data, size, "fuzz", &g);
  if (g && g->n_inputs <= 16 && g->n_outputs <= 16)
    exercise(g);
  else
    th_graph_destroy(g);
  th_error_clear();
  guard_free(&file);
  return 0;
}
