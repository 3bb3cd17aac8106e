/* The search of `thimble fit`: what its files share. See thimble/thimble.h.
 *
 * Everything that costs time is a job: a recipe, run in a child process, and the numbers that come of it. A job's
 * outcome depends on nothing but the recipe, the model and the data; each is kept in a journal. What to try next
 * follows from the outcomes of whole rounds, in the order of the jobs. So the same seed and number of trials give the
 * same front however many work on it, and an interrupted search goes on by doing it all again, with the jobs that are
 * in the journal taking no time.
 *
 *   sensitivity (each layer, each technique, no training)  fit_sensitivity.c
 *   candidates: predicted bytes, predicted drop            fit_candidates.c
 *   rounds of trials with more and more training           fit_rounds.c
 *   front, chosen one, nearest miss                        fit_front.c
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_FIT_H
#define TH_LIB_FIT_H

#include "base/crew.h"
#include "format/json.h"
#include "lib/data.h"
#include "lib/metric.h"
#include "lib/model.h"
#include "lib/training.h"

/* --- jobs --- */

typedef enum th_fit_kind {
  TH_FIT_PROBE, /* accuracy of what some stages make, on a part of the samples */
  TH_FIT_SIZE,  /* what it takes on the target */
  TH_FIT_TRIAL  /* both */
} th_fit_kind;

enum { TH_FIT_MOST_BUILDS = 10 };

/* One way to compile a network, and what it takes. */
typedef struct th_fit_build {
  const char *optimize, *coder;
  int64_t bytes; /* model.thim */
  int64_t flash_bytes, ram_bytes, instructions;
} th_fit_build;

typedef struct th_fit_outcome {
  const char *error; /* why there is none; NULL: there is */
  double value;      /* of the metric; NaN: not measured */
  double seconds;
  th_fit_build build[TH_FIT_MOST_BUILDS];
  int builds;
} th_fit_outcome;

typedef struct th_fit_job {
  th_fit_kind kind;
  const char *recipe; /* YAML; trials and sizes end with compile */
  bool done;          /* not, when time was up before */
  th_fit_outcome outcome;
} th_fit_job;

/* --- techniques (fit_techniques.def) --- */

typedef enum th_technique_id {
#define TH_TECHNIQUE(name, ...) TH_TECHNIQUE_##name,
#include "lib/fit_techniques.def"
#undef TH_TECHNIQUE
  TH_TECHNIQUE_COUNT
} th_technique_id;

enum { TH_FIT_MOST_VALUES = 10 };

typedef struct th_technique {
  const char *name, *what;
  int group;
  const char *values, *probes; /* words with blanks between */
  const char *probe;
  double rate, share;
  const char *stage;
} th_technique;

const th_technique *th_technique_of(int id);
/* How many values and probes there are, and the i-th. */
int th_technique_values(int id);
const char *th_technique_value(int id, int i, char word[16]);
int th_technique_probes(int id);
const char *th_technique_probe(int id, int i, char word[16]);
/* The part of a weight's bits that is left: 0.5 for a sparsity of 0.5, or for int4. */
double th_technique_keeps(int id, const char *value);

/* --- what goes without training (fit_untrained.def) --- */

int th_fit_untrained_rows(void);
double th_fit_untrained_share(int row); /* of the bytes of int8 weights */

/* --- candidates --- */

typedef struct th_candidate {
  int level[TH_TECHNIQUE_COUNT]; /* position in the values of each technique, -1: not used */
  bool spare;                    /* layers that the sensitivity names are spared */
  int untrained;                 /* row of fit_untrained.def, -1: this is one with training */
  double drop;                   /* predicted */
  int64_t flash_bytes;           /* predicted */
  int64_t ram_bytes;
  bool sized; /* these are by a job of kind SIZE */
  bool tried;
} th_candidate;

/* --- trials --- */

enum { TH_FIT_FIRST_EPOCHS = 1 }; /* of the first rung */

typedef struct th_fit_trial {
  int candidate;
  int epochs; /* the rung's; 0: without training */
  th_fit_job job;
  th_fit_build best; /* of its builds, for the limits */
  double drop;       /* against the network as it came in: points, or percent of a squared error */
  double excess;     /* how far the worst limit is exceeded, as a part of it; 0: all are kept */
  bool on_front;
} th_fit_trial;

/* Drop of one layer (-1: all) by a technique's value, without training. */
typedef struct th_fit_probe {
  int layer, technique;
  const char *value;
  th_fit_job job;
  double drop;
} th_fit_probe;

typedef struct th_fit_search {
  const th_model *model;
  const th_data *data;
  const th_fit_options *options;
  const th_context *ctx;
  const char *dir, *shared; /* DIR, DIR/trials */
  th_arena *arena;
  th_crew *crew;
  struct th_fit_journal *journal;
  uint64_t origin;
  const char *target;
  int64_t flash_limit, ram_limit; /* 0: none */
  th_metric metric;
  th_split_name split; /* that it is measured on */
  bool trains;         /* there is what training needs */
  bool normalized;     /* has batch norm */
  double base;         /* the network's value as it came in */
  double test;         /* of what was built, on the test split; NaN: not read yet */
  double began;        /* clock */
  bool out_of_time;

  th_weight *weights; /* layers */
  int layers;
  th_fit_probe *probe;
  int probes, probed; /* in all, ended */
  th_candidate *candidate;
  int candidates;
  double factor[TH_TECHNIQUE_COUNT]; /* of the predicted drop */
  int64_t int8_bytes, int8_flash;    /* of the network as it is, with 8-bit weights */
  th_fit_trial *trial;
  int trials;
  int round_begin; /* the first trial of the round */
} th_fit_search;

