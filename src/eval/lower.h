/* Lowering: from a quantized graph to the runtime's own steps. The one place that turns scales into multipliers.
 *
 * Evaluator, .thim writer and C writer all start from the same th_program, so they cannot disagree. Weights in a
 * program are int8 in the runtime's storage order (rt/include/thr_weights.h), not yet coded. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_EVAL_LOWER_H
#define TH_EVAL_LOWER_H

#include "ir/graph.h"
#include "thr.h"
#include "thr_form.h"

typedef struct th_value { /* an activation buffer; several graph tensors may share one (reshape) */
  int tensor;             /* graph id of the (first) tensor */
  const char *name;
  uint32_t bytes;
  const void *data; /* a constant operand (of add, mul, ...): `bytes` bytes, never in the arena; NULL: activation */
  bool state;       /* keeps its value from run to run; every byte begins as `fill` */
  uint8_t fill;
  const void *initial;       /* ... or as these bytes, unless NULL */
  int first_step, last_step; /* live range; inputs start at -1, outputs end at n_steps */
  uint32_t kept;             /* lines of it that exist at a time, inside a segment; 0: the whole map does */
  uint32_t line_bytes;       /* of such a line */
  uint32_t offset;           /* in the arena; set by th_pass_plan (pass/plan.h), TH_NO_OFFSET before */
} th_value;
#define TH_NO_OFFSET 0xffffffffu

typedef struct th_program_step {
  thr_step step; /* weights.data -> int8 in `weights`, decode NULL */
  int node;      /* graph node it came from */
  const char *name;
  int in[THR_STEP_INPUTS], n_in, out; /* value numbers */
  const int8_t *weights;              /* storage order, weight_count elements; NULL when the kernel has none */
  uint32_t weight_count, row_elems;   /* rows of one output channel each */
  const int64_t *bias;                /* bias_count elements; NULL when none */
  uint32_t bias_count;
  const int32_t *mult; /* requant_count distinct entries, and index[channel] when fewer than channels */
  const int8_t *shift;
  const uint8_t *index;
  uint32_t requant_count;
  uint16_t rows;           /* in a segment: lines of its output; element-wise parameters then are those of a line */
  bool raw;                /* its weights must not be coded */
  uint32_t scratch_bytes;  /* as the step stands, in a segment with its weights decoded; by whoever codes them */
  uint32_t scratch_offset; /* in the arena; set by th_pass_plan; 0 when scratch_bytes is 0 */
  thr_form_id form;        /* that runs the step in compiled C (eval/form.h), from `packed`; NONE: the kernel does */
  const void *packed;
  uint32_t packed_bytes;
} th_program_step;

typedef enum th_goal { TH_FOR_SIZE, TH_FOR_SPEED, TH_FOR_RAM } th_goal;

/* Steps that run as one chain, line by line (thr_rows.h, eval/chain.h). Their values live from the first step to the
 * last. */
typedef struct th_segment {
  int first, last; /* steps */
} th_segment;

typedef struct th_program {
  th_arena *arena;
  const th_graph *graph;
  th_program_step *steps;
  int n_steps;
  th_value *values;
  int n_values;
  int *inputs, n_inputs, *outputs, n_outputs; /* value numbers */
  th_segment *segments;                       /* in order; set by th_pass_segments, none before */
  int n_segments;
  int *value_of; /* per graph tensor; see th_program_value */
  th_goal goal;  /* of whoever chose forms and coders: compilers get it too */
  /* Where variables begin in the arena, and where everything else may begin, for models that share one arena; set by
   * whoever plans, multiples of 4. Everything else never begins before the variables end. */
  uint32_t states_at, shared_at;
  uint32_t state_bytes; /* after planning: of all variables, a multiple of 4 */
  uint32_t arena_bytes; /* after planning: tensors + scratch */
} th_program;

/* Whole graph; float nodes other than quantize and dequantize are refused. */
th_status th_lower(const th_graph *graph, th_program **program);
/* Same, but nodes with float outputs become steps with kernel THR_KERNEL_NONE and no inputs listed (the graph's node
 * names them), which only the evaluator can run. */
th_status th_lower_mixed(const th_graph *graph, th_program **program);
/* Bytes at a multiple of which a value must lie in the arena: those of one element. */
uint32_t th_value_align(const th_program *program, const th_value *value);
/* The same of a step's scratch. */
uint32_t th_step_scratch_align(const th_program_step *step);
/* The segment that the step is in; where it is in none, the step alone. */
th_segment th_segment_of(const th_program *program, int step);
/* Bytes that it takes in the arena. */
static inline uint32_t th_value_room(const th_value *value) {
  return value->kept ? value->kept * value->line_bytes : value->bytes;
}
/* THR_DTYPE_* of an element type that the runtime knows; 0 for others. */
uint8_t th_runtime_dtype(th_dtype dtype);
/* The value that holds a graph tensor: itself, what it is another shape of, or a constant; -1 when none does. */
int th_program_value(const th_program *program, int tensor);
void th_program_destroy(th_program *program);
const char *th_kernel_name(thr_kernel_id kernel); /* "conv2d_s8"; "float" for those that only the evaluator runs */

/* round-half-away multiplier of TFLite: docs/numerics.md. */
void th_quantize_multiplier(double real, int32_t *mult, int8_t *shift);

#endif
