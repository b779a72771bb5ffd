-- concurrently
-- Row L10: jobs of whoever has the namespace exclusively.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_exclusive ON offstage.jobs (exclusive_lease) WHERE exclusive_lease IS NOT NULL AND state < 5;