/* fit_job.c */
th_status th_fit_do_job(void *search, const th_buf *job, th_buf *result); /* a th_crew_fn */
void th_fit_write_job(const th_fit_job *job, th_buf *out);
uint64_t th_fit_job_key(const th_fit_search *s, const th_fit_job *job);
bool th_fit_read_outcome(th_arena *arena, const th_json *json, th_fit_outcome *outcome);
/* Value of a metric as points lost since the beginning; percent of growth for a squared error. */
double th_fit_drop(const th_fit_search *s, double value);

/* fit_predict.c: flash_bytes, ram_bytes, instructions of a build, without compiling it. */
th_status th_fit_predict(const th_model *model, const th_settings *compile, th_fit_build *build);

/* fit_journal.c */
th_status th_fit_journal_open(const char *path, struct th_fit_journal **journal, int *kept);
void th_fit_journal_close(struct th_fit_journal *journal);
/* NULL: it was not done yet. */
const th_fit_outcome *th_fit_journal_find(const struct th_fit_journal *journal, uint64_t key);
th_status th_fit_journal_add(struct th_fit_journal *journal, uint64_t key, const th_fit_job *job, const char *json);

/* fit_recipe.c */
/* A candidate's recipe with `epochs` of training (0: the constraints alone). NULL: out of memory. */
const char *th_fit_recipe(const th_fit_search *s, const th_candidate *c, int epochs);
const char *th_fit_probe_recipe(const th_fit_search *s, int technique, const char *value, int layer);
/* In words: "channels 0.5, elements 0.9, int4". */
const char *th_fit_describe(const th_fit_search *s, const th_candidate *c);
/* The trial's recipe with the settings of its build. */
const char *th_fit_final_recipe(const th_fit_search *s, const th_fit_trial *t);
/* The command that links and counts the build, once it is written. */
const char *th_fit_bench_command(const th_fit_search *s, const th_fit_build *b);
const char *th_fit_layer_name(const th_fit_search *s, int layer);

/* fit_run.c: jobs of one round; *n_done: how many came to an end before time was up. `ended` is told of each as it
 * ends. */
th_status th_fit_run_jobs(th_fit_search *s, th_fit_job **jobs, int n, void (*ended)(th_fit_search *s, int i),
                          int *n_done);

/* fit_sensitivity.c */
th_status th_fit_sensitivity(th_fit_search *s);
/* Drop of the whole network by a technique's value; of a layer. */
double th_fit_probe_drop(const th_fit_search *s, int layer, int technique, const char *value);
/* Whether a layer loses much for the little that it has. */
bool th_fit_spares(const th_fit_search *s, int layer, int technique);

/* fit_candidates.c */
th_status th_fit_list_candidates(th_fit_search *s);
/* Sizes of plain int8 and of each value of the technique that RAM depends on. */
th_status th_fit_scout(th_fit_search *s);
/* Whether an untrained candidate is worth a trial. */
bool th_fit_untrained_helps(const th_fit_search *s, const th_candidate *c);
/* The next `n` candidates by predicted drop among those predicted to keep the limits, no two alike; fewer when there
 * are no more. */
th_status th_fit_next_candidates(th_fit_search *s, int n, int *chosen, int *count);
/* What finished trials say about the predictions. */
void th_fit_learn(th_fit_search *s);

/* fit_rounds.c */
th_status th_fit_rounds(th_fit_search *s);

/* fit_front.c */
void th_fit_judge(const th_fit_search *s, th_fit_trial *t); /* best, drop, excess from the outcome */
/* What a build takes of a limit: what is predicted, with what predictions may be short of. */
int64_t th_fit_flash_needed(const th_fit_build *b);
int64_t th_fit_ram_needed(const th_fit_build *b);
double th_fit_build_excess(const th_fit_search *s, const th_fit_build *b); /* over flash or RAM, as a part of it */
bool th_fit_better(const th_fit_trial *a, const th_fit_trial *b);
void th_fit_find_front(th_fit_search *s);
const th_fit_trial *th_fit_chosen(const th_fit_search *s); /* NULL: none keeps all limits */
/* What would have to give: the limit whose excess is the smallest when all others are kept. */
typedef struct th_fit_miss {
  const th_fit_trial *trial; /* NULL: nothing was tried */
  const char *limit;         /* "flash", "ram", "accuracy"; NULL: more than one */
  th_fit_build build;        /* of the trial */
} th_fit_miss;
th_fit_miss th_fit_nearest(const th_fit_search *s);

/* fit_report.c */
void th_fit_write_json(const th_fit_search *s, th_json *root);
th_status th_fit_save_json(const th_fit_search *s, const char *dir); /* dir/fit.json */
void th_fit_write_text(const th_fit_search *s, th_arena *arena, th_buf *text);
void th_fit_tell(const th_fit_search *s, const th_fit_trial *t); /* a line as it joins the front */

#endif
