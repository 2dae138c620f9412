#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void show_body(const client_answer *a)
{
	if (a->body.size == 0)
		return;
	(void)fwrite(a->body.data, 1, a->body.size, stdout);
	if (a->body.data[a->body.size - 1] != '\n')
		(void)fputc('\n', stdout);
}

void show_json(const json_t *v)
{
	(void)json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	(void)fputc('\n', stdout);
}

ctl_exit show_answer(ctl *c, const client_answer *a, const column *columns, size_t count)
{
	if (c->format == FORMAT_JSON) {
		show_body(a);
		return CTL_OK;
	}
	json_t *o = client_answer_json(a);
	if (o == NULL)
		return ctl_fail(CTL_FAILED, "the answer is no JSON");
	record_print(c->format, o, columns, count);
	json_decref(o);
	return CTL_OK;
}

ctl_exit show_object(ctl *c, const char *path, const column *columns, size_t count)
{
	const client_call call = {.method = "GET", .path = path};
	client_answer a;
	ctl_exit rc = client_call_reported(c->client, &call, &a);
	if (rc == CTL_OK)
		rc = show_answer(c, &a, columns, count);
	client_answer_free(&a);
	return rc;
}

ctl_exit show_raw(ctl *c, const char *path, const char *accept)
{
	const client_call call = {.method = "GET", .path = path, .accept = accept};
	client_answer a;
	ctl_exit rc = client_call_reported(c->client, &call, &a);
	if (rc == CTL_OK)
		show_body(&a);
	client_answer_free(&a);
	return rc;
}

static json_t *items_of(json_t *page)
{
	return json_is_array(page) ? page : json_object_get(page, "items");
}

/* All further pages into the first one's items. */
static ctl_exit append_pages(ctl *c, const char *path, json_t *first)
{
	ctl_exit rc = CTL_OK;
	buffer next = {0};
	for (const char *cursor;
	     rc == CTL_OK && (cursor = text_at(first, "next_cursor", NULL)) != NULL;) {
		buffer_clear(&next);
		buffer_add_text(&next, path);
		buffer_add_query(&next, "limit", "500");
		buffer_add_query(&next, "cursor", cursor);
		json_t *page;
		rc = client_get(c->client, next.data, &page);
		if (rc != CTL_OK)
			break;
		(void)json_array_extend(items_of(first), items_of(page));
		const json_t *after = json_object_get(page, "next_cursor");
		(void)json_object_set(first, "next_cursor",
		                      after != NULL ? (json_t *)after : json_null());
		json_decref(page);
	}
	buffer_free(&next);
	return rc;
}

static void print_items(ctl *c, json_t *items, const column *columns, size_t count,
                        void (*prepare)(json_t *item))
{
	size_t i;
	json_t *o;
	if (prepare != NULL)
		json_array_foreach(items, i, o)
			prepare(o);
	records_print(c->format, items, columns, count);
}

static ctl_exit show_all(ctl *c, const char *path, const column *columns, size_t count,
                         void (*prepare)(json_t *item))
{
	buffer start = {0};
	buffer_add_text(&start, path);
	buffer_add_query(&start, "limit", "500");
	json_t *list;
	ctl_exit rc = client_get(c->client, start.data, &list);
	buffer_free(&start);
	if (rc != CTL_OK)
		return rc;
	rc = append_pages(c, path, list);
	if (rc == CTL_OK && c->format == FORMAT_JSON)
		show_json(list);
	else if (rc == CTL_OK)
		print_items(c, items_of(list), columns, count, prepare);
	json_decref(list);
	return rc;
}

static void note_rest(const json_t *page)
{
	const char *cursor = text_at(page, "next_cursor", NULL);
	const json_t *total = json_object_get(page, "total");
	if (cursor == NULL)
		return;
	if (total != NULL)
		ctl_note("%zu of %lld; more with --all or --cursor %s",
		         json_array_size(items_of((json_t *)page)),
		         (long long)json_integer_value(total), cursor);
	else
		ctl_note("more with --all or --cursor %s", cursor);
}

ctl_exit show_list(ctl *c, const ctl_args *a, const char *path, const column *columns, size_t count)
{
	return show_list_of(c, a, path, columns, count, NULL);
}

ctl_exit show_list_of(ctl *c, const ctl_args *a, const char *path, const column *columns,
                      size_t count, void (*prepare)(json_t *item))
{
	if (args_has(a, "all"))
		return show_all(c, path, columns, count, prepare);
	buffer full = {0};
	buffer_add_text(&full, path);
	buffer_add_query(&full, "limit", args_value(a, "limit"));
	buffer_add_query(&full, "cursor", args_value(a, "cursor"));
	const client_call call = {.method = "GET", .path = full.data};
	client_answer answer;
	ctl_exit rc = client_call_reported(c->client, &call, &answer);
	buffer_free(&full);
	json_t *list = NULL;
	if (rc == CTL_OK && c->format == FORMAT_JSON) {
		show_body(&answer);
	} else if (rc == CTL_OK) {
		list = client_answer_json(&answer);
		if (items_of(list) == NULL) {
			rc = ctl_fail(CTL_FAILED, "the answer is no list");
		} else {
			print_items(c, items_of(list), columns, count, prepare);
			note_rest(list);
		}
	}
	json_decref(list);
	client_answer_free(&answer);
	return rc;
}
