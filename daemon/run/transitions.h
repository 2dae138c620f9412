/* transitions: the table of run states. One function answers what an event does in a state; scheduler.c
 * applies it. contract.md section 3 names the states. */
#ifndef TPLDD_TRANSITIONS_H
#define TPLDD_TRANSITIONS_H

#include "store/store.h"

typedef enum run_event {
	EVENT_START,     /* the trainer takes it */
	EVENT_STARTED,   /* loaded, the first stage begins */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_CANCEL,
	EVENT_STOPPED,   /* the trainer let go of it, everything saved */
	EVENT_FINISH,    /* the last stage is done */
	EVENT_COMPLETED,
	EVENT_FAIL,
	EVENT_REQUEUE,   /* the daemon stops: back to the queue */
	EVENT_CRASHED,   /* found live at start */
	RUN_EVENTS,
} run_event;

enum { NO_TRANSITION = -1 };

/* The next state (possibly the same: accepted without effect), or NO_TRANSITION. */
int run_next_state(run_state s, run_event e);
/* "pause, cancel": the user's actions that a state allows; at most size bytes. */
void run_allowed_actions(run_state s, char *text, size_t size);

#endif
