/* client: HTTP calls to the daemon over one libcurl handle. Knows bearer tokens, problem+json and
 * exit codes; knows nothing of what the paths mean. */
#ifndef TPLDCTL_CLIENT_H
#define TPLDCTL_CLIENT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "buffer.h"
#include "session.h"

typedef struct client client;

/* Takes the bytes of a 2xx body as they come; false gives the transfer up. */
typedef bool client_sink(void *arg, const char *data, size_t size);

typedef struct client_call {
	const char *method;       /* "GET", "POST", "DELETE" */
	const char *path;         /* "/api/v1/runs?limit=2", escaped */
	const char *accept;       /* NULL: application/json */
	const char *content_type; /* NULL: application/json when there is a body */
	const char *body;
	size_t body_size;
	FILE *upload; /* instead of body: sent as it is read, from its start */
	uint64_t upload_size;
	client_sink *sink; /* NULL: the body is kept in the answer */
	void *sink_arg;
	const char *last_event_id; /* "" or NULL: none */
	const char *what;          /* shown with the progress of long transfers; NULL: silent */
	unsigned idle_s; /* gives up after so long without a byte; 0: the client's default */
} client_call;

typedef struct client_answer {
	ctl_exit exit;   /* what the whole call means to a script */
	int status;      /* 0: no answer */
	buffer body;     /* of errors always, of the rest without a sink */
	char error[512]; /* transport's words when status is 0 */
} client_answer;

client *client_new(session *s, unsigned idle_s);
void client_free(client *c);

/* Makes the call and says nothing. Free the answer in any case; *ret need not be initialised. */
ctl_exit client_perform(client *c, const client_call *call, client_answer *ret);
void client_answer_free(client_answer *a);
/* The body as JSON, a new reference; NULL when it is none. */
json_t *client_answer_json(const client_answer *a);
/* The cause on standard error: a problem's detail, its errors by JSON pointer, allowed actions. */
void client_report(const client *c, const client_answer *a);
/* Both: perform, and report unless it succeeded. */
ctl_exit client_call_reported(client *c, const client_call *call, client_answer *ret);

/* GET of a JSON document, reported. *ret is a new reference on CTL_OK. */
ctl_exit client_get(client *c, const char *path, json_t **ret);

#endif
