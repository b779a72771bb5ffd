-- Row J17: when a job is over whatever has become of it, and what its attempts said last for the next one.
ALTER TABLE offstage.jobs ADD COLUMN total_deadline timestamptz;
CREATE INDEX jobs_total ON offstage.jobs (total_deadline) WHERE state IN (1, 2) AND total_deadline IS NOT NULL;

-- A row of revision 0 has no progress, only the data.
ALTER TABLE offstage.job_progress
  ADD COLUMN heartbeat_data bytea,
  ADD COLUMN heartbeat_type text;

-- RetryJob starts a job anew that has failed or was canceled.
ALTER TABLE offstage.jobs
  ADD COLUMN renewed_attempt integer,                   -- its attempt then: before the next one its queue deadline counts again
  ADD COLUMN retry_request_ids text[];                  -- of its newest RetryJobs
CREATE INDEX jobs_renewed_deadline ON offstage.jobs (queue_deadline)
  WHERE state IN (1, 2) AND attempt = renewed_attempt AND queue_deadline IS NOT NULL;

ALTER TABLE offstage.job_attempts ADD COLUMN error_reason text;
