-- Row J12: finished jobs are removed by retention, and by hand. What is pinned is kept.
-- breaks nothing: what goes is a constraint that only removals needed, and releases before remove no job.
ALTER TABLE offstage.jobs ADD COLUMN pin_time timestamptz;

-- What sweeps of retention and previews go by. A job enters it once, when it ends.
CREATE INDEX jobs_finished ON offstage.jobs (namespace, kind, state, finish_time) WHERE state >= 5 AND pin_time IS NULL;

-- Values in temp storage that were the own of jobs which are removed: storage takes them from here, and says when they are gone.
CREATE TABLE offstage.discarded_values (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace    text        NOT NULL,
  owner        text        NOT NULL,
  address      text        NOT NULL,
  discard_time timestamptz NOT NULL DEFAULT now()
);
-- Which values are the own of a job that is kept. Most jobs have none.
CREATE INDEX jobs_params_address ON offstage.jobs (params_address) WHERE params_address IS NOT NULL;
CREATE INDEX jobs_result_address ON offstage.jobs (result_address) WHERE result_address IS NOT NULL;
CREATE INDEX jobs_additional_address ON offstage.jobs ((additional_result->>'address')) WHERE additional_result->>'address' IS NOT NULL;

-- When sweeps began that one replica does for all.
CREATE TABLE offstage.shared_sweeps (
  name         text        PRIMARY KEY,
  begin_time   timestamptz NOT NULL DEFAULT now()
);

-- Removals look these up themselves, for many jobs at once: what a constraint asks for each job takes three times as long.
-- Whatever is recorded of a job holds its row against being removed meanwhile (store/progress.ts).
ALTER TABLE offstage.job_attempts DROP CONSTRAINT job_attempts_job_id_fkey;
ALTER TABLE offstage.job_progress DROP CONSTRAINT job_progress_job_id_fkey;
ALTER TABLE offstage.job_messages DROP CONSTRAINT job_messages_job_id_fkey;

-- Their rows go with those of jobs, many at a time: the room is to be used again soon.
ALTER TABLE offstage.job_attempts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE offstage.job_progress SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE offstage.job_messages SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
