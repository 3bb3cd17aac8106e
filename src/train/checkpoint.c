/* Checkpoints: everything that changes during a fit, so that a resumed run continues bit for bit.
 *
 *   "THCKPT1\n"  u64 fingerprint  u64 payload bytes  payload  u64 FNV-1a of the payload
 *
 * The fingerprint hashes the graph as it was at the beginning (weights included), the options, the data set (samples
 * included), the shape of the constraints and the settings they were made from: a checkpoint of another run is refused
 * and stays as it is. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "train/fit.h"

static const char magic[8] = {'T', 'H', 'C', 'K', 'P', 'T', '1', '\n'};

static void put_double(th_buf *b, double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  th_buf_u64(b, bits);
}

static double get_double(th_reader *r) {
  uint64_t bits = th_reader_u64(r);
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static void put_floats(th_buf *b, const float *v, int64_t n) {
  if (v) th_buf_append(b, v, (size_t)n * sizeof *v);
}

static void get_floats(th_reader *r, float *v, int64_t n) {
  const uint8_t *from = v ? th_reader_take(r, (size_t)n * sizeof *v) : NULL;
  if (from) memcpy(v, from, (size_t)n * sizeof *v);
}

/* --- what is kept of an epoch: weights, running statistics, constraints --- */

void th_fit_save_kept(const th_fit *f, const float *weights, th_buf *b) {
  put_floats(b, weights, f->net->param_elems);
  put_floats(b, f->net->running_values, f->net->running_elems);
  if (f->o->constraints) th_constraints_save(f->o->constraints, b);
}

static th_status load_kept(th_fit *f, th_reader *r) {
  get_floats(r, f->net->shadow, f->net->param_elems);
  get_floats(r, f->net->running_values, f->net->running_elems);
  if (f->o->constraints) TH_TRY(th_constraints_load(f->o->constraints, r));
  return th_reader_status(r);
}

th_status th_fit_load_kept(th_fit *f) {
  th_reader r = th_reader_init(f->best.data, f->best.size, "best epoch");
  return load_kept(f, &r);
}

/* --- the fingerprint --- */

static void describe_options(const th_train_options *o, th_buf *text) {
  th_buf_printf(text, "%d %d %d %a %a %d %a %d %a %d %a %a %a %d %d %llu %a %a\n", o->epochs, o->batch, o->optimizer,
                (double)o->lr, (double)o->momentum, o->nesterov, (double)o->weight_decay, o->schedule,
                (double)o->warmup, o->step_epochs, (double)o->step_factor, (double)o->label_smoothing, (double)o->ema,
                o->keep_best, o->augment != NULL, (unsigned long long)o->seed, (double)o->temperature,
                (double)o->alpha);
  th_buf_printf(text, "settings %016llx\n", (unsigned long long)o->settings);
  if (o->match) th_buf_printf(text, "match %d %a\n", o->match, (double)o->match_weight);
  const th_augment *a = o->augment;
  if (a)
    th_buf_printf(text, "%a %a %a %d %d %d\n", (double)a->shift, (double)a->rotate, (double)a->zoom, a->flip, a->crop,
                  a->erase);
}

/* Made once per fit: nothing that it covers changes while training, and it reads all samples. */
static th_status fingerprint(th_fit *f) {
  if (f->has_fingerprint) return TH_OK;
  th_buf text = {0};
  th_status status = th_graph_print(f->graph, 0, &text);
  for (int i = 0; i < f->o->teachers && status == TH_OK; i++) status = th_graph_print(f->o->teacher[i], 0, &text);
  describe_options(f->o, &text);
  th_buf_printf(&text, "data %016llx\n", (unsigned long long)th_dataset_hash(f->data));
  if (f->o->constraints) th_constraints_describe(f->o->constraints, &text);
  if (status == TH_OK) status = th_buf_status(&text);
  f->fingerprint = status == TH_OK ? th_hash64(text.data, text.size) : 0;
  f->has_fingerprint = status == TH_OK;
  th_buf_free(&text);
  return status;
}

/* --- the file --- */

static void put_state(const th_fit *f, th_buf *b) {
  th_buf_u64(b, (uint64_t)f->step);
  th_buf_u32(b, (uint32_t)f->epoch);
  put_double(b, f->sum.loss);
  th_buf_u64(b, (uint64_t)f->sum.right);
  put_double(b, f->train_loss);
  put_double(b, f->last_accuracy);
  put_double(b, f->best_loss);
  put_double(b, f->best_accuracy);
  th_buf_u32(b, (uint32_t)f->best_epoch);
  th_buf_u8(b, f->has_gradient);
  put_double(b, f->optimizer.beta1_power);
  put_double(b, f->optimizer.beta2_power);
  th_fit_save_kept(f, f->net->shadow, b);
  put_floats(b, f->m, f->net->param_elems);
  put_floats(b, f->v, f->net->param_elems);
  put_floats(b, f->ema, f->net->param_elems);
  for (int i = 0; i < f->net->n_params; i++) put_floats(b, f->dv[f->net->params[i].tensor], f->net->params[i].elems);
  th_buf_u64(b, f->best.size);
  th_buf_append(b, f->best.data, f->best.size);
}

