#include "config/daemon_config.h"

#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "config/text.h"

static const char usage[] =
	"Usage: tpldd [OPTION]...\n"
	"Trains segmentation networks and adapts them to a target domain, driven over HTTP.\n"
	"\n"
	"  --config FILE        read settings from FILE (INI); default: none\n"
	"  --state-dir DIR      keep everything below DIR\n"
	"  --listen HOST:PORT   serve here, [ADDRESS]:PORT for IPv6; port 0 takes a free one\n"
	"  --threads N          computing threads of a run; 0: all cores\n"
	"  --check-config       print the settings in force and exit\n"
	"  --version            print the version and exit\n"
	"  --help               print this and exit\n";

/* ---- defaults ---- */

static bool exists(const char *dir, const char *name)
{
	char path[CONFIG_PATH_MAX + 64];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* Cuts the last component off; "/" stays. */
static void parent_of(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash != NULL)
		slash[slash == path] = 0;
}

void daemon_config_paths(const char *exe, daemon_config *ret)
{
	char root[CONFIG_PATH_MAX - 32];
	text_copy(root, sizeof root, exe);
	for (int i = 0; i < 3; i++)
		parent_of(root);
	if (exists(root, "meson.build") && exists(root, "migrations")) {
		(void)snprintf(ret->web_dir, sizeof ret->web_dir, "%s/web", root);
		(void)snprintf(ret->migrations_dir, sizeof ret->migrations_dir, "%s/migrations",
		               root);
	} else {
		text_copy(ret->web_dir, sizeof ret->web_dir, TPLDD_WEB_DIR);
		text_copy(ret->migrations_dir, sizeof ret->migrations_dir, TPLDD_MIGRATIONS_DIR);
	}
}

