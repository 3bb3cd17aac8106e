/* Pictures: files written here (PNG and JPEG by their libraries, BMP by hand), channels, resizing against its formula,
 * class folders and their order, faults.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

#include <jpeglib.h>
#include <math.h>
#include <png.h>

#include "data/resize.h"

/* A picture whose pixels all differ: channel c of (y, x) is 16 y + 3 x + 50 c, modulo 256. */
static void fill(uint8_t *p, int y_size, int x_size, int c_size) {
  for (int y = 0; y < y_size; y++)
    for (int x = 0; x < x_size; x++)
      for (int c = 0; c < c_size; c++) *p++ = (uint8_t)(16 * y + 3 * x + 50 * c);
}

static void save_png(const char *name, int y, int x, int format, const void *pixels) {
  png_image im = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)x, .height = (png_uint_32)y};
  static uint8_t file[1 << 20];
  png_alloc_size_t size = sizeof file;
  im.format = (png_uint_32)format;
  assert_true(png_image_write_to_memory(&im, file, &size, 0, pixels, 0, NULL));
  fx_save(name, file, size);
}

static void save_jpeg(const char *name, int y, int x, int c, uint8_t *pixels) {
  struct jpeg_compress_struct j;
  struct jpeg_error_mgr errors;
  unsigned char *file = NULL;
  unsigned long size = 0;
  j.err = jpeg_std_error(&errors);
  jpeg_create_compress(&j);
  jpeg_mem_dest(&j, &file, &size);
  j.image_height = (JDIMENSION)y, j.image_width = (JDIMENSION)x, j.input_components = c;
  j.in_color_space = c == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&j);
  jpeg_set_quality(&j, 100, TRUE);
  jpeg_start_compress(&j, TRUE);
  while (j.next_scanline < j.image_height) {
    JSAMPROW row = pixels + (size_t)j.next_scanline * (size_t)(x * c);
    jpeg_write_scanlines(&j, &row, 1);
  }
  jpeg_finish_compress(&j);
  jpeg_destroy_compress(&j);
  fx_save(name, file, size);
  free(file);
}

static th_image decode(th_arena *arena, const char *name, int channels) {
  th_image im = {0};
  uint8_t *data;
  size_t size;
  assert_int_equal(th_file_read(arena, fx_path(name), 1 << 20, &data, &size), TH_OK);
  if (th_image_decode(arena, data, size, name, channels, &im) != TH_OK) fail_msg("%s", th_error_message());
  return im;
}

static void png_kinds(void **state) {
  (void)state;
  th_arena *arena = th_arena_create();
  uint8_t rgb[5 * 7 * 3], rgba[5 * 7 * 4], grey[5 * 7];
  fill(rgb, 5, 7, 3);
  fill(grey, 5, 7, 1);
  for (int i = 0; i < 35; i++)
    for (int c = 0; c < 4; c++) rgba[4 * i + c] = c == 3 ? (uint8_t)(i * 7) : rgb[3 * i + c];
  save_png("rgb.png", 5, 7, PNG_FORMAT_RGB, rgb);
  save_png("rgba.png", 5, 7, PNG_FORMAT_RGBA, rgba);
  save_png("grey.png", 5, 7, PNG_FORMAT_GRAY, grey);
  th_image im = decode(arena, "rgb.png", 0);
  assert_true(im.y == 5 && im.x == 7 && im.c == 3);
  assert_memory_equal(im.pixels, rgb, sizeof rgb);
  im = decode(arena, "rgba.png", 0);
  assert_memory_equal(im.pixels, rgb, sizeof rgb);
  im = decode(arena, "grey.png", 0);
  assert_true(im.c == 1);
  assert_memory_equal(im.pixels, grey, sizeof grey);
  im = decode(arena, "grey.png", 3);
  assert_true(im.c == 3 && im.pixels[3 * 34 + 2] == grey[34]);
  im = decode(arena, "rgb.png", 1);
  for (int i = 0; i < 35; i++)
    assert_int_equal(im.pixels[i], lround(0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2] + 1e-9));
  th_arena_destroy(arena);
}

