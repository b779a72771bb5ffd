-- Rows L10, E3: leases of callers, which exclusive mode and locks are bound to. What is bound to one is void as soon as
-- `expire_time` has passed, or its row is gone, in the statement that looks: nothing has to be done at its end.

CREATE TABLE offstage.caller_leases (
  id           uuid        PRIMARY KEY,
  namespace    text        NOT NULL,
  owner        text        NOT NULL,
  display_name text        NOT NULL,
  request_id   text,
  duration_ms  bigint      NOT NULL,                   -- how long it lives after a sign of life
  create_time  timestamptz NOT NULL DEFAULT now(),
  expire_time  timestamptz NOT NULL
);
CREATE INDEX caller_leases_expire ON offstage.caller_leases (expire_time);
CREATE INDEX caller_leases_owner ON offstage.caller_leases (owner);
CREATE UNIQUE INDEX caller_leases_request ON offstage.caller_leases (namespace, owner, request_id) WHERE request_id IS NOT NULL;
