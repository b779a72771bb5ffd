-- Row E3: a data lock of a transaction is a lock of the server's until that ends, of which it has few for all: without a bound one
-- transaction leaves none to anybody, the schedulers among them. It counts with the keys and request ids of 0026-starts-in-hand.sql.
CREATE OR REPLACE FUNCTION offstage.count_in_hand(field text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  at_most CONSTANT integer := 5000;
  in_hand CONSTANT integer := coalesce(nullif(current_setting('offstage.starts_in_hand', true), ''), '0')::integer + 1;
BEGIN
  IF in_hand > at_most THEN
    PERFORM offstage.refuse_start_field(field, CASE WHEN field = 'name' THEN format(
      'is one too many: a transaction may take %s data locks, keys and request ids together. Take the others in another one', at_most)
    ELSE format(
      'is one too many: a transaction may start jobs with %s keys and request ids together. Start the others in another one, or without', at_most) END);
  END IF;
  PERFORM set_config('offstage.starts_in_hand', in_hand::text, true);
END $$;

CREATE OR REPLACE FUNCTION offstage.lock_in_transaction(namespace text, name text, options jsonb DEFAULT '{}') RETURNS void
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
  PERFORM offstage.count_in_hand('name');
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
