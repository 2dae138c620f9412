/* status: what a core function returns, and the first cause of a failure in words.
 *
 * Every function that can fail returns a tp_status and takes a `tp_err *err` as its last
 * argument (NULL is allowed). Results (`ret_` arguments) are written only on TP_OK.
 * Core code never logs and never exits; the caller decides what to do with the text. */
#ifndef TP_BASE_STATUS_H
#define TP_BASE_STATUS_H

#define TP_STATUS_MAP(X)                                                                           \
	X(OK, 0, "success")                                                                        \
	X(NOMEM, 1, "out of memory")                                                               \
	X(IO, 2, "input/output error")                                                             \
	X(NOSPACE, 3, "no space left on device")                                                   \
	X(CORRUPT, 4, "file is damaged")                                                           \
	X(SHAPE, 5, "shapes do not agree")                                                         \
	X(NONFINITE, 6, "a value is NaN or infinite")                                              \
	X(CANCELLED, 7, "stopped on request")                                                      \
	X(INVALID, 8, "invalid input")                                                             \
	X(NOTFOUND, 9, "not found")                                                                \
	X(CONFLICT, 10, "not allowed in this state")                                               \
	X(EXISTS, 11, "already exists")

typedef enum tp_status {
#define X(name, num, text) TP_##name = (num),
	TP_STATUS_MAP(X)
#undef X
} tp_status;

typedef struct tp_err {
	tp_status code;
	int sys;        /* errno of the first cause, or 0 */
	char text[400]; /* first cause in words; later calls do not overwrite it */
} tp_err;

#define TP_MUST_CHECK __attribute__((warn_unused_result))
#define TP_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Fills *err unless it is NULL or already holds a cause; returns `code`, so that callers
 * write `return tp_fail(err, TP_SHAPE, 0, "...")`. A non-zero `sys` appends strerror(sys).
 * ENOSPC/EDQUOT in `sys` turn TP_IO into TP_NOSPACE. */
tp_status tp_fail(tp_err *err, tp_status code, int sys, const char *fmt, ...) TP_PRINTF(4, 5);

/* The general text of a code ("out of memory"). Static storage. */
const char *tp_status_text(tp_status code);

#endif
