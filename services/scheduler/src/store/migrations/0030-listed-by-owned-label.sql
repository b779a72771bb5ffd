-- concurrently
-- A listing of one's own jobs by label reads nothing of the jobs that others have with it (guarantee 8). As store/job-filter.ts asks.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_owned_labels ON offstage.jobs
  USING gin (jsonb_set(jsonb_object(ARRAY[namespace || '/' || owner, '']), ARRAY[namespace || '/' || owner], labels) jsonb_path_ops) WHERE labels IS NOT NULL;
