/* What the subcommands share; see cli.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define DATA_SEED 1

extern const cli_spec cli_spec_stage;
#define CLI_STAGE(name, words, what)
#define CLI_COMMAND(name, words, fewest, most, what) extern const cli_spec cli_spec_##name;
#include "cli/commands.def"
#undef CLI_STAGE
#undef CLI_COMMAND

static const cli_command commands[] = {
#define CLI_STAGE(name, words, what) {#name, words, 1, 1, what, &cli_spec_stage, true},
#define CLI_COMMAND(name, words, fewest, most, what) {#name, words, fewest, most, what, &cli_spec_##name, false},
#include "cli/commands.def"
#undef CLI_STAGE
#undef CLI_COMMAND
};

const cli_command *cli_commands(int *count) {
  *count = (int)(sizeof commands / sizeof commands[0]);
  return commands;
}

const cli_command *cli_command_find(const char *name) {
  int n;
  const cli_command *all = cli_commands(&n);
  for (int i = 0; i < n; i++)
    if (strcmp(all[i].name, name) == 0) return &all[i];
  return NULL;
}

const char *cli_command_stage(const cli_command *command) {
  return command->is_stage ? command->name : command->spec->stage;
}

/* --- settings of a library stage as options --- */

static bool is_common(const char *name) {
  for (const opt_row *r = cli_common_rows; r->name; r++)
    if (strcmp(r->name, name) == 0) return true;
  return false;
}

static opt_row setting_row(th_arena *arena, const th_param *p, int i) {
  const char *help = p->def[0] ? th_arena_printf(arena, "%s [%s]", p->help, p->def) : p->help;
  return (opt_row){OPT_SETTING, 0, p->name, (size_t)i * sizeof(char *), p->is_flag ? NULL : p->value, help, 0, 0};
}

th_status cli_stage_rows(th_arena *arena, const char *stage, const opt_row **rows, const char ***values) {
  int n = 0, kept = 0;
  th_param p;
  while (th_stage_param(stage, n, &p)) n++;
  opt_row *made = TH_ARRAY(arena, opt_row, n + 1); /* zeroed: the last row ends the table */
  *values = TH_ARRAY(arena, const char *, n + 1);
  if (!made || !*values) return th_error_status();
  for (int i = 0; th_stage_param(stage, i, &p); i++) {
    if (is_common(p.name)) continue;
    made[kept] = setting_row(arena, &p, kept);
    if (!made[kept++].help) return th_error_status();
  }
  *rows = made;
  return TH_OK;
}

th_status cli_command_groups(th_arena *arena, const cli_command *command, opt_group groups[CLI_GROUPS_MAX], int *n) {
  const char *stage = cli_command_stage(command);
  *n = 0;
  if (command->spec->rows) groups[(*n)++] = (opt_group){"Options", command->spec->rows, NULL};
  if (stage) {
    opt_group *g = &groups[(*n)++];
    const char **values;
    TH_TRY(cli_stage_rows(arena, stage, &g->rows, &values));
    g->title = "Settings (the same names as in recipes)";
    g->values = values;
  }
  groups[(*n)++] = (opt_group){"Common options", cli_common_rows, NULL};
  return TH_OK;
}

bool cli_stage_has(const char *stage, const char *param) {
  th_param p;
  for (int i = 0; th_stage_param(stage, i, &p); i++)
    if (th_str_eq(p.name, param)) return true;
  return false;
}

/* What the library calls bad input is bad usage when it was typed as an option. */
static th_status set_given(th_settings *settings, const char *name, const char *value) {
  th_status status = th_settings_set(settings, name, value);
  if (status != TH_ERR_INPUT) return status;
  th_error_set(TH_ERR_USAGE, th_error_message());
  return TH_ERR_USAGE;
}

static th_status set_all_given(const cli *c, const char *stage, th_settings *settings) {
  char seed[24];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->common.seed.value);
  if (cli_stage_has(stage, "seed")) TH_TRY(set_given(settings, "seed", seed));
  for (int i = 0; c->setting_rows[i].name; i++)
    if (c->setting_values[i]) TH_TRY(set_given(settings, c->setting_rows[i].name, c->setting_values[i]));
  return TH_OK;
}

