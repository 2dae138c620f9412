/* csv: an answer as comma-separated values (RFC 4180), made line by line. */
#ifndef TPLDD_HTTP_CSV_H
#define TPLDD_HTTP_CSV_H

#include <stdio.h>

#include "http/request.h"

typedef struct csv {
	FILE *f;
	char *text;
	size_t size;
	bool begun; /* the line has a field already */
} csv;

/* False: answered (out of memory). */
bool csv_open(request *r, csv *c);
/* The next field; text gets quotes when it needs them. NaN, NULL and a false `has` are empty. */
void csv_text(csv *c, const char *s);
void csv_share(csv *c, double v); /* six digits after the point */
void csv_int(csv *c, bool has, int64_t v);
void csv_end_line(csv *c);
/* Answers with what was written. */
void csv_respond(request *r, csv *c);

#endif
