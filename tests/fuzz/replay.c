/* Runs a fuzz target on files, without a fuzzer: each argument is a file or a folder of files. Lets crashes be looked
 * into, and the corpus be a test of every build. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    perror(path);
    return 1;
  }
  fseek(f, 0, SEEK_END);
  const long size = ftell(f);
  rewind(f);
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  const size_t got = data && size >= 0 ? fread(data, 1, (size_t)size, f) : 0;
  fclose(f);
  if (data) LLVMFuzzerTestOneInput(data, got);
  free(data);
  return 0;
}

/* Files of a folder, hidden ones excepted; counts them. */
static int replay_folder(DIR *dir, const char *path, int *files) {
  char name[4096];
  int failed = 0;
  for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    failed |= replay_file(name);
    ++*files;
  }
  closedir(dir);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0, files = 0;
  for (int i = 1; i < argc; i++) {
    DIR *dir = opendir(argv[i]);
    if (dir) {
      failed |= replay_folder(dir, argv[i], &files);
    } else {
      failed |= replay_file(argv[i]);
      files++;
    }
  }
  printf("%d inputs replayed\n", files);
  return failed || files == 0;
}
