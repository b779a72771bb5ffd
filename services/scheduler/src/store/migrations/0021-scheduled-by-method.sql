-- concurrently
-- Row J20: what waits for its time, for a key or for its next attempt counts against the length of the queue of its method.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_scheduled ON offstage.jobs (namespace, method, limit_key) WHERE state = 1;
