/* show: the common ways from a GET to standard output. With -o json the server's bytes go out
 * unchanged; otherwise columns are picked from them. */
#ifndef TPLDCTL_SHOW_H
#define TPLDCTL_SHOW_H

#include "args.h"
#include "client.h"
#include "records.h"

/* An answer's body as it came, and a line end when it has none. */
void show_body(const client_answer *a);
/* A JSON value in one line. */
void show_json(const json_t *v);

/* One object. */
ctl_exit show_object(ctl *c, const char *path, const column *columns, size_t count);
/* The items of a paged list or a plain array, by --limit, --cursor and --all. A page that is not
 * the last leaves a note on standard error. */
ctl_exit show_list(ctl *c, const ctl_args *a, const char *path, const column *columns,
                   size_t count);
/* The same after `prepare` has had each item; with -o json it is not asked. NULL: nothing to
 * prepare. */
ctl_exit show_list_of(ctl *c, const ctl_args *a, const char *path, const column *columns,
                      size_t count, void (*prepare)(json_t *item));
/* Text or JSON, in any format the same bytes. */
ctl_exit show_raw(ctl *c, const char *path, const char *accept);

/* An answered call's object, after POST: as show_object. */
ctl_exit show_answer(ctl *c, const client_answer *a, const column *columns, size_t count);

#endif
