/* Text tables as data sets: header or not, quotes, separators, classes, targets, missing values, faults by line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

static void header_and_text_classes(void **state) {
  (void)state;
  float x[2];
  fx_save_text("a.csv",
               "\xef\xbb\xbfheight, width ,\"kind, of \"\"fruit\"\"\"\r\n"
               "1.5,-2e1,pear\r\n\r\n"
               "3,4,\"apple, green\"\r\n"
               "5,6,pear\r\n");
  th_dataset *d = fx_open("a.csv,label=3");
  assert_true(d->shape.rank == 1 && d->shape.dim[0] == 2 && d->classes == 2);
  assert_string_equal(d->class_names[0], "apple, green");
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 0, x), 1);
  assert_true(x[0] == 1.5f && x[1] == -20);
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 1, x), 0);
  th_dataset_close(d);
  fx_refused("a.csv,label=hight", TH_ERR_USAGE, "did you mean 'height'?");
  fx_refused("a.csv", TH_ERR_INPUT, "a.csv: line 2: column kind, of \"fruit\": 'pear' is not a number");
}

static void no_header(void **state) {
  (void)state;
  float x[2];
  fx_save_text("b.csv", "1;2,5;0\n3;4;2\n5;6;1"); /* semicolons, a decimal comma, no last line end */
  th_dataset *d = fx_open("b.csv,label=3");
  assert_true(d->classes == 3 && !d->class_names && d->store[0].count == 3);
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 1, x), 2);
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[1] == 2.5f);
  th_dataset_close(d);
  d = fx_open("b.csv,label=1,drop=3,limit=2");
  assert_true(d->classes == 4 && d->store[0].count == 2 && d->shape.dim[0] == 1);
  th_dataset_close(d);
}

static void targets_and_parts(void **state) {
  (void)state;
  char spec[700];
  float t[2], x[1];
  fx_save_text("train.csv", "a\tb\tc\n1\t2\t3\n4\t5\t6\n7\t8\t9\n");
  fx_save_text("test.csv", "a\tb\tc\n10\t20\t30\n");
  snprintf(spec, sizeof spec, "train.csv,target=c,a,test=%s,val=0", fx_path("test.csv"));
  th_dataset *d = fx_open(spec);
  assert_true(d->target_elems == 2 && d->classes == 0);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 3);
  th_dataset_fetch_targets(d, TH_SPLIT_TEST, (int32_t[]){0}, 1, t);
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(t[0] == 30 && t[1] == 10 && x[0] == 20);
  th_dataset_close(d);
  fx_save_text("other.csv", "a\tb\td\n10\t20\t30\n");
  snprintf(spec, sizeof spec, "train.csv,target=c,test=%s", fx_path("other.csv"));
  fx_refused(spec, TH_ERR_INPUT, "other.csv: its columns are not those of");
}

static void missing_values(void **state) {
  (void)state;
  float x[2];
  fx_save_text("m.csv", "a,b,y\n1,2,0\n3,NA,1\n4,,1\n5,6,1\n");
  fx_refused("m.csv,label=y", TH_ERR_INPUT, "m.csv: line 3: column b: the value is missing");
  th_dataset *d = fx_open("m.csv,label=y,missing=drop");
  assert_int_equal(d->store[0].count, 2);
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 1, x), 1);
  assert_true(x[0] == 5 && x[1] == 6);
  th_dataset_close(d);
  d = fx_open("m.csv,label=y,missing=drop,2.0"); /* the first row's b */
  assert_int_equal(d->store[0].count, 1);
  th_dataset_close(d);
  fx_refused("m.csv,label=y,missing=drop,x", TH_ERR_USAGE, "missing=x: expected a number");
  fx_refused("m.csv,label=y,drop=b,missing=refuse,4", TH_ERR_INPUT, "m.csv: line 4: column a: the value is missing");
  d = fx_open("m.csv,label=y,drop=b");
  assert_int_equal(d->store[0].count, 4);
  th_dataset_close(d);
  fx_refused("m.csv,label=y,missing=zero", TH_ERR_USAGE, "missing=zero");
}

static void faults(void **state) {
  (void)state;
  fx_save_text("f.csv", "a,b\n1,2\n3\n");
  fx_refused("f.csv", TH_ERR_INPUT, "f.csv: line 3: has 1 fields, the first line has 2");
  fx_save_text("f.csv", "a,b\n1,2\n3,4,5\n");
  fx_refused("f.csv", TH_ERR_INPUT, "f.csv: line 3: more than 2 fields");
  fx_save_text("f.csv", "a,b\n1,\"2\n3,4\n");
  fx_refused("f.csv", TH_ERR_INPUT, "f.csv: line 2: a quote is never closed");
  fx_save_text("f.csv", "a,b\n1,\"2\"x\n");
  fx_refused("f.csv", TH_ERR_INPUT, "f.csv: line 2: text behind a closing quote");
  fx_save_text("f.csv", "a,b\n1,1e39\n");
  fx_refused("f.csv", TH_ERR_INPUT, "'1e39' is not a number");
  fx_save_text("f.csv", "a,b\n");
  fx_refused("f.csv", TH_ERR_INPUT, "f.csv: holds no samples");
  fx_refused("f.csv,label=a,target=b", TH_ERR_USAGE, "exclude each other");
  fx_refused("f.csv,drop=a,b", TH_ERR_INPUT, "no column is left");
  fx_refused("f.csv,channels=1", TH_ERR_USAGE, "channels= has no meaning for a table of text");
}

/* -1 and 0.5 among class numbers are faults; where they are many they are names. */
static void labels_that_are_no_classes(void **state) {
  (void)state;
  char rows[600] = "x,y\n";
  fx_save_text("l.csv", "x,y\n1,0\n2,1\n3,-1\n4,2\n");
  fx_refused("l.csv,label=y", TH_ERR_INPUT, "l.csv: line 4: column y: '-1' is no class; 3 of 4 labels");
  fx_save_text("l.csv", "x,y\n1,0\n2,1\n3,1\n4,2\n5,0.5\n");
  fx_refused("l.csv,label=y", TH_ERR_INPUT, "l.csv: line 6: column y: '0.5' is no class");
  fx_save_text("l.csv", "x,y\n1,0\n2,1\n3,1\n4,70000\n");
  fx_refused("l.csv,label=y", TH_ERR_INPUT, "l.csv: line 5: column y: '70000' is no class");
  for (int i = 0; i < 20; i++) strcat(rows, i == 7 ? "1,o\n" : "1,0\n");
  fx_save_text("l.csv", rows);
  fx_refused("l.csv,label=y", TH_ERR_INPUT, "l.csv: line 9: column y: 'o' is no class; 19 of 20 labels");
  fx_save_text("l.csv", "x,y\n1,-1\n2,0\n3,1\n");
  th_dataset *d = fx_open("l.csv,label=y");
  assert_true(d->classes == 3 && d->class_names);
  assert_string_equal(d->class_names[0], "-1");
  th_dataset_close(d);
  strcpy(rows, "x,y\n1,other\n");
  for (int i = 0; i < 10; i++) snprintf(rows + strlen(rows), 20, "1,%d\n", i);
  fx_save_text("l.csv", rows);
  d = fx_open("l.csv,label=y");
  assert_true(d->classes == 11 && d->class_names);
  th_dataset_close(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(header_and_text_classes),
                                     cmocka_unit_test(no_header),
                                     cmocka_unit_test(targets_and_parts),
                                     cmocka_unit_test(missing_values),
                                     cmocka_unit_test(faults),
                                     cmocka_unit_test(labels_that_are_no_classes)};
  return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
