-- Row E3: a transaction that waits for a data lock says so for as long as it waits. It said so between its looks alone, and whoever looked for
-- a deadlock just then did not see it. What it says it says to its end: it waits no more for a lock that it has (store/transaction-waits.ts).
-- And a lock that it has it may take again, whoever waits for it meanwhile.
CREATE OR REPLACE FUNCTION offstage.lock_in_transaction(namespace text, name text, options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_namespace CONSTANT text := coalesce(nullif(namespace, ''), 'default');
  asked CONSTANT jsonb := offstage.start_object(options, 'options', '{mode,wait_ms}');
  until_time CONSTANT timestamptz :=
    clock_timestamp() + coalesce(offstage.start_number(asked, NULL, 'wait_ms', 0, 60000), 0)::float8 * interval '1 ms';
  shared CONSTANT boolean := coalesce(asked->>'mode', '') = 'shared';
  left_ms integer;
  is_waiting boolean := false;
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
      PERFORM offstage.take_lock_in_transaction(of_namespace, name, shared, CASE WHEN is_waiting THEN left_ms ELSE 0 END);
      RETURN;
    EXCEPTION WHEN SQLSTATE 'OS012' THEN
      IF EXISTS (SELECT FROM pg_locks k
        WHERE k.locktype = 'advisory' AND k.objsubid = 1 AND k.pid = pg_backend_pid() AND k.granted
          AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND (k.classid::bigint << 32 | k.objid::bigint) = offstage.lock_key(of_namespace, name)
          AND (k.mode = 'ExclusiveLock' OR shared))
      THEN RETURN; END IF;
      IF clock_timestamp() >= until_time THEN RAISE; END IF;
    END;
    IF is_waiting THEN
      PERFORM pg_sleep(0.05);
    ELSE
      PERFORM pg_advisory_xact_lock_shared(offstage.lock_wait_key(of_namespace, name, shared));
      is_waiting := true;
    END IF;
  END LOOP;
END $$;
