-- What can be said of a round's predictions and labels without learning from it. Rounds that were scored
-- before this was kept have no rows here. Shares, agreements and accuracies: -1 where nothing can be said.
CREATE TABLE round_audit (
	run                INTEGER NOT NULL,
	round              INTEGER NOT NULL,
	entropy            REAL    NOT NULL, -- mean of the prediction's entropy / ln K
	flip_agreement     REAL    NOT NULL, -- of the image's and the mirrored image's prediction
	agreement          REAL    NOT NULL, -- with the predictions of the round before
	label_agreement    REAL    NOT NULL, -- with its final labels
	truth_pixels       INTEGER NOT NULL,
	threshold_accuracy REAL    NOT NULL, -- of as many labels, by a lower threshold instead of voting
	PRIMARY KEY (run, round),
	FOREIGN KEY (run, round) REFERENCES round (run, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE round_class (
	run                INTEGER NOT NULL,
	round              INTEGER NOT NULL,
	class              INTEGER NOT NULL, -- train id
	share              REAL    NOT NULL, -- of the predicted pixels
	share_first        REAL    NOT NULL, -- in round 0
	share_previous     REAL    NOT NULL,
	entropy            REAL    NOT NULL, -- of the pixels predicted as the class; 0 when there is none
	agreement          REAL    NOT NULL, -- with the round before: pixels that both predict, of those that one does
	predicted          INTEGER NOT NULL, -- pixels, in the images whose labels are counted
	confident          INTEGER NOT NULL, -- labelled pixels
	confident_truth    INTEGER NOT NULL, -- of those, with a truth
	confident_right    INTEGER NOT NULL, -- of those, equal to it
	voted              INTEGER NOT NULL,
	voted_truth        INTEGER NOT NULL,
	voted_right        INTEGER NOT NULL,
	soft               INTEGER NOT NULL,
	soft_truth         INTEGER NOT NULL,
	soft_right         INTEGER NOT NULL,
	threshold_accuracy REAL    NOT NULL,
	PRIMARY KEY (run, round, class),
	FOREIGN KEY (run, round) REFERENCES round_audit (run, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE round_alarm (
	run      INTEGER NOT NULL,
	round    INTEGER NOT NULL,
	position INTEGER NOT NULL,
	kind     TEXT    NOT NULL,
	class    INTEGER NOT NULL, -- -1: the round as a whole
	text     TEXT    NOT NULL, -- for people
	value    REAL    NOT NULL,
	bound    REAL    NOT NULL, -- that the value is beyond
	PRIMARY KEY (run, round, position),
	FOREIGN KEY (run, round) REFERENCES round_audit (run, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
