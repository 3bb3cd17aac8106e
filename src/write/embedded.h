/* Files of this project that the tool carries with it (made at build time by cmake/embed.cmake).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_EMBEDDED_H
#define TH_WRITE_EMBEDDED_H

typedef struct th_embedded_file {
  const char *path; /* relative to the project: "rt/include/thr.h" */
  const unsigned char *data;
  unsigned long bytes;
} th_embedded_file;

extern const th_embedded_file th_embedded_files[];
extern const int th_embedded_count;

#endif
