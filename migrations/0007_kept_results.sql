-- What a part's run had measured when it was deleted: an experiment keeps its numbers, its runs may go.
ALTER TABLE experiment_part ADD COLUMN seconds REAL;
ALTER TABLE experiment_part ADD COLUMN miou_source REAL;
ALTER TABLE experiment_part ADD COLUMN miou_current REAL;
ALTER TABLE experiment_part ADD COLUMN miou_best REAL;
ALTER TABLE experiment_part ADD COLUMN iou TEXT; -- of each class, JSON
