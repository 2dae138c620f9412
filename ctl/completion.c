/* completion: a bash script made from the command table. */
#include <stdio.h>
#include <string.h>

#include "commands.h"

/* The nouns, each once. */
static void print_nouns(void)
{
	size_t count;
	const ctl_command *k = command_table(&count);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(k[i].noun, k[i - 1].noun) != 0)
			(void)printf("%s%s", i > 0 ? " " : "", k[i].noun);
}

static void print_verbs(const char *noun)
{
	size_t count;
	const ctl_command *k = command_table(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(k[i].noun, noun) == 0 && k[i].verb != NULL)
			(void)printf(" %s", k[i].verb);
}

static void print_option_names(const ctl_option *o)
{
	for (; o->name != NULL; o++)
		(void)printf(" --%s", o->name);
}

/* Options whose value is one of a few words. */
static void print_choices(const ctl_option *o)
{
	for (; o->name != NULL; o++) {
		if (o->value == NULL || strchr(o->value, '|') == NULL)
			continue;
		(void)printf("\t--%s) words=\"", o->name);
		for (const char *p = o->value; *p != 0; p++)
			(void)fputc(*p == '|' ? ' ' : *p, stdout);
		(void)printf("\" ;;\n");
	}
}

static bool takes_run(const ctl_command *k)
{
	return strncmp(k->words, "RUN", 3) == 0;
}

static void print_script(void)
{
	size_t count;
	const ctl_command *k = command_table(&count);
	(void)printf(
		"# bash completion for tpldctl; made by: tpldctl completion bash\n"
		"_tpldctl()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal noun= verb= words= w i\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tw=${COMP_WORDS[i]}\n"
		"\t\tcase $w in\n"
		"\t\t--server|--token-file|--state-dir|--output|-o|--timeout) ((i++)) ;;\n"
		"\t\t-*) ;;\n"
		"\t\t*) if [[ -z $noun ]]; then noun=$w; elif [[ -z $verb ]]; then verb=$w; fi ;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tcase $prev in\n"
		"\t-o) words=\"table json csv\" ;;\n");
	print_choices(global_options);
	for (size_t i = 0; i < count; i++)
		print_choices(k[i].option);
	(void)printf("\t--token-file|--state-dir|--root|--class-map|--class-set|--output-file|-O)\n"
	             "\t\tCOMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	             "\tesac\n"
	             "\tif [[ -n $words ]]; then\n"
	             "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return\n"
	             "\tfi\n"
	             "\tcase \"$noun $verb\" in\n"
	             "\t\" \") words=\"");
	print_nouns();
	print_option_names(global_options);
	(void)printf("\" ;;\n");
	for (size_t i = 0; i < count; i++) {
		if (k[i].verb != NULL && (i == 0 || strcmp(k[i].noun, k[i - 1].noun) != 0)) {
			(void)printf("\t\"%s \") words=\"", k[i].noun);
			print_verbs(k[i].noun);
			(void)printf("\" ;;\n");
		}
		if (k[i].verb != NULL)
			(void)printf("\t\"%s %s\") words=\"", k[i].noun, k[i].verb);
		else
			(void)printf("\t\"%s \"*) words=\"", k[i].noun);
		print_option_names(k[i].option);
		print_option_names(global_options);
		(void)printf("%s\" ;;\n", takes_run(&k[i]) ? " @last @running" : "");
	}
	(void)printf("\tesac\n"
	             "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	             "}\n"
	             "complete -o default -F _tpldctl tpldctl\n");
}

ctl_exit completion_print(ctl *c, const ctl_args *a)
{
	(void)c;
	if (strcmp(a->word[0], "bash") != 0)
		return ctl_fail(CTL_USAGE, "only bash is known, not '%s'", a->word[0]);
	print_script();
	return CTL_OK;
}
