/* Settings of single layers: the lists `layers`, LAYER=VALUE,..., and `skip`, LAYER,... See stage_job.h.
 *
 * Lists come without blanks and empty entries (settings.c). What they name must be a layer with weights: a name with a
 * slip in it would say nothing and change nothing. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/str.h"
#include "lib/stage_job.h"
#include "op/op.h"

enum { SHOWN = 12 }; /* layers that a message lists */

bool th_stage_of_layer(const char *list, const char *name, char *value, size_t size) {
  const size_t n = strlen(name);
  const char *part;
  size_t m;
  while ((part = th_str_part(&list, &m)) != NULL) {
    if (m <= n || memcmp(part, name, n) || part[n] != '=') continue;
    const size_t length = m - n - 1 < size - 1 ? m - n - 1 : size - 1;
    memcpy(value, part + n + 1, length);
    value[length] = '\0';
    return true;
  }
  return false;
}

static th_status no_layer(const char *option, const char *name, const char *const *known, int n) {
  const char *close = th_str_closest(name, known, n);
  const int shown = n < SHOWN ? n : SHOWN;
  th_buf hint = {0};
  if (close) {
    th_buf_printf(&hint, "; did you mean \"%s\"?", close);
  } else {
    for (int i = 0; i < shown; i++) th_buf_printf(&hint, "%s %s", i ? "," : "; those are", known[i]);
    if (shown < n) th_buf_printf(&hint, " and %d more", n - shown);
  }
  const th_status status = th_fail(TH_ERR_INPUT, "%s: the model has no layer \"%s\" with weights%.*s", option, name,
                                   (int)hint.size, hint.data ? (const char *)hint.data : "");
  th_buf_free(&hint);
  return status;
}

th_status th_stage_need_layer(const th_stage_job *j, const char *option, const char *name, size_t length) {
  const char *known[TH_MAX_WEIGHTS];
  char text[80];
  int n_known = 0;
  for (int i = 0; i < j->g->n_nodes; i++) {
    const th_node *n = &j->g->nodes[i];
    if (n->dead || th_op_weight_input(n->op) < 0) continue;
    if (strlen(n->name) == length && !memcmp(n->name, name, length)) return TH_OK;
    if (n_known < TH_MAX_WEIGHTS) known[n_known++] = n->name;
  }
  snprintf(text, sizeof text, "%.*s", (int)length, name);
  return no_layer(option, text, known, n_known);
}

/* `rest`: what follows in the list; `name`: a layer with its "=", n characters. */
static th_status check_said_once(const char *rest, const char *name, size_t n) {
  const char *part;
  size_t m;
  while ((part = th_str_part(&rest, &m)) != NULL)
    if (m >= n && !memcmp(part, name, n))
      return th_fail(TH_ERR_INPUT, "layers: %.*s is said of twice", (int)n - 1, name);
  return TH_OK;
}

th_status th_stage_check_layers(const th_stage_job *j, th_status (*check)(const char *value, size_t length)) {
  const char *list = th_settings_text(j->s, "layers"), *part;
  size_t m;
  while ((part = th_str_part(&list, &m)) != NULL) {
    const size_t n = strcspn(part, "=");
    if (n >= m) return th_fail(TH_ERR_INPUT, "layers: \"%.*s\": expected LAYER=VALUE", (int)m, part);
    TH_TRY(th_stage_need_layer(j, "layers", part, n));
    const th_status status = check(part + n + 1, m - n - 1);
    if (status != TH_OK) return th_fail_in(status, "layers: \"%.*s\"", (int)m, part);
    TH_TRY(check_said_once(list, part, n + 1));
  }
  return TH_OK;
}

double th_stage_number_of_layer(const th_stage_job *j, int node, double other) {
  char text[32];
  double v;
  const bool said = th_stage_of_layer(th_settings_text(j->s, "layers"), j->g->nodes[node].name, text, sizeof text);
  return said && th_str_double(text, &v) ? v : other;
}

th_status th_stage_check_number(const char *value, size_t length, double least, double most, bool is_whole) {
  char text[32] = "";
  double v;
  if (length < sizeof text) memcpy(text, value, length);
  if (th_str_double(text, &v) && v >= least && v <= most && (!is_whole || v == floor(v))) return TH_OK;
  return th_fail(TH_ERR_INPUT, "expected %s from %g to %g", is_whole ? "an integer" : "a number", least, most);
}
