/* Signs a .thim program for sending it to devices (docs/format.md, "Signed programs"), with Ed25519 by nettle.
 *   sign new KEY                        a new secret key, 32 random bytes, and KEY.pub
 *   sign add KEY REVISION IN OUT        IN with trailer and signature
 * SPDX-License-Identifier: Apache-2.0 */
#include <nettle/eddsa.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 << 20, TRAILER = 12, SCHEME_ED25519 = 1 };

static int write_file(const char *path, const uint8_t *data, size_t bytes) {
  FILE *f = fopen(path, "wb");
  const int ok = f && fwrite(data, 1, bytes, f) == bytes;
  if (!f || fclose(f) != 0 || !ok) fprintf(stderr, "sign: cannot write %s\n", path);
  return ok;
}

/* At most `most` bytes; 0: there are more, none, or no such file. */
static size_t read_file(const char *path, uint8_t *data, size_t most) {
  FILE *f = fopen(path, "rb");
  size_t n = f ? fread(data, 1, most, f) : 0;
  if (f && fgetc(f) != EOF) n = 0;
  if (f) fclose(f);
  if (n == 0) fprintf(stderr, "sign: cannot read %s, or it is empty or too large\n", path);
  return n;
}

static int new_key(const char *path) {
  uint8_t secret[ED25519_KEY_SIZE], public_key[ED25519_KEY_SIZE];
  char name[1000];
  FILE *random = fopen("/dev/urandom", "rb");
  const int ok = random && fread(secret, 1, sizeof secret, random) == sizeof secret;
  if (random) fclose(random);
  if (!ok || snprintf(name, sizeof name, "%s.pub", path) >= (int)sizeof name) return 0;
  ed25519_sha512_public_key(public_key, secret);
  return write_file(path, secret, sizeof secret) && write_file(name, public_key, sizeof public_key);
}

static int add(const char *key, const char *revision, const char *in, const char *out) {
  static uint8_t file[MOST + TRAILER + ED25519_SIGNATURE_SIZE];
  uint8_t secret[ED25519_KEY_SIZE], public_key[ED25519_KEY_SIZE];
  const uint32_t r = (uint32_t)strtoul(revision, NULL, 10);
  const size_t n = read_file(in, file, MOST);
  if (n == 0 || read_file(key, secret, sizeof secret) != sizeof secret) return 0;
  const uint8_t trailer[TRAILER] = {'T',
                                    'H',
                                    'S',
                                    'G',
                                    (uint8_t)r,
                                    (uint8_t)(r >> 8),
                                    (uint8_t)(r >> 16),
                                    (uint8_t)(r >> 24),
                                    SCHEME_ED25519,
                                    0,
                                    ED25519_SIGNATURE_SIZE,
                                    0};
  memcpy(file + n, trailer, TRAILER);
  ed25519_sha512_public_key(public_key, secret);
  ed25519_sha512_sign(public_key, secret, n + TRAILER, file, file + n + TRAILER);
  return write_file(out, file, n + TRAILER + ED25519_SIGNATURE_SIZE);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "new") == 0) return !new_key(argv[2]);
  if (argc == 6 && strcmp(argv[1], "add") == 0) return !add(argv[2], argv[3], argv[4], argv[5]);
  fprintf(stderr, "usage: sign new KEY | sign add KEY REVISION IN OUT\n");
  return 2;
}
