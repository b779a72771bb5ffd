-- The pools that are paused, by name, `default` for that of jobs that name none: {"gpu": {"owner": "olga", "time": "2026-…"}};
-- null where none is. Schedulers of the release before know of none.
ALTER TABLE offstage.namespaces ADD COLUMN pool_pauses jsonb;
