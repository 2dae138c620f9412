/* migrate: opening old, new, foreign, edited and broken databases. */
#include "store_fixture.h"

typedef struct folders {
	char dir[256], state[300], migrations[300];
} folders;

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[600];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* A fresh state folder and a migrations folder that holds the real first migration. */
static int folders_create(void **state)
{
	folders *f = calloc(1, sizeof *f);
	assert_non_null(f);
	scratch_create(f->dir);
	(void)snprintf(f->state, sizeof f->state, "%s/state", f->dir);
	(void)snprintf(f->migrations, sizeof f->migrations, "%s/migrations", f->dir);
	assert_ok(file_mkdirs(f->state, err));
	assert_ok(file_mkdirs(f->migrations, err));
	void *sql;
	size_t size;
	assert_ok(file_read(AT_FDCWD, MIGRATIONS_DIR "/0001_init.sql", 1 << 20, &sql, &size, err));
	write_file(f->migrations, "0001_init.sql", sql);
	free(sql);
	*state = f;
	return 0;
}

static int folders_remove(void **state)
{
	folders *f = *state;
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static void open_close(folders *f)
{
	store *s = NULL;
	assert_ok(store_open(f->state, f->migrations, &s, err));
	store_close(s);
}

static void refuse(folders *f, tp_status code, const char *part)
{
	store *s = NULL;
	tp_err e = {0};
	tp_status st = store_open(f->state, f->migrations, &s, &e);
	if (st != code || strstr(e.text, part) == NULL)
		fail_msg("status %d: %s", (int)st, e.text);
	assert_null(s);
}

static int64_t pragma(folders *f, const char *sql)
{
	store *s = NULL;
	assert_ok(store_open(f->state, f->migrations, &s, err));
	int64_t v = number(s, sql);
	store_close(s);
	return v;
}

static void sql(folders *f, const char *text)
{
	char path[400];
	sqlite3 *handle;
	(void)snprintf(path, sizeof path, "%s/tpldd.db", f->state);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void a_later_migration_is_applied_once(void **state)
{
	folders *f = *state;
	open_close(f);
	write_file(f->migrations, "0002_extra.sql",
	           "CREATE TABLE extra (id INTEGER) STRICT;"
	           "INSERT INTO extra VALUES (7);");
	assert_int_equal(pragma(f, "PRAGMA user_version"), 2);
	assert_int_equal(pragma(f, "SELECT count(*) FROM extra"), 1);
	assert_int_equal(pragma(f, "SELECT count(*) FROM migration WHERE length(sha256) = 64"), 2);
}

static void a_broken_migration_changes_nothing(void **state)
{
	folders *f = *state;
	open_close(f);
	write_file(f->migrations, "0002_bad.sql",
	           "CREATE TABLE half (id INTEGER) STRICT; CREATE TABEL x;");
	refuse(f, TP_IO, "cannot apply migration 0002_bad.sql: near \"TABEL\"");
	write_file(f->migrations, "0002_bad.sql", "CREATE TABLE whole (id INTEGER) STRICT;");
	assert_int_equal(pragma(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
	assert_int_equal(pragma(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'whole'"), 1);
}

static void a_newer_database_is_refused(void **state)
{
	folders *f = *state;
	open_close(f);
	sql(f, "PRAGMA user_version = 9");
	refuse(f, TP_CONFLICT,
	       "the database has version 9, newer than this program, which knows"
	       " versions up to 1");
}

static void an_edited_migration_is_refused(void **state)
{
	folders *f = *state;
	open_close(f);
	write_file(f->migrations, "0001_init.sql", "CREATE TABLE other (id INTEGER) STRICT;");
	refuse(f, TP_CONFLICT, "migration 0001_init.sql was changed after it had been applied");
}

static void a_forgotten_migration_is_refused(void **state)
{
	folders *f = *state;
	open_close(f);
	sql(f, "DELETE FROM migration");
	refuse(f, TP_CORRUPT, "does not remember migration 0001_init.sql");
}

static void gaps_are_refused(void **state)
{
	folders *f = *state;
	write_file(f->migrations, "0003_late.sql", "SELECT 1;");
	refuse(f, TP_INVALID, "migration 0002 is missing or doubled: found 0003_late.sql");
	write_file(f->migrations, "0002_a.sql", "SELECT 1;");
	write_file(f->migrations, "0002_b.sql", "SELECT 1;");
	refuse(f, TP_INVALID, "migration 0003 is missing or doubled: found 0002_b.sql");
}

static void other_files_are_passed_over(void **state)
{
	folders *f = *state;
	write_file(f->migrations, "README", "nothing");
	write_file(f->migrations, "0002_notes.txt", "nothing");
	write_file(f->migrations, "12345_x.sql", "nothing");
	open_close(f);
	assert_int_equal(pragma(f, "PRAGMA user_version"), 1);
}

static void no_migrations_is_an_error(void **state)
{
	folders *f = *state;
	(void)snprintf(f->migrations, sizeof f->migrations, "%s", f->state);
	refuse(f, TP_NOTFOUND, "holds 0 migrations");
	(void)snprintf(f->migrations, sizeof f->migrations, "/nonexistent");
	refuse(f, TP_IO, "cannot open the migrations in /nonexistent");
}

static void a_foreign_database_is_refused(void **state)
{
	folders *f = *state;
	sql(f, "CREATE TABLE bookmarks (id INTEGER)");
	refuse(f, TP_CONFLICT, "belongs to another program");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	folders *f = *state;
	char text[5000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	write_file(f->state, "tpldd.db", text);
	refuse(f, TP_CORRUPT, "file is not a database");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folders_create, folders_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_later_migration_is_applied_once),
		TEST(a_broken_migration_changes_nothing),
		TEST(a_newer_database_is_refused),
		TEST(an_edited_migration_is_refused),
		TEST(a_forgotten_migration_is_refused),
		TEST(gaps_are_refused),
		TEST(other_files_are_passed_over),
		TEST(no_migrations_is_an_error),
		TEST(a_foreign_database_is_refused),
		TEST(a_file_that_is_no_database_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
