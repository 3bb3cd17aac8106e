/* Folders of sounds (wav files), a folder per class. See data/source.h, data/tree.h and data/sound.h.
 *
 * All recordings are brought to one length: cut at the end, or padded with zeros. features= chooses the front end;
 * window= and step= (milliseconds) change its frames. Another sampling rate than the first file's is refused unless
 * rate= says to which rate all are converted. SPDX-License-Identifier: Apache-2.0 */
#include "data/sound.h"

#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "data/tree.h"
#include "format/wav.h"

static const char extensions[] = ".wav ";

enum { MOST_FILE = 1 << 28, MOST_COUNT = 1 << 24 };

bool th_source_probe_sound(const th_source_place *place) {
  return th_tree_probe(place, extensions);
}

/* --- front ends --- */

typedef enum kind { RAW, MFCC, LOGMEL, MICRO } kind;

typedef struct setup {
  kind kind;
  int rate, count; /* of every recording, in samples */
  int window, step;
  int samples; /* of the data set, per recording */
  const th_micro *micro;
} setup;

typedef struct front_end {
  const char *name;
  int window_ms, step_ms,
      length_ms; /* usual ones; length 0: that of the first file; window 0: 1024 samples, step 512 */
} front_end;

static const front_end front_ends[] = {[RAW] = {"raw", 0, 0, 0},
                                       [MFCC] = {"mfcc", 30, 20, 1000},
                                       [LOGMEL] = {"logmel", 0, 0, 0},
                                       [MICRO] = {"micro", 30, 20, 1000}};

static th_status choose(const th_data_spec *spec, kind *k) {
  for (int i = 0; spec->features && i < 4; i++)
    if (th_str_eq(spec->features, front_ends[i].name)) {
      *k = (kind)i;
      return TH_OK;
    }
  if (!spec->features)
    return th_fail(TH_ERR_USAGE,
                   "data: sounds need features=: mfcc (keyword spotting of MLPerf Tiny), micro "
                   "(micro_speech of TFLite Micro), logmel (anomaly detection of MLPerf Tiny) or raw");
  return th_fail(TH_ERR_USAGE, "data: features=%s: expected mfcc, micro, logmel or raw", spec->features);
}

static int in_samples(int ms, int rate) {
  return (int)((int64_t)ms * rate / 1000);
}

static th_status set_frames(const th_data_spec *spec, setup *s) {
  const front_end *f = &front_ends[s->kind];
  int window_ms = spec->window_ms ? spec->window_ms : f->window_ms,
      step_ms = spec->step_ms ? spec->step_ms : f->step_ms;
  s->window = in_samples(window_ms, s->rate);
  s->step = in_samples(step_ms, s->rate);
  if ((spec->window_ms || spec->step_ms) && s->kind != MFCC && s->kind != MICRO)
    return th_fail(TH_ERR_USAGE, "data: window= and step= have no meaning for features=%s", f->name);
  if (s->kind == LOGMEL) s->window = 1024, s->step = 512;
  if (s->kind == MICRO && (s->rate != 16000 || s->window < 1 || s->window > TH_MICRO_FFT))
    return th_fail(TH_ERR_INPUT,
                   "data: features=micro is for 16 kHz and windows up to 32 ms, found %d Hz and %d ms; rate=16000 "
                   "converts",
                   s->rate, window_ms);
  if (s->kind == MFCC && (s->window < 16 || s->window > 1 << 15 || s->step < 1))
    return th_fail(TH_ERR_USAGE, "data: window=%d,step=%d: expected frames of 16 to 32768 samples at %d Hz", window_ms,
                   step_ms, s->rate);
  return TH_OK;
}

static th_status too_short(const setup *s) {
  return th_fail(TH_ERR_INPUT, "data: recordings of %d samples are too short for features=%s", s->count,
                 front_ends[s->kind].name);
}

/* Shape and type of a sample, how many come from a recording. */
static th_status set_shape(const setup *s, th_dataset *d, th_dtype *dtype, int *samples) {
  int frames = s->count < s->window || s->step < 1 ? 0 : 1 + (s->count - s->window) / s->step;
  *samples = 1;
  *dtype = TH_DTYPE_F32;
  switch (s->kind) {
    case RAW:
      d->shape = th_shape_make(3, s->count, 1, 1);
      *dtype = TH_DTYPE_S16;
      d->scale = 1.0f / 32768;
      return TH_OK;
    case MFCC:
      d->shape = th_shape_make(3, frames, TH_MFCC_VALUES, 1);
      return frames ? TH_OK : too_short(s);
    case MICRO:
      d->shape = th_shape_make(3, frames, TH_MICRO_CHANNELS, 1);
      *dtype = TH_DTYPE_S8;
      d->scale = 26.0f / 255; /* the values that micro_speech is trained on, 0 to 26 */
      d->zero = -128;
      return frames ? TH_OK : too_short(s);
    default:
      d->shape = th_shape_make(1, TH_LOGMEL_FRAMES * TH_LOGMEL_BANDS);
      *samples = th_sound_logmel_samples(s->count, s->step);
      return *samples ? TH_OK : too_short(s);
  }
}

