/* transitions: every cell of the table of run states, against a table written down here. */
#include "harness.h"

#include "run/transitions.h"

static const char *const events[RUN_EVENTS] = {
	"start", "started", "pause", "resume", "cancel", "stopped",
	"finish", "completed", "fail", "requeue", "crashed",
};

/* The next states in the order of events[]; "." no transition. */
static const char *const table[RUN_STATES] = {
	[RUN_QUEUED] = "starting . paused queued cancelled . . . . queued .",
	[RUN_STARTING] = ". running pausing . cancelling . . . failed queued interrupted",
	[RUN_RUNNING] = ". . pausing running cancelling . completing . failed queued interrupted",
	[RUN_PAUSING] = ". pausing pausing . cancelling paused completing . failed paused paused",
	[RUN_PAUSED] = ". . paused queued cancelled . . . . . .",
	[RUN_CANCELLING] = ". cancelling . . cancelling cancelled completing . failed cancelled "
	                   "cancelled",
	[RUN_COMPLETING] = ". . . . . . . completed failed queued interrupted",
	[RUN_COMPLETED] = ". . . . . . . . . . .",
	[RUN_FAILED] = ". . . queued . . . . . . .",
	[RUN_CANCELLED] = ". . . . cancelled . . . . . .",
	[RUN_INTERRUPTED] = ". . paused queued cancelled . . . . queued .",
};

static const char *name_of(int next)
{
	return next == NO_TRANSITION ? "." : run_state_name((run_state)next);
}

static void every_cell_is_as_written(void **state)
{
	(void)state;
	for (int s = 0; s < RUN_STATES; s++) {
		char row[200], *save = NULL;
		(void)snprintf(row, sizeof row, "%s", table[s]);
		char *cell = strtok_r(row, " ", &save);
		print_message("%-12s", run_state_name((run_state)s));
		for (int e = 0; e < RUN_EVENTS; e++, cell = strtok_r(NULL, " ", &save)) {
			const char *got = name_of(run_next_state((run_state)s, (run_event)e));
			print_message(" %-11s", got);
			assert_non_null(cell);
			if (strcmp(got, cell) != 0)
				fail_msg("%s + %s: %s, not %s", run_state_name((run_state)s),
				         events[e], got, cell);
		}
		print_message("\n");
		assert_null(cell);
	}
}

/* But that what a failed run lacked may be there again. */
static void final_states_have_no_way_out(void **state)
{
	(void)state;
	for (int s = 0; s < RUN_STATES; s++) {
		int ways = 0;
		for (int e = 0; e < RUN_EVENTS; e++) {
			int next = run_next_state((run_state)s, (run_event)e);
			bool again = s == RUN_FAILED && e == EVENT_RESUME && next == RUN_QUEUED;
			ways += next != NO_TRANSITION && next != s && !again;
		}
		assert_int_equal(ways == 0, run_state_final((run_state)s));
	}
}

/* Whatever a crash leaves behind, the next start finds a way to the queue, to paused or to an end,
 * and a daemon that stops can let go of each live run. */
static void no_live_state_is_stuck(void **state)
{
	(void)state;
	static const run_state live[] = {RUN_STARTING, RUN_RUNNING, RUN_PAUSING, RUN_CANCELLING,
	                                 RUN_COMPLETING};
	for (size_t i = 0; i < sizeof live / sizeof *live; i++) {
		int next = run_next_state(live[i], EVENT_CRASHED);
		if (next == RUN_INTERRUPTED)
			next = run_next_state(RUN_INTERRUPTED, EVENT_REQUEUE);
		assert_true(next == RUN_QUEUED || next == RUN_PAUSED || next == RUN_CANCELLED);
		assert_int_equal(run_next_state(live[i], EVENT_REQUEUE), next);
		assert_int_not_equal(run_next_state(live[i], EVENT_FAIL), NO_TRANSITION);
	}
}

/* Every state can be reached from a fresh run. */
static void every_state_can_be_reached(void **state)
{
	(void)state;
	bool seen[RUN_STATES] = {[RUN_QUEUED] = true};
	for (int round = 0; round < RUN_STATES; round++)
		for (int s = 0; s < RUN_STATES; s++)
			for (int e = 0; seen[s] && e < RUN_EVENTS; e++) {
				int next = run_next_state((run_state)s, (run_event)e);
				if (next != NO_TRANSITION)
					seen[next] = true;
			}
	for (int s = 0; s < RUN_STATES; s++)
		assert_true(seen[s]);
}

static void allowed(run_state s, const char *want)
{
	char text[64];
	run_allowed_actions(s, text, sizeof text);
	assert_string_equal(text, want);
}

static void people_are_told_what_they_may_do(void **state)
{
	(void)state;
	allowed(RUN_QUEUED, "pause, cancel");
	allowed(RUN_STARTING, "pause, cancel");
	allowed(RUN_RUNNING, "pause, cancel");
	allowed(RUN_PAUSING, "cancel");
	allowed(RUN_PAUSED, "resume, cancel");
	allowed(RUN_CANCELLING, "nothing");
	allowed(RUN_COMPLETING, "nothing");
	allowed(RUN_COMPLETED, "nothing");
	allowed(RUN_FAILED, "resume");
	allowed(RUN_CANCELLED, "nothing");
	allowed(RUN_INTERRUPTED, "pause, resume, cancel");
	char small[6];
	run_allowed_actions(RUN_QUEUED, small, sizeof small);
	assert_string_equal(small, "pause");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_written),
		cmocka_unit_test(final_states_have_no_way_out),
		cmocka_unit_test(no_live_state_is_stuck),
		cmocka_unit_test(every_state_can_be_reached),
		cmocka_unit_test(people_are_told_what_they_may_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