static void jpeg_kinds(void **state) {
  (void)state;
  th_arena *arena = th_arena_create();
  uint8_t grey[16 * 16], rgb[16 * 16 * 3];
  memset(rgb, 0, sizeof rgb);
  for (int i = 0; i < 256; i++) grey[i] = (uint8_t)(i / 16 * 10), rgb[3 * i] = 200, rgb[3 * i + 1] = 100;
  save_jpeg("grey.jpg", 16, 16, 1, grey);
  save_jpeg("rgb.jpeg", 16, 16, 3, rgb);
  th_image im = decode(arena, "grey.jpg", 0);
  assert_true(im.c == 1 && im.y == 16 && im.x == 16);
  for (int i = 0; i < 256; i++) assert_in_range(im.pixels[i] + 3, grey[i], grey[i] + 6);
  im = decode(arena, "rgb.jpeg", 0);
  for (int i = 0; i < 3 * 256; i++) assert_in_range(im.pixels[i] + 3, rgb[i], rgb[i] + 6);
  th_arena_destroy(arena);
}

static void bmp_header(th_buf *b, int y, int x, int bits, int colours, size_t pixels) {
  th_buf_append(b, "BM", 2);
  th_buf_u32(b, (uint32_t)(54 + 4 * colours + (int)pixels));
  th_buf_u32(b, 0);
  th_buf_u32(b, (uint32_t)(54 + 4 * colours));
  th_buf_u32(b, 40);
  th_buf_u32(b, (uint32_t)x);
  th_buf_u32(b, (uint32_t)y);
  th_buf_u16(b, 1);
  th_buf_u16(b, (uint16_t)bits);
  th_buf_zeros(b, 16);
  th_buf_u32(b, (uint32_t)colours);
  th_buf_zeros(b, 4);
}

static void bmp_kinds(void **state) {
  (void)state;
  th_arena *arena = th_arena_create();
  static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; /* 2 x 2 */
  static const uint8_t bottom_up[] = {9, 8, 7, 12, 11, 10, 0, 0, 3, 2, 1, 6, 5, 4, 0, 0};
  static const uint8_t top_down[] = {3, 2, 1, 0, 6, 5, 4, 0, 9, 8, 7, 0, 12, 11, 10, 0};
  th_buf b = {0};
  bmp_header(&b, 2, 2, 24, 0, 16);
  th_buf_append(&b, bottom_up, 16);
  fx_save("a.bmp", b.data, b.size);
  th_buf_free(&b);
  th_image im = decode(arena, "a.bmp", 0);
  assert_true(im.y == 2 && im.x == 2 && im.c == 3);
  assert_memory_equal(im.pixels, want, 12);
  bmp_header(&b, -2, 2, 32, 0, 16);
  th_buf_append(&b, top_down, 16);
  fx_save("b.bmp", b.data, b.size);
  th_buf_free(&b);
  im = decode(arena, "b.bmp", 0);
  assert_memory_equal(im.pixels, want, 12);
  bmp_header(&b, 1, 3, 4, 3, 4); /* grey palette 10 20 30, pixels 2 0 1 */
  th_buf_append(&b, "\x0a\x0a\x0a\0\x14\x14\x14\0\x1e\x1e\x1e\0\x20\x10\0\0", 16);
  fx_save("c.bmp", b.data, b.size);
  th_buf_free(&b);
  im = decode(arena, "c.bmp", 0);
  assert_true(im.c == 1);
  assert_memory_equal(im.pixels, "\x1e\x0a\x14", 3);
  th_arena_destroy(arena);
}

/* The definition, directly in two dimensions. */
static double resampled(const th_image *im, int out_y, int out_x, int oy, int ox, int c) {
  double sy = (double)im->y / out_y, sx = (double)im->x / out_x, ry = fmax(1, sy), rx = fmax(1, sx);
  double sum = 0, weights = 0;
  for (int y = 0; y < im->y; y++)
    for (int x = 0; x < im->x; x++) {
      double w = fmax(0, 1 - fabs(y + 0.5 - (oy + 0.5) * sy) / ry) * fmax(0, 1 - fabs(x + 0.5 - (ox + 0.5) * sx) / rx);
      sum += w * im->pixels[(y * im->x + x) * im->c + c];
      weights += w;
    }
  return sum / weights;
}

static void resizing(void **state) {
  (void)state;
  static const int sizes[][4] = {{5, 7, 5, 7},    {5, 7, 11, 9}, {12, 9, 5, 4},
                                 {30, 40, 7, 50}, {1, 1, 3, 2},  {9, 9, 1, 1}};
  uint8_t pixels[30 * 40 * 3], out[50 * 50 * 3];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 + i / 11);
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    const int *s = sizes[k];
    th_arena *arena = th_arena_create();
    th_image im = {s[0], s[1], 3, pixels};
    assert_int_equal(th_resize(arena, &im, s[2], s[3], out), TH_OK);
    for (int i = 0; i < s[2] * s[3] * 3; i++) {
      double want = resampled(&im, s[2], s[3], i / 3 / s[3], i / 3 % s[3], i % 3);
      assert_true(fabs(out[i] - want) <= 0.5 + 1e-3);
    }
    th_arena_destroy(arena);
  }
}

