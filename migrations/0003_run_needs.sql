-- What the run was predicted to need when it was submitted; 0: submitted before this was kept.
ALTER TABLE run ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;
