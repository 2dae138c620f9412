#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_STATE_DIR "/var/lib/tpldd"
#define DEFAULT_URL "http://127.0.0.1:8737"

/* The first line without blanks at its end. False with errno: not readable; EINVAL: empty, too long
 * or with control characters (which would end up in a header). */
static bool read_line(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	errno = 0;
	bool good = fgets(to, (int)size, f) != NULL;
	if (!good && errno == 0)
		errno = EINVAL;
	int why = errno;
	(void)fclose(f);
	errno = why;
	if (!good)
		return false;
	size_t n = strlen(to);
	while (n > 0 && strchr(" \t\r\n", to[n - 1]) != NULL)
		to[--n] = 0;
	for (size_t i = 0; i < n; i++)
		good = good && (unsigned char)to[i] > ' ' && (unsigned char)to[i] < 127;
	if (n == 0 || n + 2 >= size || !good) {
		errno = EINVAL;
		return false;
	}
	return true;
}

static bool read_state_line(const session *s, const char *name, char *to, size_t size)
{
	char path[1024];
	const char *dir = s->state_dir != NULL ? s->state_dir : DEFAULT_STATE_DIR;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
		errno = ENAMETOOLONG;
		return false;
	}
	return read_line(path, to, size);
}

static bool set_url(session *s, const char *text)
{
	bool bare = strstr(text, "://") == NULL;
	if (!bare && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return false;
	for (const char *p = text; *p != 0; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || *p == '?' || *p == '#')
			return false;
	char url[sizeof s->url];
	int n = snprintf(url, sizeof url, "%s%s", bare ? "http://" : "", text);
	if (n < 0 || (size_t)n >= sizeof url)
		return false;
	while (n > 0 && url[n - 1] == '/')
		url[--n] = 0;
	memcpy(s->url, url, sizeof url);
	return true;
}

static bool is_loopback(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	return (n == 9 && strncmp(host, "localhost", n) == 0) ||
	       (n == 5 && strncmp(host, "[::1]", n) == 0) ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n);
}

/* The daemon's own token goes to that daemon or to this machine only, not to any server named. */
static void use_state_token(session *s)
{
	if (s->token_file == NULL &&
	    (s->state_dir != NULL || s->server == NULL || is_loopback(s->url)))
		(void)read_state_line(s, "token", s->token, sizeof s->token);
}

ctl_exit session_open(session *s)
{
	if (s->server == NULL && s->state_dir == NULL)
		s->server = getenv("TPLD_SERVER");
	if (s->token_file == NULL && s->state_dir == NULL)
		s->token_file = getenv("TPLD_TOKEN_FILE");
	char line[sizeof s->url] = DEFAULT_URL;
	if (s->server == NULL && !read_state_line(s, "endpoint", line, sizeof line)) {
		if (s->state_dir != NULL)
			return ctl_fail(CTL_UNREACHABLE,
			                "no daemon serves %s: cannot read its endpoint file (%s)",
			                s->state_dir, strerror(errno));
		(void)snprintf(line, sizeof line, "%s", DEFAULT_URL);
	}
	const char *url = s->server != NULL ? s->server : line;
	if (!set_url(s, url))
		return ctl_fail(CTL_USAGE, "'%s' is no server: http://HOST:PORT is needed", url);
	if (s->token_file != NULL && !read_line(s->token_file, s->token, sizeof s->token))
		return ctl_fail(CTL_USAGE, "cannot read a token from %s: %s", s->token_file,
		                errno == EINVAL ? "its first line is no token" : strerror(errno));
	use_state_token(s);
	return CTL_OK;
}

void session_refresh(session *s)
{
	char line[sizeof s->url];
	if (s->server == NULL && read_state_line(s, "endpoint", line, sizeof line))
		(void)set_url(s, line);
	use_state_token(s);
}
