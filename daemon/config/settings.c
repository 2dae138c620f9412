#include "config/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"

static bool read_whole(const char *value, uint64_t low, uint64_t high, uint64_t *ret, char *why,
                       size_t size)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(value, &end, 10);
	bool digits = value[0] >= '0' && value[0] <= '9';
	if (!digits || *end != 0 || errno != 0 || v < low || v > high) {
		(void)snprintf(why, size, "'%s' is not a whole number in %llu..%llu", value,
		               (unsigned long long)low, (unsigned long long)high);
		return false;
	}
	*ret = v;
	return true;
}

/* HOST:PORT with an address, [ADDRESS]:PORT for IPv6; localhost means 127.0.0.1. */
static bool set_listen(daemon_config *c, const char *value, char *why, size_t size)
{
	char host[sizeof c->host];
	const char *colon = strrchr(value, ':');
	bool bracketed = value[0] == '[';
	size_t len = colon == NULL ? 0 : (size_t)(colon - value);
	if (colon == NULL || len < 1 || len >= sizeof host || (bracketed && colon[-1] != ']')) {
		(void)snprintf(why, size, "'%s' is not HOST:PORT", value);
		return false;
	}
	(void)snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len),
	               value + bracketed);
	if (strcmp(host, "localhost") == 0)
		(void)snprintf(host, sizeof host, "127.0.0.1");
	unsigned char address[16];
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, address) != 1) {
		(void)snprintf(why, size,
		               "'%s' is no IPv4 address, no [IPv6 address], and not localhost",
		               host);
		return false;
	}
	uint64_t port;
	if (!read_whole(colon + 1, 0, 65535, &port, why, size))
		return false;
	(void)snprintf(c->host, sizeof c->host, "%s", host);
	c->port = (uint16_t)port;
	return true;
}

bool setting_is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* Calls `add` for each item of a list separated by commas and spaces. */
static bool each(daemon_config *c, const char *value,
                 bool (*add)(daemon_config *, const char *, char *, size_t), char *why, size_t size)
{
	while (*(value += strspn(value, ", \t")) != 0) {
		char item[CONFIG_PATH_MAX];
		size_t len = strcspn(value, ",");
		size_t end = len;
		while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'))
			end--;
		if (end >= sizeof item) {
			(void)snprintf(why, size, "an item is longer than %zu bytes",
			               sizeof item - 1);
			return false;
		}
		(void)snprintf(item, sizeof item, "%.*s", (int)end, value);
		if (!add(c, item, why, size))
			return false;
		value += len;
	}
	return true;
}

static bool add_host(daemon_config *c, const char *name, char *why, size_t size)
{
	size_t len = strlen(name);
	if (len >= sizeof c->allowed_host[0] ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len) {
		(void)snprintf(why, size, "'%.100s' is no host name in lower case, without a port",
		               name);
		return false;
	}
	if (c->allowed_hosts == CONFIG_MAX_HOSTS) {
		(void)snprintf(why, size, "more than %d names", (int)CONFIG_MAX_HOSTS);
		return false;
	}
	(void)snprintf(c->allowed_host[c->allowed_hosts++], sizeof c->allowed_host[0], "%s", name);
	return true;
}

static bool set_allowed_hosts(daemon_config *c, const char *value, char *why, size_t size)
{
	return each(c, value, add_host, why, size);
}

static bool set_max_connections(daemon_config *c, const char *value, char *why, size_t size)
{
	uint64_t v;
	if (!read_whole(value, 4, 1000, &v, why, size))
		return false;
	c->max_connections = (size_t)v;
	return true;
}

/* An absolute path without a trailing slash. */
static bool set_path(char to[CONFIG_PATH_MAX], const char *value, char *why, size_t size)
{
	size_t len = strlen(value);
	while (len > 1 && value[len - 1] == '/')
		len--;
	if (value[0] != '/' || len >= CONFIG_PATH_MAX || !text_printable(value, len)) {
		(void)snprintf(why, size, "'%.200s' is no absolute path", value);
		return false;
	}
	(void)snprintf(to, CONFIG_PATH_MAX, "%.*s", (int)len, value);
	return true;
}

