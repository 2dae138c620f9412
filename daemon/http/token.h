/* token: the admin's bearer token, in DIR/token (mode 0600), made at the first start. Kept in
 * memory as a digest only. */
#ifndef TPLDD_HTTP_TOKEN_H
#define TPLDD_HTTP_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct token {
	char digest[65]; /* SHA-256 of the token, hex */
	/* Wrong tokens in the current second; loop thread only. */
	uint64_t window_ms;
	unsigned failures;
} token;

/* Reads DIR/token, or makes it of 32 random bytes. TP_INVALID: others may read it, or it is too
 * short. */
tp_status token_load(int state_dirfd, token *ret, tp_err *err) TP_MUST_CHECK;
/* Constant time in the content: digests are compared. */
bool token_matches(const token *t, const char *presented);
/* Counts a wrong token; true when there were more than 10 in this second. */
bool token_failed(token *t, uint64_t now_ms);

#endif
