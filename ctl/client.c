#include "client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECT_SECONDS = 10,
	BODY_MAX = 64 << 20,  /* kept in memory */
	SHOW_BYTES = 4 << 20, /* transfers from here on show their progress */
	SHOW_MS = 200,
};

struct client {
	session *session;
	CURL *curl;
	unsigned idle_s;
};

/* One transfer, for curl's callbacks. */
typedef struct transfer {
	const client_call *call;
	client_answer *answer;
	CURL *curl;
	int64_t moved, idle_ms, moved_ms, shown_ms;
	bool timed_out, sink_failed, too_large, shown;
} transfer;

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

client *client_new(session *s, unsigned idle_s)
{
	client *c = grow(NULL, sizeof *c);
	*c = (client){.session = s, .idle_s = idle_s};
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		c->curl = curl_easy_init();
	if (c->curl == NULL) {
		ctl_error("libcurl cannot start");
		exit(CTL_FAILED);
	}
	return c;
}

void client_free(client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	free(c);
}

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	(void)one;
	transfer *t = arg;
	long status = 0;
	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->call->sink != NULL && status >= 200 && status < 300) {
		t->sink_failed = !t->call->sink(t->call->sink_arg, data, size);
		return t->sink_failed ? CURL_WRITEFUNC_ERROR : size;
	}
	if (t->answer->body.size + size > BODY_MAX) {
		t->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buffer_add(&t->answer->body, data, size);
	return size;
}

static size_t on_upload(char *to, size_t one, size_t room, void *arg)
{
	transfer *t = arg;
	size_t n = fread(to, one, room, t->call->upload);
	return ferror(t->call->upload) ? CURL_READFUNC_ABORT : n;
}

/* curl sends again after a connection that turned out to be dead. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	transfer *t = arg;
	return fseeko(t->call->upload, offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static void show(transfer *t, int64_t now, int64_t done, int64_t total)
{
	if (t->call->what == NULL || total < SHOW_BYTES || !isatty(STDERR_FILENO) ||
	    now - t->shown_ms < SHOW_MS)
		return;
	t->shown_ms = now;
	t->shown = true;
	(void)fprintf(stderr, "\r%s  %3.0f %%  %.1f of %.1f MiB\033[K", t->call->what,
	              100.0 * (double)done / (double)total, (double)done / 1048576.0,
	              (double)total / 1048576.0);
}

/* About once a second, more often while bytes move. Non-zero ends the transfer. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
	transfer *t = arg;
	int64_t now = now_ms();
	if (down + up != t->moved) {
		t->moved = down + up;
		t->moved_ms = now;
	}
	if (down > 0)
		show(t, now, down, down_total);
	else
		show(t, now, up, up_total);
	t->timed_out = now - t->moved_ms > t->idle_ms;
	return t->timed_out || ctl_interrupted;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	buffer b = {0};
	buffer_printf(&b, "%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(list, b.data);
	buffer_free(&b);
	return longer != NULL ? longer : list;
}

static struct curl_slist *headers_of(const client *c, const client_call *call)
{
	struct curl_slist *h = add_header(NULL, "Accept",
	                                  call->accept != NULL ? call->accept : "application/json");
	if (c->session->token[0] != 0) {
		buffer b = {0};
		buffer_printf(&b, "Bearer %s", c->session->token);
		h = add_header(h, "Authorization", b.data);
		buffer_free(&b);
	}
	if (call->body != NULL || call->upload != NULL)
		h = add_header(h, "Content-Type",
		               call->content_type != NULL ? call->content_type
		                                          : "application/json");
	if (call->last_event_id != NULL && call->last_event_id[0] != 0)
		h = add_header(h, "Last-Event-ID", call->last_event_id);
	return h;
}

static void set_up(const client *c, transfer *t, const char *url, struct curl_slist *headers,
                   char *error)
{
	CURL *e = c->curl;
	const client_call *call = t->call;
	curl_easy_reset(e);
	(void)curl_easy_setopt(e, CURLOPT_URL, url);
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	/* The token must not pass through a proxy that happens to be set for the web. */
	(void)curl_easy_setopt(e, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_USERAGENT, "tpldctl/" TPLDD_VERSION);
	(void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
	(void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(e, CURLOPT_XFERINFODATA, t);
	(void)curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	if (call->upload != NULL) {
		(void)curl_easy_setopt(e, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(e, CURLOPT_READFUNCTION, on_upload);
		(void)curl_easy_setopt(e, CURLOPT_READDATA, t);
		(void)curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_rewind);
		(void)curl_easy_setopt(e, CURLOPT_SEEKDATA, t);
		(void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		                       (curl_off_t)call->upload_size);
	} else if (strcmp(call->method, "POST") == 0) {
		(void)curl_easy_setopt(e, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body != NULL ? call->body : "");
		(void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_size);
	} else if (strcmp(call->method, "GET") != 0) {
		(void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
	}
}

static ctl_exit exit_of_status(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 429:
		return CTL_AUTH;
	case 404:
		return CTL_NOT_FOUND;
	case 409:
		return CTL_CONFLICT;
	case 408:
	case 504:
		return CTL_TIMEOUT;
	default:
		return status >= 200 && status < 300 ? CTL_OK : CTL_FAILED;
	}
}

static ctl_exit exit_of_transfer(const transfer *t, CURLcode rc)
{
	if (ctl_interrupted)
		return CTL_INTERRUPTED;
	if (t->sink_failed || t->too_large)
		return CTL_FAILED;
	if (t->timed_out || rc == CURLE_OPERATION_TIMEDOUT)
		return CTL_TIMEOUT;
	if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL)
		return CTL_USAGE;
	return rc == CURLE_ABORTED_BY_CALLBACK || rc == CURLE_READ_ERROR ? CTL_FAILED
	                                                                 : CTL_UNREACHABLE;
}