static bool set_state_dir(daemon_config *c, const char *value, char *why, size_t size)
{
	return set_path(c->state_dir, value, why, size);
}

static bool add_data_root(daemon_config *c, const char *path, char *why, size_t size)
{
	if (c->data_roots == CONFIG_MAX_ROOTS) {
		(void)snprintf(why, size, "more than %d folders", (int)CONFIG_MAX_ROOTS);
		return false;
	}
	if (!set_path(c->data_root[c->data_roots], path, why, size))
		return false;
	c->data_roots++;
	return true;
}

static bool set_data_roots(daemon_config *c, const char *value, char *why, size_t size)
{
	return each(c, value, add_data_root, why, size);
}

/* Bytes, or with K, M, G in units of 1024. */
static bool set_min_free(daemon_config *c, const char *value, char *why, size_t size)
{
	char digits[24];
	size_t len = strspn(value, "0123456789");
	const char *unit = value + len;
	unsigned shift = *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
	uint64_t v;
	if (len < 1 || len >= sizeof digits || (*unit != 0 && (shift == 0 || unit[1] != 0))) {
		(void)snprintf(why, size, "'%s' is no size like 512M or 20G", value);
		return false;
	}
	(void)snprintf(digits, sizeof digits, "%.*s", (int)len, value);
	if (!read_whole(digits, 0, ((uint64_t)1 << 50) >> shift, &v, why, size))
		return false;
	c->min_free_bytes = v << shift;
	return true;
}

static bool set_threads(daemon_config *c, const char *value, char *why, size_t size)
{
	uint64_t v = 0;
	if (strcmp(value, "auto") != 0 && !read_whole(value, 0, 256, &v, why, size))
		return false;
	c->threads = (size_t)v;
	return true;
}

static bool set_checkpoint_seconds(daemon_config *c, const char *value, char *why, size_t size)
{
	uint64_t v;
	if (!read_whole(value, 0, 86400, &v, why, size))
		return false;
	c->checkpoint_seconds = (unsigned)v;
	return true;
}

static bool set_web_dir(daemon_config *c, const char *value, char *why, size_t size)
{
	return set_path(c->web_dir, value, why, size);
}

static bool set_migrations_dir(daemon_config *c, const char *value, char *why, size_t size)
{
	return set_path(c->migrations_dir, value, why, size);
}

static const setting settings[] = {
	{"server", "listen", set_listen, false},
	{"server", "allowed_hosts", set_allowed_hosts, true},
	{"server", "max_connections", set_max_connections, false},
	{"storage", "state_dir", set_state_dir, false},
	{"storage", "data_roots", set_data_roots, true},
	{"storage", "min_free", set_min_free, false},
	{"trainer", "threads", set_threads, false},
	{"trainer", "checkpoint_seconds", set_checkpoint_seconds, false},
	{"paths", "web_dir", set_web_dir, false},
	{"paths", "migrations_dir", set_migrations_dir, false},
};

const setting *setting_at(size_t i)
{
	return i < sizeof settings / sizeof *settings ? &settings[i] : NULL;
}

const setting *setting_find(const char *section, const char *key)
{
	const setting *s;
	for (size_t i = 0; (s = setting_at(i)) != NULL; i++)
		if (strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0)
			return s;
	return NULL;
}

const setting *setting_meant(const char *section, const char *key)
{
	const setting *s, *best = NULL;
	size_t best_distance = 3;
	for (size_t i = 0; (s = setting_at(i)) != NULL; i++) {
		/* A key in the wrong section is as far away as a typing mistake. */
		size_t distance = text_distance(s->key, key) + (strcmp(s->section, section) != 0);
		if (distance < best_distance) {
			best_distance = distance;
			best = s;
		}
	}
	return best;
}
