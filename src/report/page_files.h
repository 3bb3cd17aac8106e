/* The files that a report's page is put together from: src/report/page/, and chart.min.js where it was found.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_REPORT_PAGE_FILES_H
#define TH_REPORT_PAGE_FILES_H

#include "base/embedded.h"

extern const th_embedded_file th_page_files[];
extern const int th_page_count;

#endif
