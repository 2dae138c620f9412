/* ctl: what all of tpldctl shares: exit codes, the context of one call, messages.
 * Data goes to standard output, everything else to standard error. */
#ifndef TPLDCTL_CTL_H
#define TPLDCTL_CTL_H

#include <signal.h>
#include <stdbool.h>

/* Exit codes; scripts depend on them. */
typedef enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_FOUND = 3,
	CTL_CONFLICT = 4,
	CTL_AUTH = 5,
	CTL_UNREACHABLE = 6,
	CTL_TIMEOUT = 7,
	CTL_INTERRUPTED = 130,
} ctl_exit;

typedef enum ctl_format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV } ctl_format;

struct client;
struct session;

typedef struct ctl {
	ctl_format format;
	struct session *session;
	struct client *client;
} ctl;

/* Set by SIGINT and SIGTERM; transfers and waits end soon after. */
extern volatile sig_atomic_t ctl_interrupted;

/* "tpldctl: ..." on standard error. */
void ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same as a result: `return ctl_fail(CTL_USAGE, ...)`. */
ctl_exit ctl_fail(ctl_exit code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line on standard error without the program's name: news, hints. */
void ctl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
