/* Writing what the target runs. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_COMPILE_H
#define TH_LIB_COMPILE_H

#include "encode/encode.h"
#include "lib/deploy.h"
#include "lib/model.h"
#include "lib/settings.h"

th_goal th_compile_goal(const th_settings *compile);
/* For speed, "auto" leaves the weights as they are: decoding takes instructions. */
th_encode_options th_compile_coders(const th_settings *compile);
/* TH_ERR_USAGE unless `name` is an identifier that no other file of the project folder bears. */
th_status th_compile_check_name(const th_settings *compile);
/* Appends the .thim program. */
th_status th_compile_blob(const th_model *model, const th_settings *compile, th_buf *blob);
/* What the C sources are printed from: forms where the goal asks for them, planned. The model must be an integer one.
 */
th_status th_compile_deploy(const th_model *model, const th_settings *compile, th_deployed *deployed);
/* The firmware folder: C sources, runtime, example, CMake project. What can fail on the model's content comes before
 * the first file. */
th_status th_compile_firmware(const th_model *model, const th_settings *compile, const char *dir);

#endif
