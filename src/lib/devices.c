/* The rows of devices.def as a table. See devices.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/devices.h"

#include <string.h>
#include <strings.h>

#include "base/status.h"
#include "base/str.h"
#include "report/table.h"

#define K 1024
#define MHZ 1000000
#define TH_DEVICE(...) {__VA_ARGS__},
static const th_device DEVICES[] = {
#include "lib/devices.def"
};
#undef TH_DEVICE
#undef MHZ
#undef K
enum { DEVICES_COUNT = sizeof DEVICES / sizeof *DEVICES, SUGGESTIONS = 4 };

const th_device *th_device_list(int i) {
  return i >= 0 && i < DEVICES_COUNT ? &DEVICES[i] : NULL;
}

/* --- by name --- */

/* Letters in lower case and digits: "ESP32_C3" and "esp32-c3" are the same. */
static void plain(const char *name, char *out, size_t size) {
  size_t n = 0;
  for (; *name && n + 1 < size; name++) {
    const bool upper = *name >= 'A' && *name <= 'Z';
    if (upper || (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9'))
      out[n++] = (char)(upper ? *name - 'A' + 'a' : *name);
  }
  out[n] = 0;
}

/* Names of which one is the beginning of the other (a family, or a part's full order code), else the closest spelling.
 */
static void append_suggestions(const char *name, th_buf *out) {
  char given[64], known[64];
  const char *names[DEVICES_COUNT];
  int n = 0;
  plain(name, given, sizeof given);
  for (int i = 0; i < DEVICES_COUNT; i++) {
    plain(DEVICES[i].name, known, sizeof known);
    names[i] = DEVICES[i].name;
    const bool begins = given[0] && (th_str_starts(known, given) || th_str_starts(given, known));
    if (begins && n < SUGGESTIONS) th_buf_printf(out, "%s%s", n++ ? ", " : "; did you mean ", DEVICES[i].name);
  }
  const char *near = n ? NULL : th_str_closest(given, names, DEVICES_COUNT);
  if (near) th_buf_printf(out, "; did you mean %s", near);
  th_buf_printf(out, n || near ? "?" : " (thimble devices lists them)");
}

const th_device *th_device_find(const char *name) {
  char given[64], known[64];
  plain(name, given, sizeof given);
  for (int i = 0; i < DEVICES_COUNT; i++) {
    plain(DEVICES[i].name, known, sizeof known);
    if (th_str_eq(known, given)) return &DEVICES[i];
  }
  th_buf text = {0};
  append_suggestions(name, &text);
  th_fail(TH_ERR_INPUT, "unknown device \"%s\"%s", name, th_buf_cstr(&text));
  th_buf_free(&text);
  return NULL;
}

th_status th_device_need_target(const th_device *d) {
  if (*d->target) return TH_OK;
  return th_fail(TH_ERR_INPUT, "device %s (%s): no target of thimble makes code for it: %s", d->name, d->core, d->note);
}

const th_device *th_device_of(const th_settings *compile) {
  const char *name = th_settings_text(compile, "device");
  return *name ? th_device_find(name) : NULL;
}

/* --- what a model needs of it --- */

bool th_needs_met(const th_needs *n, const th_device *d) {
  return n->flash_bytes <= d->flash_bytes && n->ram_bytes <= d->ram_bytes;
}

th_status th_needs_check(const th_needs *n, const th_device *d, const char *advice) {
  const bool flash = n->flash_bytes > d->flash_bytes;
  char a[32], b[32];
  if (th_needs_met(n, d)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "does not fit %s: needs %s%s bytes of %s, and it has %s%s", d->name,
                 n->least ? "at least " : "", th_thousands(a, flash ? n->flash_bytes : n->ram_bytes),
                 flash ? "flash" : "RAM", th_thousands(b, flash ? d->flash_bytes : d->ram_bytes), flash ? "" : advice);
}

static void append_share(const char *what, int64_t part, int64_t all, th_buf *text) {
  char a[32], b[32];
  th_buf_printf(text, "%s %s of %s bytes (%.1f %%)", what, th_thousands(a, part), th_thousands(b, all),
                100.0 * (double)part / (double)all);
}

void th_needs_write(const th_needs *n, const th_device *d, th_json *json, th_buf *text) {
  th_json *o = th_json_add_object(json, "device");
  th_json_add_string(o, "name", d->name);
  th_json_add_string(o, "part", d->part);
  th_json_add_int(o, "flash_bytes", d->flash_bytes);
  th_json_add_int(o, "ram_bytes", d->ram_bytes);
  th_json_add_int(o, "needs_flash_bytes", n->flash_bytes);
  th_json_add_int(o, "needs_ram_bytes", n->ram_bytes);
  th_json_add_bool(o, "fits", th_needs_met(n, d));
  th_buf_printf(text, "%s %s: ", th_needs_met(n, d) ? "fits" : "does not fit", d->part);
  append_share("flash", n->flash_bytes, d->flash_bytes, text);
  append_share(", RAM", n->ram_bytes, d->ram_bytes, text);
  th_buf_printf(text, "%s\n", n->least ? ", code and stack not counted" : "");
}
