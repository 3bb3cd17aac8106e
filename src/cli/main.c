/* The thimble program: finds the command, fills its options from the tables, runs it, and turns the first error into a
 * message and an exit code (docs: thimble help). SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"

#define EXIT_INTERRUPTED 130 /* what shells report for a program ended by Ctrl-C */

const opt_row cli_common_rows[] = {
    {OPT_FLAG, 0, "json", offsetof(cli_common, json), NULL, "print one JSON object instead of tables", 0, 0},
    {OPT_FLAG, 'q', "quiet", offsetof(cli_common, quiet), NULL, "no progress and no messages but warnings and errors",
     0, 0},
    {OPT_FLAG, 'v', "verbose", offsetof(cli_common, verbose), NULL, "more messages", 0, 0},
    {OPT_INT, 't', "threads", offsetof(cli_common, threads), "N",
     "threads to use; 0 is one per processor. Results do not depend on it", 0, 1024},
    {OPT_SEED, 's', "seed", offsetof(cli_common, seed), "N", "seed of everything random: same seed, same bytes", 0, 0},
    {OPT_FLAG, 'h', "help", offsetof(cli_common, help), NULL, "this help", 0, 0},
    OPT_END};

static int exit_code(th_status status) {
  return status == TH_ERR_INTERRUPTED ? EXIT_INTERRUPTED : (int)status;
}

static void print_error(const cli_command *command, th_status status) {
  const char *message = th_error_message();
  const char *name = command ? command->name : NULL;
  if (!message[0]) message = status == TH_ERR_INTERRUPTED ? "interrupted" : "failed without a message; please report";
  fprintf(stderr, "thimble%s%s: %s\n", name ? " " : "", name ? name : "", message);
  if (status == TH_ERR_USAGE) fprintf(stderr, "Try 'thimble %s%s--help'.\n", name ? name : "", name ? " " : "");
}

/* Output that could not be written is an error, too: a full disk must not look like success. */
static th_status flush_output(th_status status) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  if (status != TH_OK) return status;
  return th_fail(TH_ERR_RESOURCE, "standard output: could not be written (disk full or closed)");
}

static th_status check_words(const cli_command *command, int n) {
  if (n < command->fewest) return th_fail(TH_ERR_USAGE, "expected %s", command->words);
  if (n > command->most)
    return th_fail(TH_ERR_USAGE, "expected %s and nothing more", command->words[0] ? command->words : "no argument");
  return TH_OK;
}

static const cli_common common_defaults = {.seed = {1, false}};

static th_status run_parsed(cli *c, const void *options, int n_words, char **words) {
  TH_TRY(check_words(c->command, n_words));
  cli_progress_begin(&c->progress, c->common.quiet, c->common.verbose);
  c->context = (th_context){&c->progress, cli_progress_log, cli_progress_update};
  th_set_threads(c->common.threads);
  th_status status = c->command->spec->run(c, options, n_words, words);
  cli_progress_end(&c->progress);
  return status;
}

static th_status run_command(cli *c, int argc, char **argv) {
  const cli_spec *spec = c->command->spec;
  opt_group groups[CLI_GROUPS_MAX];
  int n_groups, n_words;
  void *options = th_arena_copy(c->arena, spec->defaults ? spec->defaults : "", spec->bytes ? spec->bytes : 1);
  if (!options) return th_error_status();
  TH_TRY(cli_command_groups(c->arena, c->command, groups, &n_groups));
  for (int i = 0; i < n_groups; i++) {
    if (groups[i].rows == spec->rows)
      groups[i].values = options;
    else if (groups[i].rows == cli_common_rows)
      groups[i].values = &c->common;
    else
      c->setting_rows = groups[i].rows, c->setting_values = groups[i].values;
  }
  TH_TRY(opt_parse(groups, n_groups, argc, argv, &n_words));
  if (!c->common.help) return run_parsed(c, options, n_words, argv);
  /* Help shows defaults, whatever stands before it. */
  if (spec->defaults) memcpy(options, spec->defaults, spec->bytes);
  c->common = common_defaults;
  return cli_help_command(c, groups, n_groups);
}

static th_status unknown_command(const char *name) {
  const char *names[64];
  int n;
  const cli_command *commands = cli_commands(&n);
  for (int i = 0; i < n; i++) names[i] = commands[i].name;
  const char *near = NULL;
  for (int i = 0; i < n && !near; i++)
    if (th_str_starts(names[i], name)) near = names[i]; /* a word broken off */
  if (!near) near = th_str_closest(name, names, n);
  if (near) return th_fail(TH_ERR_USAGE, "'%s' is no command, did you mean '%s'?", name, near);
  return th_fail(TH_ERR_USAGE, "'%s' is no command", name);
}

static th_status run_named(cli *c, int argc, char **argv) {
  c->command = cli_command_find(argv[0]);
  if (!c->command) return unknown_command(argv[0]);
  c->arena = th_arena_create();
  if (!c->arena) return th_error_status();
  th_status status = run_command(c, argc - 1, argv + 1);
  th_arena_destroy(c->arena);
  return status;
}

/* "thimble help [COMMAND]" is "thimble COMMAND --help". */
static th_status run_help(cli *c, int argc, char **argv) {
  char help[] = "--help";
  char *words[] = {argc > 0 ? argv[0] : NULL, help};
  return argc > 0 ? run_named(c, 2, words) : cli_help_all();
}

static th_status run(cli *c, int argc, char **argv) {
  if (argc < 2) {
    cli_help_all();
    return th_fail(TH_ERR_USAGE, "expected a command");
  }
  const char *first = argv[1];
  if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
    printf("thimble %s\n", th_version());
    return TH_OK;
  }
  if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) return cli_help_all();
  if (strcmp(first, "help") == 0) return run_help(c, argc - 2, argv + 2);
  if (first[0] == '-') return th_fail(TH_ERR_USAGE, "expected a command before '%s'", first);
  return run_named(c, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN); /* so that a limit on file sizes is an error of write(), as a full disk is */
  cli c = {.common = common_defaults};
  th_status status = flush_output(run(&c, argc, argv));
  if (status != TH_OK) print_error(c.command, status);
  return exit_code(status);
}
