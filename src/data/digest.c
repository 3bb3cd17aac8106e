/* SHA-256 (nettle) of the files of known data sets: a download that was cut or replaced is found before training.
 *
 * The digests are those of the uncompressed files. MNIST: the files of Y. LeCun, C. Cortes, C. Burges, 60,000 + 10,000.
 * SPDX-License-Identifier: Apache-2.0 */
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/dataset.h"
#include "format/gzip.h"

typedef struct digest {
  const char *set, *file, *sha256;
} digest;

static const digest digests[] = {
    {"mnist", "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
    {"mnist", "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
    {"mnist", "t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
    {"mnist", "t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
    {"fashion-mnist", "train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
    {"fashion-mnist", "train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
    {"fashion-mnist", "t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
    {"fashion-mnist", "t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
};

static void sha256_hex(const uint8_t *data, size_t size, char hex[2 * SHA256_DIGEST_SIZE + 1]) {
  struct sha256_ctx ctx;
  uint8_t sum[SHA256_DIGEST_SIZE];
  sha256_init(&ctx);
  sha256_update(&ctx, size, data);
  sha256_digest(&ctx, sizeof sum, sum);
  for (size_t i = 0; i < sizeof sum; ++i) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static th_status verify_file(th_arena *arena, const digest *d, const char *dir) {
  const char *path = th_path_join(arena, dir, d->file);
  if (path && !th_file_exists(path)) path = th_arena_printf(arena, "%s.gz", path);
  if (!path) return TH_ERR_RESOURCE;
  if (!th_file_exists(path)) return th_fail(TH_ERR_INPUT, "%s: neither %s nor %s.gz is there", dir, d->file, d->file);
  uint8_t *bytes;
  size_t size;
  TH_TRY(th_file_read(arena, path, TH_FILE_LIMIT, &bytes, &size));
  if (th_gzip_probe(bytes, size)) TH_TRY(th_gzip_inflate(arena, bytes, size, TH_FILE_LIMIT, path, &bytes, &size));
  char hex[2 * SHA256_DIGEST_SIZE + 1];
  sha256_hex(bytes, size, hex);
  if (strcmp(hex, d->sha256) == 0) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: SHA-256 of the contents is %s, expected %s: this is not the file of %s", path, hex,
                 d->sha256, d->set);
}

th_status th_dataset_verify(const char *name, const char *dir) {
  int found = 0;
  for (size_t i = 0; i < sizeof digests / sizeof digests[0]; ++i) {
    if (!th_str_eq(digests[i].set, name)) continue;
    ++found;
    th_arena *arena = th_arena_create();
    if (!arena) return TH_ERR_RESOURCE;
    th_status status = verify_file(arena, &digests[i], dir);
    th_arena_destroy(arena);
    TH_TRY(status);
  }
  return found ? TH_OK : th_fail(TH_ERR_USAGE, "no digests are known for a data set '%s'", name);
}
