/* Arena: memory that is released all at once.
 *
 * An arena hands out zeroed, 64-byte aligned blocks and frees them together. Owners: a graph owns one, each command
 * owns one for its duration, scratch is taken after th_arena_mark() and returned by th_arena_release() in the same
 * function. Allocation failure returns NULL and records TH_ERR_RESOURCE; th_arena_limit() caps the total so that a
 * hostile file cannot ask for more. For tests, th_alloc_fail_after(n) makes the n-th following block fail once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_ARENA_H
#define TH_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct th_arena th_arena;
typedef struct th_arena_pos {
  void *block;
  size_t used;
} th_arena_pos;

th_arena *th_arena_create(void);        /* NULL when out of memory */
void th_arena_destroy(th_arena *arena); /* accepts NULL */
void th_arena_limit(th_arena *arena, size_t max_bytes);

void *th_arena_alloc(th_arena *arena, size_t bytes); /* zeroed; bytes 0 gives a valid unique pointer */
void *th_arena_array(th_arena *arena, size_t count, size_t elem_bytes); /* overflow-checked */
void *th_arena_copy(th_arena *arena, const void *src, size_t bytes);
char *th_arena_strdup(th_arena *arena, const char *s);
char *th_arena_printf(th_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

th_arena_pos th_arena_mark(const th_arena *arena);
void th_arena_release(th_arena *arena, th_arena_pos pos); /* frees everything allocated since the mark */
size_t th_arena_bytes(const th_arena *arena);             /* bytes handed out now */

/* Plain heap blocks for objects with their own lifetime; same failure injection and error record. */
void *th_alloc(size_t bytes); /* zeroed */
void *th_realloc(void *p, size_t bytes);
void th_free(void *p);
void th_alloc_fail_after(long n); /* n < 0 switches it off (the default) */

#define TH_NEW(arena, type) ((type *)th_arena_alloc((arena), sizeof(type)))
#define TH_ARRAY(arena, type, n) ((type *)th_arena_array((arena), (size_t)(n), sizeof(type)))

#endif
