/* events: the server-sent event streams (contract.md section 4, GET /events). Each stream has its
 * own cursor into the stored events, so a slow reader loses nothing: it is read from the store
 * again when there is room. Progress of the running run goes out as `run.progress` without an id,
 * at most twice a second, and only to streams that keep up.
 *
 * Loop thread only; the store is asked on a worker. A stream's connection is suspended whenever it
 * has nothing to send; the ping each 15 s finds clients that have left. */
#ifndef TPLDD_HTTP_EVENTS_H
#define TPLDD_HTTP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct http_server;
struct MHD_Connection;
struct MHD_Response;

enum { EVENT_STREAMS = 32 };

typedef struct event_hub event_hub;

event_hub *event_hub_new(struct http_server *server);
/* No stream and no job may be left. */
void event_hub_free(event_hub *h);
/* Something happened: look soon. */
void event_hub_wake(event_hub *h);
/* Each second: pings. */
void event_hub_tick(event_hub *h, uint64_t now_ms);
/* Sends server.shutdown and ends all streams. */
void event_hub_close(event_hub *h);
/* True while a worker reads the store for the streams. */
bool event_hub_busy(const event_hub *h);
size_t event_hub_streams(const event_hub *h);

/* An endless response for `connection`: events with id > after, of `run` (0: all). NULL: out of
 * memory or EVENT_STREAMS are open. */
struct MHD_Response *event_stream_open(event_hub *h, struct MHD_Connection *connection, int64_t run,
                                       int64_t after);

#endif