static th_status set_up(th_dataset *d, const th_data_spec *spec, const th_wav *first, setup *s, th_dtype *dtype) {
  TH_TRY(choose(spec, &s->kind));
  s->rate = spec->rate ? spec->rate : first->rate;
  int length_ms = spec->length_ms ? spec->length_ms : front_ends[s->kind].length_ms;
  int64_t own = (int64_t)first->count * s->rate / first->rate;
  int64_t count = length_ms ? (int64_t)length_ms * s->rate / 1000 : own;
  if (count < 1 || count > MOST_COUNT)
    return th_fail(TH_ERR_INPUT, "data: recordings of %lld samples; supported are 1 to 2^24; length= cuts them",
                   (long long)count);
  s->count = (int)count;
  TH_TRY(set_frames(spec, s));
  TH_TRY(set_shape(s, d, dtype, &s->samples));
  if (s->kind != MICRO) return TH_OK;
  s->micro = th_sound_micro_create(d->arena, s->rate, s->window);
  return s->micro ? TH_OK : TH_ERR_RESOURCE;
}

/* --- recordings --- */

typedef struct job {
  const th_dataset *d;
  const th_tree *tree;
  const setup *s;
  int which;
  bool converts;
} job;

static th_status load(th_arena *arena, const char *path, th_wav *wav) {
  uint8_t *data;
  size_t size;
  TH_TRY(th_file_read(arena, path, MOST_FILE, &data, &size));
  return th_wav_decode(arena, data, size, path, wav);
}

/* Brings a recording to the common rate and length; *heard: samples of it that are not padding. */
static th_status fit(const job *j, th_arena *arena, const char *path, const th_wav *wav, int16_t *x, int *heard) {
  const setup *s = j->s;
  if (wav->rate != s->rate && !j->converts)
    return th_fail(TH_ERR_INPUT, "%s: has a sampling rate of %d Hz, the first file %d; rate=%d converts all", path,
                   wav->rate, s->rate, s->rate);
  int64_t have = (int64_t)wav->count * s->rate / wav->rate;
  *heard = have < s->count ? (int)have : s->count;
  if (wav->rate != s->rate) return th_sound_resample(arena, wav->samples, wav->count, wav->rate, x, *heard, s->rate);
  memcpy(x, wav->samples, (size_t)*heard * sizeof *x);
  return TH_OK;
}

static th_status micro_features(const setup *s, th_arena *arena, const int16_t *x, int8_t *out) {
  int values = (1 + (s->count - s->window) / s->step) * TH_MICRO_CHANNELS;
  uint16_t *wide = TH_ARRAY(arena, uint16_t, values);
  if (!wide) return TH_ERR_RESOURCE;
  th_sound_micro(s->micro, x, s->count, s->window, s->step, wide);
  for (int i = 0; i < values; i++) out[i] = th_sound_micro_int8(wide[i]);
  return TH_OK;
}

static th_status load_recording(const job *j, int i, th_arena *arena) {
  const setup *s = j->s;
  const th_store *store = &j->d->store[j->which];
  const char *path = j->tree->file[j->which][i].path;
  size_t bytes = (size_t)s->samples * (size_t)th_dataset_sample_elems(j->d) * th_dtype_bytes(store->dtype);
  void *out = (uint8_t *)(uintptr_t)store->samples + (size_t)i * bytes;
  int16_t *x = TH_ARRAY(arena, int16_t, s->count);
  int heard = 0;
  th_wav wav;
  if (!x) return TH_ERR_RESOURCE;
  TH_TRY(load(arena, path, &wav));
  TH_TRY(fit(j, arena, path, &wav, x, &heard));
  if (s->kind == MFCC) return th_sound_mfcc(arena, x, s->count, heard, s->rate, s->window, s->step, out);
  if (s->kind == LOGMEL) return th_sound_logmel(arena, x, s->count, s->rate, s->window, s->step, out);
  if (s->kind == MICRO) return micro_features(s, arena, x, out);
  memcpy(out, x, bytes);
  return TH_OK;
}

static th_status load_chunk(void *arg, int chunk, int thread) {
  th_arena *arena = th_arena_create();
  (void)thread;
  th_status status = arena ? load_recording(arg, chunk, arena) : TH_ERR_RESOURCE;
  th_arena_destroy(arena);
  return status;
}

th_status th_source_read_sound(th_dataset *d, const char *dir, const th_data_spec *spec) {
  th_tree tree;
  th_wav first;
  setup s = {0};
  th_dtype dtype = TH_DTYPE_F32;
  TH_TRY(th_tree_read(d->arena, dir, extensions, spec, &tree));
  TH_TRY(load(d->arena, tree.file[0][0].path, &first));
  TH_TRY(set_up(d, spec, &first, &s, &dtype));
  TH_TRY(th_tree_stores(d, dir, &tree, dtype, s.samples));
  for (int which = 0; which < 2; which++) {
    job j = {d, &tree, &s, which, spec->rate > 0};
    TH_TRY(th_parallel_for(tree.count[which], load_chunk, &j));
  }
  return TH_OK;
}
