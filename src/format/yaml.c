/* YAML through libyaml's document loader, copied into a plain tree.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/str.h"

enum { MAX_DEPTH = 16 };

typedef struct loader {
  th_arena *arena;
  yaml_document_t doc;
  const char *what;
} loader;

static const char *kind_text(th_yaml_kind kind) {
  switch (kind) {
    case TH_YAML_SCALAR:
      return "a single value";
    case TH_YAML_LIST:
      return "a list";
    default:
      return "a map (key: value)";
  }
}

static th_status convert(loader *l, int index, int depth, th_yaml **out);

static void append(th_yaml *parent, th_yaml ***tail, th_yaml *child) {
  **tail = child;
  *tail = &child->next;
  parent->count++;
}

static th_status convert_map(loader *l, const yaml_node_t *node, int depth, th_yaml *map) {
  th_yaml **tail = &map->child;
  for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; ++p) {
    const yaml_node_t *key = yaml_document_get_node(&l->doc, p->key);
    if (!key || key->type != YAML_SCALAR_NODE)
      return th_fail(TH_ERR_INPUT, "%s:%d: a key must be a single word", l->what, map->line);
    const char *name = (const char *)key->data.scalar.value;
    int line = (int)key->start_mark.line + 1;
    const th_yaml *before = th_yaml_get(map, name);
    if (before)
      return th_fail(TH_ERR_INPUT, "%s:%d: key '%s' appears twice, first in line %d", l->what, line, name,
                     before->line);
    th_yaml *value;
    TH_TRY(convert(l, p->value, depth, &value));
    value->line = line;
    value->key = th_arena_strdup(l->arena, name);
    if (!value->key) return TH_ERR_RESOURCE;
    append(map, &tail, value);
  }
  return TH_OK;
}

static th_status convert_list(loader *l, const yaml_node_t *node, int depth, th_yaml *list) {
  th_yaml **tail = &list->child;
  for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; ++i) {
    th_yaml *value;
    TH_TRY(convert(l, *i, depth, &value));
    append(list, &tail, value);
  }
  return TH_OK;
}

static th_status convert_scalar(loader *l, const yaml_node_t *node, th_yaml *scalar) {
  const char *text = (const char *)node->data.scalar.value;
  if (strlen(text) != node->data.scalar.length)
    return th_fail(TH_ERR_INPUT, "%s:%d: the text holds a NUL character", l->what, scalar->line);
  scalar->text = th_arena_strdup(l->arena, text);
  scalar->quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  return scalar->text ? TH_OK : TH_ERR_RESOURCE;
}

static th_status convert(loader *l, int index, int depth, th_yaml **out) {
  const yaml_node_t *node = yaml_document_get_node(&l->doc, index);
  th_yaml *y = TH_NEW(l->arena, th_yaml);
  if (!node || !y) return th_fail(TH_ERR_RESOURCE, "%s: out of memory", l->what);
  *y = (th_yaml){.line = (int)node->start_mark.line + 1, .what = l->what};
  *out = y;
  if (depth == MAX_DEPTH)
    return th_fail(TH_ERR_INPUT, "%s:%d: nested more than %d levels deep", l->what, y->line, MAX_DEPTH);
  switch (node->type) {
    case YAML_MAPPING_NODE:
      y->kind = TH_YAML_MAP;
      return convert_map(l, node, depth + 1, y);
    case YAML_SEQUENCE_NODE:
      y->kind = TH_YAML_LIST;
      return convert_list(l, node, depth + 1, y);
    default:
      y->kind = TH_YAML_SCALAR;
      return convert_scalar(l, node, y);
  }
}

/* Aliases make a tree of a few bytes expand without bound, so they are refused before libyaml composes the document. */
static th_status refuse_aliases(const char *text, size_t size, const char *what) {
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) return th_fail(TH_ERR_RESOURCE, "%s: out of memory", what);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
  th_status status = TH_OK;
  for (bool end = false; !end && status == TH_OK;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&parser, &event)) {
      status = th_fail(TH_ERR_INPUT, "%s:%d: not valid YAML: %s", what, (int)parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "bad text");
      break;
    }
    if (event.type == YAML_ALIAS_EVENT)
      status = th_fail(TH_ERR_INPUT, "%s:%d: aliases (*name) are not supported", what, (int)event.start_mark.line + 1);
    end = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return status;
}

static th_status load(loader *l, const char *text, size_t size, th_yaml **root) {
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) return th_fail(TH_ERR_RESOURCE, "%s: out of memory", l->what);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
  th_status status = TH_OK;
  if (!yaml_parser_load(&parser, &l->doc)) {
    status = th_fail(TH_ERR_INPUT, "%s:%d: not valid YAML: %s", l->what, (int)parser.problem_mark.line + 1,
                     parser.problem ? parser.problem : "bad text");
  } else {
    if (yaml_document_get_root_node(&l->doc)) {
      status = convert(l, 1, 0, root); /* libyaml numbers nodes from 1, the root first */
    } else {
      *root = TH_NEW(l->arena, th_yaml);
      if (*root) **root = (th_yaml){.kind = TH_YAML_MAP, .line = 1, .what = l->what};
      status = *root ? TH_OK : TH_ERR_RESOURCE;
    }
    yaml_document_delete(&l->doc);
  }
  yaml_parser_delete(&parser);
  return status;
}

