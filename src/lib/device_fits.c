/* Which devices a model fits: what it needs is found once for each target, then compared with each row of devices.def.
 * See devices.h and thimble/thimble.h. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "lib/compile.h"
#include "lib/devices.h"
#include "report/table.h"
#include "write/targets.h"

enum { TARGETS_MAX = 32 };

typedef struct target_needs {
  bool known; /* else the target cannot run the model */
  th_needs needs;
} target_needs;

typedef struct fits {
  target_needs of[TARGETS_MAX]; /* as th_target_list */
} fits;

/* `compile`: how it is built; NULL: as by default. */
static th_status settings_of(const th_settings *compile, th_settings **s) {
  return compile ? th_settings_copy(compile, s) : th_settings_create("compile", s);
}

/* A target that refuses a model for an operator it has no kernel for is no error: the model does not fit it. */
static th_status find_needs(const th_model *model, const th_settings *compile, const char *target, target_needs *t) {
  th_settings *s;
  TH_TRY(settings_of(compile, &s));
  th_status status = th_settings_set(s, "target", target);
  if (status == TH_OK) status = th_compile_needs(model, s, &t->needs);
  th_settings_free(s);
  t->known = status == TH_OK;
  if (status != TH_ERR_INPUT) return status;
  th_error_clear();
  return TH_OK;
}

/* What keeps a model from all targets keeps it from the one that is set. */
static th_status tell_why(const th_model *model, const th_settings *compile) {
  th_settings *s;
  th_needs needs;
  TH_TRY(settings_of(compile, &s));
  const th_status status = th_compile_needs(model, s, &needs);
  th_settings_free(s);
  return th_name_file(status, model->path);
}

static th_status find_all(const th_model *model, const th_settings *compile, fits *f) {
  const th_target *t;
  *f = (fits){0};
  bool any = false;
  for (int i = 0; i < TARGETS_MAX && (t = th_target_list(i)) != NULL; i++) {
    if (!th_target_is_host(t)) TH_TRY(find_needs(model, compile, t->name, &f->of[i]));
    any |= f->of[i].known;
  }
  return any ? TH_OK : tell_why(model, compile);
}

/* NULL: its target does not run the model, or it has none. */
static const th_needs *needs_on(const fits *f, const th_device *d) {
  const th_target *t;
  for (int i = 0; i < TARGETS_MAX && (t = th_target_list(i)) != NULL; i++)
    if (th_str_eq(t->name, d->target)) return f->of[i].known ? &f->of[i].needs : NULL;
  return NULL;
}

/* --- thimble devices --- */

static void write_fit(const th_needs *n, const th_device *d, th_json *o, th_table *t) {
  char number[32];
  th_json_add_bool(o, "fits", n && th_needs_met(n, d));
  th_table_cell(t, "%s", !*d->target ? "no target" : !n ? "not run" : th_needs_met(n, d) ? "fits" : "too small");
  th_table_cell(t, "%s", n ? th_thousands(number, n->flash_bytes) : "");
  th_table_cell(t, "%s", n ? th_thousands(number, n->ram_bytes) : "");
  if (!n) return;
  th_json_add_int(o, "needs_flash_bytes", n->flash_bytes);
  th_json_add_int(o, "needs_ram_bytes", n->ram_bytes);
}

static void write_device(const th_device *d, const fits *f, th_json *list, th_table *t) {
  th_json *o = th_json_add_object(list, NULL);
  th_json_add_string(o, "name", d->name);
  th_json_add_string(o, "part", d->part);
  th_json_add_string(o, "core", d->core);
  th_json_add_string(o, "target", *d->target ? d->target : NULL);
  th_json_add_int(o, "flash_bytes", d->flash_bytes);
  th_json_add_int(o, "ram_bytes", d->ram_bytes);
  th_json_add_int(o, "clock_hz", d->clock_hz);
  th_json_add_string(o, "source", d->source);
  th_json_add_string(o, "note", d->note);
  th_table_cell(t, "%s", d->name);
  th_table_cell(t, "%s", d->core);
  th_table_cell(t, "%s", *d->target ? d->target : "none");
  th_table_cell(t, "%lldK", (long long)d->flash_bytes / 1024);
  th_table_cell(t, "%lldK", (long long)d->ram_bytes / 1024);
  th_table_cell(t, "%lld", (long long)d->clock_hz / 1000000);
  if (f) write_fit(needs_on(f, d), d, o, t);
  th_table_cell(t, "%s", d->part);
}

static void write_list(const fits *f, th_result *r) {
  const th_device *d;
  th_json *list = th_json_add_array(r->json, "devices");
  th_table *t = th_table_create(r->arena, f ? "<device|<core|<target|flash|RAM|MHz|<model|its flash|its RAM|<part"
                                            : "<device|<core|<target|flash|RAM|MHz|<part");
  for (int i = 0; (d = th_device_list(i)) != NULL; i++) write_device(d, f, list, t);
  th_table_print(t, &r->text);
  th_buf_printf(&r->text, "\n");
  for (int i = 0; (d = th_device_list(i)) != NULL; i++)
    if (*d->note) th_buf_printf(&r->text, "%s: %s\n", d->name, d->note);
  if (f)
    th_buf_printf(&r->text, "\nits flash: code, weights and other constants; its RAM: arena and stack; as predicted\n");
}

th_status th_devices(const th_model *model, th_result **result) {
  th_result *r;
  fits f;
  if (model) TH_TRY(th_compile_need_integer(model));
  TH_TRY(th_result_create(&r));
  th_status status = model ? find_all(model, NULL, &f) : TH_OK;
  if (status == TH_OK) {
    write_list(model ? &f : NULL, r);
    status = th_result_finish(r);
  }
  return th_result_give(status, r, result);
}

/* --- thimble info --- */

th_status th_devices_write_fits(const th_model *model, const th_settings *compile, th_result *r) {
  const th_device *d;
  fits f;
  th_buf_printf(&r->text, "\n");
  if (compile && th_device_of(compile)) return th_compile_tell_device(model, compile, NULL, r);
  TH_TRY(find_all(model, compile, &f));
  th_json *list = th_json_add_array(r->json, "devices");
  th_buf others = {0};
  int n = 0, fit = 0;
  for (int i = 0; (d = th_device_list(i)) != NULL; i++) {
    const th_needs *needs = needs_on(&f, d);
    if (!*d->target) continue;
    n++;
    if (needs && th_needs_met(needs, d)) {
      th_json_add_string(list, NULL, d->name);
      fit++;
    } else {
      th_buf_printf(&others, "%s%s", others.size ? ", " : ": all but ", d->name);
    }
  }
  th_buf_printf(&r->text, "it fits %d of the %d devices that code is written for%s%s\n", fit, n,
                fit && others.size ? th_buf_cstr(&others) : "", compile ? "" : " (thimble devices --fits MODEL)");
  th_buf_free(&others);
  return TH_OK;
}
