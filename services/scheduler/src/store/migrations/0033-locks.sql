-- Row E3: data locks. A lock is void as soon as its holder is over, which is found out by the statement that looks (store/lock-rows.ts):
-- nothing is added to the end of a job. A sweep removes what is void.

-- Grows with each lock and each place in line, so it orders both.
CREATE SEQUENCE offstage.lock_numbers;

CREATE TABLE offstage.locks (
  namespace    text        NOT NULL,
  name         text        NOT NULL,
  token        bigint      NOT NULL,                   -- the fencing token; locks taken together have the same
  exclusive    boolean     NOT NULL,
  owner        text        NOT NULL,
  job_id       uuid,
  attempt      integer,
  lease_id     uuid,
  request_id   text,
  acquire_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (namespace, name, token)
);
CREATE INDEX locks_job   ON offstage.locks (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX locks_lease ON offstage.locks (lease_id) WHERE lease_id IS NOT NULL;

-- Who waits: a row for each name, all of one wait with the same place.
CREATE TABLE offstage.lock_waits (
  namespace    text        NOT NULL,
  name         text        NOT NULL,
  place        bigint      NOT NULL,
  exclusive    boolean     NOT NULL,
  owner        text        NOT NULL,
  job_id       uuid,
  attempt      integer,
  lease_id     uuid,
  request_id   text,
  wait_time    timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_time    timestamptz NOT NULL DEFAULT clock_timestamp(), -- when its replica last said that it still waits
  PRIMARY KEY (namespace, name, place)
);
CREATE INDEX lock_waits_place ON offstage.lock_waits (place);
CREATE INDEX lock_waits_job   ON offstage.lock_waits (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX lock_waits_lease ON offstage.lock_waits (lease_id) WHERE lease_id IS NOT NULL;

-- Names go by 64 turns, which are locked in order, so that whoever takes several waits for nobody who waits for them. In the last
-- one waits begin, one at a time: of two that close a circle the second sees the first.
CREATE TABLE offstage.lock_turns (
  turn         smallint    PRIMARY KEY
);
INSERT INTO offstage.lock_turns (turn) SELECT generate_series(0, 64);
