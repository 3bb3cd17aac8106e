/* Thimble: shrink a trained network and compile it for a microcontroller.
 *
 *   th_model *model;
 *   th_data *data;
 *   th_settings *prune;
 *   th_model_open("lenet.tflite", &model);                    .tflite, .thim, or an architecture text
 *   th_data_open("fashion-mnist", dirs, n_dirs, seed, &data);
 *   th_settings_create("prune", &prune);
 *   th_settings_set(prune, "sparsity", "0.9");
 *   th_stage_run(model, data, prune, &context, &result);      train, prune, distill, cluster, quantize,
 *                                                            sweep
 *   th_model_save(model, "small.tflite");
 *   puts(th_result_text(result));
 *
 * or everything at once: th_shrink(); examples/library is a whole program.
 *
 * Errors: functions return th_status; on failure th_error_message() says why and no output has been touched.
 * Ownership: what a function returns in its last argument is the caller's, and freed by the function beside the one
 * that made it; those accept NULL. Arguments stay the caller's and are not kept: a string, an array or a th_data may go
 * once the call is over. Strings that are returned live as long as the object they were asked of, or for ever where
 * there is none. Threads: an object may be used by one at a time; different objects by different ones. Units: bytes,
 * elements, samples; fractions and accuracies from 0 to 1; seconds. SPDX-License-Identifier: Apache-2.0 */
#ifndef THIMBLE_THIMBLE_H
#define THIMBLE_THIMBLE_H

#include <stddef.h>
#include <stdint.h>

#include "thimble/types.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* in a shared library all else is hidden */
#endif

#define THIMBLE_VERSION "0.1.0"
const char *th_version(void);

/* How many threads the library uses from now on, in the whole process; 0, as at the beginning: one per processor. No
 * result depends on it. Not while another function of the library runs. */
void th_set_threads(int threads);

/* --- results: what a function found out, as JSON for programs and as tables for people --- */

typedef struct th_result th_result;
const char *th_result_json(th_result *result); /* one object; lives as long as the result */
const char *th_result_text(th_result *result); /* tables, ends with a newline */
/* A number by path, "accuracy" or "stages.2.bytes"; `otherwise` when there is none. */
double th_result_number(const th_result *result, const char *path, double otherwise);
void th_result_free(th_result *result);

/* --- models --- */

typedef struct th_model th_model;
th_status th_model_open(const char *path, th_model **model);      /* recognized by content */
th_status th_model_save(const th_model *model, const char *path); /* by extension: .tflite or .thim */
th_status th_model_clone(const th_model *model, th_model **copy);
void th_model_close(th_model *model);
typedef struct th_settings th_settings; /* see "stages" */
/* Parameters, MACs, bytes, sparsity, distinct values, entropy, per layer and in all; of a quantized model also which
 * devices it fits. With settings of stage "compile" (NULL: none) what it would take as firmware (th_predict), and
 * whether it fits the device that they name. */
th_status th_model_info(const th_model *model, const th_settings *compile, th_result **result);
/* Inputs and outputs in order: element type ("f32", "s8", ...), bytes of one sample, shape such as "1x28x28x1". */
typedef struct th_port {
  const char *name, *dtype; /* of the model */
  size_t bytes;
  char shape[80];
  float scale; /* 0 when not quantized */
  int32_t zero;
} th_port;
int th_model_inputs(const th_model *model);
int th_model_outputs(const th_model *model);
th_port th_model_input(const th_model *model, int i);
th_port th_model_output(const th_model *model, int i);
/* Whether an array of `rank` dimensions that holds `samples` samples of the port, samples first, lies as it wants: in
 * its shape apart from dimensions of size 1, or flat. Arrays of one dimension always do. */
bool th_port_takes(const th_port *port, int samples, int rank, const int64_t *dim);
/* From now on the samples of all runs are one stream: variables (of streaming models) keep their values from sample to
 * sample. Without it each sample begins with their initial values. */
th_status th_model_stream(th_model *model);
/* Runs `samples` samples. An array per input and per output, in order: raw bytes of the model's own types, sample after
 * sample, `samples` times the port's bytes. */
