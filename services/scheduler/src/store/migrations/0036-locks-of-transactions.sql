-- Row E3: a data lock that is held by a transaction of the application's own, in this database. It is an advisory lock of PostgreSQL, so it
-- ends with the transaction whatever becomes of its connection; who takes locks otherwise asks for it, too (store/acquire-locks.ts).

CREATE FUNCTION offstage.lock_key(of_namespace text, of_name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended(of_namespace || ' ' || of_name, 5180279316)
$$;

-- Whether the holder of a lock, or of a place in line, is there; as store/lock-rows.ts has it.
CREATE FUNCTION offstage.lock_is_held(of_namespace text, of_job uuid, of_attempt integer, of_lease uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN of_job IS NOT NULL THEN EXISTS (
    SELECT FROM offstage.jobs j WHERE j.id = of_job AND j.attempt = of_attempt AND j.state IN (3, 4))
  ELSE EXISTS (
    SELECT FROM offstage.caller_leases c WHERE c.id = of_lease AND c.namespace = of_namespace AND c.expire_time > clock_timestamp()) END
$$;

-- Once, or not at all: what stands in the way raises LOCK_TAKEN, which takes the advisory lock back.
CREATE FUNCTION offstage.try_lock_in_transaction(of_namespace text, of_name text, shared boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  key CONSTANT bigint := offstage.lock_key(of_namespace, of_name);
  got boolean;
  other record;
BEGIN
  IF shared THEN got := pg_try_advisory_xact_lock_shared(key); ELSE got := pg_try_advisory_xact_lock(key); END IF;
  IF NOT got THEN
    RAISE EXCEPTION USING ERRCODE = 'OS012', MESSAGE = format('the lock "%s" is held by another transaction', of_name),
      HINT = 'Try again later, or give wait_ms.',
      DETAIL = jsonb_build_object('reason', 'LOCK_TAKEN', 'name', of_name)::text;
  END IF;
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

-- Takes a data lock that ends with the transaction. `options`: mode, exclusive or shared, and wait_ms, 0 to 60,000.
CREATE FUNCTION offstage.lock_in_transaction(namespace text, name text, options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_namespace CONSTANT text := coalesce(nullif(namespace, ''), 'default');
  asked CONSTANT jsonb := offstage.start_object(options, 'options', '{mode,wait_ms}');
  until_time CONSTANT timestamptz :=
    clock_timestamp() + coalesce(offstage.start_number(asked, NULL, 'wait_ms', 0, 60000), 0)::float8 * interval '1 ms';
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
  LOOP
    BEGIN
      PERFORM offstage.try_lock_in_transaction(of_namespace, name, coalesce(asked->>'mode', '') = 'shared');
      RETURN;
    EXCEPTION WHEN SQLSTATE 'OS012' THEN
      IF clock_timestamp() >= until_time THEN RAISE; END IF;
    END;
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;

-- Nobody but who is named calls it, and what it is made of is called by nobody else.
DO $$
DECLARE
  internal regprocedure;
BEGIN
  FOREACH internal IN ARRAY ARRAY[
    'offstage.lock_is_held(text, uuid, integer, uuid)', 'offstage.try_lock_in_transaction(text, text, boolean)',
    'offstage.lock_in_transaction(text, text, jsonb)'
  ]::regprocedure[] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', internal);
  END LOOP;
  IF to_regrole('offstage_starter') IS NOT NULL THEN
    GRANT EXECUTE ON FUNCTION offstage.lock_in_transaction(text, text, jsonb) TO offstage_starter;
  END IF;
END $$;

-- Of those that wait for long a column is written again and again, which no index has.
ALTER TABLE offstage.lock_waits SET (fillfactor = 50, autovacuum_vacuum_cost_delay = 0);
