-- How many pixels of each class the labels of an image show; counted when a run wants to know, for all labelled
-- images of a data set in one transaction. Classes that an image does not show have no row.
CREATE TABLE dataset_census (
	dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
	idx     INTEGER NOT NULL, -- of the image
	class   INTEGER NOT NULL,
	pixels  INTEGER NOT NULL,
	PRIMARY KEY (dataset, idx, class)
) STRICT, WITHOUT ROWID;

-- A source model can be judged twice: as trained, and with its batch norms aligned to the target.
DROP INDEX evaluation_by_round;
CREATE INDEX evaluation_by_round ON evaluation (run, round, stage);

-- Entropy training is a second training before round 0.
DROP INDEX profile_by_round;
CREATE INDEX profile_by_round ON profile (run, round, stage);
