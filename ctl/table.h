/* table: rows of text, printed as aligned columns or as CSV. Cells count in characters, not bytes.
 */
#ifndef TPLDCTL_TABLE_H
#define TPLDCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct table table;

table *table_new(size_t columns);
void table_free(table *t);
/* The cells of the first row, when it holds headings; numbers stand at the right edge of their
 * column. */
void table_head(table *t, const char *text, bool right);
/* The next cell, row by row. Control characters become '?' in aligned output. */
void table_cell(table *t, const char *text);
/* Two blanks between columns, none at the end of a line. */
void table_print(const table *t);
/* RFC 4180 with plain line ends. */
void table_print_csv(const table *t);

#endif
