/* The functions of board.h that main.c uses, for this machine. SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>
#include <stdio.h>

static FILE *board_file;

static int board_open(void) {
  board_file = fopen("report.txt", "w");
  return board_file != NULL;
}

static int board_report(const char *text, uint32_t bytes) {
  return fwrite(text, 1, bytes, board_file) == bytes;
}

static void board_leave(int ok) {
  if (board_file) fclose(board_file);
  (void)ok;
}

#endif
