/* Package "single-file": NAME.c and NAME.h, to be dropped into any project. NAME.c holds the runtime's sources that the
 * model needs, and compiles alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/amalgam.h"
#include "write/package.h"

static th_status put_source(th_package *k, const th_runtime_files *files) {
  th_buf text = {0};
  const char *c = th_arena_printf(k->arena, "%s.c", k->lower);
  th_buf_printf(&text,
                "/* Written by Thimble: the model %s with all that it needs, compiled by itself:\n"
                " *   cc -std=c99 -c %s.c\n"
                " * Its interface is %s.h. SPDX-License-Identifier: Apache-2.0 */\n"
                "#if defined(__clang__)\n"
                "#pragma clang diagnostic ignored \"-Wunused-function\" /* inline ones: those of headers */\n"
                "#endif\n\n",
                k->lower, k->lower, k->lower);
  th_status status =
      c ? th_amalgam_write(k->source, k->source_bytes, files, k->lower, k->arena, &text) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = th_package_put(k, c, text.data, text.size);
  th_buf_free(&text);
  return status;
}

th_status th_package_single_file(th_package *k) {
  th_runtime_files files;
  const char *h = th_arena_printf(k->arena, "%s.h", k->lower);
  TH_TRY(th_package_runtime(k, &files));
  if (!h) return TH_ERR_RESOURCE;
  TH_TRY(put_source(k, &files));
  return th_package_put(k, h, k->header, k->header_bytes);
}
