/* settings: the keys of the daemon's configuration file: one table of section, key, meaning and the
 * function that reads the value's text. */
#ifndef TPLDD_CONFIG_SETTINGS_H
#define TPLDD_CONFIG_SETTINGS_H

#include "config/daemon_config.h"

typedef struct setting {
	const char *section, *key;
	/* Writes into *c, or explains in words why not. */
	bool (*set)(daemon_config *c, const char *value, char *why, size_t size);
	bool list; /* may be given on several lines, each adding to it */
} setting;

/* NULL past the end. */
const setting *setting_at(size_t i);
/* NULL when there is none. */
const setting *setting_find(const char *section, const char *key);
/* The key of that section most like this one, NULL when none is close. */
const setting *setting_meant(const char *section, const char *key);

/* Loopback addresses need no warning. */
bool setting_is_loopback(const char *host);

#endif
