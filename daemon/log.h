/* log: one line per event on standard error, with the priority prefix that journald reads. Control
 * bytes are escaped, so no line can be forged. Any thread. */
#ifndef TPLDD_LOG_H
#define TPLDD_LOG_H

#include "base/status.h"

typedef enum log_level { LOG_LINE_ERROR = 3, LOG_LINE_WARNING = 4, LOG_LINE_INFO = 6 } log_level;

void log_line(log_level level, const char *fmt, ...) TP_PRINTF(2, 3);

#endif