th_status th_model_run(th_model *model, int samples, const void *const *inputs, void *const *outputs);
/* Writes every tensor of one inference to DIR/<name>.bin, raw, and DIR/tensors.json that describes them. */
th_status th_model_dump_layers(th_model *model, const void *const *inputs, const char *dir);

/* --- data sets --- */

typedef struct th_data th_data;
/* `spec` as in docs/guide/data.md: NAME or PATH, then ,key=value. Names are looked for in `dirs`, in order. */
th_status th_data_open(const char *spec, const char *const *dirs, int n_dirs, uint64_t seed, th_data **data);
void th_data_close(th_data *data);
/* SHA-256 check of a downloaded data set folder: TH_OK when it holds what `name` should hold. */
th_status th_data_verify(const char *name, const char *dir);
/* The names that th_data_open knows. */
typedef struct th_data_info {
  const char *name, *what, *source, *license;
} th_data_info;
bool th_data_known(int i, th_data_info *info); /* false behind the last */
/* What a path can be, and the keys that go with it alone, separated by blanks. */
bool th_data_kind(int i, const char **what, const char **keys); /* false behind the last */

/* --- stages --- */

/* The parameters of one stage, by name; the same names as in recipes and on the command line. */
typedef struct th_param {
  const char *name;  /* "sparsity" */
  const char *value; /* placeholder for help, "S", or the choices, "a|b|c" */
  const char *def;   /* default as text */
  const char *help;
  bool is_flag;
} th_param;
const char *th_stage_name(int i);                               /* NULL behind the last */
bool th_stage_param(const char *stage, int i, th_param *param); /* false behind the last */
th_status th_settings_create(const char *stage, th_settings **settings);
th_status th_settings_set(th_settings *settings, const char *name, const char *value); /* checks name, type, range */
void th_settings_free(th_settings *settings);

/* Applies a stage to the model in place. Trains on the training split, chooses on the validation split. The result has
 * the accuracy on the test split before and after, bytes and sparsity. On TH_ERR_INTERRUPTED the model holds the best
 * so far, and the checkpoint, if one was asked for, allows th_settings_set(s, "resume", "true"). */
th_status th_stage_run(th_model *model, const th_data *data, const th_settings *settings, const th_context *context,
                       th_result **result);

/* --- measuring --- */

typedef enum th_split_name { TH_ON_TEST, TH_ON_VALIDATION, TH_ON_TRAINING } th_split_name;
/* `metric`: "accuracy", "auc" or "mse"; NULL: by what the data set has (docs/guide/data.md). */
th_status th_evaluate(th_model *model, const th_data *data, th_split_name split, int limit, const char *metric,
                      const th_context *context, th_result **result);
/* Accuracy of both, agreement, and per layer the error of b against a. */
th_status th_compare(th_model *a, th_model *b, const th_data *data, int limit, const th_context *context,
                     th_result **result);

/* --- writing for the target --- */

/* The microcontrollers that the setting `device` knows, with flash, RAM, core, clock and data sheet. With a quantized
 * model (else NULL) also what it needs on each and whether that is there. */
th_status th_devices(const th_model *model, th_result **result);
/* Stage "compile": target, optimize, coder, as, name. Writes the folder. The model must be quantized. */
th_status th_compile(const th_model *model, const th_settings *settings, const char *dir, const th_context *context,
                     th_result **result);
/* What the firmware that th_compile would write takes, by measured tables: no compiler or emulator is needed. -1:
 * nobody has measured that for the target (this machine as a target has no flash and no stack to count). */
typedef struct th_predicted_layer {
  const char *name, *runner, *coder; /* runner: the kernel or form that runs it; coder NULL: no weights */
  int64_t bytes;                     /* of its constants in flash */
  int64_t instructions;
} th_predicted_layer;
typedef struct th_prediction {
  int64_t flash_bytes; /* of the linked file: code, constants, the example around the model */
  int64_t code_bytes;  /* of those, all but the model's constants */
  int64_t arena_bytes; /* exact; scratch included */
  int64_t stack_bytes; /* at most */
  int64_t ram_bytes;   /* arena and stack */
  int64_t instructions;
  const char *unit; /* of instructions: "instructions", or "cycles" where a target counts those */
  int layers;
  const th_predicted_layer *layer;
} th_prediction;
th_status th_predict(const th_model *model, const th_settings *compile, th_prediction **prediction);
void th_prediction_free(th_prediction *prediction);

