#include "run/transitions.h"

#include <stdio.h>

#define NO (signed char)NO_TRANSITION

/* clang-format off */
static const signed char next_state[RUN_STATES][RUN_EVENTS] = {
	/*                    START         STARTED      PAUSE        RESUME      CANCEL          STOPPED        FINISH          COMPLETED      FAIL        REQUEUE     CRASHED */
	[RUN_QUEUED]      = { RUN_STARTING, NO,          RUN_PAUSED,  RUN_QUEUED, RUN_CANCELLED,  NO,            NO,             NO,            NO,         RUN_QUEUED, NO },
	[RUN_STARTING]    = { NO,           RUN_RUNNING, RUN_PAUSING, NO,         RUN_CANCELLING, NO,            NO,             NO,            RUN_FAILED, RUN_QUEUED, RUN_INTERRUPTED },
	[RUN_RUNNING]     = { NO,           NO,          RUN_PAUSING, RUN_RUNNING,RUN_CANCELLING, NO,            RUN_COMPLETING, NO,            RUN_FAILED, RUN_QUEUED, RUN_INTERRUPTED },
	[RUN_PAUSING]     = { NO,           RUN_PAUSING, RUN_PAUSING, NO,         RUN_CANCELLING, RUN_PAUSED,    RUN_COMPLETING, NO,            RUN_FAILED, RUN_PAUSED, RUN_PAUSED },
	[RUN_PAUSED]      = { NO,           NO,          RUN_PAUSED,  RUN_QUEUED, RUN_CANCELLED,  NO,            NO,             NO,            NO,         NO,         NO },
	[RUN_CANCELLING]  = { NO,           RUN_CANCELLING, NO,       NO,         RUN_CANCELLING, RUN_CANCELLED, RUN_COMPLETING, NO,            RUN_FAILED, RUN_CANCELLED, RUN_CANCELLED },
	[RUN_COMPLETING]  = { NO,           NO,          NO,          NO,         NO,             NO,            NO,             RUN_COMPLETED, RUN_FAILED, RUN_QUEUED, RUN_INTERRUPTED },
	[RUN_COMPLETED]   = { NO,           NO,          NO,          NO,         NO,             NO,            NO,             NO,            NO,         NO,         NO },
	[RUN_FAILED]      = { NO,           NO,          NO,          RUN_QUEUED, NO,             NO,            NO,             NO,            NO,         NO,         NO },
	[RUN_CANCELLED]   = { NO,           NO,          NO,          NO,         RUN_CANCELLED,  NO,            NO,             NO,            NO,         NO,         NO },
	[RUN_INTERRUPTED] = { NO,           NO,          RUN_PAUSED,  RUN_QUEUED, RUN_CANCELLED,  NO,            NO,             NO,            NO,         RUN_QUEUED, NO },
};
/* clang-format on */

int run_next_state(run_state s, run_event e) { return next_state[s][e]; }

void run_allowed_actions(run_state s, char *text, size_t size)
{
	static const struct {
		run_event event;
		const char *name;
	} actions[] = {{EVENT_PAUSE, "pause"}, {EVENT_RESUME, "resume"}, {EVENT_CANCEL, "cancel"}};
	size_t n = 0;
	text[0] = 0;
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		int to = next_state[s][actions[i].event];
		if (to == NO_TRANSITION || to == (int)s || n >= size)
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? ", " : "", actions[i].name);
	}
	if (n == 0)
		(void)snprintf(text, size, "nothing");
}
