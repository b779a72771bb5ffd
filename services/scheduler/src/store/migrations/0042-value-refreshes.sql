-- Row C6: refreshes of reusable values. Whoever remembers values knows an epoch of the namespace, and drops what was refreshed after it.
-- Of epochs up to the floor it is not known any more what was refreshed: all was, as far as anybody can tell.
CREATE TABLE offstage.value_epochs (
  namespace text PRIMARY KEY,
  epoch bigint NOT NULL,
  floor bigint NOT NULL,
  CHECK (floor <= epoch)
);

-- Each scope once, with the epoch it was refreshed in last. Those up to the floor are told to nobody.
CREATE TABLE offstage.value_refreshes (
  namespace text NOT NULL,
  -- Of what follows: texts may be longer than an index takes.
  digest bytea NOT NULL,
  epoch bigint NOT NULL,
  function text,
  params text,
  tag text,
  refresh_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, digest)
);
CREATE INDEX value_refreshes_by_epoch ON offstage.value_refreshes (namespace, epoch);
