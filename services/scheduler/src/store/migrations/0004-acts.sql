-- What operators and administrators did on what is not theirs, or on the place as a whole (docs/rights.md); swept when old.
CREATE TABLE offstage.acts (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act_time     timestamptz NOT NULL DEFAULT now(),
  namespace    text        NOT NULL,
  actor        text        NOT NULL,                  -- the user
  roles        text[]      NOT NULL,                  -- as they were then
  peer         text        NOT NULL,                  -- where the call came from
  call         text        NOT NULL,                  -- the RPC, such as JobService.CancelJob
  targets      text[]      NOT NULL,                  -- ids or names of what was acted on
  owners       text[]      NOT NULL,                  -- whose that is
  outcome      text        NOT NULL
);
CREATE INDEX acts_listed ON offstage.acts (namespace, id);
CREATE INDEX acts_oldest ON offstage.acts (act_time);

-- A request id is its owner's: what others have used is not in the way, nor told by a refusal.
DROP INDEX offstage.jobs_request_id;
CREATE UNIQUE INDEX jobs_request_id ON offstage.jobs (namespace, owner, request_id) WHERE request_id IS NOT NULL;
