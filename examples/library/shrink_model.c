/* Shrinks a network with libthimble alone: loads a model and a data set, runs the whole chain while it shows how far
 * that is, and leaves what `thimble shrink` would leave in a folder. Ctrl-C ends it cleanly.
 *
 *   shrink_model MODEL DATA DIR [RECIPE]           SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "thimble/thimble.h"

static volatile sig_atomic_t stop;

static void on_interrupt(int number) {
  (void)number;
  stop = 1;
}

/* Called several times a second, from the thread that called th_shrink. */
static bool show_progress(void *user, const th_progress *p) {
  int *calls = user;
  ++*calls;
  fprintf(stderr, "\r%-10s", p->stage);
  if (p->epochs > 0) fprintf(stderr, " epoch %d of %d", p->epoch, p->epochs);
  if (p->total > 0) fprintf(stderr, " %3.0f %%", 100 * p->done / p->total);
  if (!isnan(p->accuracy)) fprintf(stderr, ", accuracy %.1f %%", 100 * p->accuracy);
  if (p->end) fprintf(stderr, "\n");
  return !stop; /* false: please stop */
}

static void show_message(void *user, th_log_level level, const char *message) {
  (void)user;
  if (level == TH_LOG_WARN) fprintf(stderr, "warning: %s\n", message);
}

static th_status shrink(th_model *model, th_data *data, const char *dir, const char *recipe) {
  int calls = 0;
  const th_context context = {&calls, show_message, show_progress};
  const th_shrink_options options = {.recipe = recipe, .device = "nrf52840"};
  th_result *result;
  th_status status = th_shrink(model, data, &options, dir, &context, &result);
  if (status != TH_OK) return status;
  fputs(th_result_text(result), stdout);
  printf("%.0f bytes at first, progress shown %s\n", th_result_number(result, "stages.0.bytes", 0),
         calls ? "yes" : "no");
  th_result_free(result);
  return TH_OK;
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 5) {
    fprintf(stderr, "usage: %s MODEL DATA DIR [RECIPE]\n", argv[0]);
    return TH_ERR_USAGE;
  }
  signal(SIGINT, on_interrupt);
  th_model *model = NULL;
  th_data *data = NULL;
  th_status status = th_model_open(argv[1], &model);
  if (status == TH_OK) status = th_data_open(argv[2], NULL, 0, 1, &data);
  if (status == TH_OK) status = shrink(model, data, argv[3], argc == 5 ? argv[4] : NULL);
  if (status != TH_OK) fprintf(stderr, "%s\n", th_error_message());
  th_data_close(data);
  th_model_close(model);
  return status;
}
