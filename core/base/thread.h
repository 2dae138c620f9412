/* thread: how every thread of the library and the program begins: with all signals blocked, which are for
 * the program's own loop, and with a stack that does not depend on the shell's limits. */
#ifndef TP_BASE_THREAD_H
#define TP_BASE_THREAD_H

#include <pthread.h>

#include "base/status.h"

/* TP_NOMEM "cannot start WHAT". The caller joins. */
tp_status thread_start(void *(*run)(void *), void *arg, const char *what, pthread_t *ret,
                       tp_err *err) TP_MUST_CHECK;

#endif
