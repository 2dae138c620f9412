/* daemon_config: etc/tpldd.conf (INI) and the command line -> an immutable struct. Unknown sections and
 * keys are errors with file and line. The daemon never writes its configuration. Command line beats
 * file beats default. Without --config no file is read. */
#ifndef TPLDD_DAEMON_CONFIG_H
#define TPLDD_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { CONFIG_MAX_HOSTS = 16, CONFIG_MAX_ROOTS = 32, CONFIG_PATH_MAX = 1024 };

typedef struct daemon_config {
	/* [server] */
	char host[128];   /* 127.0.0.1; an address, IPv6 without brackets */
	uint16_t port;    /* 8737; 0 takes a free one */
	char allowed_host[CONFIG_MAX_HOSTS][256]; /* further names accepted in Host */
	size_t allowed_hosts;
	size_t max_connections; /* 64 */
	/* [storage] */
	char state_dir[CONFIG_PATH_MAX]; /* $STATE_DIRECTORY (systemd) or /var/lib/tpldd; absolute */
	char data_root[CONFIG_MAX_ROOTS][CONFIG_PATH_MAX]; /* data sets must lie below one; none: anywhere */
	size_t data_roots;
	uint64_t min_free_bytes; /* a run pauses below this; 512M */
	/* [trainer] */
	size_t threads;          /* 0: all cores */
	unsigned checkpoint_seconds; /* between resume checkpoints, 30 */
	/* [paths], see daemon_config_paths */
	char web_dir[CONFIG_PATH_MAX], migrations_dir[CONFIG_PATH_MAX];
	bool check_only;         /* --check-config */
} daemon_config;

typedef enum config_outcome { CONFIG_RUN, CONFIG_EXIT_OK, CONFIG_EXIT_USAGE } config_outcome;

/* web_dir and migrations_dir for a program at `exe`: those of the source tree when it runs in place,
 * which is when ../../meson.build and ../../migrations lie beside its folder (build/bin/tpldd); else
 * the installed ones. */
void daemon_config_paths(const char *exe, daemon_config *ret);

/* Reads the command line and the file it names. --help, --version and --check-config print and return
 * CONFIG_EXIT_OK; mistakes are printed to stderr with file and line, CONFIG_EXIT_USAGE. */
config_outcome daemon_config_load(int argc, char **argv, daemon_config *ret);

#endif
