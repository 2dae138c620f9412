/* daemon_config: command line and configuration file, and what they say about mistakes. */
#include "harness.h"

#include "config/daemon_config.h"

typedef struct result {
	config_outcome outcome;
	daemon_config config;
	char out[4096], err[4096];
} result;

static char dir[256];

static int folder_create(void **state)
{
	scratch_create(dir);
	assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
	return 0;
}

static int folder_remove(void **state)
{
	scratch_remove(dir);
	return 0;
}

static void slurp(FILE *f, char *text, size_t size)
{
	rewind(f);
	text[fread(text, 1, size - 1, f)] = 0;
	(void)fclose(f);
}

/* Calls daemon_config_load with both output streams caught; arguments end with NULL. */
static result load(const char *const *argument)
{
	static result r;
	char *argv[12] = {(char *)"tpldd"};
	int argc = 1;
	for (; argument[argc - 1] != NULL; argc++)
		argv[argc] = (char *)argument[argc - 1];
	memset(&r, 0, sizeof r);
	(void)fflush(stdout);
	(void)fflush(stderr);
	FILE *out = tmpfile(), *errors = tmpfile();
	assert_true(out != NULL && errors != NULL);
	int old_out = dup(1), old_err = dup(2);
	assert_true(dup2(fileno(out), 1) == 1 && dup2(fileno(errors), 2) == 2);
	r.outcome = daemon_config_load(argc, argv, &r.config);
	(void)fflush(stdout);
	(void)fflush(stderr);
	assert_true(dup2(old_out, 1) == 1 && dup2(old_err, 2) == 2);
	(void)close(old_out);
	(void)close(old_err);
	slurp(out, r.out, sizeof r.out);
	slurp(errors, r.err, sizeof r.err);
	return r;
}
#define LOAD(...) load((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Loads a file of this text. */
static result load_file(const char *text)
{
	char path[300];
	(void)snprintf(path, sizeof path, "%s/tpldd.conf", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	return LOAD("--config", path);
}

static void refuse(const char *text, const char *line_and_message)
{
	result r = load_file(text);
	if (r.outcome != CONFIG_EXIT_USAGE || strstr(r.err, line_and_message) == NULL)
		fail_msg("outcome %d: %s", (int)r.outcome, r.err);
}

static void defaults_need_no_file(void **state)
{
	result r = LOAD();
	assert_int_equal(r.outcome, CONFIG_RUN);
	assert_string_equal(r.config.host, "127.0.0.1");
	assert_int_equal(r.config.port, 8737);
	assert_int_equal(r.config.max_connections, 64);
	assert_string_equal(r.config.state_dir, "/var/lib/tpldd");
	assert_int_equal(r.config.data_roots, 0);
	assert_int_equal(r.config.min_free_bytes, 512 << 20);
	assert_true(r.config.threads == 0 && r.config.checkpoint_seconds == 30);
	assert_true(r.config.web_dir[0] == '/' && r.config.migrations_dir[0] == '/');
	assert_string_equal(r.err, "");
}

static void systemd_gives_the_state_directory(void **state)
{
	assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/private/tpldd:/other", 1), 0);
	result r = LOAD();
	assert_string_equal(r.config.state_dir, "/var/lib/private/tpldd");
	r = LOAD("--state-dir", "/srv/tpldd/");
	assert_string_equal(r.config.state_dir, "/srv/tpldd");
	assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
}

static void every_setting_is_read(void **state)
{
	result r = load_file("# a comment\n"
	                     "[server]\n"
	                     "listen = [::1]:0 ; inline\n"
	                     "allowed_hosts = gpu01.example.org, lab\n"
	                     "max_connections=128\n"
	                     "[storage]\n"
	                     "state_dir = /srv/state/\n"
	                     "data_roots = /srv/a,\n"
	                     "   /srv/b\n"
	                     "data_roots = /srv/c\n"
	                     "min_free = 20G\n"
	                     "[trainer]\n"
	                     "threads = 3\n"
	                     "checkpoint_seconds = 5\n"
	                     "[paths]\n"
	                     "web_dir = /w\n"
	                     "migrations_dir = /m");
	assert_string_equal(r.err, "");
	assert_int_equal(r.outcome, CONFIG_RUN);
	assert_string_equal(r.config.host, "::1");
	assert_int_equal(r.config.port, 0);
	assert_int_equal(r.config.allowed_hosts, 2);
	assert_string_equal(r.config.allowed_host[0], "gpu01.example.org");
	assert_string_equal(r.config.allowed_host[1], "lab");
	assert_int_equal(r.config.max_connections, 128);
	assert_string_equal(r.config.state_dir, "/srv/state");
	assert_int_equal(r.config.data_roots, 3);
	assert_string_equal(r.config.data_root[1], "/srv/b");
	assert_string_equal(r.config.data_root[2], "/srv/c");
	assert_true(r.config.min_free_bytes == (uint64_t)20 << 30);
	assert_true(r.config.threads == 3 && r.config.checkpoint_seconds == 5);
	assert_string_equal(r.config.web_dir, "/w");
	assert_string_equal(r.config.migrations_dir, "/m");
}

static void mistakes_are_named_with_their_line(void **state)
{
	refuse("[server]\nlistn = 127.0.0.1:1\n",
	       "tpldd.conf:2: [server] listn: unknown; did you mean [server] listen?");
	refuse("[trainer]\n\nlisten = 127.0.0.1:1\n",
	       ":3: [trainer] listen: unknown; did you mean [server] listen?");
	refuse("[nonsense]\nzebra = 1\n", ":2: [nonsense] zebra: unknown\n");
	refuse("threads = 1\n", ":1: [] threads: unknown; did you mean [trainer] threads?");
	refuse("[trainer]\nthreads = 1\nthreads = 2\n", ":3: [trainer] threads: given twice");
	refuse("[trainer]\nthreads = many\n",
	       ":2: [trainer] threads: 'many' is not a whole number");
	refuse("[trainer]\nthreads = -1\n", "'-1' is not a whole number in 0..256");
	refuse("[trainer]\nthreads = 99999999999999999999\n", "is not a whole number");
	refuse("[trainer]\nthreads\n", ":2: neither a [section] nor key = value");
	refuse("[server\n", ":1: neither a [section] nor key = value");
	refuse("[storage]\nmin_free = 20X\n", "'20X' is no size like 512M or 20G");
	refuse("[storage]\nmin_free = G\n", "'G' is no size");
	refuse("[storage]\nmin_free = 99999999G\n", "is not a whole number in");
	refuse("[storage]\nstate_dir = here\n", "'here' is no absolute path");
	refuse("[server]\nallowed_hosts = Evil Host\n", "is no host name");
	refuse("[server]\nlisten = 8737\n", "'8737' is not HOST:PORT");
	refuse("[server]\nlisten = ::1:8737\n", "is no IPv4 address");
	refuse("[server]\nlisten = [::1:8737\n", "is not HOST:PORT");
	refuse("[server]\nlisten = [127.0.0.1]:8737\n", "is no IPv4 address");
	refuse("[server]\nlisten = example.org:80\n", "is no IPv4 address");
	refuse("[server]\nlisten = 127.0.0.1:65536\n", "is not a whole number in 0..65535");
	refuse("[server]\nlisten = 127.0.0.1:\n", "'' is not a whole number");
}

static void all_mistakes_are_told(void **state)
{
	result r = load_file("[server]\nlistn = 1\n[trainer]\nthreads = x\n");
	assert_non_null(strstr(r.err, ":2: [server] listn"));
	assert_non_null(strstr(r.err, ":4: [trainer] threads"));
}

static void long_lines_are_refused(void **state)
{
	char text[3000] = "[storage]\ndata_roots = /";
	memset(text + strlen(text), 'a', 2000);
	strcat(text, "\n[trainer]\nthreads = x\n");
	result r = load_file(text);
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
	assert_non_null(strstr(r.err, ":2: the line is longer than"));
	assert_non_null(strstr(r.err, ":4: [trainer] threads"));
}

static void a_missing_file_is_an_error(void **state)
{
	result r = LOAD("--config", "/nonexistent/tpldd.conf");
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
	assert_non_null(strstr(r.err, "cannot open /nonexistent/tpldd.conf: No such file"));
}

static void the_command_line_wins(void **state)
{
	char path[300];
	(void)snprintf(path, sizeof path, "%s/a.conf", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("[server]\nlisten=127.0.0.1:1\n[trainer]\nthreads=7\n", f);
	assert_int_equal(fclose(f), 0);
	result r = LOAD("--listen", "localhost:5", "--config", path, "--threads", "2");
	assert_int_equal(r.outcome, CONFIG_RUN);
	assert_string_equal(r.config.host, "127.0.0.1");
	assert_true(r.config.port == 5 && r.config.threads == 2);
	r = LOAD("--config", path);
	assert_true(r.config.port == 1 && r.config.threads == 7);
	char here[1024], want[1100];
	assert_non_null(getcwd(here, sizeof here));
	(void)snprintf(want, sizeof want, "%s/demo-state", here);
	r = LOAD("--state-dir", "demo-state");
	assert_string_equal(r.config.state_dir, want);
}

static void the_command_line_is_checked(void **state)
{
	result r = LOAD("--listen", "nowhere");
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
	assert_string_equal(r.err, "tpldd: --listen: 'nowhere' is not HOST:PORT\n");
	r = LOAD("--thread", "1", "extra");
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
	r = LOAD("--bogus");
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
	assert_non_null(strstr(r.err, "--help"));
	r = LOAD("--state-dir", "");
	assert_int_equal(r.outcome, CONFIG_EXIT_USAGE);
}

static void other_machines_bring_a_warning(void **state)
{
	result r = LOAD("--listen", "0.0.0.0:8737");
	assert_int_equal(r.outcome, CONFIG_RUN);
	assert_non_null(strstr(r.err, "warning: listening on 0.0.0.0"));
	r = LOAD("--listen", "[::1]:8737");
	assert_string_equal(r.err, "");
}

static void help_version_and_check_print(void **state)
{
	result r = LOAD("--help");
	assert_int_equal(r.outcome, CONFIG_EXIT_OK);
	assert_non_null(strstr(r.out, "--state-dir DIR"));
	r = LOAD("--version");
	assert_int_equal(r.outcome, CONFIG_EXIT_OK);
	assert_int_equal(strncmp(r.out, "tpldd ", 6), 0);
	r = LOAD("--check-config", "--listen", "[::1]:9");
	assert_int_equal(r.outcome, CONFIG_EXIT_OK);
	assert_non_null(strstr(r.out, "listen = [::1]:9\n"));
	/* What it prints is a configuration. */
	result again = load_file(r.out);
	assert_int_equal(again.outcome, CONFIG_RUN);
	assert_string_equal(again.config.host, "::1");
}

static void a_program_in_the_source_tree_uses_it(void **state)
{
	char path[600];
	daemon_config c;
	(void)snprintf(path, sizeof path, "%s/src/migrations", dir);
	assert_ok(file_mkdirs(path, err));
	(void)snprintf(path, sizeof path, "%s/src/build/bin/tpldd", dir);
	daemon_config_paths(path, &c);
	assert_string_equal(c.web_dir, TPLDD_WEB_DIR);
	assert_string_equal(c.migrations_dir, TPLDD_MIGRATIONS_DIR);
	(void)snprintf(path, sizeof path, "%s/src/meson.build", dir);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	(void)snprintf(path, sizeof path, "%s/src/build/bin/tpldd", dir);
	daemon_config_paths(path, &c);
	(void)snprintf(path, sizeof path, "%s/src/migrations", dir);
	assert_string_equal(c.migrations_dir, path);
	daemon_config_paths("/usr/sbin/tpldd", &c);
	assert_string_equal(c.web_dir, TPLDD_WEB_DIR);
	daemon_config_paths("", &c);
	assert_string_equal(c.web_dir, TPLDD_WEB_DIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_need_no_file),
		cmocka_unit_test(systemd_gives_the_state_directory),
		cmocka_unit_test(every_setting_is_read),
		cmocka_unit_test(mistakes_are_named_with_their_line),
		cmocka_unit_test(all_mistakes_are_told),
		cmocka_unit_test(long_lines_are_refused),
		cmocka_unit_test(a_missing_file_is_an_error),
		cmocka_unit_test(the_command_line_wins),
		cmocka_unit_test(the_command_line_is_checked),
		cmocka_unit_test(other_machines_bring_a_warning),
		cmocka_unit_test(help_version_and_check_print),
		cmocka_unit_test(a_program_in_the_source_tree_uses_it),
	};
	return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
