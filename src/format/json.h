/* JSON: building and printing reports, over cJSON.
 *
 * A document is a tree that its root owns. Adding to an object takes a key, adding to an array takes NULL. Running out
 * of memory is recorded (th_fail) and every later call on the missing value does nothing; th_json_print reports it, so
 * nobody has to test each addition.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_JSON_H
#define TH_FORMAT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

typedef struct cJSON th_json;

th_json *th_json_object(void);    /* a root */
th_json *th_json_array(void);     /* a root */
void th_json_free(th_json *root); /* accepts NULL */

th_json *th_json_add_object(th_json *parent, const char *key);
th_json *th_json_add_array(th_json *parent, const char *key);
void th_json_add_string(th_json *parent, const char *key, const char *value); /* NULL becomes null */
void th_json_add_number(th_json *parent, const char *key, double value);      /* not finite becomes null */
void th_json_add_int(th_json *parent, const char *key, int64_t value);        /* exact */
void th_json_add_bool(th_json *parent, const char *key, bool value);
void th_json_add_copy(th_json *parent, const char *key, const th_json *value); /* NULL adds nothing */

th_status th_json_print(const th_json *root, bool pretty, th_buf *out);

/* --- reading --- */
th_status th_json_parse(const char *text, size_t size, const char *what, th_json **root);
const th_json *th_json_get(const th_json *object, const char *key); /* NULL when absent or not an object */
const th_json *th_json_at(const th_json *array, int index);         /* NULL when absent */
int th_json_count(const th_json *array);
double th_json_number(const th_json *value, double otherwise);
const char *th_json_string(const th_json *value, const char *otherwise);
bool th_json_is_array(const th_json *value); /* these accept NULL */
bool th_json_is_object(const th_json *value);
bool th_json_is_string(const th_json *value);
bool th_json_is_number(const th_json *value);
bool th_json_bool(const th_json *value, bool otherwise);
/* Members of an array or object one after the other: for (i = first(x); i; i = next(i)). */
const th_json *th_json_first(const th_json *value);
const th_json *th_json_next(const th_json *member);
const char *th_json_key(const th_json *member); /* NULL for members of an array */

#endif
