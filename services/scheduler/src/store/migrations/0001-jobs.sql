-- The truth about jobs. States are the numbers of offstage.jobs.v1.JobState:
-- 1 scheduled, 2 queued, 3 running, 4 waiting, 5 succeeded, 6 failed, 7 canceled.

CREATE TABLE offstage.jobs (
  id                  uuid        PRIMARY KEY,
  namespace           text        NOT NULL,
  method              text        NOT NULL,
  state               smallint    NOT NULL,
  lane                smallint    NOT NULL,             -- 0: the lane of the method's definition, known when it is claimed
  kind                smallint    NOT NULL,
  priority            smallint    NOT NULL,
  attempt             integer     NOT NULL,             -- fences: grows with each assignment
  failures            integer     NOT NULL DEFAULT 0,   -- attempts charged to the handler
  crash_count         integer     NOT NULL DEFAULT 0,   -- executor sessions lost while they ran it
  crashed_sessions    uuid[],                           -- those; one that comes back was not lost, and is taken off
  revision            integer     NOT NULL DEFAULT 1,
  owner               text        NOT NULL,
  attachment_id       uuid,                             -- the executor attachment that holds it, while running or waiting
  params              bytea,
  params_address      text,
  params_type         text,
  params_sha256       bytea,                            -- of those at an address, where the caller told it
  key                 text,
  behind_key          boolean     NOT NULL DEFAULT false, -- waits for the holder of its key to end
  request_id          text,                             -- where it is not the id
  id_is_request_id    boolean     NOT NULL DEFAULT false, -- ADR 0010
  parent_id           uuid,
  root_id             uuid,                             -- the first ancestor; null: the job itself
  labels              jsonb,
  options             jsonb,                            -- what only the executor and readers need: see StartOptions
  traceparent         text,
  create_time         timestamptz NOT NULL DEFAULT now(),
  due_time            timestamptz,
  queue_deadline      timestamptz,                      -- of the first assignment; what was assigned once has kept it
  start_time          timestamptz,
  finish_time         timestamptz,
  cancel_time         timestamptz,                      -- a cancel was asked for
  cancel_deadline     timestamptz,                      -- past it the job is ended without the executor
  cancel_cascade      boolean     NOT NULL DEFAULT false, -- the cancel goes for all its children, those still to come included
  cancel_reason       text,
  cancel_outcome      smallint    NOT NULL DEFAULT 0,
  result              bytea,
  result_address      text,
  result_type         text,
  result_sha256       bytea,                            -- of the value at result_address
  additional_result   jsonb,
  error               jsonb
) WITH (
  -- Rows are rewritten soon after they were written: vacuum early and without pauses, so that hot indexes stay short.
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.1,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0
);

-- Hot indexes are partial: finished jobs are in none of them.
CREATE INDEX jobs_queued     ON offstage.jobs (namespace, method, lane, priority DESC, create_time, id) WHERE state = 2;
CREATE INDEX jobs_due        ON offstage.jobs (due_time) WHERE state = 1 AND NOT behind_key;
CREATE INDEX jobs_deadline   ON offstage.jobs (queue_deadline) WHERE state IN (1, 2) AND attempt = 0 AND queue_deadline IS NOT NULL;
CREATE INDEX jobs_held       ON offstage.jobs (attachment_id) WHERE state IN (3, 4);
CREATE INDEX jobs_crashed    ON offstage.jobs USING gin (crashed_sessions) WHERE crashed_sessions IS NOT NULL AND state < 5;
CREATE INDEX jobs_cancel     ON offstage.jobs (cancel_deadline) WHERE state IN (3, 4) AND cancel_time IS NOT NULL;
CREATE INDEX jobs_parent     ON offstage.jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_behind_key ON offstage.jobs (namespace, method, key, create_time, id) WHERE state = 1 AND behind_key;
-- Guarantee 3: one unfinished job for each key.
CREATE UNIQUE INDEX jobs_key ON offstage.jobs (namespace, method, key) WHERE key IS NOT NULL AND state < 5 AND NOT behind_key;
-- Row J19: a request id that is not itself the job's id.
CREATE UNIQUE INDEX jobs_request_id ON offstage.jobs (namespace, request_id) WHERE request_id IS NOT NULL;

-- For listings (list-jobs.ts); they cost a plain job nothing.
CREATE INDEX jobs_listed_key     ON offstage.jobs (namespace, key, id) WHERE key IS NOT NULL;
CREATE INDEX jobs_listed_labels  ON offstage.jobs USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;
CREATE INDEX jobs_listed_created ON offstage.jobs USING brin (create_time);

-- Leases are counted in rounds (ADR 0009). A replica begins the next one when the present one has lasted its time by the
-- replica's own steady clock; nothing happens to the count while the database stands still, or when its clock is set.
CREATE TABLE offstage.lease_rounds (
  only_row     boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  round        bigint      NOT NULL,
  begin_time   timestamptz NOT NULL DEFAULT now()     -- what a replica that has just started goes by
);
INSERT INTO offstage.lease_rounds (round) VALUES (1);

