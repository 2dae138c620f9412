#include "run/feature_map.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/tsne.h"
#include "base/file.h"
#include "base/mem.h"
#include "run/round_state.h"
#include "run/stored_net.h"
#include "store/run_files.h"
#include "train/image_features.h"
#include "train/recipe.h"

enum { ITERATIONS = 1000, FILE_LIMIT = 4 << 20, CHECKPOINT_PAGE = 100 };
static const double PERPLEXITY = 30.0, PERPLEXITY_LEAST = 2.0;
/* The first word changes when what is computed does: older files are then made anew. */
static const char FILE_HEAD[] = "tpldd-features-2";

struct feature_maps {
	store *store;
	int dirfd;
	atomic_int stop;
	pthread_mutex_t lock;
	bool busy;
	feature_map_key with;
};

tp_status feature_maps_create(store *s, int state_dirfd, feature_maps **ret, tp_err *err)
{
	feature_maps *m = calloc(1, sizeof *m);
	if (m == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for feature maps");
	m->store = s;
	m->dirfd = state_dirfd;
	(void)pthread_mutex_init(&m->lock, NULL);
	*ret = m;
	return TP_OK;
}

void feature_maps_stop(feature_maps *m) { atomic_store(&m->stop, 1); }

void feature_maps_free(feature_maps *m)
{
	if (m == NULL)
		return;
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- which images ----------------------------------------------------------------------- */

typedef struct domain {
	dataset_image_row *row;
	size_t count; /* that could be taken */
	size_t taken;
} domain;

typedef struct map {
	feature_maps *owner;
	feature_map_key key;
	domain source, target;
	bool *easy;       /* [target.count] */
	float *x;         /* [points][dims] */
	size_t dims;
	double *y;        /* [points][2] */
	double perplexity, kl;
} map;

static size_t points_of(const map *m) { return m->source.taken + m->target.taken; }

/* Image i of those that are taken. */
static const dataset_image_row *taken(const domain *d, size_t i) { return &d->row[i * d->count / d->taken]; }

static const dataset_image_row *image_of(const map *m, size_t point)
{
	return point < m->source.taken ? taken(&m->source, point) : taken(&m->target, point - m->source.taken);
}

static const char *domain_of(const map *m, size_t point)
{
	return point < m->source.taken ? "source" : m->easy[image_of(m, point)->index] ? "easy" : "hard";
}

static void domain_done(domain *d)
{
	rows_done(d->row, d->count, sizeof *d->row, (void (*)(void *))dataset_image_row_done);
}

static tp_status take(store *s, int64_t dataset, bool labelled_only, size_t most, domain *ret, tp_err *err)
{
	domain d = {0};
	size_t kept = 0;
	tp_status st = store_dataset_images(s, dataset, &d.row, &d.count, err);
	if (st != TP_OK)
		return st;
	for (size_t i = 0; i < d.count; i++) {
		if (!labelled_only || d.row[i].label[0] != 0)
			d.row[kept++] = d.row[i];
		else
			dataset_image_row_done(&d.row[i]);
	}
	d.count = kept;
	d.taken = kept < most ? kept : most;
	*ret = d;
	return TP_OK;
}

static tp_status choose(map *m, const run_row *run, tp_err *err)
{
	store *s = m->owner->store;
	tp_status st = take(s, run->source, true, FEATURE_MAP_SOURCE, &m->source, err);
	if (st == TP_OK)
		st = take(s, run->target, false, FEATURE_MAP_TARGET, &m->target, err);
	if (st != TP_OK)
		return st;
	if (points_of(m) < TSNE_MIN)
		return tp_fail(err, TP_CONFLICT, 0, "%zu images are too few for a picture of features: %d are needed",
		               points_of(m), TSNE_MIN);
	m->easy = calloc(m->target.count + 1, sizeof *m->easy);
	if (m->easy == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the images of a round");
	return round_split_load(s, m->key.run, m->key.round, m->target.count, m->easy, err);
}

/* ---- computing -------------------------------------------------------------------------- */

static tp_status add_point(map *m, image_features *f, size_t point, tp_err *err)
{
	const dataset_image_row *row = image_of(m, point);
	image img;
	tp_err why = {0};
	if (atomic_load(&m->owner->stop) != 0)
		return tp_fail(err, TP_CANCELLED, 0, "the daemon is stopping");
	tp_status st = image_load(row->image, &img, err);
	if (st != TP_OK)
		return st;
	st = image_features_of(f, &img, m->x + point * m->dims, &why);
	image_done(&img);
	return st == TP_OK ? st : tp_fail(err, st, 0, "%s: %s", row->image, why.text);
}

static tp_status look(map *m, const stored_net *net, pool *pool, tp_err *err)
{
	image_features *f;
	image_features_spec spec = {.net = &net->net,
	                            .values = net->values,
	                            .norm = net->norm,
	                            .kernels = recipe_preset(0).kernels,
	                            .max_pixels = FEATURE_MAP_PIXELS,
	                            .pool = pool,
	                            .stop = &m->owner->stop};
	tp_status st = image_features_create(&spec, &f, err);
	if (st != TP_OK)
		return st;
	m->dims = image_features_count(f);
	st = mem_floats(points_of(m) * m->dims, &m->x, err);
	for (size_t i = 0; i < points_of(m) && st == TP_OK; i++)
		st = add_point(m, f, i, err);
	image_features_free(f);
	return st;
}

static tp_status lay_out(map *m, pool *pool, tp_err *err)
{
	double most = (double)(points_of(m) - 1) / 3.0; /* van der Maaten's rule for few points */
	m->perplexity = most > PERPLEXITY ? PERPLEXITY : most < PERPLEXITY_LEAST ? PERPLEXITY_LEAST : most;
	tsne_spec spec = {.x = m->x,
	                  .n = points_of(m),
	                  .dims = m->dims,
	                  .perplexity = m->perplexity,
	                  .iterations = ITERATIONS,
	                  .seed = 1,
	                  .pool = pool,
	                  .stop = &m->owner->stop};
	m->y = calloc(2 * points_of(m), sizeof *m->y);
	return m->y == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for the picture")
	                    : tsne_layout(&spec, m->y, &m->kl, err);
}

static tp_status check_file(const map *m, const checkpoint_row *c, tp_err *err)
{
	char sha[65];
	tp_status st = sha256_file(m->owner->dirfd, c->file, sha, err);
	if (st == TP_OK && strcmp(sha, c->sha256) != 0)
		st = tp_fail(err, TP_CORRUPT, 0, "%s: checksum differs", c->file);
	return st;
}

static tp_status compute(map *m, const run_row *run, const checkpoint_row *c, tp_err *err)
{
	stored_net net;
	pool *pool = NULL;
	tp_status st = choose(m, run, err);
	if (st == TP_OK)
		st = check_file(m, c, err);
	if (st == TP_OK)
		st = stored_net_load(m->owner->dirfd, c->file, NULL, &net, err);
	if (st != TP_OK)
		return st;
	st = pool_create(1, &pool, err); /* the cores belong to training */
	if (st == TP_OK)
		st = look(m, &net, pool, err);
	stored_net_done(&net);
	if (st == TP_OK)
		st = lay_out(m, pool, err);
	pool_free(pool);
	return st;
}

static json_t *shown(const domain *d)
{
	return json_pack("{s:I, s:I}", "shown", (json_int_t)d->taken, "of", (json_int_t)d->count);
}

static char *text_of(const map *m)
{
	json_t *points = json_array();
	for (size_t i = 0; i < points_of(m); i++) {
		const dataset_image_row *row = image_of(m, i);
		(void)json_array_append_new(
			points, json_pack("{s:s, s:I, s:s, s:f, s:f}", "domain", domain_of(m, i), "image",
		                          (json_int_t)row->index, "name", row->name, "x", m->y[2 * i], "y",
		                          m->y[2 * i + 1]));
	}
	json_t *o = json_pack("{s:I, s:s, s:f, s:f, s:o, s:o, s:o}", "round", (json_int_t)m->key.round,
	                      "network", m->key.before ? "before" : "after", "perplexity", m->perplexity, "kl",
	                      m->kl, "source", shown(&m->source), "target", shown(&m->target), "points",
	                      points);
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(o);
	return text;
}

static void map_done(map *m)
{
	domain_done(&m->source);
	domain_done(&m->target);
	free(m->easy);
	mem_free(m->x);
	free(m->y);
}

/* ---- the file --------------------------------------------------------------------------- */

/* "tpldd-features-2 CHECKPOINT BODY\n", both SHA-256, then the body. */
enum { HEAD_MAX = 200 };

static size_t head_of(const char *checkpoint, const char *body, size_t size, char ret[HEAD_MAX])
{
	char sha[65];
	sha256_hex(body, size, sha);
	return (size_t)snprintf(ret, HEAD_MAX, "%s %.64s %s\n", FILE_HEAD, checkpoint, sha);
}

static bool read_kept(const feature_maps *m, const feature_map_key *of, const char *checkpoint, char **ret,
                      size_t *ret_size)
{
	char file[RUN_FILE_MAX], head[HEAD_MAX];
	void *data;
	size_t size;
	run_features_file(of->run, of->round, of->before, file);
	if (file_read(m->dirfd, file, FILE_LIMIT, &data, &size, NULL) != TP_OK)
		return false;
	const char *end = memchr(data, '\n', size);
	size_t at = end == NULL ? size : (size_t)(end - (char *)data) + 1;
	bool good = at < size && head_of(checkpoint, (char *)data + at, size - at, head) == at &&
	            memcmp(head, data, at) == 0;
	if (good) {
		memmove(data, (char *)data + at, size - at);
		*ret = data;
		*ret_size = size - at;
	} else {
		free(data);
	}
	return good;
}

/* A map that cannot be kept is still given: it can be made again. */
static void keep(const feature_maps *m, const feature_map_key *of, const char *checkpoint, const char *body,
                 size_t size)
{
	char file[RUN_FILE_MAX], head[HEAD_MAX];
	run_features_file(of->run, of->round, of->before, file);
	file_part part[2] = {{head, head_of(checkpoint, body, size, head)}, {body, size}};
	(void)!file_replace(m->dirfd, file, part, 2, NULL);
}

/* ---- asking ----------------------------------------------------------------------------- */

static tp_status check_scored(store *s, int64_t run, int64_t round, tp_err *err)
{
	round_row *row;
	size_t n;
	bool scored = false;
	tp_status st = store_round_list(s, run, &row, &n, err);
	if (st != TP_OK)
		return st;
	for (size_t i = 0; i < n; i++)
		scored = scored || row[i].round == round;
	rows_done(row, n, sizeof *row, (void (*)(void *))round_row_done);
	return scored ? TP_OK
	              : tp_fail(err, TP_NOTFOUND, 0, "round %lld has not been scored", (long long)round);
}

/* The network that the round's training left, or began with. */
static tp_status find_checkpoint(store *s, const feature_map_key *of, checkpoint_row *ret, tp_err *err)
{
	int64_t after = 0, round = of->round - of->before; /* before round 0: ROUND_SOURCE */
	for (;;) {
		checkpoint_row *row;
		size_t n, found = SIZE_MAX;
		tp_status st = store_checkpoint_list(s, of->run, after, CHECKPOINT_PAGE, &row, &n, err);
		if (st != TP_OK)
			return st;
		for (size_t i = 0; i < n; i++)
			found = row[i].round == round ? i : found;
		if (found < n) {
			*ret = row[found];
			row[found] = (checkpoint_row){0};
		}
		after = n > 0 ? row[n - 1].id : after;
		rows_done(row, n, sizeof *row, (void (*)(void *))checkpoint_row_done);
		if (found < n)
			return TP_OK;
		if (n < CHECKPOINT_PAGE && round == ROUND_SOURCE)
			return tp_fail(err, TP_CONFLICT, 0, "the run has no checkpoint of its source model");
		if (n < CHECKPOINT_PAGE)
			return tp_fail(err, TP_CONFLICT, 0,
			               "round %lld has no checkpoint yet: its network is kept when its training "
			               "has ended",
			               (long long)round);
	}
}

static tp_status begin(feature_maps *m, const feature_map_key *of, tp_err *err)
{
	tp_status st = TP_OK;
	(void)pthread_mutex_lock(&m->lock);
	if (m->busy)
		st = tp_fail(err, TP_CONFLICT, 0,
		             "the features of run %lld, round %lld are being computed: one map at a time, ask "
		             "again later",
		             (long long)m->with.run, (long long)m->with.round);
	else
		m->busy = true, m->with = *of;
	(void)pthread_mutex_unlock(&m->lock);
	return st;
}

static void end(feature_maps *m)
{
	(void)pthread_mutex_lock(&m->lock);
	m->busy = false;
	(void)pthread_mutex_unlock(&m->lock);
}

static tp_status make(feature_maps *m, const run_row *run, const feature_map_key *of, const checkpoint_row *c,
                      char **ret, size_t *ret_size, tp_err *err)
{
	map made = {.owner = m, .key = *of};
	char *text = NULL;
	tp_status st = begin(m, of, err);
	if (st != TP_OK)
		return st;
	st = compute(&made, run, c, err);
	if (st == TP_OK && (text = text_of(&made)) == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for the answer");
	if (st == TP_OK) {
		*ret = text;
		*ret_size = strlen(text);
		keep(m, of, c->sha256, text, *ret_size);
	}
	map_done(&made);
	end(m);
	return st;
}

tp_status feature_maps_get(feature_maps *m, const feature_map_key *of, char **ret, size_t *ret_size,
                           tp_err *err)
{
	run_row row;
	checkpoint_row c;
	tp_status st = store_run_get(m->store, of->run, &row, err);
	if (st != TP_OK)
		return st;
	st = check_scored(m->store, of->run, of->round, err);
	if (st == TP_OK)
		st = find_checkpoint(m->store, of, &c, err);
	if (st == TP_OK) {
		if (!read_kept(m, of, c.sha256, ret, ret_size))
			st = make(m, &row, of, &c, ret, ret_size, err);
		checkpoint_row_done(&c);
	}
	run_row_done(&row);
	return st;
}
