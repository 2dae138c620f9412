/* notify: systemd's notification protocol (sd_notify): one datagram to $NOTIFY_SOCKET. Without the
 * variable everything here does nothing. Forty lines instead of a dependency on libsystemd. */
#ifndef TPLDD_NOTIFY_H
#define TPLDD_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...". Loop thread. */
void notify_send(const char *state);
/* Half of the watchdog's period in milliseconds, 0: no watchdog asked for. */
uint64_t notify_watchdog_ms(void);

#endif
