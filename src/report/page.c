/* Filling the template of a report. See page.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/str.h"
#include "report/page_files.h"

#define CHART "chart.min.js"

/* One script on the page, in this order: each file uses what those before it define. */
static const char *const scripts[] = {"dom.js",    "charts.js",   "overview.js", "layers.js",
                                      "memory.js", "measured.js", "main.js"};

typedef struct page {
  th_buf style, chart, script, data; /* what goes between the tags; the script's hash is of exactly these bytes */
  th_buf license;
  th_buf *out;
} page;

static const th_embedded_file *find_file(const char *name) {
  for (int i = 0; i < th_page_count; i++) {
    const char *slash = strrchr(th_page_files[i].path, '/');
    if (th_str_eq(slash ? slash + 1 : th_page_files[i].path, name)) return &th_page_files[i];
  }
  return NULL;
}

bool th_page_has_charts(void) {
  return find_file(CHART) != NULL;
}

static th_status append_file(const char *name, th_buf *out) {
  const th_embedded_file *file = find_file(name);
  if (!file) return th_fail(TH_ERR_INTERNAL, "page of reports: %s is not part of this build", name);
  th_buf_append(out, file->data, file->bytes);
  return TH_OK;
}

/* JSON as it may stand in a <script>: nothing in it can end the element or begin a comment. Outside of strings JSON has
 * none of these characters. */
static th_status append_data(const th_json *data, th_buf *out) {
  th_buf text = {0};
  th_status status = th_json_print(data, false, &text);
  for (size_t i = 0; i < text.size && status == TH_OK; i++) {
    const char c = (char)text.data[i];
    if (c == '<' || c == '>' || c == '&')
      th_buf_printf(out, "\\u%04x", (unsigned)c);
    else
      th_buf_u8(out, (uint8_t)c);
  }
  th_buf_free(&text);
  return status;
}

/* A source of the policy: 'sha256-...' of what an element holds. */
static void append_hash(const th_buf *content, th_buf *out) {
  struct sha256_ctx sha;
  uint8_t digest[SHA256_DIGEST_SIZE];
  char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
  sha256_init(&sha);
  sha256_update(&sha, content->size, content->data);
  sha256_digest(&sha, sizeof digest, digest);
  base64_encode_raw(text, sizeof digest, digest);
  th_buf_printf(out, "'sha256-%s'", text);
}

/* --- the template: text with {{words}} --- */

static bool append_word(page *p, const char *word, size_t n) {
  const struct {
    const char *word;
    const th_buf *content;
    bool hash;
  } words[] = {{"style", &p->style, false},     {"style-hash", &p->style, true},      {"chart", &p->chart, false},
               {"chart-hash", &p->chart, true}, {"script", &p->script, false},        {"script-hash", &p->script, true},
               {"data", &p->data, false},       {"chart-license", &p->license, false}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strlen(words[i].word) != n || memcmp(words[i].word, word, n) != 0) continue;
    if (words[i].hash)
      append_hash(words[i].content, p->out);
    else
      th_buf_append(p->out, words[i].content->data, words[i].content->size);
    return true;
  }
  return false;
}

static th_status fill(page *p, const char *at) {
  for (const char *mark; (mark = strstr(at, "{{")) != NULL;) {
    const char *end = strstr(mark, "}}");
    th_buf_append(p->out, at, (size_t)(mark - at));
    if (!end || !append_word(p, mark + 2, (size_t)(end - mark - 2)))
      return th_fail(TH_ERR_INTERNAL, "page of reports: a mark of the template is not known: %.20s", mark);
    at = end + 2;
  }
  th_buf_append(p->out, at, strlen(at));
  return th_buf_status(p->out);
}

static th_status make_parts(page *p, const th_json *data) {
  TH_TRY(append_file("page.css", &p->style));
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) TH_TRY(append_file(scripts[i], &p->script));
  if (th_page_has_charts()) {
    TH_TRY(append_file(CHART, &p->chart));
    TH_TRY(append_file("chart-license.txt", &p->license));
  }
  return append_data(data, &p->data);
}

th_status th_page_write(const th_json *data, th_buf *out) {
  page p = {.out = out};
  th_buf template = {0};
  th_status status = make_parts(&p, data);
  if (status == TH_OK) status = append_file("page.html", &template);
  if (status == TH_OK) status = fill(&p, th_buf_cstr(&template));
  th_buf_free(&template);
  th_buf *const parts[] = {&p.style, &p.chart, &p.script, &p.data, &p.license};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) th_buf_free(parts[i]);
  return status;
}
