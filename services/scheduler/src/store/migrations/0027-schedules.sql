-- Rows K1 to K3: schedules, which create a job at each due time.

CREATE TABLE offstage.schedules (
  namespace       text        NOT NULL,
  id              text        NOT NULL,
  uid             uuid        NOT NULL,                   -- of this one alone: ids of its jobs follow from it and the due time
  owner           text        NOT NULL,                   -- whom its jobs run for
  creator         text        NOT NULL,
  roles           text[]      NOT NULL,                   -- that its jobs are started in
  request_id      text,
  revision        bigint      NOT NULL DEFAULT 1,         -- grows with each change
  terms           jsonb       NOT NULL,                   -- job, times and policies: see ScheduleTerms
  predefined      boolean     NOT NULL DEFAULT false,     -- declared in code
  pause_reason    text,                                   -- null: it is not paused
  due_time        timestamptz,                            -- the next one; null: paused, or over
  wake_time       timestamptz,                            -- the same with its jitter
  last_due_time   timestamptz,                            -- the newest that was acted on
  last_job_id     uuid,
  open_jobs       uuid[]      NOT NULL DEFAULT '{}',      -- those that had not ended when they were looked at
  failures_in_row integer     NOT NULL DEFAULT 0,
  create_time     timestamptz NOT NULL DEFAULT now(),
  update_time     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, id)
);
CREATE INDEX schedules_wake ON offstage.schedules (wake_time) WHERE wake_time IS NOT NULL;
CREATE INDEX schedules_owner ON offstage.schedules (namespace, owner, id);
CREATE UNIQUE INDEX schedules_request ON offstage.schedules (namespace, owner, request_id) WHERE request_id IS NOT NULL;
