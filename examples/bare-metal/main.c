/* Classifies pictures that lie in flash and says what it found, one line each. Everything that depends on the machine
 * is behind the functions of board.h, which `thimble compile --target` writes: under emulation they reach the host; on
 * a board of your own replace board_report() by your serial port. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board.h"
#include "fashion.h"
#include "pictures.h" /* made by pictures.py: PICTURES, picture_read(), picture_label() */

static uint32_t arena[(FASHION_ARENA_BYTES + 3u) / 4u];

static unsigned largest(const int8_t *score, unsigned n) {
  unsigned best = 0;
  for (unsigned i = 1; i < n; i++)
    if (score[i] > score[best]) best = i;
  return best;
}

static unsigned classify(unsigned picture) {
  picture_read(picture, (int8_t *)fashion_input(arena, 0));
  fashion_run(arena);
  return largest((const int8_t *)fashion_output(arena, 0), FASHION_OUTPUT0_BYTES);
}

/* Fixed length, so that no board needs more of the C library than memcpy(). */
static int say(unsigned picture, unsigned label, unsigned found) {
  char text[] = "picture ?? is a ?, found ?\n";
  text[8] = (char)('0' + picture / 10);
  text[9] = (char)('0' + picture % 10);
  text[16] = (char)('0' + label);
  text[25] = (char)('0' + found);
  return board_report(text, sizeof text - 1);
}

int main(void) {
  int ok = board_open();
  for (unsigned i = 0; ok && i < PICTURES; i++) ok = say(i, picture_label(i), classify(i));
  board_leave(ok);
  return !ok;
}
