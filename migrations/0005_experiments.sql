-- A run may start from another run's public checkpoint. An unfinished one keeps it from being deleted
-- (store/runs.c); a finished one only forgets where it came from.
ALTER TABLE run ADD COLUMN init_checkpoint INTEGER REFERENCES checkpoint (id) ON DELETE SET NULL;
CREATE INDEX run_by_init_checkpoint ON run (init_checkpoint);

-- A grid of variants and seeds, computed by ordinary runs.
CREATE TABLE experiment (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT    NOT NULL,
	definition TEXT    NOT NULL, -- JSON as it was given
	state      TEXT    NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
	error      TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX experiment_by_state ON experiment (state, id);

-- What an experiment consists of: source trainings that several cells share, then the cells.
CREATE TABLE experiment_part (
	experiment      INTEGER NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
	idx             INTEGER NOT NULL,
	variant         INTEGER NOT NULL, -- position in the definition; -1: a source training
	seed            INTEGER NOT NULL,
	origin          INTEGER NOT NULL, -- the part whose source model it starts from; -1: none
	config          TEXT    NOT NULL, -- JSON of its run; '': it is its origin's run
	source          INTEGER NOT NULL REFERENCES dataset (id),
	target          INTEGER NOT NULL REFERENCES dataset (id),
	eval            INTEGER REFERENCES dataset (id),
	init_checkpoint INTEGER REFERENCES checkpoint (id) ON DELETE SET NULL,
	steps           INTEGER NOT NULL, -- of training: its weight in the progress
	state           TEXT    NOT NULL CHECK (state IN ('waiting', 'completed', 'failed', 'cancelled')),
	error           TEXT    NOT NULL,
	PRIMARY KEY (experiment, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX experiment_part_waiting ON experiment_part (experiment) WHERE state = 'waiting';
CREATE INDEX experiment_part_by_source ON experiment_part (source);
CREATE INDEX experiment_part_by_target ON experiment_part (target);
CREATE INDEX experiment_part_by_eval ON experiment_part (eval);
CREATE INDEX experiment_part_by_init ON experiment_part (init_checkpoint);

-- The run says which part it computes, so that both are written at once and no part has two runs.
ALTER TABLE run ADD COLUMN experiment INTEGER REFERENCES experiment (id) ON DELETE SET NULL;
ALTER TABLE run ADD COLUMN part INTEGER NOT NULL DEFAULT -1;
CREATE UNIQUE INDEX run_by_part ON run (experiment, part) WHERE experiment IS NOT NULL;
