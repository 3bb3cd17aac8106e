/* Collecting what a report shows, into one JSON object; report/page.h makes the page of it.
 *
 * Everything comes from the folder that th_shrink() wrote: report.json names the networks after each stage, recipe.yaml
 * says how the last was compiled. The places in the arena are not kept anywhere: the network is lowered and planned
 * again, which gives the same. What only a run on data shows is kept in stages/measured.json.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_REPORT_H
#define TH_LIB_REPORT_H

#include "format/json.h"
#include "lib/compile.h"
#include "lib/recipe.h"
#include "write/thim.h"

#define TH_MEASURED_FILE "stages/measured.json"

/* The last act of whoever fills such a folder: DIR/report.html. */
th_status th_report_make(const char *dir, const th_data *data, const th_context *ctx);

typedef struct th_report_job {
  const char *dir;
  const th_data *data; /* or NULL */
  bool thorough;       /* measure sensitivity, too, which takes a run for each layer */
  const th_context *ctx;
  th_arena *arena;
  th_json *summary;  /* report.json */
  uint64_t id;       /* hash of its text: what was measured for another result does not count */
  th_json *fit;      /* fit.json, or NULL */
  th_json *measured; /* stages/measured.json, or what was measured now; or NULL */
  th_model *before;  /* the network as it came in, or as its first training left it; NULL when no file of it is there */
  th_model *after;   /* the network that was deployed, or is to be */
  th_recipe recipe;  /* n is 0 when there is none */
  const char *target;
  bool deployed;    /* `after` is integer: the rest is there */
  th_deployed blob; /* as model.thim holds it */
  th_deployed own;  /* as the firmware holds it, where that differs */
  const th_deployed *firmware;
  th_thim_report sections; /* of the blob */
  th_json *page;
} th_report_job;

/* The id as text, in `text`. */
#define TH_REPORT_ID 17
const char *th_report_id(const th_report_job *job, char text[TH_REPORT_ID]);

/* Each adds its part to job->page. */
th_status th_report_layers(th_report_job *job); /* "layers": what each is, its weights before and after */
th_status th_report_memory(th_report_job *job); /* "arena", "flash", "predicted", "firmware" */

/* "codes" of one layer: the words of its Huffman codes with their lengths and uses. Nothing for other coders. */
th_status th_report_codes(th_json *layer, const th_program_step *step, thr_coder coder);

/* Runs both networks on the data: confusion, the error of each layer. Sets job->measured and writes it. */
th_status th_report_measure(th_report_job *job);
/* Adds "sensitivity" to job->measured, as fit.json has it. Nothing when the network came in as integers. */
th_status th_report_sensitivity(th_report_job *job);

#endif
