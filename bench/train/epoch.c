/* Trains one epoch of an architecture on Fashion-MNIST and prints the processor and wall time of the fit alone as JSON,
 * and a hash of the weights.
 *
 *   epoch models/lenet-5.txt [steps] [threads]      steps of 64 samples; 0: the whole training set, 937 steps
 *
 * SGD with momentum 0.9, no validation split. bench/train/run.py compares with PyTorch, bench/scaling/run.py one thread
 * with two. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/parallel.h"
#include "base/str.h"
#include "data/dataset.h"
#include "read/arch.h"
#include "train/train.h"

static double processor_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static uint64_t hash_weights(const th_graph *g) {
  uint64_t hash = 0;
  for (int t = 0; t < g->n_tensors; t++)
    if (g->tensors[t].data) hash = hash * 31 + th_hash64(g->tensors[t].data, th_tensor_bytes(&g->tensors[t]));
  return hash;
}

static th_status measure(const char *model, int steps, th_train_result *result, double *seconds, uint64_t *weights) {
  th_graph *graph = NULL;
  th_dataset *data = NULL;
  char spec[60];
  th_train_options o;
  snprintf(spec, sizeof spec, steps ? "fashion-mnist,val=0,limit=%d" : "fashion-mnist,val=0", steps * 64);
  TH_TRY(th_read_arch(model, &graph));
  TH_TRY(th_train_init(graph, 1));
  TH_TRY(th_dataset_open(spec, 1, &data));
  th_train_defaults(&o);
  o.epochs = 1;
  o.lr = 0.01f;
  o.nesterov = false;
  o.weight_decay = 0;
  o.schedule = TH_SCHEDULE_CONSTANT;
  double before = processor_seconds();
  th_status status = th_train_run(graph, data, &o, result);
  *seconds = processor_seconds() - before;
  *weights = hash_weights(graph);
  th_dataset_close(data);
  th_graph_destroy(graph);
  return status;
}

int main(int argc, char **argv) {
  th_train_result r;
  double seconds;
  uint64_t weights;
  if (argc < 2) return fprintf(stderr, "usage: epoch ARCH [steps] [threads]\n"), 2;
  int steps = argc > 2 ? atoi(argv[2]) : 0;
  th_parallel_set_threads(argc > 3 ? atoi(argv[3]) : 1);
  th_status status = measure(argv[1], steps, &r, &seconds, &weights);
  if (status != TH_OK) return fprintf(stderr, "%s\n", th_error_message()), (int)status;
  printf("{\"cpu_seconds\": %.4f, \"seconds\": %.4f, \"steps\": %d, \"train_loss\": %.4f, \"weights\": \"%016llx\"}\n",
         seconds, r.seconds, steps ? steps : 937, r.train_loss, (unsigned long long)weights);
  return 0;
}
