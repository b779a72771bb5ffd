-- The truth about temp values: who owns what, where its bytes are, when it ends. The database's
-- clock is the only one: `now()`, and `clock_timestamp()` where a statement may have waited for a lock.

-- Ties a data directory to this database, so that a sweep never takes another database's blobs for orphans, and this
-- database to its directory, so that an empty one in its place is noticed.
CREATE TABLE offstage_storage.identity (
  id        uuid    NOT NULL DEFAULT gen_random_uuid(),
  store_id  text,                               -- null until a directory was taken
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton)
);
INSERT INTO offstage_storage.identity DEFAULT VALUES;

-- The latest time a sweep has seen, by which it notices that the clock was put back.
CREATE TABLE offstage_storage.clock (
  latest    timestamptz NOT NULL DEFAULT clock_timestamp(),
  singleton boolean     PRIMARY KEY DEFAULT true CHECK (singleton)
);
INSERT INTO offstage_storage.clock DEFAULT VALUES;

-- Closed scopes stay for a while, so that a late put can be told that its scope is closed.
CREATE TABLE offstage_storage.scopes (
  id           text        PRIMARY KEY,
  namespace    text        NOT NULL,
  owner        text        NOT NULL,
  display_name text        NOT NULL,
  lease_ms     bigint      NOT NULL,
  create_time  timestamptz NOT NULL DEFAULT now(),
  expire_time  timestamptz NOT NULL,
  close_time   timestamptz,
  request_id   text                             -- it was opened with, while it is open
);
CREATE UNIQUE INDEX scopes_request ON offstage_storage.scopes (namespace, owner, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX scopes_expiring ON offstage_storage.scopes (expire_time) WHERE close_time IS NULL;
CREATE INDEX scopes_closed ON offstage_storage.scopes (close_time) WHERE close_time IS NOT NULL;

-- Whether a scope is open, null when there is none; holds it against the end of its closing until the transaction
-- ends. The weakest lock, so that renewals and closings, which leave the key alone, pass by any number of puts. It
-- is taken before the look, and the look is a statement of its own, which sees a closing committed meanwhile.
CREATE FUNCTION offstage_storage.hold_scope(wanted text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM offstage_storage.scopes WHERE id = wanted AND close_time IS NULL FOR KEY SHARE;
  RETURN (SELECT close_time IS NULL AND expire_time > clock_timestamp() FROM offstage_storage.scopes WHERE id = wanted);
END $$;

-- Services that may be writing new blobs, whose names end in the id. What the rows promise stands in blobs/blob-writers.ts.
CREATE TABLE offstage_storage.blob_writers (
  id          text        PRIMARY KEY,
  lease_ms    bigint      NOT NULL,
  lease_until timestamptz NOT NULL
);

-- The blob, once its writer's row is held until the transaction ends; raises OFW01 when that is gone. Without a writer
-- the blob is held by an upload's row. The weakest lock, so that renewals pass by any number of puts.
CREATE FUNCTION offstage_storage.held_blob(blob text, writer text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF writer IS NULL THEN RETURN blob; END IF;
  PERFORM FROM offstage_storage.blob_writers WHERE id = writer FOR KEY SHARE;
  IF NOT FOUND THEN RAISE EXCEPTION 'the writer of a blob has been retired' USING ERRCODE = 'OFW01'; END IF;
  RETURN blob;
END $$;

-- A row is a reserved address (version null) or a value. Small bytes are here, large ones in a blob.
CREATE TABLE offstage_storage.temp_values (
  address      text        PRIMARY KEY,
  namespace    text        NOT NULL,
  owner        text        NOT NULL,
  scope        text,                            -- decides the end when set
  ttl_ms       bigint      NOT NULL,            -- used again by a put that names none
  expire_time  timestamptz,                     -- null in a scope
  fixed        boolean     NOT NULL,            -- reserved by its user: reading and deleting leaves the address
  create_time  timestamptz NOT NULL DEFAULT now(),
  version      text,                            -- new with each put
  size         bigint      NOT NULL DEFAULT 0,
  content_type text        NOT NULL DEFAULT '',
  sha256       bytea,
  inline_bytes bytea,
  blob_id      text,
  part_sums    bytea,                           -- checksums of the parts of the blob
  claim        text,                            -- a read-and-delete under way
  claim_until  timestamptz,
  request_id   text,                            -- it was reserved with, while it lives
  CONSTRAINT ends CHECK ((scope IS NULL) <> (expire_time IS NULL)),
  CONSTRAINT reserved_or_stored CHECK (CASE WHEN version IS NULL
    THEN size = 0 AND sha256 IS NULL AND inline_bytes IS NULL AND blob_id IS NULL AND claim IS NULL AND part_sums IS NULL
    ELSE octet_length(sha256) = 32 AND (inline_bytes IS NULL) <> (blob_id IS NULL)
      AND (part_sums IS NULL) = (blob_id IS NULL) END)
);
CREATE UNIQUE INDEX temp_values_blob ON offstage_storage.temp_values (blob_id) WHERE blob_id IS NOT NULL;
CREATE UNIQUE INDEX temp_values_request ON offstage_storage.temp_values (namespace, owner, request_id)
  WHERE request_id IS NOT NULL;
CREATE INDEX temp_values_expiring ON offstage_storage.temp_values (expire_time) WHERE expire_time IS NOT NULL;
CREATE INDEX temp_values_scope ON offstage_storage.temp_values (scope) WHERE scope IS NOT NULL;
CREATE INDEX temp_values_newest ON offstage_storage.temp_values (namespace, create_time, address);
CREATE INDEX temp_values_newest_owned ON offstage_storage.temp_values (namespace, owner, create_time, address);

-- What callers can see: ended rows are gone from the moment they end, whenever the sweep comes.
CREATE VIEW offstage_storage.live_values AS
  SELECT * FROM offstage_storage.temp_values v
  WHERE v.expire_time > now() OR EXISTS (
    SELECT FROM offstage_storage.scopes s
    WHERE s.id = v.scope AND s.close_time IS NULL AND s.expire_time > now());

CREATE TABLE offstage_storage.uploads (
  id           text        PRIMARY KEY,
  namespace    text        NOT NULL,
  owner        text        NOT NULL,
  address      text,
  scope        text,
  ttl_ms       bigint,
  content_type text        NOT NULL,
  sha256       bytea,
  size         bigint,
  blob_id      text        NOT NULL UNIQUE,
  received     bigint      NOT NULL DEFAULT 0,  -- bytes known to be on disk
  part_sums    bytea       NOT NULL DEFAULT '', -- their checksums
  writer       text,                            -- the call that is writing
  writer_until timestamptz,
  idle_ms      bigint      NOT NULL,            -- so long after its last headway it ends
  expire_time  timestamptz NOT NULL
);
CREATE INDEX uploads_expiring ON offstage_storage.uploads (expire_time);

-- Puts that are done, as they were answered, for those whose answer was lost: by the request id of the put, which one
-- asker uses once in a namespace, or by the upload.
CREATE TABLE offstage_storage.finished_puts (
  asker           text,
  asked_namespace text,
  request_id      text,
  asked_address   text,                         -- null: a new one
  upload          text        UNIQUE,
  forget_time     timestamptz NOT NULL,
  address         text        NOT NULL,
  namespace       text        NOT NULL,
  owner           text        NOT NULL,
  scope           text,
  expire_time     timestamptz,
  create_time     timestamptz NOT NULL,
  version         text        NOT NULL,
  size            bigint      NOT NULL,
  content_type    text        NOT NULL,
  sha256          bytea       NOT NULL,
  UNIQUE (asker, asked_namespace, request_id),
  CONSTRAINT asked_once CHECK ((request_id IS NULL) <> (upload IS NULL))
);
CREATE INDEX finished_puts_forgotten ON offstage_storage.finished_puts (forget_time);

-- Blobs nothing points to any more, to be removed from the disk.
CREATE TABLE offstage_storage.garbage_blobs (
  blob_id     text        PRIMARY KEY,
  create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX garbage_blobs_oldest ON offstage_storage.garbage_blobs (create_time);

-- What each owner holds, kept by the triggers below (row S5).
CREATE TABLE offstage_storage.usage (
  namespace   text   NOT NULL,
  owner       text   NOT NULL,
  value_count bigint NOT NULL CHECK (value_count >= 0),
  byte_count  bigint NOT NULL CHECK (byte_count >= 0),
  PRIMARY KEY (namespace, owner)
);

-- One for each operation, because transition tables are. Rows of usage are locked in one order.
CREATE FUNCTION offstage_storage.value_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO offstage_storage.usage AS u (namespace, owner, value_count, byte_count)
  SELECT namespace, owner, count(*), sum(size) FROM new_rows GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (namespace, owner) DO UPDATE
  SET value_count = u.value_count + excluded.value_count, byte_count = u.byte_count + excluded.byte_count;
  RETURN NULL;
END $$;

CREATE FUNCTION offstage_storage.value_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE offstage_storage.usage u SET byte_count = u.byte_count + d.growth
  FROM (SELECT n.namespace, n.owner, sum(n.size - o.size) AS growth
        FROM new_rows n JOIN old_rows o USING (address) GROUP BY 1, 2) d
  WHERE u.namespace = d.namespace AND u.owner = d.owner AND d.growth <> 0;
  INSERT INTO offstage_storage.garbage_blobs (blob_id)
  SELECT o.blob_id FROM old_rows o JOIN new_rows n USING (address)
  WHERE o.blob_id IS NOT NULL AND o.blob_id IS DISTINCT FROM n.blob_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE FUNCTION offstage_storage.value_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE offstage_storage.usage u
  SET value_count = u.value_count - d.value_count, byte_count = u.byte_count - d.byte_count
  FROM (SELECT l.namespace, l.owner, o.value_count, o.byte_count
        FROM offstage_storage.usage l
        JOIN (SELECT namespace, owner, count(*) AS value_count, sum(size) AS byte_count
              FROM old_rows GROUP BY 1, 2) o USING (namespace, owner)
        ORDER BY 1, 2 FOR UPDATE OF l) d
  WHERE u.namespace = d.namespace AND u.owner = d.owner;
  INSERT INTO offstage_storage.garbage_blobs (blob_id)
  SELECT blob_id FROM old_rows WHERE blob_id IS NOT NULL
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

-- A finished upload leaves its blob to the value; any other end leaves it as garbage.
CREATE FUNCTION offstage_storage.upload_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO offstage_storage.garbage_blobs (blob_id)
  SELECT o.blob_id FROM old_rows o
  WHERE NOT EXISTS (SELECT FROM offstage_storage.temp_values v WHERE v.blob_id = o.blob_id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER inserted AFTER INSERT ON offstage_storage.temp_values
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION offstage_storage.value_inserted();
CREATE TRIGGER updated AFTER UPDATE ON offstage_storage.temp_values
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION offstage_storage.value_updated();
CREATE TRIGGER deleted AFTER DELETE ON offstage_storage.temp_values
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION offstage_storage.value_deleted();
CREATE TRIGGER deleted AFTER DELETE ON offstage_storage.uploads
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION offstage_storage.upload_deleted();
