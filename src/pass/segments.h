/* Which steps run line by line (eval/chain.h), so that the peak of the arena is as low as it can be.
 *
 * The steps, in their order, are cut into pieces: single steps as they are, and chains. The bytes alive are the most of
 * all pieces, so the best cut follows from the best cuts of shorter beginnings, and is found exactly. What places add
 * to that shows only when they are given: where a chain's result must begin before its source, as it does over and over
 * in a row of such chains, the places wander. So cuts with the lowest peak and some that allow a little more are tried,
 * each once with the fewest raw weights in chains, and once with the least wandering; the smallest arena is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_SEGMENTS_H
#define TH_PASS_SEGMENTS_H

#include "eval/lower.h"

/* Sets program->segments, and in steps and values what lower.h says of them. Call before the weights are coded, at most
 * once. A program that no chain helps stays as it is. The arena should be as small as can be, or, where that is more,
 * `enough` bytes; then the weights of chains need not stay raw: decoded, they take room while the chain runs, and as
 * few as possible are left for which there is none. Steps whose coded weights would lift the arena above that become
 * `raw`. *arena_bytes: of the best plan, when no weights are coded; may be NULL. */
th_status th_pass_segments(th_program *program, uint32_t enough, uint32_t *arena_bytes);

#endif
