-- Row E3: how a transaction of an application's own waits for a data lock, and how that is seen. For one that another transaction holds it
-- waits in PostgreSQL's own line, where a deadlock of transactions, rows among what they hold, is found by PostgreSQL. For others it looks
-- again and again, and says meanwhile by a shared advisory lock what it waits for, so that a deadlock with those is found (store/lock-circles.ts).

-- By what a transaction says that it waits. Of two keys, so that it is never taken for that of a lock.
CREATE FUNCTION offstage.lock_wait_key(of_namespace text, of_name text, shared boolean) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended(of_namespace || ' ' || of_name, CASE WHEN shared THEN 5180279318 ELSE 5180279317 END)
$$;

-- The data locks that transactions hold (`held`), wait for in PostgreSQL's line, and say that they wait for (`wait_key`).
CREATE FUNCTION offstage.locks_of_transactions(
  OUT pid integer, OUT owner text, OUT since timestamptz, OUT key bigint, OUT exclusive boolean, OUT held boolean
) RETURNS SETOF record LANGUAGE sql VOLATILE AS $$
  -- Of one that is prepared to commit in two phases there is no process. The halves of the key are two columns.
  SELECT k.pid, 'sql:' || coalesce(a.usename, p.owner, '?'), coalesce(a.xact_start, p.prepared, clock_timestamp()),
    k.classid::bigint << 32 | k.objid::bigint, k.mode = 'ExclusiveLock', k.granted
  FROM pg_locks k LEFT JOIN pg_stat_activity a ON a.pid = k.pid
  LEFT JOIN pg_prepared_xacts p ON k.pid IS NULL AND k.virtualtransaction = '-1/' || p.transaction
  WHERE k.locktype = 'advisory' AND k.objsubid = 1 AND k.pid IS DISTINCT FROM pg_backend_pid()
    AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
$$;

