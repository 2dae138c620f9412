/* args: a command line against the command table. */
#ifndef TPLDCTL_ARGS_H
#define TPLDCTL_ARGS_H

#include <stddef.h>

#include "ctl.h"

typedef struct ctl_option {
	const char *name;  /* long form without dashes */
	char letter;       /* short form, or 0 */
	const char *value; /* what follows it, as help shows it; "a|b": one of them; NULL: a flag */
	const char *help;
} ctl_option;

enum { ARGS_OPTIONS_MAX = 16 };

struct ctl_args;
typedef ctl_exit ctl_handler(ctl *c, const struct ctl_args *a);

typedef struct ctl_command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	const char *words;       /* "RUN [IMAGE]"; "ID..." takes one or more */
	const char *help;        /* one line */
	ctl_handler *run;
	ctl_option option[ARGS_OPTIONS_MAX]; /* up to the one without a name */
} ctl_command;

typedef struct ctl_given {
	const ctl_option *option;
	const char *value;
} ctl_given;

typedef struct ctl_args {
	const ctl_command *command; /* NULL: none was named */
	const char *noun;           /* as typed, for help when there is no command; NULL: nothing */
	const char **word;
	size_t words;
	ctl_given *given;
	size_t givens;
	bool help;
} ctl_args;

/* CTL_USAGE with a message for anything the table does not know. With --help a line need not be
 * complete. Free in any case. */
ctl_exit args_parse(int argc, char **argv, ctl_args *ret);
void args_free(ctl_args *a);

/* The last value given for an option; NULL when it was not. Flags give "". */
const char *args_value(const ctl_args *a, const char *name);
bool args_has(const ctl_args *a, const char *name);
/* A whole number of at least 0 that ends up in a path. */
bool args_is_number(const char *text);

#endif
