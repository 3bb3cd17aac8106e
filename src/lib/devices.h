/* Microcontrollers by name: the rows of devices.def, and whether a model's needs are met by one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_DEVICES_H
#define TH_LIB_DEVICES_H

#include "lib/model.h"
#include "lib/settings.h"
#include "report/result.h"

typedef struct th_device {
  const char *name, *part, *core;
  const char *target; /* whose code its core runs; "": none does */
  int64_t flash_bytes, ram_bytes, clock_hz;
  const char *source; /* the data sheet */
  const char *note;   /* why there is no target, or what else to know */
} th_device;

const th_device *th_device_list(int i);            /* NULL past the last */
const th_device *th_device_find(const char *name); /* whatever its case; NULL, with the error recorded, when unknown */
/* TH_ERR_INPUT, with the reason, when no target's code runs on its core. */
th_status th_device_need_target(const th_device *device);
/* JSON array "devices": the names of those that the model fits, built as `compile` says (NULL: by default), and a line
 * of text: which it does not. Where that names a device: whether it fits this one (th_needs_write). */
th_status th_devices_write_fits(const th_model *model, const th_settings *compile, th_result *r);
/* What the setting `device` of stage compile names; NULL: none. */
const th_device *th_device_of(const th_settings *compile);

typedef struct th_needs {
  int64_t flash_bytes, ram_bytes;
  bool least; /* more will be needed: code and stack are not in it */
} th_needs;

bool th_needs_met(const th_needs *needs, const th_device *device);
/* TH_ERR_INPUT that tells what is short by how much; `advice` is added where that is RAM alone. */
th_status th_needs_check(const th_needs *needs, const th_device *device, const char *advice);
/* JSON object "device" of `json`, and a line of text. */
void th_needs_write(const th_needs *needs, const th_device *device, th_json *json, th_buf *text);

#endif
