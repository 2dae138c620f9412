-- The first schema. Times are Unix milliseconds and labels only: nothing is ordered by them.
-- Texts are '' rather than NULL when absent; columns named after JSON hold it as the API gives it.
-- Ids are never used twice (AUTOINCREMENT): links and cursors of clients stay right.

CREATE TABLE dataset (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT    NOT NULL UNIQUE,
	layout     TEXT    NOT NULL,
	root       TEXT    NOT NULL,
	split      TEXT    NOT NULL,
	include    TEXT    NOT NULL,
	classes    TEXT    NOT NULL, -- JSON [{"id","name","color"}]
	class_set  TEXT    NOT NULL,
	class_map  TEXT    NOT NULL, -- JSON object or ''
	images     INTEGER NOT NULL,
	labelled   INTEGER NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE dataset_image (
	dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
	idx     INTEGER NOT NULL, -- position in name order: the image's id in the API
	name    TEXT    NOT NULL,
	image   TEXT    NOT NULL,
	label   TEXT    NOT NULL,
	width   INTEGER NOT NULL,
	height  INTEGER NOT NULL,
	PRIMARY KEY (dataset, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE weights (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT    NOT NULL UNIQUE,
	arch       TEXT    NOT NULL,
	sha256     TEXT    NOT NULL,
	file       TEXT    NOT NULL, -- relative to the state directory
	spec       TEXT    NOT NULL, -- JSON {"output_stride","aspp_dilations","classes"}
	whole      INTEGER NOT NULL CHECK (whole IN (0, 1)),
	tensors    INTEGER NOT NULL,
	bytes      INTEGER NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE run (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	name         TEXT    NOT NULL,
	config       TEXT    NOT NULL, -- JSON, every key present
	source       INTEGER NOT NULL REFERENCES dataset (id),
	target       INTEGER NOT NULL REFERENCES dataset (id),
	eval         INTEGER REFERENCES dataset (id),
	init         INTEGER REFERENCES weights (id),
	state        TEXT    NOT NULL,
	error        TEXT    NOT NULL,
	stage        INTEGER NOT NULL, -- the last published position
	step         INTEGER NOT NULL, -- inside the stage
	created_ms   INTEGER NOT NULL,
	updated_ms   INTEGER NOT NULL,
	seconds      REAL    NOT NULL,
	miou_source  REAL    NOT NULL, -- -1: not evaluated yet
	miou_current REAL    NOT NULL,
	miou_best    REAL    NOT NULL
) STRICT;
CREATE INDEX run_by_state ON run (state, id);
-- A data set or weights file that a run names cannot go; these make that check quick.
CREATE INDEX run_by_source ON run (source);
CREATE INDEX run_by_target ON run (target);
CREATE INDEX run_by_eval ON run (eval);
CREATE INDEX run_by_init ON run (init);

CREATE TABLE run_history (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	run        INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	time_ms    INTEGER NOT NULL,
	state_from TEXT    NOT NULL,
	state_to   TEXT    NOT NULL,
	reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX run_history_by_run ON run_history (run, id);

CREATE TABLE metric (
	run   INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	key   TEXT    NOT NULL,
	step  INTEGER NOT NULL, -- global step of the run
	value REAL    NOT NULL,
	PRIMARY KEY (run, key, step)
) STRICT, WITHOUT ROWID;

-- Two kinds: resume = 1 is training state to continue from, 0 the public weights of a finished phase.
CREATE TABLE checkpoint (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	run        INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	resume     INTEGER NOT NULL CHECK (resume IN (0, 1)),
	round      INTEGER NOT NULL, -- -1: the source model
	stage      INTEGER NOT NULL,
	stage_step INTEGER NOT NULL, -- step inside the stage
	step       INTEGER NOT NULL, -- global step
	phase      TEXT    NOT NULL,
	file       TEXT    NOT NULL, -- relative to the state directory
	sha256     TEXT    NOT NULL,
	bytes      INTEGER NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoint_by_run ON checkpoint (run, resume, id);
CREATE UNIQUE INDEX checkpoint_public ON checkpoint (run, stage) WHERE resume = 0;

-- One row for each finished scoring of the target images.
CREATE TABLE round (
	run             INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	round           INTEGER NOT NULL,
	stage           INTEGER NOT NULL,
	phase           TEXT    NOT NULL, -- the training that follows
	portion         REAL    NOT NULL,
	thresholds      TEXT    NOT NULL, -- JSON [lambda]
	confident       REAL    NOT NULL, -- shares of the target's pixels, sum 1
	voted           REAL    NOT NULL,
	soft            REAL    NOT NULL,
	ignored         REAL    NOT NULL,
	easy            INTEGER NOT NULL,
	hard            INTEGER NOT NULL,
	pseudo_accuracy REAL    NOT NULL, -- -1: no labels to judge with
	class_stats     TEXT    NOT NULL, -- JSON
	PRIMARY KEY (run, round)
) STRICT, WITHOUT ROWID;

CREATE TABLE image_score (
	run              INTEGER NOT NULL,
	round            INTEGER NOT NULL,
	idx              INTEGER NOT NULL, -- dataset_image.idx of the run's target
	confidence       REAL    NOT NULL,
	entropy          REAL    NOT NULL,
	easy             INTEGER NOT NULL CHECK (easy IN (0, 1)),
	rank             INTEGER NOT NULL,
	confident        REAL    NOT NULL,
	voted            REAL    NOT NULL,
	soft             REAL    NOT NULL,
	ignored          REAL    NOT NULL,
	class_confidence TEXT    NOT NULL, -- JSON [number, or null where the class is not predicted]
	PRIMARY KEY (run, round, idx),
	FOREIGN KEY (run, round) REFERENCES round (run, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
-- The primary key is part of each index entry: ties in confidence come in the order of idx.
CREATE INDEX image_by_confidence ON image_score (run, round, confidence);
CREATE INDEX image_by_split ON image_score (run, round, easy, confidence);
CREATE INDEX image_history ON image_score (run, idx, round);

CREATE TABLE evaluation (
	run       INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	stage     INTEGER NOT NULL,
	round     INTEGER NOT NULL, -- -1: the source model
	step      INTEGER NOT NULL, -- global step
	phase     TEXT    NOT NULL, -- the training it judges
	miou      REAL    NOT NULL, -- -1: no labelled class
	iou       TEXT    NOT NULL, -- JSON [number or null]
	confusion TEXT    NOT NULL, -- JSON [[count]], rows are the truth
	PRIMARY KEY (run, stage)
) STRICT;
CREATE UNIQUE INDEX evaluation_by_round ON evaluation (run, round);

CREATE TABLE event (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	run     INTEGER REFERENCES run (id) ON DELETE CASCADE, -- NULL: the server
	time_ms INTEGER NOT NULL,
	type    TEXT    NOT NULL,
	data    TEXT    NOT NULL -- JSON
) STRICT;
CREATE INDEX event_by_run ON event (run, id);

-- What store_ping writes to prove that the database takes writes.
CREATE TABLE ping (
	only    INTEGER PRIMARY KEY CHECK (only = 1),
	time_ms INTEGER NOT NULL
) STRICT;
INSERT INTO ping (only, time_ms) VALUES (1, 0);
