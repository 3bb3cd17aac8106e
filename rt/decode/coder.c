/* From coder numbers, as a .thim file has them, to decoders. Apart from stream.c so that a firmware of generated C,
 * which names its decoders itself, does not link them all. SPDX-License-Identifier: Apache-2.0 */
#include "thr_weights.h"

thr_decode_fn *thr_coder_decode(thr_coder coder) {
  switch (coder) {
#define THR_CODER(id, name, decode) \
  case THR_CODER_##id:              \
    return decode;
#include "coders.def"
#undef THR_CODER
    default:
      return 0;
  }
}
