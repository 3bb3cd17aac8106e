/* Runs a .thim program by the runtime alone, as a microcontroller would: raw inputs from standard input, sample after
 * sample, raw outputs to standard output.
 *
 *   run_model MODEL.thim <inputs >outputs          SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "thr.h"

static uint32_t blob[1 << 18], arena[1 << 16];

int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file) {
    fprintf(stderr, "usage: %s MODEL.thim\n", argv[0]);
    return 2;
  }
  const size_t bytes = fread(blob, 1, sizeof blob, file);
  fclose(file);
  thr_model m;
  if (thr_open(&m, (const uint8_t *)blob, (uint32_t)bytes) != THR_OK || thr_arena_bytes(&m) > sizeof arena) {
    fprintf(stderr, "%s: no program that fits here\n", argv[1]);
    return 3;
  }
  uint8_t *memory = (uint8_t *)arena;
  const size_t in = thr_input_info(&m, 0).bytes, out = thr_output_info(&m, 0).bytes;
  while (fread(thr_input(&m, memory, 0), 1, in, stdin) == in) {
    thr_run(&m, memory);
    fwrite(thr_output(&m, memory, 0), 1, out, stdout);
  }
  return 0;
}
