/* TensorProto -> constant. Numbers come as raw bytes or in one of several lists; float16, bfloat16 and double become
 * float32, small integers of quantized models keep their type, all other whole numbers become int64.
 * SPDX-License-Identifier: Apache-2.0 */
#include <onnx.pb-c.h>
#include <string.h>

#include "base/half.h"
#include "base/str.h"
#include "read/onnx_internal.h"

typedef Onnx__TensorProto proto;

#define DATA_TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

static const char *const type_names[] = {"undefined", "float",  "uint8",     "int8",       "uint16",   "int16",
                                         "int32",     "int64",  "string",    "bool",       "float16",  "double",
                                         "uint32",    "uint64", "complex64", "complex128", "bfloat16", "float8",
                                         "float8",    "float8", "float8",    "uint4",      "int4",     "float4"};

const char *th_onnx_type_name(int type) {
  const int count = (int)(sizeof type_names / sizeof type_names[0]);
  return type >= 0 && type < count ? type_names[type] : "unknown";
}

th_dtype th_onnx_type(int type) {
  switch (type) {
    case DATA_TYPE(FLOAT):
    case DATA_TYPE(FLOAT16):
    case DATA_TYPE(BFLOAT16):
    case DATA_TYPE(DOUBLE):
      return TH_DTYPE_F32;
    case DATA_TYPE(UINT8):
      return TH_DTYPE_U8;
    case DATA_TYPE(INT8):
      return TH_DTYPE_S8;
    case DATA_TYPE(INT32):
      return TH_DTYPE_S32;
    case DATA_TYPE(BOOL):
      return TH_DTYPE_BOOL;
    case DATA_TYPE(INT16):
    case DATA_TYPE(UINT16):
    case DATA_TYPE(INT64):
    case DATA_TYPE(UINT32):
      return TH_DTYPE_S64;
    default:
      return TH_DTYPE_NONE;
  }
}

/* Bytes of one element in raw_data. */
static size_t raw_bytes(int type) {
  switch (type) {
    case DATA_TYPE(UINT8):
    case DATA_TYPE(INT8):
    case DATA_TYPE(BOOL):
      return 1;
    case DATA_TYPE(FLOAT16):
    case DATA_TYPE(BFLOAT16):
    case DATA_TYPE(INT16):
    case DATA_TYPE(UINT16):
      return 2;
    case DATA_TYPE(DOUBLE):
    case DATA_TYPE(INT64):
      return 8;
    default:
      return 4;
  }
}

static float small_float(int type, uint16_t bits) {
  if (type == DATA_TYPE(FLOAT16)) return th_half_to_float(bits);
  const uint32_t wide = (uint32_t)bits << 16;
  float v;
  memcpy(&v, &wide, sizeof v);
  return v;
}

