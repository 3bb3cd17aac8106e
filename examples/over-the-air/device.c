/* The device's side of an update. It has room for two programs: the one that runs and the one that arrives. What has
 * arrived is opened by thr_open_signed(), which checks the signature before it looks at anything else; only then does
 * it take the other's place. The runtime has no cryptography: verify() below calls nettle, on a microcontroller
 * whatever is linked there (Mbed TLS, Monocypher, the boot loader's own).
 *
 *   device KEY.pub INPUT UPDATE...     runs INPUT after each update; refused ones leave the old program running
 * SPDX-License-Identifier: Apache-2.0 */
#include <nettle/eddsa.h>
#include <stdio.h>
#include <string.h>

#include "thr.h"

enum { SLOT_BYTES = 64 << 10, ARENA_BYTES = 64 << 10 };

static uint32_t slots[2][SLOT_BYTES / 4]; /* 4-byte aligned; in flash on a device */
static uint32_t arena[ARENA_BYTES / 4];
static uint8_t public_key[ED25519_KEY_SIZE]; /* built into the firmware */

typedef struct device {
  thr_model model;
  int slot;          /* of the program that runs; -1: none yet */
  uint32_t revision; /* kept in memory that survives a reset */
} device;

static int verify(void *user, const uint8_t *message, size_t message_bytes, const uint8_t *signature,
                  size_t signature_bytes) {
  return signature_bytes == ED25519_SIGNATURE_SIZE &&
         ed25519_sha512_verify((const uint8_t *)user, message_bytes, message, signature);
}

static size_t read_file(const char *path, void *to, size_t most) {
  FILE *f = fopen(path, "rb");
  const size_t n = f ? fread(to, 1, most, f) : 0;
  if (f) fclose(f);
  return n;
}

/* What came over the air is in the free slot. */
static thr_status update(device *d, int slot, size_t bytes) {
  const thr_signer signer = {verify, public_key, d->revision, THR_SCHEME_ED25519};
  thr_model model;
  const thr_status status = thr_open_signed(&model, slots[slot], bytes, &signer);
  if (status != THR_OK) return status;
  if (thr_arena_bytes(&model) > sizeof arena) return THR_ERR_LENGTH; /* a good program, but not for this device */
  d->model = model;
  d->slot = slot;
  d->revision = thr_signed_revision(&model);
  thr_reset(&d->model, arena);
  return THR_OK;
}

static void run(const device *d, const char *input) {
  const thr_io_info in = thr_input_info(&d->model, 0), out = thr_output_info(&d->model, 0);
  if (read_file(input, thr_input(&d->model, arena, 0), in.bytes) != in.bytes) {
    printf("%s holds less than %lu bytes\n", input, (unsigned long)in.bytes);
    return;
  }
  thr_run(&d->model, arena);
  const int8_t *y = (const int8_t *)thr_output(&d->model, arena, 0);
  printf("revision %lu:", (unsigned long)d->revision);
  for (uint32_t i = 0; i < out.bytes; i++) printf(" %d", y[i]);
  printf("\n");
}

int main(int argc, char **argv) {
  device d = {.slot = -1};
  if (argc < 4 || read_file(argv[1], public_key, sizeof public_key) != sizeof public_key) {
    fprintf(stderr, "usage: device KEY.pub INPUT UPDATE...\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    const int slot = d.slot == 0 ? 1 : 0;
    const size_t bytes = read_file(argv[i], slots[slot], SLOT_BYTES);
    const thr_status status = update(&d, slot, bytes);
    printf("%s: %s\n", argv[i], thr_status_text(status));
    if (d.slot >= 0) run(&d, argv[2]);
  }
  return 0;
}