/* Builds the firmware of a folder that th_compile wrote, runs it under emulation on `samples` samples of the test
 * split, and compares every output byte with the host's. Result: flash_bytes, ram_bytes, stack_bytes, instructions, in
 * all and per layer, accuracy. `data` may be NULL: random samples, no accuracy. */
typedef struct th_bench_options {
  int samples;
  const char *input; /* a file of raw inputs, sample after sample, instead of `data`; NULL: none */
  bool all;      /* once for speed, once for size, once for ram, whatever the settings say, in folders below `dir` */
  bool totals;   /* do not count single layers */
  bool lossless; /* compile what the lossless passes make of the model; outputs are compared with the model's own */
} th_bench_options;
th_status th_bench(th_model *model, const th_data *data, const th_settings *settings, const th_bench_options *options,
                   const char *dir, const th_context *context, th_result **result);
/* Time per inference on this machine with random inputs: single samples, batches of `samples`, and by layer. */
th_status th_bench_host(th_model *model, int samples, th_result **result);

/* --- the whole chain --- */

/* Runs a recipe (NULL: the default one) and writes model.thim, model.tflite, firmware/, report.html, report.json and
 * recipe.yaml to `dir`. Running the written recipe again gives the same bytes. A model without a form as .tflite gets
 * no model.tflite (one that is there becomes model.tflite.old); "tflite_skipped" in the report says why. */
typedef struct th_shrink_options {
  const char *recipe; /* path of a YAML file, or NULL */
  uint64_t seed;
  bool resume;        /* continue an interrupted run in the same folder */
  const char *target; /* NULL: the recipe's, else cortex-m4 */
  const char *device; /* one of th_devices(), which decides the target; NULL: the recipe's, else none */
  bool lossless;      /* no recipe: only what keeps every output bit of an integer model. Runs both and compares; `data`
                       * may be NULL, random inputs are always among those compared. No recipe.yaml is written. */
} th_shrink_options;
th_status th_shrink(const th_model *model, const th_data *data, const th_shrink_options *options, const char *dir,
                    const th_context *context, th_result **result);

/* Writes one HTML file, to be opened without a network, that shows what a folder of th_shrink holds: stages, layers,
 * weights and their codes, arena, flash, errors, recipe. th_shrink has done so at its end. `data`: measures confusion,
 * errors and sensitivity by layer again; NULL: shows what was measured before. `path` NULL: DIR/report.html. */
th_status th_report(const char *dir, const th_data *data, const char *path, const th_context *context,
                    th_result **result);

/* --- the search for a build that fits a part --- */

typedef struct th_fit_options {
  const char *target;             /* NULL: the device's, else cortex-m4 */
  const char *device;             /* one of th_devices(): its flash and RAM are limits; NULL: none */
  int64_t flash_bytes, ram_bytes; /* limits, before the device's; 0: none. RAM is arena and stack */
  double max_drop, min_accuracy;  /* points of accuracy or AUC, or percent of a squared error; 0..1. NaN: no limit */
  double budget_seconds;          /* no trial goes on longer; 0: no limit */
  int trials;                     /* at most, sensitivity not counted; 0: 60. Same number and seed, same front */
  uint64_t seed;
  int jobs;    /* trials at a time, each in a process; 0: one per processor */
  bool ranks;  /* this process is one of an MPI job: all of them work, the first one decides and has the result */
  bool resume; /* there should be a journal. One that is there is used in any case */
} th_fit_options;

/* Searches recipes and ways to compile until the model keeps the limits, as far as sensitivity, prediction and short
 * trainings tell; chooses by the validation split. Writes to `dir` what th_shrink() writes for the build that it chose,
 * and fit.json; every finished trial goes to fit.journal, so that the same call goes on with it. `dir` must be empty or
 * hold such a journal. Result: "trials", "front", "chosen" (an id; null when nothing keeps all limits, then "nearest"
 * and "limit" say what would have to give, and dir/nearest is that build), "test". Where mpirun's other ranks return,
 * *result is NULL. */
th_status th_fit(const th_model *model, const th_data *data, const th_fit_options *options, const char *dir,
                 const th_context *context, th_result **result);
bool th_fit_has_ranks(void); /* was the library built with MPI? */

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
