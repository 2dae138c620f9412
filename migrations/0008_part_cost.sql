-- A part's weight in the progress of its experiment is all it computes, not its training steps alone: now in
-- pixels through one forward pass. Parts of older experiments keep their steps; weights are compared within one.
ALTER TABLE experiment_part RENAME COLUMN steps TO cost;