static th_status get_state(th_fit *f, th_reader *r) {
  f->step = (long)th_reader_u64(r);
  f->epoch = (int)th_reader_u32(r);
  f->sum.loss = get_double(r);
  f->sum.right = (int64_t)th_reader_u64(r);
  f->train_loss = get_double(r);
  f->last_accuracy = get_double(r);
  f->best_loss = get_double(r);
  f->best_accuracy = get_double(r);
  f->best_epoch = (int)th_reader_u32(r);
  f->has_gradient = th_reader_u8(r) != 0;
  f->optimizer.beta1_power = get_double(r);
  f->optimizer.beta2_power = get_double(r);
  TH_TRY(load_kept(f, r));
  get_floats(r, f->m, f->net->param_elems);
  get_floats(r, f->v, f->net->param_elems);
  get_floats(r, f->ema, f->net->param_elems);
  for (int i = 0; i < f->net->n_params; i++) get_floats(r, f->dv[f->net->params[i].tensor], f->net->params[i].elems);
  uint64_t size = th_reader_u64(r);
  const uint8_t *best = size <= th_reader_left(r) ? th_reader_take(r, (size_t)size) : NULL;
  f->best.size = 0;
  if (best && size) th_buf_append(&f->best, best, (size_t)size);
  TH_TRY(th_reader_status(r));
  bool fits = f->step >= 0 && f->step <= f->schedule.steps && f->epoch >= 0 && f->epoch <= f->o->epochs && best;
  if (!fits) return th_fail(TH_ERR_INPUT, "%s: step %ld of epoch %d is not of this run", r->what, f->step, f->epoch);
  return th_buf_status(&f->best);
}

th_status th_fit_write(th_fit *f) {
  if (!f->o->checkpoint) return TH_OK;
  TH_TRY(fingerprint(f));
  th_buf payload = {0}, file = {0};
  put_state(f, &payload);
  th_buf_append(&file, magic, sizeof magic);
  th_buf_u64(&file, f->fingerprint);
  th_buf_u64(&file, payload.size);
  th_buf_append(&file, payload.data, payload.size);
  th_buf_u64(&file, th_hash64(payload.data, payload.size));
  th_status status = th_buf_status(&payload);
  if (status == TH_OK) status = th_buf_status(&file);
  if (status == TH_OK) status = th_file_write(f->o->checkpoint, file.data, file.size);
  th_buf_free(&payload);
  th_buf_free(&file);
  return status;
}

static th_status read_checkpoint(th_fit *f, const uint8_t *data, size_t size, bool *found) {
  const char *path = f->o->checkpoint;
  th_reader r = th_reader_init(data, size, path);
  const uint8_t *head = th_reader_take(&r, sizeof magic);
  if (!head || memcmp(head, magic, sizeof magic))
    return th_fail(TH_ERR_INPUT, "%s: not a checkpoint of this program", path);
  uint64_t hash = th_reader_u64(&r), bytes = th_reader_u64(&r);
  if (bytes > th_reader_left(&r) || th_reader_left(&r) - bytes != sizeof(uint64_t))
    return th_fail(TH_ERR_INPUT, "%s: damaged checkpoint: %zu bytes, its header says %llu and 32 more", path, size,
                   (unsigned long long)bytes);
  const uint8_t *payload = th_reader_take(&r, (size_t)bytes);
  if (!payload || th_reader_u64(&r) != th_hash64(payload, (size_t)bytes))
    return th_fail(TH_ERR_INPUT, "%s: damaged checkpoint: its checksum differs", path);
  if (hash != f->fingerprint)
    return th_fail(TH_ERR_INPUT,
                   "%s is of another run (model, data or settings differ); remove it, or leave out --resume, to start "
                   "anew",
                   path);
  th_reader state = th_reader_init(payload, (size_t)bytes, path);
  TH_TRY(get_state(f, &state));
  *found = true;
  return TH_OK;
}

th_status th_fit_resume(th_fit *f, bool *found) {
  *found = false;
  if (!f->o->resume || !f->o->checkpoint || !th_file_exists(f->o->checkpoint)) return TH_OK;
  TH_TRY(fingerprint(f));
  th_arena_pos mark = th_arena_mark(f->arena);
  uint8_t *data;
  size_t size;
  th_status status = th_file_read(f->arena, f->o->checkpoint, TH_FILE_LIMIT, &data, &size);
  if (status == TH_OK) status = read_checkpoint(f, data, size, found);
  th_arena_release(f->arena, mark);
  return status;
}
