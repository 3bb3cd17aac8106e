/* completion bash|zsh: a script made from the command and option tables.
 *   thimble completion bash > ~/.local/share/bash-completion/completions/thimble
 *   thimble completion zsh > a folder of $fpath, as _thimble
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

typedef void row_writer(th_buf *out, const opt_row *row);

static bool is_file(const opt_row *row) {
  if (row->kind == OPT_FILE || row->kind == OPT_FILES || !row->arg) return row->arg != NULL;
  return th_str_eq(row->arg, "MODEL") || th_str_eq(row->arg, "FILE") || th_str_eq(row->arg, "DATA");
}

static bool has_choices(const opt_row *row) {
  return row->arg && strchr(row->arg, '|');
}

/* The words of "a|b|c", separated by spaces. */
static void append_choices(th_buf *out, const char *choices) {
  for (const char *p = choices; *p; p++) th_buf_u8(out, *p == '|' ? ' ' : (uint8_t)*p);
}

static th_status each_row(cli *c, const cli_command *command, th_buf *out, row_writer *writer) {
  opt_group groups[CLI_GROUPS_MAX];
  int n;
  TH_TRY(cli_command_groups(c->arena, command, groups, &n));
  for (int i = 0; i < n; i++)
    for (const opt_row *r = groups[i].rows; r->name; r++) writer(out, r);
  return TH_OK;
}

/* --- bash --- */

static void bash_name(th_buf *out, const opt_row *row) {
  th_buf_printf(out, " --%s", row->name);
}

static void bash_choice(th_buf *out, const opt_row *row) {
  if (!has_choices(row)) return;
  th_buf_printf(out, "      --%s) words=\"", row->name);
  append_choices(out, row->arg);
  th_buf_printf(out, "\" ;;\n");
}

static th_status bash_script(cli *c, th_buf *out) {
  int n;
  const cli_command *commands = cli_commands(&n);
  th_buf_printf(out,
                "# bash completion of thimble, made by: thimble completion bash\n_thimble() {\n"
                "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\"\"\n"
                "  COMPREPLY=()\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"");
  for (int i = 0; i < n; i++) th_buf_printf(out, "%s ", commands[i].name);
  th_buf_printf(out,
                "help --help --version\"\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n    return\n"
                "  fi\n  case ${COMP_WORDS[1]} in\n");
  for (int i = 0; i < n; i++) {
    th_buf_printf(out, "    %s) case $previous in\n", commands[i].name);
    TH_TRY(each_row(c, &commands[i], out, bash_choice));
    th_buf_printf(out, "      *) [[ $current == -* ]] && words=\"");
    TH_TRY(each_row(c, &commands[i], out, bash_name));
    th_buf_printf(out, "\" ;;\n      esac ;;\n");
  }
  th_buf_printf(out,
                "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                "  [ -n \"$words\" ] || COMPREPLY=($(compgen -f -- \"$current\"))\n}\n"
                "complete -o filenames -F _thimble thimble\n");
  return th_buf_status(out);
}

/* --- zsh --- */

/* Text inside '...[...]': quotes, brackets and colons would end it. */
static void zsh_text(th_buf *out, const char *text) {
  for (const char *p = text; *p; p++) {
    if (*p == '\'')
      th_buf_printf(out, "'\\''");
    else if (strchr("[]:\\", *p))
      th_buf_printf(out, "\\%c", *p);
    else
      th_buf_u8(out, (uint8_t)*p);
  }
}

static void zsh_row(th_buf *out, const opt_row *row) {
  th_buf_printf(out, " \\\n      '%s--%s[", row->kind == OPT_FILES ? "*" : "", row->name);
  zsh_text(out, row->help);
  th_buf_printf(out, "]");
  if (row->arg) {
    th_buf_printf(out, ":value:");
    if (has_choices(row)) {
      th_buf_printf(out, "(");
      append_choices(out, row->arg);
      th_buf_printf(out, ")");
    } else if (is_file(row)) {
      th_buf_printf(out, "_files");
    }
  }
  th_buf_printf(out, "'");
}

static th_status zsh_script(cli *c, th_buf *out) {
  int n;
  const cli_command *commands = cli_commands(&n);
  th_buf_printf(out,
                "#compdef thimble\n# zsh completion of thimble, made by: thimble completion zsh\n_thimble() {\n"
                "  local -a commands=(\n");
  for (int i = 0; i < n; i++) {
    th_buf_printf(out, "    '%s:", commands[i].name);
    zsh_text(out, commands[i].what);
    th_buf_printf(out, "'\n");
  }
  th_buf_printf(out,
                "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
                "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n");
  for (int i = 0; i < n; i++) {
    th_buf_printf(out, "    %s) _arguments", commands[i].name);
    TH_TRY(each_row(c, &commands[i], out, zsh_row));
    th_buf_printf(out, " \\\n      '*:file:_files' ;;\n");
  }
  th_buf_printf(out, "  esac\n}\n_thimble \"$@\"\n");
  return th_buf_status(out);
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)options, (void)n_words;
  th_buf out = {0};
  th_status status;
  if (th_str_eq(words[0], "bash"))
    status = bash_script(c, &out);
  else if (th_str_eq(words[0], "zsh"))
    status = zsh_script(c, &out);
  else
    status = th_fail(TH_ERR_USAGE, "'%s' is neither bash nor zsh", words[0]);
  if (status == TH_OK) status = cli_print(th_buf_cstr(&out));
  th_buf_free(&out);
  return status;
}

const cli_spec cli_spec_completion = {NULL, NULL, 0, NULL, run};
