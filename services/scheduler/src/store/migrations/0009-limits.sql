-- Row J20: limits on the jobs of a method, as a whole and for each value of an expression. A method with limits is claimed apart,
-- under the lock of its row in method_gates, so that what runs is counted while nobody else lets jobs of it begin.
ALTER TABLE offstage.method_gates ADD COLUMN limited boolean NOT NULL DEFAULT false;

CREATE TABLE offstage.method_limits (
  namespace    text        NOT NULL,
  method       text        NOT NULL,
  keyed        boolean     NOT NULL,                  -- for each value of key_expression; else for the method as a whole
  key_expression text      NOT NULL,
  max_concurrency integer,
  rate         integer,                               -- how many begin within a period
  rate_period_ms float8,
  burst        integer,
  max_queued   integer,
  PRIMARY KEY (namespace, method, keyed)
);

-- What is left of a rate, as of a time; where there is no row, all of it.
CREATE TABLE offstage.rate_tokens (
  namespace    text        NOT NULL,
  method       text        NOT NULL,
  keyed        boolean     NOT NULL,
  limit_key    text        COLLATE "C" NOT NULL,
  tokens       float8      NOT NULL,
  refill_time  timestamptz NOT NULL,
  PRIMARY KEY (namespace, method, keyed, limit_key)
) WITH (fillfactor = 60);

ALTER TABLE offstage.jobs
  ADD COLUMN limit_key text COLLATE "C",              -- what the key expression of its method said of it at its start
  ADD COLUMN limited boolean;                         -- it has begun by the limits of its method: counted while it runs or waits
-- Of those that run or wait there are no more than slots. What has no limits is in neither.
CREATE INDEX jobs_limited ON offstage.jobs (namespace, method, limit_key) WHERE state IN (3, 4) AND limited;
CREATE INDEX jobs_keyed ON offstage.jobs (namespace, method, limit_key, lane, priority DESC, create_time, id)
  WHERE state = 2 AND limit_key IS NOT NULL;