ctl_exit client_perform(client *c, const client_call *call, client_answer *ret)
{
	*ret = (client_answer){0};
	buffer url = {0};
	buffer_printf(&url, "%s%s", c->session->url, call->path);
	char error[CURL_ERROR_SIZE] = "";
	unsigned idle = call->idle_s != 0 ? call->idle_s : c->idle_s;
	transfer t = {.call = call,
	              .answer = ret,
	              .curl = c->curl,
	              .idle_ms = (int64_t)idle * 1000,
	              .moved_ms = now_ms()};
	struct curl_slist *headers = headers_of(c, call);
	set_up(c, &t, url.data, headers, error);
	CURLcode rc = curl_easy_perform(c->curl);
	long status = 0;
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	buffer_free(&url);
	if (t.shown)
		(void)fputs("\r\033[K", stderr);
	/* A refusal may come before an upload is complete; what was refused is what matters then.
	 */
	if (rc == CURLE_OK || (status >= 400 && !ctl_interrupted)) {
		ret->status = (int)status;
		ret->exit = exit_of_status(ret->status);
		return ret->exit;
	}
	ret->exit = exit_of_transfer(&t, rc);
	if (t.sink_failed) /* the sink has said why */
		return ret->exit;
	(void)snprintf(ret->error, sizeof ret->error, "%s",
	               t.timed_out     ? "no byte came in time (--timeout)"
	               : t.too_large   ? "the answer is larger than 64 MiB"
	               : error[0] != 0 ? error
	                               : curl_easy_strerror(rc));
	return ret->exit;
}

void client_answer_free(client_answer *a)
{
	buffer_free(&a->body);
}

json_t *client_answer_json(const client_answer *a)
{
	return json_loadb(a->body.data, a->body.size, 0, NULL);
}

/* Terminals obey control characters; names of files and data sets may hold any. */
static void print_clean(const char *text)
{
	for (const char *p = text; *p != 0; p++)
		(void)fputc((unsigned char)*p < ' ' || *p == 127 ? '?' : *p, stderr);
}

static void report_problem(const json_t *problem)
{
	const json_t *errors = json_object_get(problem, "errors"), *e, *a;
	size_t i;
	json_array_foreach((json_t *)errors, i, e) {
		const char *pointer = json_string_value(json_object_get(e, "pointer"));
		const char *detail = json_string_value(json_object_get(e, "detail"));
		(void)fputs("  ", stderr);
		print_clean(pointer != NULL && pointer[0] != 0 ? pointer : "(whole)");
		(void)fputs(": ", stderr);
		print_clean(detail != NULL ? detail : "");
		(void)fputc('\n', stderr);
	}
	const char *state = json_string_value(json_object_get(problem, "state"));
	if (state == NULL)
		return;
	(void)fputs("  state: ", stderr);
	print_clean(state);
	const json_t *allowed = json_object_get(problem, "allowed_actions");
	(void)fputs(json_array_size(allowed) > 0 ? "; allowed now:" : "; no action is allowed now",
	            stderr);
	json_array_foreach((json_t *)allowed, i, a) {
		(void)fputc(' ', stderr);
		print_clean(json_string_value(a) != NULL ? json_string_value(a) : "");
	}
	(void)fputc('\n', stderr);
}

void client_report(const client *c, const client_answer *a)
{
	if (a->exit == CTL_OK || a->exit == CTL_INTERRUPTED)
		return;
	if (a->status == 0) {
		if (a->exit == CTL_UNREACHABLE)
			ctl_error("cannot reach %s: %s", c->session->url, a->error);
		else if (a->error[0] != 0)
			ctl_error("%s: %s", c->session->url, a->error);
		return;
	}
	json_t *problem = client_answer_json(a);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	(void)fflush(stdout);
	(void)fputs("tpldctl: ", stderr);
	if (detail != NULL)
		print_clean(detail);
	else
		(void)fprintf(stderr, "%s answers with status %d", c->session->url, a->status);
	(void)fputc('\n', stderr);
	report_problem(problem);
	if (a->status == 401)
		ctl_note("  a token comes from --token-file, TPLD_TOKEN_FILE or --state-dir");
	json_decref(problem);
}

ctl_exit client_call_reported(client *c, const client_call *call, client_answer *ret)
{
	ctl_exit rc = client_perform(c, call, ret);
	client_report(c, ret);
	return rc;
}

ctl_exit client_get(client *c, const char *path, json_t **ret)
{
	const client_call call = {.method = "GET", .path = path};
	client_answer a;
	ctl_exit rc = client_call_reported(c, &call, &a);
	if (rc == CTL_OK) {
		*ret = client_answer_json(&a);
		if (*ret == NULL)
			rc = ctl_fail(CTL_FAILED, "%s%s: the answer is no JSON", c->session->url,
			              path);
	}
	client_answer_free(&a);
	return rc;
}
