-- Where the time of a training step went: one row for each training stage, of its longest measurement.
-- Wall-clock times: they differ between two runs that are otherwise the same.
CREATE TABLE profile (
	run          INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	stage        INTEGER NOT NULL,
	round        INTEGER NOT NULL, -- -1: the source model
	phase        TEXT    NOT NULL,
	steps        INTEGER NOT NULL, -- measured
	crop_h       INTEGER NOT NULL,
	crop_w       INTEGER NOT NULL,
	threads      INTEGER NOT NULL,
	kernels      TEXT    NOT NULL,
	sgemm_gflops REAL    NOT NULL, -- 0: not known
	seconds      REAL    NOT NULL, -- of a step
	layers       TEXT    NOT NULL, -- JSON
	outside      TEXT    NOT NULL, -- JSON
	PRIMARY KEY (run, stage)
) STRICT;
CREATE UNIQUE INDEX profile_by_round ON profile (run, round);
