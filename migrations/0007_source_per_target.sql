-- A round now holds as many source images as target images at least (self_training.source_per_target). What exists goes on
-- as it was started: by its portion alone.
UPDATE run SET config = json_set(config, '$.self_training.source_per_target', 0);
UPDATE experiment_part SET config = json_set(config, '$.self_training.source_per_target', 0) WHERE config <> '';
