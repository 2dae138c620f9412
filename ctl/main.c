/* tpldctl: the command line to tpldd. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "client.h"
#include "commands.h"
#include "help.h"

enum { TIMEOUT_SECONDS = 300, TIMEOUT_MAX = 86400 };

static void on_signal(int number)
{
	(void)number;
	ctl_interrupted = 1;
}

/* Without SA_RESTART: waits end. A second Ctrl-C kills, should a first one not be enough. */
static void watch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
}

/* Help and version need no daemon. */
static bool answer_at_once(const ctl_args *a)
{
	if (args_has(a, "version"))
		(void)puts("tpldctl " TPLDD_VERSION);
	else if (a->help && a->command != NULL)
		help_command(a->command);
	else if (a->help && a->noun != NULL)
		help_noun(a->noun);
	else if (a->help)
		help_program();
	else
		return false;
	return true;
}

static ctl_exit read_options(const ctl_args *a, ctl *c, unsigned *ret_idle_s)
{
	static const char *const format[] = {
		[FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", [FORMAT_CSV] = "csv"};
	const char *wanted = args_value(a, "output"), *timeout = args_value(a, "timeout");
	for (size_t i = 0; wanted != NULL && i < sizeof format / sizeof *format; i++)
		if (strcmp(format[i], wanted) == 0)
			c->format = (ctl_format)i;
	*ret_idle_s = TIMEOUT_SECONDS;
	if (timeout != NULL) {
		unsigned long v = args_is_number(timeout) ? strtoul(timeout, NULL, 10) : 0;
		if (v == 0 || v > TIMEOUT_MAX)
			return ctl_fail(CTL_USAGE, "--timeout must be 1 to %d seconds",
			                TIMEOUT_MAX);
		*ret_idle_s = (unsigned)v;
	}
	c->session->server = args_value(a, "server");
	c->session->token_file = args_value(a, "token-file");
	c->session->state_dir = args_value(a, "state-dir");
	return CTL_OK;
}

static ctl_exit run(const ctl_args *a)
{
	session s = {0};
	ctl c = {.session = &s};
	unsigned idle_s;
	ctl_exit rc = read_options(a, &c, &idle_s);
	bool offline = a->command->run == completion_print || a->command->run == help_show;
	if (rc == CTL_OK && !offline)
		rc = session_open(&s);
	if (rc != CTL_OK)
		return rc;
	c.client = client_new(&s, idle_s);
	rc = a->command->run(&c, a);
	client_free(c.client);
	return rc;
}

int main(int argc, char **argv)
{
	ctl_args a;
	(void)setlocale(LC_CTYPE, "");
	watch_signals();
	ctl_exit rc = args_parse(argc, argv, &a);
	if (rc == CTL_OK && !answer_at_once(&a)) {
		if (a.command != NULL)
			rc = run(&a);
		else if (a.noun != NULL)
			rc = ctl_fail(CTL_USAGE, "%s what? tpldctl %s --help lists it", a.noun,
			              a.noun);
		else
			rc = ctl_fail(CTL_USAGE, "a command is needed; tpldctl --help lists them");
	}
	args_free(&a);
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc == CTL_OK)
		rc = ctl_fail(CTL_FAILED, "cannot write to standard output: %s", strerror(errno));
	return ctl_interrupted ? CTL_INTERRUPTED : (int)rc;
}
