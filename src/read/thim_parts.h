/* Shared by read/thim*.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_THIM_PARTS_H
#define TH_READ_THIM_PARTS_H

#include "../../rt/core/parse.h"
#include "read/thim.h"

struct th_thim {
  th_arena *arena; /* holds the blob */
  thr_model model;
  uint8_t *stream; /* arena of a stream of samples, or NULL */
};

/* The part after the header of a file of kind "graph", whose length and checksum are right. */
th_status th_thim_read_graph(const uint8_t *data, size_t size, const char *what, th_graph **graph);

#endif