static uint64_t little(const uint8_t *p, size_t bytes) {
  uint64_t v = 0;
  for (size_t i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
  return v;
}

static void store_float(void *data, int64_t i, double v) {
  ((float *)data)[i] = (float)v;
}

static void store_whole(th_dtype dtype, void *data, int64_t i, int64_t v) {
  if (dtype == TH_DTYPE_S64)
    ((int64_t *)data)[i] = v;
  else if (dtype == TH_DTYPE_S32)
    ((int32_t *)data)[i] = (int32_t)v;
  else
    ((uint8_t *)data)[i] = dtype == TH_DTYPE_BOOL ? v != 0 : (uint8_t)v;
}

static void from_raw(const proto *t, th_dtype dtype, int64_t elems, void *data) {
  const size_t bytes = raw_bytes(t->data_type);
  const uint8_t *p = t->raw_data.data;
  for (int64_t i = 0; i < elems; i++, p += bytes) {
    const uint64_t v = little(p, bytes);
    if (t->data_type == DATA_TYPE(FLOAT)) {
      memcpy((float *)data + i, p, sizeof(float));
    } else if (t->data_type == DATA_TYPE(DOUBLE)) {
      double d;
      memcpy(&d, &v, sizeof d);
      store_float(data, i, d);
    } else if (dtype == TH_DTYPE_F32) {
      store_float(data, i, (double)small_float(t->data_type, (uint16_t)v));
    } else if (t->data_type == DATA_TYPE(INT16)) {
      store_whole(dtype, data, i, (int16_t)v);
    } else {
      store_whole(dtype, data, i, t->data_type == DATA_TYPE(INT32) ? (int32_t)v : (int64_t)v);
    }
  }
}

/* How many numbers the list of this type has. */
static size_t list_count(const proto *t) {
  switch (t->data_type) {
    case DATA_TYPE(FLOAT):
      return t->n_float_data;
    case DATA_TYPE(DOUBLE):
      return t->n_double_data;
    case DATA_TYPE(INT64):
      return t->n_int64_data;
    case DATA_TYPE(UINT32):
      return t->n_uint64_data;
    default:
      return t->n_int32_data;
  }
}

static void from_list(const proto *t, th_dtype dtype, int64_t elems, void *data) {
  for (int64_t i = 0; i < elems; i++) {
    if (t->data_type == DATA_TYPE(FLOAT))
      ((float *)data)[i] = t->float_data[i];
    else if (t->data_type == DATA_TYPE(DOUBLE))
      store_float(data, i, t->double_data[i]);
    else if (dtype == TH_DTYPE_F32)
      store_float(data, i, (double)small_float(t->data_type, (uint16_t)t->int32_data[i]));
    else if (t->data_type == DATA_TYPE(INT64))
      store_whole(dtype, data, i, t->int64_data[i]);
    else if (t->data_type == DATA_TYPE(UINT32))
      store_whole(dtype, data, i, (int64_t)t->uint64_data[i]);
    else
      store_whole(dtype, data, i, t->int32_data[i]);
  }
}

static th_status read_shape(onnx_reader *r, const proto *t, const char *name, th_shape *shape) {
  if (t->n_dims > TH_MAX_RANK)
    return th_fail(TH_ERR_INPUT, "%s: constant %.80s: %zu dimensions, at most %d are supported", r->what, name,
                   t->n_dims, TH_MAX_RANK);
  int64_t elems = 1;
  *shape = (th_shape){.rank = (int)t->n_dims};
  for (size_t i = 0; i < t->n_dims; i++) {
    if (t->dims[i] < 0 || t->dims[i] > INT32_MAX || (elems > 0 && t->dims[i] > INT32_MAX / elems))
      return th_fail(TH_ERR_INPUT, "%s: constant %.80s: dimension %zu is %lld", r->what, name, i,
                     (long long)t->dims[i]);
    shape->dim[i] = (int32_t)t->dims[i];
    elems *= t->dims[i];
  }
  return TH_OK;
}

static th_status need_here(onnx_reader *r, const proto *t, const char *name) {
  if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || t->n_external_data) {
    const char *where = t->n_external_data && t->external_data[0]->value ? t->external_data[0]->value : "?";
    return th_fail(TH_ERR_INPUT,
                   "%s: constant %.80s lies in another file (%.80s), which is not read; save the model in one file "
                   "(onnx.save_model(model, path, save_as_external_data=False))",
                   r->what, name, where);
  }
  if (t->segment) return th_fail(TH_ERR_INPUT, "%s: constant %.80s comes in segments", r->what, name);
  return TH_OK;
}

th_status th_onnx_tensor_read(onnx_reader *r, const proto *t, const char *name, onnx_value *v) {
  const th_dtype dtype = th_onnx_type(t->data_type);
  if (dtype == TH_DTYPE_NONE)
    return th_fail(TH_ERR_INPUT, "%s: constant %.80s is of type %s (%d), which is not supported", r->what, name,
                   th_onnx_type_name(t->data_type), t->data_type);
  TH_TRY(need_here(r, t, name));
  TH_TRY(read_shape(r, t, name, &v->shape));
  const int64_t elems = th_shape_elems(&v->shape);
  const uint64_t have = t->has_raw_data ? t->raw_data.len : list_count(t);
  const uint64_t need = (uint64_t)elems * (t->has_raw_data ? raw_bytes(t->data_type) : 1);
  if (have != need)
    return th_fail(TH_ERR_INPUT, "%s: constant %.80s: has %llu %s, its shape and type need %llu", r->what, name,
                   (unsigned long long)have, t->has_raw_data ? "bytes" : "numbers", (unsigned long long)need);
  void *data = th_arena_array(r->arena, (size_t)elems, th_dtype_bytes(dtype));
  if (!data) return TH_ERR_RESOURCE;
  if (t->has_raw_data)
    from_raw(t, dtype, elems, data);
  else
    from_list(t, dtype, elems, data);
  v->kind = ONNX_CONST;
  v->dtype = dtype;
  v->data = data;
  v->base = v->shape;
  return TH_OK;
}

double th_onnx_const_at(const onnx_value *v, int64_t i) {
  switch (v->dtype) {
    case TH_DTYPE_F32:
      return (double)((const float *)v->data)[i];
    case TH_DTYPE_S64:
      return (double)((const int64_t *)v->data)[i];
    case TH_DTYPE_S32:
      return ((const int32_t *)v->data)[i];
    case TH_DTYPE_S8:
      return ((const int8_t *)v->data)[i];
    default:
      return ((const uint8_t *)v->data)[i];
  }
}