-- Leases are held by executor attachments, not by jobs. An attachment is one Attach stream of one executor session, so that a
-- statement on its way when a stream breaks can never hand a job to the stream that follows.
CREATE TABLE offstage.attachments (
  id           uuid        PRIMARY KEY,
  session_id   uuid        NOT NULL,
  namespace    text        NOT NULL,
  name         text        NOT NULL,
  scheduler    text        NOT NULL,
  attach_time  timestamptz NOT NULL DEFAULT now(),
  renew_round  bigint      NOT NULL,                  -- of its last renewal
  in_doubt     boolean     NOT NULL DEFAULT false,    -- found lapsed; unless renewed it is over in the next round
  end_round    bigint,                                -- it is over, for good: its jobs go back, nothing renews it
  lost         boolean     NOT NULL DEFAULT false     -- over because nobody renewed it, not because its session attached again
) WITH (fillfactor = 60);
CREATE INDEX attachments_session ON offstage.attachments (session_id);
CREATE INDEX attachments_ended   ON offstage.attachments (end_round) WHERE end_round IS NOT NULL;

-- What the executor of an attachment said it is. Apart, because leases are renewed all the time, and this never changes but for
-- the word that it takes no more work.
CREATE TABLE offstage.executors (
  attachment_id uuid       PRIMARY KEY REFERENCES offstage.attachments (id) ON DELETE CASCADE,
  software     text        NOT NULL,
  labels       jsonb       NOT NULL,
  lanes        smallint[]  NOT NULL,
  slots        integer[]   NOT NULL,                  -- of each of the lanes
  methods      text[]      NOT NULL,                  -- their names, in order
  draining     boolean     NOT NULL DEFAULT false
);

-- Who attachments were that are forgotten: jobs name them as who ran them to their success.
CREATE TABLE offstage.past_attachments (
  id           uuid        PRIMARY KEY,
  session_id   uuid        NOT NULL,
  name         text        NOT NULL,
  forget_time  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX past_attachments_oldest ON offstage.past_attachments (forget_time);

-- Every method an executor has ever announced: what a start is checked against.
CREATE TABLE offstage.methods (
  namespace    text        NOT NULL,
  name         text        NOT NULL,
  definition   jsonb       NOT NULL,
  announce_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, name)
);

-- Attempts that are over (row J23). The present one, and one that succeeded with a plain result, are told by the job's own row, which
-- names their attachment; every statement that takes the attachment from it writes a row here (job-attempts.ts).
CREATE TABLE offstage.job_attempts (
  job_id       uuid        NOT NULL REFERENCES offstage.jobs (id) ON DELETE CASCADE,
  attempt      integer     NOT NULL,
  session_id   uuid,
  executor_name text       NOT NULL,
  lane         smallint    NOT NULL,
  start_time   timestamptz,
  finish_time  timestamptz NOT NULL DEFAULT now(),
  outcome      smallint    NOT NULL,                  -- the state it left the job in; failed, where the job tries again
  error_brief  text        NOT NULL,
  PRIMARY KEY (job_id, attempt)
);

-- What holds for a namespace as a whole; one without a row has the defaults.
CREATE TABLE offstage.namespaces (
  name         text        PRIMARY KEY,
  pause_time   timestamptz,                           -- its queued jobs are held back since then
  pause_owner  text,
  revision     integer     NOT NULL DEFAULT 1
);

-- What holds for the jobs of a method; most have no row.
CREATE TABLE offstage.method_gates (
  namespace    text        NOT NULL,
  method       text        NOT NULL,
  pause_time   timestamptz,
  pause_owner  text,
  PRIMARY KEY (namespace, method)
);

-- Grows with each change of the gates above: by it a statement knows that a replica places jobs by gates that are no more.
-- What lets jobs begin locks the table against being changed, its row is locked by nobody (store/gates.ts).
CREATE TABLE offstage.gate_epoch (
  only_row     boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch        bigint      NOT NULL
);
INSERT INTO offstage.gate_epoch (epoch) VALUES (1);

CREATE TABLE offstage.job_progress (
  job_id       uuid        PRIMARY KEY REFERENCES offstage.jobs (id) ON DELETE CASCADE,
  revision     integer     NOT NULL,
  percent      float8      NOT NULL,
  text         text        NOT NULL,
  extra        jsonb,
  record_time  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE offstage.job_messages (
  job_id       uuid        NOT NULL REFERENCES offstage.jobs (id) ON DELETE CASCADE,
  sequence     integer     NOT NULL,
  attempt      integer     NOT NULL,
  number       integer     NOT NULL,
  severity     smallint    NOT NULL,
  text         text        NOT NULL,
  extra        jsonb,
  record_time  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (job_id, sequence),
  UNIQUE (job_id, attempt, number)
);
