/* Settings of one stage: values of the parameters in params.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_SETTINGS_H
#define TH_LIB_SETTINGS_H

#include "thimble/thimble.h"

typedef enum th_stage_id {
#define TH_STAGE(id, name, letter, check, run) TH_STAGE_##id,
#include "lib/stages.def"
#undef TH_STAGE
  TH_STAGE_COUNT
} th_stage_id;

th_status th_settings_copy(const th_settings *s, th_settings **copy);
th_stage_id th_settings_stage(const th_settings *s);

/* Values by name. Asking for a parameter that the stage does not have is a bug (assert). */
double th_settings_number(const th_settings *s, const char *name);
bool th_settings_flag(const th_settings *s, const char *name);
const char *th_settings_text(const th_settings *s, const char *name);
int th_settings_choice(const th_settings *s, const char *name); /* position in the list of choices */
bool th_settings_has(const th_settings *s, const char *name);   /* does the stage have it */
bool th_settings_is_default(const th_settings *s, const char *name);
bool th_settings_is_set(const th_settings *s, const char *name); /* be it to its default */
/* Of the stage and all that it was set to do, but for where it keeps its checkpoint; the same in every process. */
uint64_t th_settings_hash(const th_settings *s);

#endif
