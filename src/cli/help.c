/* Help made from the tables: the list of commands, and one command with its options.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"

static th_status print_and_free(th_buf *out) {
  th_status status = th_buf_status(out);
  if (status == TH_OK) status = cli_print(th_buf_cstr(out));
  th_buf_free(out);
  return status;
}

th_status cli_help_all(void) {
  th_buf out = {0};
  int n;
  const cli_command *commands = cli_commands(&n);
  th_buf_printf(&out,
                "Thimble shrinks trained neural networks and compiles them for microcontrollers.\n\n"
                "usage: thimble COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
  for (int i = 0; i < n; i++) th_buf_printf(&out, "  %-12s%s\n", commands[i].name, commands[i].what);
  th_buf_printf(
      &out,
      "\n'thimble COMMAND --help' lists the options of a command; --version prints the version.\n\n"
      "MODEL is a .tflite, .onnx, Keras (.h5, .keras) or .thim file, or an architecture text (models/NAME.txt).\n"
      "DATA is a name (fashion-mnist, mnist) or a path: pictures or wav files in a folder per class, .csv, .npz,\n"
      "raw arrays, IDX; with keys such as ,val=0.1,augment=shift2. 'thimble data' lists them. Names are looked\n"
      "for in $THIMBLE_DATA, ./data and /usr/share/datasets.\n\n"
      "Exit codes: 0 ok, 1 a check failed, 2 usage, 3 bad or unsupported input, 4 out of resources,\n"
      "70 internal error, 130 interrupted.\n");
  return print_and_free(&out);
}

th_status cli_help_command(cli *c, const opt_group *groups, int n_groups) {
  th_buf out = {0};
  th_buf_printf(&out, "usage: thimble %s%s%s [OPTIONS]\n\n%s\n", c->command->name, c->command->words[0] ? " " : "",
                c->command->words, c->command->what);
  for (int i = 0; i < n_groups; i++) opt_help(&groups[i], &out);
  return print_and_free(&out);
}