th_status cli_settings(const cli *c, th_settings **settings) {
  const char *stage = cli_command_stage(c->command);
  TH_TRY(th_settings_create(stage, settings));
  th_status status = set_all_given(c, stage, *settings);
  if (status != TH_OK) {
    th_settings_free(*settings);
    *settings = NULL;
  }
  return status;
}

/* --- printing --- */

th_status cli_print(const char *text) {
  fputs(text, stdout);
  return ferror(stdout) ? th_fail(TH_ERR_RESOURCE, "standard output: could not be written (disk full or closed)")
                        : TH_OK;
}

th_status cli_print_result(const cli *c, th_result *result) {
  th_status status = cli_print(c->common.json ? th_result_json(result) : th_result_text(result));
  if (status == TH_OK && c->common.json) status = cli_print("\n");
  th_result_free(result);
  return status;
}

void cli_json_string(th_buf *out, const char *text) {
  th_buf_u8(out, '"');
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (*p == '"' || *p == '\\')
      th_buf_printf(out, "\\%c", *p);
    else if (*p < 0x20)
      th_buf_printf(out, "\\u%04x", *p);
    else
      th_buf_u8(out, *p);
  }
  th_buf_u8(out, '"');
}

void cli_say(const cli *c, const char *fmt, ...) {
  char line[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  c->context.log(c->context.user, TH_LOG_INFO, line);
}

/* --- opening and checking --- */

th_status cli_data_open(const char *spec, th_data **data) {
  const char *dirs[3];
  int n = 0;
  const char *own = getenv("THIMBLE_DATA");
  if (own && own[0]) dirs[n++] = own;
  dirs[n++] = "data";
  dirs[n++] = "/usr/share/datasets";
  return th_data_open(spec, dirs, n, DATA_SEED, data);
}

th_status cli_need(const char *value, const char *option) {
  return value ? TH_OK : th_fail(TH_ERR_USAGE, "expected %s", option);
}

#define LONGEST_PATH 4096

static th_status copy_path(const char *path, size_t n, char copy[LONGEST_PATH]) {
  if (n >= LONGEST_PATH) return th_fail(TH_ERR_USAGE, "%.60s...: path is too long", path);
  memcpy(copy, path, n);
  copy[n] = 0;
  return TH_OK;
}

/* What writes a file does so in a folder that is there; pipes and devices, say /dev/stdout, are written directly. */
th_status cli_check_file_output(const char *path) {
  char dir[LONGEST_PATH];
  if (!*path) return th_fail(TH_ERR_USAGE, "the file to write has no name");
  if (th_dir_exists(path)) return th_fail(TH_ERR_USAGE, "%s: is a folder", path);
  if (access(path, F_OK) == 0 && !th_file_exists(path)) return TH_OK;
  TH_TRY(copy_path(path, (size_t)(th_path_base(path) - path), dir));
  const char *folder = dir[0] ? dir : ".";
  if (!th_dir_exists(folder)) return th_fail(TH_ERR_USAGE, "%s: there is no folder %s", path, folder);
  const th_status status = th_dir_check_writable(folder);
  return status == TH_OK ? status : th_fail_in(status, "%s", path);
}

th_status cli_check_model_output(const char *path) {
  const char *extension = th_path_extension(path);
  if (strcmp(extension, ".thim") != 0 && strcmp(extension, ".tflite") != 0)
    return th_fail(TH_ERR_USAGE, "%s: a model is written as .thim or .tflite, not as '%s'", path, extension);
  return cli_check_file_output(path);
}

/* Cuts the last part off; what has none lies in the folder we are in. */
static void cut_last(char path[LONGEST_PATH]) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  while (n > 0 && path[n - 1] != '/') n--;
  while (n > 1 && path[n - 1] == '/') n--;
  path[n] = 0;
  if (n == 0) strcpy(path, ".");
}

/* Folders are made, with those above them: the nearest one that is there decides. */
th_status cli_check_folder_output(const char *path) {
  char dir[LONGEST_PATH];
  if (!*path) return th_fail(TH_ERR_USAGE, "the folder to write has no name");
  TH_TRY(copy_path(path, strlen(path), dir));
  while (!th_dir_exists(dir)) {
    if (access(dir, F_OK) == 0) return th_fail(TH_ERR_USAGE, "%s: %s is a file, not a folder", path, dir);
    cut_last(dir);
  }
  const th_status status = th_dir_check_writable(dir);
  return status == TH_OK || strcmp(dir, path) == 0 ? status : th_fail_in(status, "%s", path);
}