-- Raises LOCK_TAKEN where somebody else holds the lock, or waits for it by a call.
CREATE FUNCTION offstage.refuse_lock_of_others(of_namespace text, of_name text, shared boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  other record;
BEGIN
  SELECT * INTO other FROM (
    SELECT false AS is_waiting, l.owner, l.acquire_time AS since FROM offstage.locks l
    WHERE l.namespace = of_namespace AND l.name = of_name AND (l.exclusive OR NOT shared)
      AND offstage.lock_is_held(l.namespace, l.job_id, l.attempt, l.lease_id)
    UNION ALL
    SELECT true, w.owner, w.wait_time FROM offstage.lock_waits w
    WHERE w.namespace = of_namespace AND w.name = of_name AND (w.exclusive OR NOT shared)
      AND w.seen_time > clock_timestamp() - interval '5 s'
      AND offstage.lock_is_held(w.namespace, w.job_id, w.attempt, w.lease_id)
  ) other ORDER BY is_waiting, since LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  RAISE EXCEPTION USING ERRCODE = 'OS012',
    MESSAGE = CASE WHEN other.is_waiting THEN format('%s has waited for the lock "%s" since %s, and comes first', other.owner, of_name, other.since)
      ELSE format('the lock "%s" is held by %s since %s', of_name, other.owner, other.since) END,
    HINT = 'Try again later, or give wait_ms.',
    DETAIL = jsonb_build_object('reason', 'LOCK_TAKEN', 'name', of_name, 'owner', other.owner, 'since', other.since)::text;
END $$;

-- Once, or not at all: what stands in the way raises LOCK_TAKEN, which takes the advisory lock back. It is not taken before it is known that
-- it may be kept, so that many who wait are in nobody's way.
CREATE FUNCTION offstage.take_lock_in_transaction(of_namespace text, of_name text, shared boolean, wait_ms integer) RETURNS void
LANGUAGE plpgsql SET lock_timeout = 0 AS $$
DECLARE
  key CONSTANT bigint := offstage.lock_key(of_namespace, of_name);
  got boolean;
  other record;
BEGIN
  PERFORM offstage.refuse_lock_of_others(of_namespace, of_name, shared);
  IF shared THEN got := pg_try_advisory_xact_lock_shared(key); ELSE got := pg_try_advisory_xact_lock(key); END IF;
  IF NOT got AND wait_ms > 0 THEN
    BEGIN
      PERFORM set_config('lock_timeout', wait_ms::text, true);
      IF shared THEN PERFORM pg_advisory_xact_lock_shared(key); ELSE PERFORM pg_advisory_xact_lock(key); END IF;
      got := true;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END IF;
  IF NOT got THEN
    PERFORM pg_stat_clear_snapshot();
    SELECT t.owner, t.since INTO other FROM offstage.locks_of_transactions() t
    WHERE t.key = offstage.lock_key(of_namespace, of_name) AND t.held ORDER BY t.since LIMIT 1;
    RAISE EXCEPTION USING ERRCODE = 'OS012',
      MESSAGE = CASE WHEN other.owner IS NULL THEN format('the lock "%s" is held by another transaction', of_name)
        ELSE format('the lock "%s" is held by a transaction of %s since %s', of_name, other.owner, other.since) END,
      HINT = 'Try again later, or give wait_ms.',
      DETAIL = jsonb_build_object('reason', 'LOCK_TAKEN', 'name', of_name, 'owner', other.owner, 'since', other.since)::text;
  END IF;
  PERFORM offstage.refuse_lock_of_others(of_namespace, of_name, shared);
END $$;

CREATE OR REPLACE FUNCTION offstage.lock_in_transaction(namespace text, name text, options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_namespace CONSTANT text := coalesce(nullif(namespace, ''), 'default');
  asked CONSTANT jsonb := offstage.start_object(options, 'options', '{mode,wait_ms}');
  until_time CONSTANT timestamptz :=
    clock_timestamp() + coalesce(offstage.start_number(asked, NULL, 'wait_ms', 0, 60000), 0)::float8 * interval '1 ms';
  shared CONSTANT boolean := coalesce(asked->>'mode', '') = 'shared';
  left_ms integer;
BEGIN
  IF of_namespace !~ '^[A-Za-z0-9_-]{1,63}$' THEN
    PERFORM offstage.refuse_start_field('namespace', 'must be 1 to 63 letters, digits, "_" and "-"');
  END IF;
  PERFORM offstage.start_owner(NULL, of_namespace);
  IF coalesce(name, '') = '' OR char_length(name) > 200 THEN
    PERFORM offstage.refuse_start_field('name', 'must be 1 to 200 characters');
  END IF;
  IF coalesce(asked->>'mode', 'exclusive') NOT IN ('exclusive', 'shared') THEN
    PERFORM offstage.refuse_start_field('mode', 'must be exclusive or shared');
  END IF;
  -- One that looks at the tables as they were when it began does not see who has taken the lock since.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'data locks are taken in transactions of the isolation READ COMMITTED alone',
      HINT = 'Begin it so, or bind the lock to a lease.';
  END IF;
  PERFORM offstage.count_in_hand('name');
  LOOP
    left_ms := greatest(0, ceil(extract(epoch FROM until_time - clock_timestamp()) * 1000));
    BEGIN
      PERFORM offstage.take_lock_in_transaction(of_namespace, name, shared, left_ms);
      RETURN;
    EXCEPTION WHEN SQLSTATE 'OS012' THEN
      IF clock_timestamp() >= until_time THEN RAISE; END IF;
    END;
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(offstage.lock_wait_key(of_namespace, name, shared));
      PERFORM pg_sleep(0.05);
      -- An advisory lock of a transaction is given back by an error alone.
      RAISE EXCEPTION USING ERRCODE = 'OS012';
    EXCEPTION WHEN SQLSTATE 'OS012' THEN NULL;
    END;
  END LOOP;
END $$;

-- The one before, try_lock_in_transaction, stays: somebody may be waiting in it.
REVOKE ALL ON FUNCTION offstage.refuse_lock_of_others(text, text, boolean), offstage.take_lock_in_transaction(text, text, boolean, integer)
  FROM PUBLIC;
