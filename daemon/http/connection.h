/* connection: libmicrohttpd's callbacks. What becomes of a request, call by call, and the deadlines
 * that libmicrohttpd lacks: each received byte resets its own timer, so a client that sends one
 * byte a second would stay for ever. Loop thread only. */
#ifndef TPLDD_HTTP_CONNECTION_H
#define TPLDD_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <stdint.h>

#include "http/server_private.h"

void connection_notify(void *server, struct MHD_Connection *c, void **context,
                       enum MHD_ConnectionNotificationCode code);
/* At the request line: makes the request, which libmicrohttpd then hands to the others. */
void *connection_request_line(void *server, const char *target, struct MHD_Connection *c);
enum MHD_Result connection_request(void *server, struct MHD_Connection *c, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *size, void **context);
void connection_completed(void *server, struct MHD_Connection *c, void **context,
                          enum MHD_RequestTerminationCode code);
/* Decodes nothing: paths need no escapes here, and queries are decoded by request.c. */
size_t connection_keep_escapes(void *server, struct MHD_Connection *c, char *s);

/* Shuts the sockets whose time is over. */
void connections_tick(http_server *s, uint64_t now_ms);
/* Marks requests on workers as abandoned and resumes their connections, which then close. */
void connections_abandon(http_server *s);

#endif
