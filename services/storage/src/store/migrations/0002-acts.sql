-- What administrators did with values and scopes of others (docs/rights.md); swept when old.
CREATE TABLE offstage_storage.acts (
  id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act_time  timestamptz NOT NULL DEFAULT now(),
  namespace text        NOT NULL,
  actor     text        NOT NULL,               -- the user
  roles     text[]      NOT NULL,               -- as they were then
  peer      text        NOT NULL,               -- where the call came from
  call      text        NOT NULL,               -- the RPC
  target    text        NOT NULL,               -- the address or scope
  owner     text        NOT NULL                -- whose that is
);
CREATE INDEX acts_listed ON offstage_storage.acts (namespace, id);
CREATE INDEX acts_oldest ON offstage_storage.acts (act_time);
