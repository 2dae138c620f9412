/* sse: the daemon's event stream (text/event-stream), and patience while a daemon restarts. */
#ifndef TPLDCTL_SSE_H
#define TPLDCTL_SSE_H

#include <stdint.h>

#include "client.h"

enum { SSE_PATIENCE_MS = 60 * 1000 };

typedef struct sse {
	/* data is the JSON text of one event. False ends the stream. */
	bool (*event)(void *arg, const char *type, const char *data);
	/* After each piece that arrived, events or pings; may be NULL. False ends the stream. */
	bool (*alive)(void *arg);
	void *arg;
	char last_id[24];   /* of the newest event; sent when the stream is opened again */
	int64_t contact_ms; /* when the server last said something */
	buffer line, data;  /* parser's */
	char type[64];
} sse;

/* Opens the stream and feeds it to the callbacks until it ends, for whatever reason. Says nothing;
 * the answer tells why and is the caller's to free. */
void sse_stream(client *c, sse *s, const char *path, client_answer *ret);
/* Feeds bytes; false when a callback wants no more. */
bool sse_feed(sse *s, const char *data, size_t size);
void sse_free(sse *s);

/* Whether a failure may be over in a moment: the daemon is restarting, or has no room for a stream.
 */
bool sse_is_passing(const client_answer *a);
/* A second between two tries; shorter when interrupted. */
void sse_wait(void);
int64_t sse_now_ms(void);

#endif
