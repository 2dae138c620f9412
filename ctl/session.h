/* session: which server, and with which token. The command line beats the environment beats the
 * files that a daemon leaves in its state directory (DIR/endpoint, DIR/token). */
#ifndef TPLDCTL_SESSION_H
#define TPLDCTL_SESSION_H

#include "ctl.h"

typedef struct session {
	char url[512];   /* "http://127.0.0.1:8737", no slash at the end */
	char token[256]; /* "": none */
	/* What was asked for; NULL: not given. Borrowed from argv and the environment. */
	const char *server, *token_file, *state_dir;
} session;

/* Reads everything. CTL_USAGE: not a URL, or a file that was named cannot be read. CTL_UNREACHABLE:
 * --state-dir names a directory that no daemon serves. */
ctl_exit session_open(session *s);
/* Reads the endpoint and token files again: after a restart a daemon may have another port. Leaves
 * everything as it is when they are not there. */
void session_refresh(session *s);

#endif
