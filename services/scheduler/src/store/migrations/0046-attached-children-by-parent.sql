-- concurrently
-- Row A5: the attached children of a parent that keep it from succeeding: those that have not ended, and those that did not succeed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_attached ON offstage.jobs (attached_to, state) WHERE attached_to IS NOT NULL AND state <> 5;
