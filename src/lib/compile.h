/* Writing what the target runs. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_COMPILE_H
#define TH_LIB_COMPILE_H

#include "encode/encode.h"
#include "lib/deploy.h"
#include "lib/devices.h"
#include "lib/model.h"
#include "lib/settings.h"
#include "report/result.h"

/* Refuses a program and a float graph, in words that tell what to do. */
th_status th_compile_need_integer(const th_model *model);
th_goal th_compile_goal(const th_settings *compile);
/* For speed, "auto" leaves the weights as they are: decoding takes instructions. */
th_encode_options th_compile_coders(const th_settings *compile);
/* What is wrong with the settings, whatever the model: TH_ERR_USAGE unless `name` is an identifier that no other file
 * of the project folder bears, TH_ERR_INPUT for weights that the target's kernels cannot decode. */
th_status th_compile_check(const th_settings *compile);
/* Takes over what the command line says of the target; NULL: nothing. It goes before what the settings say. */
th_status th_compile_aim(th_settings *compile, const char *target, const char *device);
/* Appends the .thim program. */
th_status th_compile_blob(const th_model *model, const th_settings *compile, th_buf *blob);
/* What the .thim program is printed from, planned. */
th_status th_compile_deploy_blob(const th_model *model, const th_settings *compile, th_deployed *deployed);
/* What the C sources are printed from: forms where the goal asks for them, planned. The model must be an integer one.
 */
th_status th_compile_deploy(const th_model *model, const th_settings *compile, th_deployed *deployed);
/* What the compiled model takes, by th_predict; at least that where the target is not measured. */
th_status th_compile_needs(const th_model *model, const th_settings *compile, th_needs *needs);
/* TH_ERR_INPUT when the settings name a device that is too small for it. */
th_status th_compile_check_device(const th_model *model, const th_settings *compile);
/* Writes whether the model fits the device that the settings name, if they do; warns when it does not. */
th_status th_compile_tell_device(const th_model *model, const th_settings *compile, const th_context *ctx,
                                 th_result *r);
/* The firmware folder: C sources, runtime, example, CMake project. What can fail on the model's content comes before
 * the first file. */
th_status th_compile_firmware(const th_model *model, const th_settings *compile, const char *dir);

#endif
