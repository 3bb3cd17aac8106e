/* Building and measuring the firmware of a project folder that th_csource_write_folder made.
 *
 * The cross compiler and the emulator are run as programs; nothing else leaves the folder. Flash and RAM are read from
 * the linked ELF file. Instructions are executed guest instructions, counted by running QEMU with -icount shift=0,
 * where one instruction takes one virtual nanosecond: on an Arm board they are known to one tick of SysTick (31 to 50
 * instructions), on RISC-V exactly. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_FIRMWARE_H
#define TH_WRITE_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/status.h"
#include "write/targets.h"

typedef enum th_firmware_kind {
  TH_FIRMWARE_PLAIN,
  TH_FIRMWARE_PROFILE /* counts each layer by itself; has more code */
} th_firmware_kind;

enum { TH_FIRMWARE_SECTIONS = 12, TH_FIRMWARE_SECTION_NAME = 24 };

typedef struct th_firmware_section {
  char name[TH_FIRMWARE_SECTION_NAME];
  uint32_t bytes;
  bool in_flash, in_ram;
} th_firmware_section;

typedef struct th_firmware_result {
  th_firmware_section section[TH_FIRMWARE_SECTIONS]; /* those that take memory */
  int n_sections;
  uint32_t flash_bytes; /* code, constants, initial values of data */
  uint32_t model_bytes; /* the part of it that is the model's: weights, their tables, biases, scales, parameters */
  uint32_t ram_bytes;   /* data + bss with the arena, without the stack */
  uint32_t arena_bytes, touched_bytes; /* touched: up to the last word that a run changes */
  uint32_t stack_bytes;                /* high-water mark of one run; 0 on the host */
  uint64_t instructions;               /* of one inference (the first sample); 0 when not counted */
  int samples;
} th_firmware_result;

/* True when the tools that `target` needs can be started; else *why (may be NULL) says which is missing. */
bool th_firmware_available(const char *target, bool run, const char **why);

/* The linked file of a kind, relative to the folder. */
const char *th_firmware_file(const char *target, th_firmware_kind kind);

/* Compiles the folder and reads the sizes (section to ram) of the linked file. The host target gives no sizes.
 * Compiler messages become the error message. */
th_status th_firmware_build(const char *dir, const char *target, th_goal goal, th_firmware_kind kind,
                            th_firmware_result *result);

/* Sections and sizes of a 32-bit ELF file, System V ABI, chapter 4. Symbols of the C files in `dir` that are none of
 * the example's count as the model's. */
th_status th_firmware_sizes(th_arena *arena, const char *path, const char *dir, th_firmware_result *result);

/* Runs the built firmware on `samples` samples: inputs and outputs are raw bytes, `input_bytes` and `output_bytes` for
 * each sample (all inputs of a sample in order). count: also count instructions, on the first sample, in a run of its
 * own. Several instances share the samples; progress is reported from their threads, one at a time.
 * Fills arena, stack, instructions, samples. */
th_status th_firmware_run(const char *dir, const char *target, int samples, const void *inputs, size_t input_bytes,
                          void *outputs, size_t output_bytes, bool count, const th_context *ctx,
                          th_firmware_result *result);

/* Runs the built firmware of kind PROFILE on one sample: instructions of each of its layers. */
th_status th_firmware_profile(const char *dir, const char *target, const void *input, size_t input_bytes,
                              size_t output_bytes, int layers, uint64_t *instructions, const th_context *ctx);

#endif
