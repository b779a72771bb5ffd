-- What explanations of why a job waits are told of executors (row J25).
ALTER TABLE offstage.attachments ADD COLUMN seen_time timestamptz NOT NULL DEFAULT now(); -- its last renewal, or when it left
-- By method the id of the schema it takes parameters by, of methods that have one; null where a release before wrote the row.
ALTER TABLE offstage.executors ADD COLUMN schemas jsonb;

-- How many jobs of a queue one replica let begin within a time throughout which the queue had jobs: what estimates go by. Losing
-- them costs some minutes without any, so they are in no log.
CREATE UNLOGGED TABLE offstage.pace_samples (
  namespace    text        NOT NULL,
  method       text        NOT NULL,
  lane         smallint    NOT NULL,                  -- the jobs ran in
  pool         text        NOT NULL,                  -- empty: the default one
  scheduler    text        NOT NULL,
  starts       integer     NOT NULL,
  period_ms    float8      NOT NULL,
  record_time  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pace_samples_of_queue ON offstage.pace_samples (namespace, method, lane, pool, record_time);
