/* Building and measuring the firmware of a project folder that th_csource_write_folder made.
 *
 * The cross compiler and QEMU are run as programs; nothing else leaves the folder. Flash and RAM are read from the
 * linked ELF file. Instructions are executed guest instructions, counted by running QEMU with -icount shift=0, where
 * one instruction takes one virtual nanosecond and SysTick ticks every 40: so they are known to 40 instructions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_FIRMWARE_H
#define TH_WRITE_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

typedef struct th_firmware_result {
  uint32_t text_bytes, data_bytes, bss_bytes; /* text: code and constants; bss includes the arena */
  uint32_t flash_bytes;                       /* text + initial values of data */
  uint32_t ram_bytes;                         /* data + bss, without the stack */
  uint32_t arena_bytes;
  uint32_t stack_bytes;  /* high-water mark of one run; 0 on the host */
  uint64_t instructions; /* of one inference (the first sample); 0 when not counted */
  int samples;
} th_firmware_result;

/* True when the tools that `target` needs can be started; else *why (may be NULL) says which is missing. */
bool th_firmware_available(const char *target, bool run, const char **why);

/* Compiles the folder to DIR/firmware.elf and reads the sizes (text to ram) from it. The host target gives DIR/firmware
 * and no sizes. Compiler messages become the error message. */
th_status th_firmware_build(const char *dir, const char *target, th_firmware_result *result);

/* Runs the built firmware on `samples` samples: inputs and outputs are raw bytes, `input_bytes` and `output_bytes` for
 * each sample (all inputs of a sample in order). count: also count instructions, on the first sample, in a run of its
 * own. Several instances share the samples; progress is reported from their threads, one at a time.
 * Fills arena, stack, instructions, samples. */
th_status th_firmware_run(const char *dir, const char *target, int samples, const void *inputs, size_t input_bytes,
                          void *outputs, size_t output_bytes, bool count, const th_context *ctx,
                          th_firmware_result *result);

#endif
