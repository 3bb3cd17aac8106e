/* See command.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/command.h"

#include <string.h>

void th_command_push(th_command *c, const char *word) {
  if (word && c->n < TH_COMMAND_WORDS) c->argv[c->n++] = word;
}

th_status th_command_words(th_command *c, th_arena *arena, const char *words) {
  while (*words) {
    const size_t length = strcspn(words, " ");
    const char *word = th_arena_printf(arena, "%.*s", (int)length, words);
    if (!word) return TH_ERR_RESOURCE;
    th_command_push(c, word);
    words += length + (words[length] == ' ');
  }
  return TH_OK;
}

const char *const *th_command_argv(th_command *c) {
  c->argv[c->n] = NULL;
  return c->argv;
}