static void class_folders(void **state) {
  (void)state;
  uint8_t p[4 * 4 * 3];
  float x[48];
  static const char *const files[] = {"set/train/b/2.png", "set/train/b/10.png",      "set/train/a/x.PNG",
                                      "set/train/a/z.png", "set/train/a/y.png",       "set/test/b/1.png",
                                      "set/test/c/1.png",  "set/train/_skipped/1.png"};
  for (int i = 0; i < 8; i++) {
    memset(p, i, sizeof p);
    save_png(files[i], 4, 4, PNG_FORMAT_RGB, p);
  }
  fx_save_text("set/train/a/notes.txt", "not a picture");
  th_dataset *d = fx_open("set,scale=1,val=0");
  assert_int_equal(d->classes, 3);
  assert_string_equal(d->class_names[2], "c");
  static const int order[] = {2, 1, 4, 0, 3}, labels[] = {0, 1, 0, 1, 0}; /* a/x b/10 a/y b/2 a/z */
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 5);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(fx_fetch(d, TH_SPLIT_TRAIN, i, x), labels[i]);
    assert_true(x[0] == (float)order[i] && x[47] == (float)order[i]);
  }
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 1, x), 2);
  th_dataset_close(d);
  d = fx_open("set,size=8x2,channels=1,test=0.3,val=0");
  assert_true(d->shape.dim[0] == 8 && d->shape.dim[1] == 2 && d->shape.dim[2] == 1 && d->classes == 2);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 2); /* of 3: 1, of 2: 1 */
  th_dataset_close(d);
}

static void faults(void **state) {
  (void)state;
  uint8_t p[6 * 6 * 3] = {0};
  save_png("bad/a/1.png", 6, 6, PNG_FORMAT_RGB, p);
  save_png("bad/b/1.png", 5, 6, PNG_FORMAT_RGB, p);
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: is 5 x 6, the first picture is 6 x 6; size=6x6 resizes");
  save_png("bad/b/1.png", 6, 6, PNG_FORMAT_GRAY, p);
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: has 1 channel(s), the first picture has 3");
  fx_save_text("bad/b/1.png", "\x89PNG\r\n\x1a\n and no more");
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: corrupt PNG");
  fx_save_text("bad/b/1.png", "GIF89a");
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: neither PNG nor JPEG nor BMP");
  uint8_t jpeg[64 * 64 * 3], *file;
  size_t size;
  fill(jpeg, 64, 64, 3);
  save_jpeg("bad/b/1.png", 64, 64, 3, jpeg);
  th_arena *arena = th_arena_create();
  assert_int_equal(th_file_read(arena, fx_path("bad/b/1.png"), 1 << 20, &file, &size), TH_OK);
  fx_save("bad/b/1.png", file, size / 2);
  th_arena_destroy(arena);
  fx_refused("bad,size=6", TH_ERR_INPUT, "bad/b/1.png: corrupt or unsupported JPEG");
  th_buf b = {0};
  bmp_header(&b, 1 << 20, 1 << 20, 24, 0, 0);
  fx_save("bad/b/1.png", b.data, b.size);
  th_buf_free(&b);
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: a picture of 1048576 x 1048576");
  bmp_header(&b, 4000, 4000, 24, 0, 0);
  fx_save("bad/b/1.png", b.data, b.size);
  th_buf_free(&b);
  fx_refused("bad", TH_ERR_INPUT, "bad/b/1.png: truncated");
  fx_refused("bad,size=5000", TH_ERR_USAGE, "size=5000");
  fx_refused("bad,channels=2", TH_ERR_USAGE, "channels=2");
  fx_refused("bad,shape=2", TH_ERR_USAGE, "shape= has no meaning for a folder with a folder of pictures");
  assert_int_equal(th_dir_create(fx_path("empty/a")), TH_OK);
  fx_refused("empty", TH_ERR_INPUT, "no data set is in this folder");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(png_kinds),     cmocka_unit_test(jpeg_kinds),
                                     cmocka_unit_test(bmp_kinds),     cmocka_unit_test(resizing),
                                     cmocka_unit_test(class_folders), cmocka_unit_test(faults)};
  return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
