#include "help.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

enum { LEFT = 38 };

static void print_row(const char *left, const char *text)
{
	if (strlen(left) > LEFT)
		(void)printf("  %s\n  %*s  %s\n", left, LEFT, "", text);
	else
		(void)printf("  %-*s  %s\n", LEFT, left, text);
}

static void print_options(const ctl_option *o)
{
	for (; o->name != NULL; o++) {
		char left[120], letter[8] = "    ";
		if (o->letter != 0)
			(void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
		(void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name,
		               o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		print_row(left, o->help);
	}
}

static void print_command(const ctl_command *k)
{
	char left[120];
	(void)snprintf(left, sizeof left, "%s%s%s%s%s", k->noun, k->verb != NULL ? " " : "",
	               k->verb != NULL ? k->verb : "", k->words[0] != 0 ? " " : "", k->words);
	print_row(left, k->help);
}

void help_program(void)
{
	size_t count;
	const ctl_command *k = command_table(&count);
	(void)printf(
		"usage: tpldctl [OPTIONS] COMMAND\n\n"
		"Drives tpldd, the daemon that adapts segmentation networks, over HTTP.\n"
		"RUN, EXPERIMENT, DATASET and WEIGHTS are ids or names; a run is also @last or"
		" @running.\n\n"
		"Commands (tpldctl COMMAND --help says more):\n");
	for (size_t i = 0; i < count; i++)
		print_command(&k[i]);
	(void)printf("\nOptions:\n");
	print_options(global_options);
	(void)printf(
		"\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict or wrong state,\n"
		"5 refused token, 6 daemon not reachable, 7 timeout, 130 interrupted.\n");
}

void help_noun(const char *noun)
{
	size_t count;
	const ctl_command *k = command_table(&count);
	(void)printf("usage: tpldctl %s COMMAND\n\n", noun);
	for (size_t i = 0; i < count; i++)
		if (strcmp(k[i].noun, noun) == 0)
			print_command(&k[i]);
}

void help_command(const ctl_command *k)
{
	(void)printf("usage: tpldctl %s%s%s%s%s%s\n\n%s.\n", k->noun, k->verb != NULL ? " " : "",
	             k->verb != NULL ? k->verb : "", k->option[0].name != NULL ? " [OPTIONS]" : "",
	             k->words[0] != 0 ? " " : "", k->words, k->help);
	if (k->option[0].name != NULL) {
		(void)printf("\nOptions:\n");
		print_options(k->option);
	}
	(void)printf("\nOptions of every command:\n");
	print_options(global_options);
}

ctl_exit help_show(ctl *c, const ctl_args *a)
{
	(void)c;
	const char *noun = a->words > 0 ? a->word[0] : NULL;
	const char *verb = a->words > 1 ? a->word[1] : NULL;
	const ctl_command *k = noun != NULL ? command_find(noun, verb) : NULL;
	if (noun == NULL)
		help_program();
	else if (k != NULL)
		help_command(k);
	else if (verb == NULL && command_has_noun(noun))
		help_noun(noun);
	else
		return ctl_fail(CTL_USAGE, "there is no command '%s%s%s'", noun,
		                verb != NULL ? " " : "", verb != NULL ? verb : "");
	return CTL_OK;
}