static daemon_config defaults(void)
{
	daemon_config c = {
		.host = "127.0.0.1",
		.port = 8737,
		.max_connections = 64,
		.state_dir = "/var/lib/tpldd",
		.min_free_bytes = (uint64_t)512 << 20,
		.checkpoint_seconds = 30,
	};
	/* systemd lists the unit's directories, separated by colons. */
	const char *given = getenv("STATE_DIRECTORY");
	if (given != NULL && given[0] == '/')
		(void)snprintf(c.state_dir, sizeof c.state_dir, "%.*s", (int)strcspn(given, ":"),
		               given);
	char exe[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	exe[n < 0 ? 0 : n] = 0;
	daemon_config_paths(exe, &c);
	return c;
}

/* ---- file ---- */

typedef struct ini_input {
	const char *path;
	FILE *file;
	daemon_config *config;
	int line, errors;
	unsigned seen; /* bit i: setting i was given */
} ini_input;

TP_PRINTF(2, 3)
static void complain(ini_input *in, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s:%d: %s\n", in->path, in->line, text);
	in->errors++;
}

/* fgets that counts lines, and does not let inih take a cut line for two. */
static char *next_line(char *line, int size, void *arg)
{
	ini_input *in = arg;
	if (fgets(line, size, in->file) == NULL)
		return NULL;
	in->line++;
	size_t n = strlen(line);
	if (n + 1 < (size_t)size || (n > 0 && line[n - 1] == '\n'))
		return line;
	int c;
	while ((c = getc(in->file)) != EOF && c != '\n')
		continue;
	complain(in, "the line is longer than %d bytes; lists may go on in the next, indented",
	         size - 2);
	line[0] = 0;
	return line;
}

static int handle(void *arg, const char *section, const char *key, const char *value)
{
	ini_input *in = arg;
	const setting *s = setting_find(section, key);
	if (s == NULL) {
		const setting *m = setting_meant(section, key);
		if (m != NULL)
			complain(in, "[%s] %s: unknown; did you mean [%s] %s?", section, key,
			         m->section, m->key);
		else
			complain(in, "[%s] %s: unknown", section, key);
		return 1;
	}
	unsigned bit = 1u << (s - setting_at(0));
	char why[400];
	if ((in->seen & bit) != 0 && !s->list)
		complain(in, "[%s] %s: given twice", section, key);
	else if (!s->set(in->config, value, why, sizeof why))
		complain(in, "[%s] %s: %s", section, key, why);
	in->seen |= bit;
	return 1;
}

static bool read_file(const char *path, daemon_config *c)
{
	ini_input in = {.path = path, .file = fopen(path, "re"), .config = c};
	if (in.file == NULL) {
		(void)fprintf(stderr, "tpldd: cannot open %s: %s\n", path, strerror(errno));
		return false;
	}
	int line = ini_parse_stream(next_line, &in, handle, &in);
	if (line > 0) {
		in.line = line;
		complain(&in, "neither a [section] nor key = value");
	} else if (line < 0 || ferror(in.file) != 0) {
		complain(&in, "cannot be read");
	}
	(void)fclose(in.file);
	return in.errors == 0;
}

/* ---- command line ---- */

typedef struct arguments {
	const char *config, *state_dir, *listen, *threads;
	bool check;
} arguments;

static bool apply(daemon_config *c, const char *option, const char *section, const char *key,
                  const char *value)
{
	char why[400];
	if (value == NULL || setting_find(section, key)->set(c, value, why, sizeof why))
		return true;
	(void)fprintf(stderr, "tpldd: %s: %s\n", option, why);
	return false;
}

/* A relative --state-dir is meant from here. */
static const char *absolute(const char *path, char buf[2 * CONFIG_PATH_MAX])
{
	char here[CONFIG_PATH_MAX];
	if (path == NULL || path[0] == '/' || path[0] == 0 || getcwd(here, sizeof here) == NULL)
		return path;
	(void)snprintf(buf, 2 * CONFIG_PATH_MAX, "%s/%s", here, path);
	return buf;
}

static void print_settings(const daemon_config *c)
{
	bool v6 = strchr(c->host, ':') != NULL;
	(void)printf("[server]\nlisten = %s%s%s:%u\n", v6 ? "[" : "", c->host, v6 ? "]" : "",
	             (unsigned)c->port);
	for (size_t i = 0; i < c->allowed_hosts; i++)
		(void)printf("allowed_hosts = %s\n", c->allowed_host[i]);
	(void)printf("max_connections = %zu\n[storage]\nstate_dir = %s\n", c->max_connections,
	             c->state_dir);
	for (size_t i = 0; i < c->data_roots; i++)
		(void)printf("data_roots = %s\n", c->data_root[i]);
	(void)printf("min_free = %llu\n[trainer]\nthreads = %zu\ncheckpoint_seconds = %u\n",
	             (unsigned long long)c->min_free_bytes, c->threads, c->checkpoint_seconds);
	(void)printf("[paths]\nweb_dir = %s\nmigrations_dir = %s\n", c->web_dir, c->migrations_dir);
}

static bool settle(const arguments *a, daemon_config *c)
{
	char buf[2 * CONFIG_PATH_MAX];
	if (a->config != NULL && !read_file(a->config, c))
		return false;
	if (!apply(c, "--state-dir", "storage", "state_dir", absolute(a->state_dir, buf)) ||
	    !apply(c, "--listen", "server", "listen", a->listen) ||
	    !apply(c, "--threads", "trainer", "threads", a->threads))
		return false;
	if (!setting_is_loopback(c->host))
		(void)fprintf(stderr,
		              "tpldd: warning: listening on %s lets other machines in; the"
		              " token travels in clear, so put a TLS proxy in front\n",
		              c->host);
	return true;
}

config_outcome daemon_config_load(int argc, char **argv, daemon_config *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"state-dir", required_argument, NULL, 's'},
		{"listen", required_argument, NULL, 'l'},
		{"threads", required_argument, NULL, 't'},
		{"check-config", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	arguments a = {0};
	optind = 0; /* GNU: start over, also after an earlier call */
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'c':
			a.config = optarg;
			break;
		case 's':
			a.state_dir = optarg;
			break;
		case 'l':
			a.listen = optarg;
			break;
		case 't':
			a.threads = optarg;
			break;
		case 'k':
			a.check = true;
			break;
		case 'v':
			(void)printf("tpldd %s\n", TPLDD_VERSION);
			return CONFIG_EXIT_OK;
		case 'h':
			(void)fputs(usage, stdout);
			return CONFIG_EXIT_OK;
		default:
			(void)fputs("Try 'tpldd --help'.\n", stderr);
			return CONFIG_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "tpldd: unexpected argument '%s'\nTry 'tpldd --help'.\n",
		              argv[optind]);
		return CONFIG_EXIT_USAGE;
	}
	daemon_config c = defaults();
	c.check_only = a.check;
	if (!settle(&a, &c))
		return CONFIG_EXIT_USAGE;
	if (a.check) {
		print_settings(&c);
		return CONFIG_EXIT_OK;
	}
	*ret = c;
	return CONFIG_RUN;
}
