/* Words for status codes. SPDX-License-Identifier: Apache-2.0 */
#include "thr.h"

const char *thr_status_text(thr_status status) {
  switch (status) {
    case THR_OK:
      return "ok";
    case THR_ERR_MAGIC:
      return "not a .thim file";
    case THR_ERR_VERSION:
      return "a .thim file of another version";
    case THR_ERR_LENGTH:
      return "shorter or longer than its header says";
    case THR_ERR_CHECKSUM:
      return "damaged: the checksum does not match";
    case THR_ERR_MALFORMED:
      return "malformed: an offset, size or parameter is out of range";
    case THR_ERR_KERNEL:
      return "needs a kernel that this runtime does not have";
    case THR_ERR_ALIGNMENT:
      return "the blob is not 4-byte aligned";
    case THR_ERR_SIGNATURE:
      return "no signature of the expected signer";
    case THR_ERR_REVISION:
      return "signed, but of an older revision than is wanted";
  }
  return "unknown status";
}
