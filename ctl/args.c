#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "commands.h"

static const ctl_option *find_long(const ctl_option *list, const char *name, size_t n)
{
	for (; list->name != NULL; list++)
		if (strncmp(list->name, name, n) == 0 && list->name[n] == 0)
			return list;
	return NULL;
}

static const ctl_option *find_short(const ctl_option *list, char letter)
{
	for (; list->name != NULL; list++)
		if (list->letter == letter)
			return list;
	return NULL;
}

/* Whether value is one of "a|b|c"; a placeholder in capitals takes anything. */
static bool is_choice(const char *choices, const char *value)
{
	size_t n = strlen(value);
	if (strchr(choices, '|') == NULL)
		return true;
	for (const char *p = choices; *p != 0;) {
		size_t k = strcspn(p, "|");
		if (k == n && strncmp(p, value, n) == 0)
			return true;
		p += k + (p[k] == '|');
	}
	return false;
}

static void add_given(ctl_args *a, const ctl_option *o, const char *value)
{
	a->given = grow(a->given, (a->givens + 1) * sizeof *a->given);
	a->given[a->givens++] = (ctl_given){o, value};
}

/* One argument that begins with a dash. *next is the argument after it, consumed when it is the
 * value. */
static ctl_exit take_option(ctl_args *a, const char *arg, const char *next, bool *ret_consumed)
{
	const ctl_option *own = a->command != NULL ? a->command->option : NULL, *o = NULL;
	const char *value = NULL;
	*ret_consumed = false;
	if (arg[1] == '-') {
		size_t n = strcspn(arg + 2, "=");
		if (own != NULL)
			o = find_long(own, arg + 2, n);
		if (o == NULL)
			o = find_long(global_options, arg + 2, n);
		if (arg[2 + n] == '=')
			value = arg + 3 + n;
	} else {
		if (own != NULL)
			o = find_short(own, arg[1]);
		if (o == NULL)
			o = find_short(global_options, arg[1]);
		if (arg[2] != 0)
			value = arg + 2;
	}
	if (o == NULL)
		return ctl_fail(CTL_USAGE, "unknown option %s%s", arg,
		                a->command == NULL ? " (a command's own options come after it)"
		                                   : "");
	if (o->value == NULL) {
		if (value != NULL)
			return ctl_fail(CTL_USAGE, "--%s takes no value", o->name);
		value = "";
	} else if (value == NULL) {
		if (next == NULL)
			return ctl_fail(CTL_USAGE, "--%s needs a value: %s", o->name, o->value);
		value = next;
		*ret_consumed = true;
	}
	if (o->value != NULL && !is_choice(o->value, value))
		return ctl_fail(CTL_USAGE, "--%s must be one of %s, not '%s'", o->name, o->value,
		                value);
	if (strcmp(o->name, "help") == 0)
		a->help = true;
	add_given(a, o, value);
	return CTL_OK;
}

static void add_word(ctl_args *a, const char *word)
{
	a->word = grow(a->word, (a->words + 1) * sizeof *a->word);
	a->word[a->words++] = word;
}

/* The first one or two words name the command. */
static ctl_exit take_word(ctl_args *a, const char *word)
{
	if (a->command != NULL) {
		add_word(a, word);
		return CTL_OK;
	}
	if (a->noun == NULL) {
		if (!command_has_noun(word))
			return ctl_fail(CTL_USAGE,
			                "there is no command '%s'; tpldctl --help lists them",
			                word);
		a->noun = word;
		a->command = command_find(word, NULL);
		return CTL_OK;
	}
	a->command = command_find(a->noun, word);
	if (a->command == NULL)
		return ctl_fail(CTL_USAGE,
		                "there is no command '%s %s'; tpldctl %s --help lists them",
		                a->noun, word, a->noun);
	return CTL_OK;
}

static ctl_exit check_words(const ctl_args *a)
{
	const ctl_command *k = a->command;
	size_t least = 0, most = 0;
	bool many = false;
	for (const char *p = k->words; *p != 0; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		least += *p != '[';
		many = many || memmem(p, n, "...", 3) != NULL;
		most++;
		p += n;
	}
	if (a->words >= least && (many || a->words <= most))
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "%s: usage: tpldctl %s%s%s %s",
	                a->words < least ? "something is missing" : "too many words", k->noun,
	                k->verb != NULL ? " " : "", k->verb != NULL ? k->verb : "", k->words);
}

ctl_exit args_parse(int argc, char **argv, ctl_args *ret)
{
	*ret = (ctl_args){0};
	bool options = true;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		ctl_exit rc = CTL_OK;
		bool consumed = false;
		if (options && strcmp(arg, "--") == 0)
			options = false;
		else if (options && arg[0] == '-' && arg[1] != 0)
			rc = take_option(ret, arg, argv[i + 1], &consumed);
		else
			rc = take_word(ret, arg);
		if (rc != CTL_OK)
			return rc;
		i += consumed;
	}
	if (ret->help || ret->command == NULL)
		return CTL_OK;
	return check_words(ret);
}

void args_free(ctl_args *a)
{
	free(a->word);
	free(a->given);
}

const char *args_value(const ctl_args *a, const char *name)
{
	for (size_t i = a->givens; i-- > 0;)
		if (strcmp(a->given[i].option->name, name) == 0)
			return a->given[i].value;
	return NULL;
}

bool args_has(const ctl_args *a, const char *name)
{
	return args_value(a, name) != NULL;
}

bool args_is_number(const char *text)
{
	size_t n = strlen(text);
	return n > 0 && n <= 18 && strspn(text, "0123456789") == n && (text[0] != '0' || n == 1);
}
