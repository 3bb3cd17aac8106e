/* man [COMMAND]: manual pages made from the same tables as --help; "thimble man train | man -l -" shows one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "cli/cli.h"

/* Roff text: a leading dot or quote and every backslash and dash need care. */
static void append_text(th_buf *out, const char *text) {
  if (*text == '.' || *text == '\'') th_buf_printf(out, "\\&");
  for (const char *p = text; *p; p++) {
    if (*p == '\\')
      th_buf_printf(out, "\\e");
    else if (*p == '-')
      th_buf_printf(out, "\\-");
    else
      th_buf_u8(out, (uint8_t)*p);
  }
}

static void append_title(th_buf *out, const char *command) {
  th_buf_printf(out, ".TH THIMBLE%s", command[0] ? "\\-" : "");
  for (const char *p = command; *p; p++) th_buf_u8(out, (uint8_t)toupper((unsigned char)*p));
  th_buf_printf(out, " 1 \"\" \"thimble %s\"\n.SH NAME\nthimble%s%s \\- ", th_version(), command[0] ? "\\-" : "",
                command);
}

static void append_row(th_buf *out, const opt_row *row) {
  th_buf_printf(out, ".TP\n");
  if (row->letter) th_buf_printf(out, "\\fB\\-%c\\fR, ", row->letter);
  th_buf_printf(out, "\\fB\\-\\-");
  append_text(out, row->name);
  th_buf_printf(out, "\\fR");
  if (row->arg) {
    th_buf_printf(out, " \\fI");
    append_text(out, row->arg);
    th_buf_printf(out, "\\fR");
  }
  th_buf_printf(out, "\n");
  append_text(out, row->help);
  th_buf_printf(out, "\n");
}

static th_status command_page(cli *c, const cli_command *command, th_buf *out) {
  opt_group groups[CLI_GROUPS_MAX];
  int n;
  TH_TRY(cli_command_groups(c->arena, command, groups, &n));
  append_title(out, command->name);
  append_text(out, command->what);
  th_buf_printf(out, "\n.SH SYNOPSIS\n\\fBthimble %s\\fR ", command->name);
  append_text(out, command->words);
  th_buf_printf(out, " [OPTIONS]\n");
  for (int i = 0; i < n; i++) {
    th_buf_printf(out, ".SH ");
    for (const char *p = groups[i].title; *p; p++) th_buf_u8(out, (uint8_t)toupper((unsigned char)*p));
    th_buf_printf(out, "\n");
    for (const opt_row *r = groups[i].rows; r->name; r++) append_row(out, r);
  }
  th_buf_printf(out, ".SH \"SEE ALSO\"\n.BR thimble (1)\n");
  return th_buf_status(out);
}

static th_status main_page(th_buf *out) {
  int n;
  const cli_command *commands = cli_commands(&n);
  append_title(out, "");
  th_buf_printf(out,
                "shrinks trained neural networks and compiles them for microcontrollers\n"
                ".SH SYNOPSIS\n\\fBthimble\\fR COMMAND [ARGUMENTS] [OPTIONS]\n.SH COMMANDS\n");
  for (int i = 0; i < n; i++) {
    th_buf_printf(out, ".TP\n\\fB%s\\fR %s\n", commands[i].name, commands[i].words);
    append_text(out, commands[i].what);
    th_buf_printf(out, "\n");
  }
  th_buf_printf(out,
                ".SH \"EXIT STATUS\"\n0 ok, 1 a check failed, 2 usage, 3 bad or unsupported input, "
                "4 out of resources, 70 internal error, 130 interrupted.\n"
                ".SH ENVIRONMENT\n.TP\n\\fBTHIMBLE_DATA\\fR\n"
                "a folder where data sets are looked for by name, before ./data and /usr/share/datasets\n"
                ".SH \"SEE ALSO\"\n");
  for (int i = 0; i < n; i++) th_buf_printf(out, ".BR thimble\\-%s (1)%s\n", commands[i].name, i + 1 < n ? "," : "");
  return th_buf_status(out);
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)options;
  th_buf out = {0};
  const cli_command *command = n_words ? cli_command_find(words[0]) : NULL;
  if (n_words && !command) return th_fail(TH_ERR_USAGE, "'%s' is no command", words[0]);
  th_status status = command ? command_page(c, command, &out) : main_page(&out);
  if (status == TH_OK) status = cli_print(th_buf_cstr(&out));
  th_buf_free(&out);
  return status;
}

const cli_spec cli_spec_man = {NULL, NULL, 0, NULL, run};
