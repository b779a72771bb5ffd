-- Jobs that the schedulers carry out themselves, part by part: what is done to all jobs that a filter selects. A row for each that is
-- under way; the job itself, its progress and its result are where those of all jobs are.

CREATE TABLE offstage.bulk_jobs (
  job_id       uuid        PRIMARY KEY,
  verb         text        NOT NULL,                      -- cancel, retry or delete
  filter       text        NOT NULL,                      -- as docs/guides/filters.md tells
  owner_only   text,                                      -- jobs of this owner alone; null: of any
  roles        text[]      NOT NULL,                      -- of the owner of the job, when they asked for it, by
  peer         text        NOT NULL,                      --   this address
  call         text        NOT NULL,                      --   and RPC: as acts are recorded
  reason       text        NOT NULL,                      -- of a cancel
  grace_ms     float8      NOT NULL,
  total        bigint,                                    -- as counted at its beginning; null: not known
  parts        bigint      NOT NULL DEFAULT 0,            -- fences: grows with each part
  part_time    timestamptz NOT NULL DEFAULT now(),        -- whoever has waited longest is next
  before_id    uuid,                                      -- goes on below this id; null: from the newest job on
  matched      bigint      NOT NULL DEFAULT 0,
  done         bigint      NOT NULL DEFAULT 0,
  skipped      jsonb       NOT NULL DEFAULT '{}'          -- how many were left as they were, by the reason
);
