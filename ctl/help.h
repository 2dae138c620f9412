/* help: texts made from the command table. */
#ifndef TPLDCTL_HELP_H
#define TPLDCTL_HELP_H

#include "args.h"

/* Everything, the verbs of one noun, or one command. */
void help_program(void);
void help_noun(const char *noun);
void help_command(const ctl_command *k);

#endif
