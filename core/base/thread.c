#include "base/thread.h"

#include <signal.h>

enum { STACK_BYTES = 8 << 20 };

tp_status thread_start(void *(*run)(void *), void *arg, const char *what, pthread_t *ret, tp_err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	(void)sigfillset(&all);
	int rc = pthread_attr_init(&attr);
	if (rc == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
		(void)pthread_sigmask(SIG_SETMASK, &all, &old);
		rc = pthread_create(ret, &attr, run, arg);
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
		(void)pthread_attr_destroy(&attr);
	}
	return rc == 0 ? TP_OK : tp_fail(err, TP_NOMEM, rc, "cannot start %s", what);
}