th_status th_yaml_parse(th_arena *arena, const char *text, size_t size, const char *what, th_yaml **root) {
  TH_TRY(refuse_aliases(text, size, what));
  loader l = {.arena = arena, .what = th_arena_strdup(arena, what)};
  if (!l.what) return TH_ERR_RESOURCE;
  return load(&l, text, size, root);
}

const th_yaml *th_yaml_get(const th_yaml *map, const char *key) {
  if (!map || map->kind != TH_YAML_MAP) return NULL;
  for (const th_yaml *y = map->child; y; y = y->next)
    if (y->key && strcmp(y->key, key) == 0) return y;
  return NULL;
}

static th_status wrong(const th_yaml *y, const char *expected) {
  const char *key = y->key ? y->key : "list item";
  if (y->kind != TH_YAML_SCALAR)
    return th_fail(TH_ERR_INPUT, "%s:%d: %s is %s, expected %s", y->what, y->line, key, kind_text(y->kind), expected);
  return th_fail(TH_ERR_INPUT, "%s:%d: %s is '%s', expected %s", y->what, y->line, key, y->text, expected);
}

th_status th_yaml_expect(const th_yaml *y, th_yaml_kind kind) {
  return y->kind == kind ? TH_OK : wrong(y, kind_text(kind));
}

th_status th_yaml_int(const th_yaml *y, long long lo, long long hi, long long *out) {
  if (y->kind != TH_YAML_SCALAR || y->quoted || !th_str_int(y->text, out)) return wrong(y, "a whole number");
  if (*out < lo || *out > hi)
    return th_fail(TH_ERR_INPUT, "%s:%d: %s is %lld, expected %lld to %lld", y->what, y->line,
                   y->key ? y->key : "list item", *out, lo, hi);
  return TH_OK;
}

th_status th_yaml_double(const th_yaml *y, double lo, double hi, double *out) {
  if (y->kind != TH_YAML_SCALAR || y->quoted || !th_str_double(y->text, out)) return wrong(y, "a number");
  if (*out < lo || *out > hi)
    return th_fail(TH_ERR_INPUT, "%s:%d: %s is %g, expected %g to %g", y->what, y->line, y->key ? y->key : "list item",
                   *out, lo, hi);
  return TH_OK;
}

th_status th_yaml_bool(const th_yaml *y, bool *out) {
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
  if (y->kind == TH_YAML_SCALAR && !y->quoted)
    for (int i = 0; i < 6; ++i)
      if (strcmp(y->text, words[i]) == 0) {
        *out = i & 1;
        return TH_OK;
      }
  return wrong(y, "true or false");
}

th_status th_yaml_string(const th_yaml *y, const char **out) {
  if (y->kind != TH_YAML_SCALAR) return wrong(y, "a text");
  *out = y->text;
  return TH_OK;
}

th_status th_yaml_choice(const th_yaml *y, const char *const *names, int count, int *index) {
  if (y->kind != TH_YAML_SCALAR) return wrong(y, "a single word");
  for (*index = 0; *index < count; ++*index)
    if (strcmp(y->text, names[*index]) == 0) return TH_OK;
  char list[256] = "one of";
  for (int i = 0; i < count && strlen(list) + strlen(names[i]) + 3 < sizeof list; ++i)
    strcat(strcat(list, i ? ", " : " "), names[i]);
  return wrong(y, list);
}

th_status th_yaml_check_keys(const th_yaml *map, const char *const *keys, int count) {
  TH_TRY(th_yaml_expect(map, TH_YAML_MAP));
  for (const th_yaml *y = map->child; y; y = y->next) {
    bool known = false;
    for (int i = 0; i < count && !known; ++i) known = strcmp(y->key, keys[i]) == 0;
    if (known) continue;
    const char *close = th_str_closest(y->key, keys, count);
    if (close)
      return th_fail(TH_ERR_INPUT, "%s:%d: unknown key '%s': did you mean '%s'?", y->what, y->line, y->key, close);
    char list[512] = "";
    for (int i = 0; i < count && strlen(list) + strlen(keys[i]) + 3 < sizeof list; ++i)
      strcat(strcat(list, i ? ", " : ""), keys[i]);
    return th_fail(TH_ERR_INPUT, "%s:%d: unknown key '%s', expected one of: %s", y->what, y->line, y->key, list);
  }
  return TH_OK;
}
