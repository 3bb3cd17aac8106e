/* What the linked file takes of flash and RAM, and how much of it is the model. See firmware.h.
 *
 * Sections come from the section table. The model's part are the sizes of the objects in the symbol table that stand
 * behind the name of a source file which the writer generated: local symbols follow the symbol of their file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/str.h"
#include "write/firmware.h"

#define ELF_LIMIT ((size_t)256 << 20)

enum { SHT_SYMTAB = 2, SHT_NOBITS = 8, SHF_WRITE = 1, SHF_ALLOC = 2, SECTION_HEADER = 40, SYMBOL = 16 };
enum { STT_OBJECT = 1, STT_FILE = 4 };

typedef struct elf {
  th_reader r;
  uint32_t headers; /* offset of the section table */
  uint16_t count, names;
} elf;

typedef struct section {
  uint32_t name, type, flags, offset, bytes, link;
} section;

static section section_at(elf *e, uint32_t i) {
  section s = {0};
  th_reader_seek(&e->r, (size_t)e->headers + (size_t)i * SECTION_HEADER);
  s.name = th_reader_u32(&e->r);
  s.type = th_reader_u32(&e->r);
  s.flags = th_reader_u32(&e->r);
  th_reader_u32(&e->r); /* address */
  s.offset = th_reader_u32(&e->r);
  s.bytes = th_reader_u32(&e->r);
  s.link = th_reader_u32(&e->r);
  return s;
}

/* A string of a string table; "" when it lies outside. */
static const char *string_at(const elf *e, const section *table, uint32_t at) {
  const size_t begin = (size_t)table->offset + at;
  if (begin >= e->r.size || !memchr(e->r.data + begin, 0, e->r.size - begin)) return "";
  return (const char *)e->r.data + begin;
}

static void add_section(elf *e, const section *s, const section *names, th_firmware_result *result) {
  const bool loaded = s->type != SHT_NOBITS, in_ram = s->flags & SHF_WRITE;
  if (loaded) result->flash_bytes += s->bytes;
  if (in_ram) result->ram_bytes += s->bytes;
  if (s->bytes == 0 || result->n_sections == TH_FIRMWARE_SECTIONS) return;
  th_firmware_section *o = &result->section[result->n_sections++];
  snprintf(o->name, sizeof o->name, "%s", string_at(e, names, s->name));
  o->bytes = s->bytes;
  o->in_flash = loaded;
  o->in_ram = in_ram;
}

/* Is it a file of the project folder itself, and not one of the example? */
static bool is_model(const char *dir, const char *file, th_arena *arena) {
  if (!th_str_ends(file, ".c") || th_str_eq(file, "main.c") || th_str_eq(file, "startup.c")) return false;
  const char *path = th_path_join(arena, dir, file);
  return path && th_file_exists(path);
}

static void add_model(elf *e, const section *symbols, const char *dir, th_arena *arena, th_firmware_result *result) {
  const section strings = section_at(e, symbols->link);
  bool model = false;
  for (uint32_t at = 0; at + SYMBOL <= symbols->bytes && !e->r.failed; at += SYMBOL) {
    th_reader_seek(&e->r, (size_t)symbols->offset + at);
    const uint32_t name = th_reader_u32(&e->r);
    th_reader_u32(&e->r); /* value */
    const uint32_t bytes = th_reader_u32(&e->r);
    const uint8_t info = th_reader_u8(&e->r);
    th_reader_u8(&e->r); /* visibility */
    const uint16_t in = th_reader_u16(&e->r);
    if ((info & 15) == STT_FILE) model = is_model(dir, string_at(e, &strings, name), arena);
    if (info >> 4 != 0) model = false; /* global symbols stand last and belong to no file */
    if (!model || (info & 15) != STT_OBJECT || in >= e->count) continue;
    const section s = section_at(e, in);
    if (s.flags & SHF_ALLOC && s.type != SHT_NOBITS) result->model_bytes += bytes;
  }
}

th_status th_firmware_sizes(th_arena *arena, const char *path, const char *dir, th_firmware_result *result) {
  uint8_t *data;
  size_t size;
  TH_TRY(th_file_read(arena, path, ELF_LIMIT, &data, &size));
  elf e = {.r = th_reader_init(data, size, path)};
  if (size < 52 || memcmp(data, "\177ELF\1\1", 6)) return th_fail(TH_ERR_INPUT, "%s is not a 32-bit ELF file", path);
  th_reader_seek(&e.r, 32);
  e.headers = th_reader_u32(&e.r);
  th_reader_seek(&e.r, 48);
  e.count = th_reader_u16(&e.r);
  e.names = th_reader_u16(&e.r);
  const section names = section_at(&e, e.names);
  for (uint32_t i = 0; i < e.count && !e.r.failed; i++) {
    const section s = section_at(&e, i);
    if (s.flags & SHF_ALLOC) add_section(&e, &s, &names, result);
    if (s.type == SHT_SYMTAB) add_model(&e, &s, dir, arena, result);
  }
  return th_reader_status(&e.r);
}
