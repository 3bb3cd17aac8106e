/* The row functions of rows.def by one name each: thr_<kernel>_row. Kernels that work element by element need none of
 * their own: called with the parameters of a line, they make a line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_KERNEL_ROWS_H
#define THR_KERNEL_ROWS_H

#include "select.h"
#include "thr_rows.h"

static inline void thr_add_s8_row(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_add_s8((const thr_elementwise_params *)params, line[0], line[1], out);
}
static inline void thr_sub_s8_row(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_sub_s8((const thr_elementwise_params *)params, line[0], line[1], out);
}
static inline void thr_mul_s8_row(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_mul_s8((const thr_elementwise_params *)params, line[0], line[1], out);
}
static inline void thr_minimum_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                      int8_t *out) {
  (void)weights;
  thr_minimum_s8((const thr_elementwise_params *)params, line[0], line[1], out);
}
static inline void thr_maximum_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                      int8_t *out) {
  (void)weights;
  thr_maximum_s8((const thr_elementwise_params *)params, line[0], line[1], out);
}
static inline void thr_logistic_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                       int8_t *out) {
  (void)weights;
  thr_logistic_s8((const thr_unary_params *)params, line[0], out);
}
static inline void thr_tanh_s8_row(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_tanh_s8((const thr_unary_params *)params, line[0], out);
}
static inline void thr_relu_s8_row(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_relu_s8((const thr_unary_params *)params, line[0], out);
}
static inline void thr_leaky_relu_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                         int8_t *out) {
  (void)weights;
  thr_leaky_relu_s8((const thr_unary_params *)params, line[0], out);
}
static inline void thr_hard_swish_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                         int8_t *out) {
  (void)weights;
  thr_hard_swish_s8((const thr_unary_params *)params, line[0], out);
}
static inline void thr_lookup_s8_row(const void *params, const int8_t *weights, const int8_t *const *line,
                                     int8_t *out) {
  (void)weights;
  thr_lookup_s8((const thr_lookup_params *)params, line[0], line[1], out);
}

#endif
