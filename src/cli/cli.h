/* What the subcommands share: the command table, common options, and printing of results.
 *
 * A command is a row of commands.def plus a cli_spec: its option table, the defaults of the struct which that table
 * fills, and the function to run. Commands return th_status; main.c prints the error record and turns it into the exit
 * code. Results go to stdout, everything else to stderr.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "cli/opt.h"
#include "cli/progress.h"
#include "thimble/thimble.h"

typedef struct cli_common {
  bool json, quiet, verbose, help;
  int threads;
  opt_seed seed;
} cli_common;

typedef struct cli {
  const struct cli_command *command;
  th_arena *arena; /* for the duration of the command */
  cli_common common;
  cli_progress progress;
  th_context context;
  const opt_row *setting_rows; /* of the library's stage, when the command has one */
  const char **setting_values; /* one per row, NULL when not given */
} cli;

typedef struct cli_spec {
  const opt_row *rows;
  const void *defaults; /* copied into `options` before parsing */
  size_t bytes;
  const char *stage; /* stage of the library whose parameters are options, too; NULL: none */
  th_status (*run)(cli *c, const void *options, int n_words, char **words);
} cli_spec;

typedef struct cli_command {
  const char *name, *words;
  int fewest, most;
  const char *what;
  const cli_spec *spec;
  bool is_stage; /* the library's stage of the same name */
} cli_command;

const cli_command *cli_commands(int *count);
const cli_command *cli_command_find(const char *name);     /* NULL when unknown */
const char *cli_command_stage(const cli_command *command); /* whose settings are options, too; NULL: none */
extern const opt_row cli_common_rows[];

/* The parameters of a library stage as an option table (in the arena) whose values fill `values`; rows that are common
 * options are left out. */
th_status cli_stage_rows(th_arena *arena, const char *stage, const opt_row **rows, const char ***values);
/* A settings object of the command's stage with everything that was given. */
th_status cli_settings(const cli *c, th_settings **settings);
bool cli_stage_has(const char *stage, const char *param);

/* --- printing --- */
th_status cli_print_result(const cli *c, th_result *result); /* JSON or tables; frees the result */
th_status cli_print(const char *text);
void cli_json_string(th_buf *out, const char *text);              /* quoted and escaped */
void cli_say(const cli *c, const char *fmt, ...) TH_PRINTF(2, 3); /* one line on stderr unless --quiet */

/* --- opening --- */
/* Looks for names in $THIMBLE_DATA, ./data and /usr/share/datasets. The validation part does not depend on --seed, or
 * one stage would validate on what another has trained on; the key seed= of DATA changes it. */
th_status cli_data_open(const char *spec, th_data **data);
th_status cli_need(const char *value, const char *option); /* TH_ERR_USAGE when value is NULL */
/* Refuse, before any work is done, an output that could not be written: a wrong name or a missing folder is
 * TH_ERR_USAGE, a folder that takes no file TH_ERR_RESOURCE. */
th_status cli_check_file_output(const char *path);
th_status cli_check_model_output(const char *path); /* its extension, too */
th_status cli_check_folder_output(const char *path);

/* --- texts made from the tables --- */
#define CLI_GROUPS_MAX 3
/* The option tables of any command: its own, the library's settings, the common ones. values are NULL. */
th_status cli_command_groups(th_arena *arena, const cli_command *command, opt_group groups[CLI_GROUPS_MAX], int *n);
th_status cli_help_all(void);
th_status cli_help_command(cli *c, const opt_group *groups, int n_groups);

#endif
