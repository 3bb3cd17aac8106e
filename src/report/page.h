/* A report as one HTML file that needs no network: the template page/page.html with style, scripts and one block of
 * JSON put into it. The scripts make everything from the JSON, and by text nodes alone, so no name in a model can
 * become markup; the page's policy (Content-Security-Policy) lets nothing run but these very scripts, and nothing be
 * loaded. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_REPORT_PAGE_H
#define TH_REPORT_PAGE_H

#include <stdbool.h>

#include "format/json.h"

/* Appends the page that shows `data`, as lib/report.h collects it. */
th_status th_page_write(const th_json *data, th_buf *page);
/* Whether this build has the library that draws charts; without it a page has its tables alone. */
bool th_page_has_charts(void);

#endif
