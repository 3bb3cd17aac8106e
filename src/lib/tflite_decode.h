/* compile --as tflite-decode: a .tflite whose weights TensorFlow Lite Micro unpacks by its TFLM_DECODE operators.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_TFLITE_DECODE_H
#define TH_LIB_TFLITE_DECODE_H

#include "lib/model.h"
#include "report/result.h"

/* Writes the file, and its size and that of the plain .tflite into the result. */
th_status th_tflite_decode_save(const th_model *model, const char *path, th_result *r);

#endif
