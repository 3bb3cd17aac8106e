/* A file that the program carries with it (made at build time by cmake/embed.cmake).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_EMBEDDED_H
#define TH_BASE_EMBEDDED_H

typedef struct th_embedded_file {
  const char *path; /* relative to the project: "rt/include/thr.h"; of a file from elsewhere: its name alone */
  const unsigned char *data;
  unsigned long bytes;
} th_embedded_file;

#endif
