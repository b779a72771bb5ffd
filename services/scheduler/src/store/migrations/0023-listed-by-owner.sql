-- concurrently
-- A listing by parent or key reads nothing of jobs of others (guarantee 8).
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_children ON offstage.jobs (parent_id, namespace, owner, id) WHERE parent_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_owned_key ON offstage.jobs (namespace, key, owner, id) WHERE key IS NOT NULL;
