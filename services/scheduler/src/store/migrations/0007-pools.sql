-- Jobs are run by executors that serve their pool. A job of a pool is in a queue of its own: `lane` has 8 added for it, so
-- that no claim for other pools comes past it, nor one of a release that knows of no pools.
ALTER TABLE offstage.jobs ADD COLUMN pool text;                     -- null: the default pool
CREATE INDEX jobs_pooled ON offstage.jobs (namespace, method, lane, pool, priority DESC, create_time, id)
  WHERE state = 2 AND pool IS NOT NULL;

ALTER TABLE offstage.executors ADD COLUMN pools text[] NOT NULL DEFAULT '{default}';
