/* Runs a model with state slice by slice: each slice of standard input is a run's input, the output of each run goes to
 * standard output. The state lies in the arena and stays there; nothing else of it needs to between two runs.
 *   ./stream <slices.bin >outputs.bin
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "model.h"

static uint32_t arena[(MODEL_ARENA_BYTES + 3u) / 4u];

static int read_slice(void) {
  for (unsigned i = 0; i < MODEL_INPUTS; i++)
    if (fread(model_input(arena, i), 1, model_input_bytes(i), stdin) != model_input_bytes(i)) return 0;
  return 1;
}

static int write_result(void) {
  for (unsigned i = 0; i < MODEL_OUTPUTS; i++)
    if (fwrite(model_output(arena, i), 1, model_output_bytes(i), stdout) != model_output_bytes(i)) return 0;
  return 1;
}

int main(void) {
  int ok = 1;
  model_reset(arena); /* once: a new sequence begins */
  while (ok && read_slice()) {
    model_run(arena);
    ok = write_result();
  }
  fprintf(stderr, "%lu bytes of arena, %lu of them state\n", (unsigned long)MODEL_ARENA_BYTES,
          (unsigned long)MODEL_STATE_BYTES);
  return !ok;
}
