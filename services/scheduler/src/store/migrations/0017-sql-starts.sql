-- Row J24: offstage.start_job starts a job inside the transaction of its caller, so that it exists exactly if that commits. Its row
-- is that of a job that StartJob has queued (insert-jobs.ts), and from then on it is one.

-- A UUID of version 7.
CREATE FUNCTION offstage.new_job_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- Whether stored parameters are these, by content.
CREATE FUNCTION offstage.are_same_params(stored bytea, stored_type text, address text, given jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF address IS NOT NULL OR stored_type IS NOT NULL THEN RETURN false; END IF;
  RETURN coalesce(convert_from(stored, 'UTF8'), '{}')::jsonb = coalesce(given, '{}');
EXCEPTION WHEN data_exception THEN
  RETURN false;
END $$;

-- Methods with a limit on their queue are refused beyond it; what is not due is not queued yet.
CREATE FUNCTION offstage.refuse_full_queue(of_namespace text, of_method text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  at_most integer;
BEGIN
  SELECT l.max_queued INTO at_most FROM offstage.method_limits l
  WHERE l.namespace = of_namespace AND l.method = of_method AND NOT l.keyed;
  IF at_most IS NULL OR at_most > (SELECT count(*) FROM (
    SELECT FROM offstage.jobs j WHERE j.state = 2 AND j.namespace = of_namespace AND j.method = of_method LIMIT at_most) queued)
  THEN RETURN; END IF;
  PERFORM offstage.refuse_start('QUEUE_FULL', 'method',
    format('%s jobs of %s are queued, as many as its limits allow', at_most, of_method), 'Start it again later.',
    jsonb_build_object('method', of_method, 'max', at_most));
END $$;

-- A job that stands in the way of a start: of the same request id, or the one that holds the key, or is to have it next.
CREATE FUNCTION offstage.find_in_the_way(
  of_namespace text, of_method text, whose text, with_request_id text, with_id uuid, with_key text
) RETURNS TABLE (by_key boolean, other_id uuid) LANGUAGE sql STABLE AS $$
  SELECT found.rank > 1, found.id FROM (
    SELECT id, 1 AS rank FROM offstage.jobs
    WHERE with_request_id IS NOT NULL AND id = with_id AND namespace = of_namespace AND owner = whose
    UNION ALL
    SELECT id, 1 FROM offstage.jobs
    WHERE namespace = of_namespace AND owner = whose AND request_id = with_request_id
    UNION ALL
    SELECT id, 2 FROM offstage.jobs
    WHERE namespace = of_namespace AND method = of_method AND key = with_key AND state < 5 AND NOT behind_key
    UNION ALL
    (SELECT id, 3 FROM offstage.jobs
    WHERE namespace = of_namespace AND method = of_method AND key = with_key AND state = 1 AND behind_key
    ORDER BY create_time, id LIMIT 1)
  ) found
  ORDER BY found.rank LIMIT 1
$$;

-- How a start goes on that has met another job: with that one's id, behind it (null), or not at all.
CREATE FUNCTION offstage.meet_job(
  by_key boolean, other_id uuid, of_method text, whose text, of_params jsonb, of_key text, on_conflict text
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  other offstage.jobs%ROWTYPE;
BEGIN
  SELECT * INTO other FROM offstage.jobs j WHERE j.id = other_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'the job that the start met was removed meanwhile',
      HINT = 'Run the transaction again.';
  END IF;
  IF NOT by_key THEN
    IF other.method = of_method AND other.key IS NOT DISTINCT FROM of_key
      AND offstage.are_same_params(other.params, other.params_type, other.params_address, of_params)
    THEN RETURN other.id; END IF;
    PERFORM offstage.refuse_start('REQUEST_ID_REUSED', 'request_id',
      'the request id was used before, for a start with another method, key or parameters',
      'Take a new request id for each job, and the same one only to say a start again.');
  ELSIF on_conflict = 'queue-behind' THEN
    RETURN NULL;
  ELSIF other.owner <> whose THEN
    PERFORM offstage.refuse_start('JOB_KEY_TAKEN', 'key', format('key "%s" is held by a job of somebody else', of_key),
      'Start it again later, or with the key_conflict_policy queue-behind.');
  ELSIF on_conflict = 'return-running' THEN
    RETURN other.id;
  END IF;
  PERFORM offstage.refuse_start('JOB_KEY_TAKEN', 'key',
    format('key "%s" is held by job %s of %s, started %s s ago', of_key, other.id, other.owner,
      extract(epoch FROM clock_timestamp() - other.create_time)::integer),
    'Start it again later, or with the key_conflict_policy return-running or queue-behind.',
    jsonb_build_object('job_id', other.id, 'owner', other.owner));
END $$;

-- Of those that start jobs with the same key by SQL one goes on at a time; the scheduler does not wait for them (insert-jobs.ts).
CREATE FUNCTION offstage.key_lock(of_namespace text, of_method text, of_key text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended(of_namespace || ' ' || of_method || ' ' || of_key, 7308332045)
$$;

CREATE FUNCTION offstage.start_one(of_namespace text, of_method text, of_params jsonb, options jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  started CONSTANT timestamptz := clock_timestamp();
  bytes CONSTANT bytea := convert_to(of_params::text, 'UTF8');
  whose text;
  definition jsonb;
  asked jsonb;
  due timestamptz;
  of_pool text;
  of_key text;
  with_request_id text;
  on_conflict text;
  behind boolean := false;
  keyed boolean;
  unchecked boolean;
  locked boolean := false;
  new_id uuid := offstage.new_job_id();
  met_by_key boolean;
  met_id uuid;
  made integer;
BEGIN
  of_namespace := coalesce(nullif(of_namespace, ''), 'default');
  IF of_namespace !~ '^[A-Za-z0-9_-]{1,63}$' THEN
    PERFORM offstage.refuse_start_field('namespace', 'must be 1 to 63 letters, digits, "_" and "-"');
  END IF;
  options := offstage.start_object(options, 'options', '{owner,key,key_conflict_policy,request_id,priority,lane,pool,labels,
    display_name,start_time,delay_ms,deadlines,retry_policy,want_additional_result,traceparent,tracestate}');
  whose := offstage.start_owner(offstage.start_text(options, 'owner', 255), of_namespace);
  definition := offstage.start_definition(of_namespace, of_method, whose);
  asked := offstage.start_stored_options(options);
  due := offstage.start_due(options, started);
  of_pool := nullif(offstage.start_text(options, 'pool', 63), 'default');
  IF of_pool !~ '^[A-Za-z0-9._-]+$' THEN
    PERFORM offstage.refuse_start_field('pool', 'must be 1 to 63 letters, digits, ".", "_" and "-"');
  END IF;
  IF octet_length(bytes) > 65536 THEN
    PERFORM offstage.refuse_start('PARAMS_TOO_LARGE', 'params',
      format('params has %s bytes as PostgreSQL writes it, more than 65536', octet_length(bytes)),
      'Keep what is large in a table or in temp storage, and give the job its key or address.');
  END IF;
  of_key := offstage.start_text(options, 'key', 200);
  on_conflict := ('{refuse,return-running,queue-behind}'::text[])[
    offstage.start_word(options, 'key_conflict_policy', '{refuse,return-running,queue-behind}')];
  with_request_id := offstage.start_text(options, 'request_id', 100);
  IF with_request_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' THEN
    new_id := with_request_id::uuid;
  END IF;
  -- By the definition: its retries and deadlines, where the start leaves them open, and that it runs privileged.
  asked := (SELECT coalesce(jsonb_object_agg(d.key, d.value), '{}') FROM jsonb_each(definition) d
    WHERE d.key IN ('retry', 'queueDeadlineMs', 'attemptDeadlineMs', 'totalDeadlineMs', 'heartbeatDeadlineMs')
      OR (d.key = 'privileged' AND d.value = 'true')) || asked;
  keyed := EXISTS (SELECT FROM offstage.method_limits l WHERE l.namespace = of_namespace AND l.method = of_method AND l.keyed);
  IF due <= started THEN due := NULL; END IF;
  IF keyed AND due IS NOT NULL THEN
    PERFORM offstage.refuse_start('NOT_IMPLEMENTED', CASE WHEN options ? 'delay_ms' THEN 'delay_ms' ELSE 'start_time' END,
      format('%s has limits that go by a key expression, and cannot be started by SQL for a later time', of_method),
      'Start it without delay_ms and start_time, or by the scheduler.');
  END IF;

  FOR round IN 1..4 LOOP
    met_id := NULL;
    IF of_key IS NOT NULL OR with_request_id IS NOT NULL THEN
      SELECT f.by_key, f.other_id INTO met_by_key, met_id
      FROM offstage.find_in_the_way(of_namespace, of_method, whose, with_request_id, new_id, of_key) f;
    END IF;
    IF met_id IS NOT NULL THEN
      new_id := coalesce(offstage.meet_job(met_by_key, met_id, of_method, whose, of_params, of_key, on_conflict), new_id);
      IF new_id = met_id THEN RETURN new_id; END IF;
      behind := true;
    ELSE
      behind := false;
      IF of_key IS NOT NULL AND NOT locked THEN
        -- Whoever had it may have left a job behind: another look.
        PERFORM pg_advisory_xact_lock(offstage.key_lock(of_namespace, of_method, of_key));
        locked := true;
        CONTINUE;
      END IF;
    END IF;
    -- The id of somebody else's job: this one gets another, so that nobody is told of theirs.
    IF with_request_id = new_id::text AND EXISTS (SELECT FROM offstage.jobs j WHERE j.id = new_id) THEN
      new_id := offstage.new_job_id();
    END IF;
    IF behind AND keyed THEN
      PERFORM offstage.refuse_start('NOT_IMPLEMENTED', 'key_conflict_policy',
        format('%s has limits that go by a key expression, and cannot be queued by SQL behind a key', of_method),
        'Start it with another key_conflict_policy, or by the scheduler.');
    END IF;
    IF due IS NULL AND NOT behind THEN PERFORM offstage.refuse_full_queue(of_namespace, of_method); END IF;
    -- What SQL cannot find out the scheduler does before it is queued (sql-starts.ts): it is scheduled for no time until then.
    unchecked := due IS NULL AND NOT behind AND (keyed OR definition ? 'earlierParamsSchemas');
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, params, key, behind_key,
      request_id, id_is_request_id, pool, labels, traceparent, create_time, due_time, queue_deadline, total_deadline, options)
    SELECT new_id, of_namespace, of_method, CASE WHEN behind OR unchecked OR due IS NOT NULL THEN 1 ELSE 2 END,
      coalesce(offstage.start_word(options, 'lane', '{inline,task,work}'), 0) + CASE WHEN of_pool IS NULL THEN 0 ELSE 8 END,
      1, coalesce(offstage.start_number(options, NULL, 'priority', -1000, 1000, true), 0), 0, whose, bytes, of_key, behind,
      CASE WHEN with_request_id <> new_id::text THEN with_request_id END, coalesce(with_request_id = new_id::text, false),
      of_pool, offstage.start_labels(options->'labels'), offstage.start_traceparent(options), started, due,
      started + (asked->>'queueDeadlineMs')::float8 * interval '1 ms',
      started + (asked->>'totalDeadlineMs')::float8 * interval '1 ms',
      CASE WHEN asked <> '{}' THEN asked || '{"v": 1}' END
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made = 0 THEN CONTINUE; END IF;
    IF unchecked THEN PERFORM pg_notify('offstage_unchecked_starts', '');
    ELSIF NOT behind AND due IS NULL THEN
      PERFORM pg_notify('offstage_starts', of_namespace || ' ' || of_method);
    END IF;
    RETURN new_id;
  END LOOP;
  RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'the start met other jobs with its key again and again',
    HINT = 'Run the transaction again.';
END $$;

-- Starts a job of a method, and returns its id. Planning takes several times as long as all the rest, so it is done once for each connection,
-- and must be right when the table has grown: rows are looked up one by one. `options`: see docs/guides/transactional-starts.md.
CREATE FUNCTION offstage.start_job(namespace text, method text, params jsonb DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  RETURN offstage.start_one(namespace, method, params, options);
END $$;

-- Starts a job for each of the parameters, and returns their ids in this order. `options`: of each of them, of all where there is one.
CREATE FUNCTION offstage.start_jobs(namespace text, method text, params jsonb[], options jsonb[] DEFAULT '{}')
RETURNS uuid[] LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  jobs CONSTANT integer := coalesce(cardinality(params), 0);
  given CONSTANT integer := coalesce(cardinality(options), 0);
  ids uuid[] := '{}';
BEGIN
  IF jobs > 1000 THEN PERFORM offstage.refuse_start_field('params', 'must be at most 1000 of a call'); END IF;
  IF given NOT IN (0, 1, jobs) THEN
    PERFORM offstage.refuse_start_field('options', format('must be one for all, or one for each of the %s params', jobs));
  END IF;
  FOR place IN 1..jobs LOOP
    ids := ids || offstage.start_one(namespace, method, params[place], options[CASE given WHEN 1 THEN 1 ELSE place END]);
  END LOOP;
  RETURN ids;
END $$;

-- Nobody but who is named calls them, and what they are made of is called by nobody else.
DO $$
DECLARE
  internal regprocedure;
BEGIN
  FOREACH internal IN ARRAY ARRAY[
    'offstage.start_owner(text, text)', 'offstage.start_definition(text, text, text)',
    'offstage.refuse_full_queue(text, text)', 'offstage.find_in_the_way(text, text, text, text, uuid, text)',
    'offstage.meet_job(boolean, uuid, text, text, jsonb, text, text)', 'offstage.start_one(text, text, jsonb, jsonb)',
    'offstage.start_job(text, text, jsonb, jsonb)', 'offstage.start_jobs(text, text, jsonb[], jsonb[])'
  ]::regprocedure[] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', internal);
  END LOOP;
  -- Default privileges would give it away.
  IF to_regrole('offstage_scheduler') IS NOT NULL AND current_user <> 'offstage_scheduler' THEN
    REVOKE ALL ON offstage.sql_starters FROM offstage_scheduler;
  END IF;
  IF to_regrole('offstage_starter') IS NOT NULL THEN
    GRANT EXECUTE ON FUNCTION offstage.start_job(text, text, jsonb, jsonb), offstage.start_jobs(text, text, jsonb[], jsonb[])
      TO offstage_starter;
  END IF;
END $$;
