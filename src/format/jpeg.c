/* JPEG through libjpeg: baseline and progressive, grey and colour, by its accurate integer transform.
 *
 * libjpeg fills what is missing with grey and warns; here that is an error, since a data set should not hold it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

#include "format/image.h"

enum { MOST_SCANS = 100 }; /* real progressive files have about ten; each costs a walk over the whole picture */

typedef struct decoder {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf out;
  char message[JMSG_LENGTH_MAX];
} decoder;

static void on_error(j_common_ptr jpeg) {
  decoder *d = jpeg->client_data;
  jpeg->err->format_message(jpeg, d->message);
  longjmp(d->out, 1);
}

static void on_message(j_common_ptr jpeg, int level) {
  int code = jpeg->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE)) on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg) {
  decoder *d = jpeg->client_data;
  if (d->jpeg.input_scan_number <= MOST_SCANS) return;
  snprintf(d->message, sizeof d->message, "more than %d scans", MOST_SCANS);
  longjmp(d->out, 1);
}

static th_status decode(decoder *d, th_arena *arena, const uint8_t *data, size_t size, const char *what,
                        th_image *image) {
  struct jpeg_decompress_struct *jpeg = &d->jpeg;
  if (setjmp(d->out)) return th_fail(TH_ERR_INPUT, "%s: corrupt or unsupported JPEG: %s", what, d->message);
  jpeg_create_decompress(jpeg);
  jpeg->progress = &d->progress;
  jpeg->mem->max_memory_to_use = 512L << 20;
  jpeg_mem_src(jpeg, data, size);
  jpeg_read_header(jpeg, TRUE);
  if (jpeg->num_components != 1 && jpeg->num_components != 3)
    return th_fail(TH_ERR_INPUT, "%s: JPEG with %d components; supported are grey and colour (not CMYK)", what,
                   jpeg->num_components);
  jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;
  /* a block of 64 pixels takes at least a bit, of all channels */
  uint64_t most = (uint64_t)size * 8 * 64 * 4 * 3;
  TH_TRY(th_image_make(arena, what, jpeg->image_height, jpeg->image_width, jpeg->num_components, most, image));
  jpeg_start_decompress(jpeg);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = image->pixels + (size_t)jpeg->output_scanline * (size_t)(image->x * image->c);
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return TH_OK;
}

th_status th_image_jpeg(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image) {
  decoder d = {.progress.progress_monitor = on_progress};
  d.jpeg.err = jpeg_std_error(&d.errors);
  d.jpeg.client_data = &d;
  d.errors.error_exit = on_error;
  d.errors.emit_message = on_message;
  th_status status = decode(&d, arena, data, size, what, image);
  jpeg_destroy_decompress(&d.jpeg);
  return status;
}
