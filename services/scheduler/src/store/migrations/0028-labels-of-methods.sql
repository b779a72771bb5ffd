-- Row J18: labels that definitions make by expressions, which the scheduler evaluates before such a job is queued.

CREATE OR REPLACE FUNCTION offstage.start_one(of_namespace text, of_method text, of_params jsonb, options jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
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
  IF offstage.can_be_job_id(with_request_id) THEN new_id := with_request_id::uuid; END IF;
  -- By the definition: its retries and deadlines, where the start leaves them open, and that it runs privileged.
  asked := (SELECT coalesce(jsonb_object_agg(d.key, d.value), '{}') FROM jsonb_each(definition) d
    WHERE d.key IN ('retry', 'queueDeadlineMs', 'attemptDeadlineMs', 'totalDeadlineMs', 'heartbeatDeadlineMs')
      OR (d.key = 'privileged' AND d.value = 'true')) || asked;
  keyed := definition ? 'labelExpressions'
    OR EXISTS (SELECT FROM offstage.method_limits l WHERE l.namespace = of_namespace AND l.method = of_method AND l.keyed);
  IF due <= started THEN due := NULL; END IF;
  IF keyed AND due IS NOT NULL THEN
    PERFORM offstage.refuse_start('NOT_IMPLEMENTED', CASE WHEN options ? 'delay_ms' THEN 'delay_ms' ELSE 'start_time' END,
      format('%s has limits or labels that go by an expression, and cannot be started by SQL for a later time', of_method),
      'Start it without delay_ms and start_time, or by the scheduler.');
  END IF;

  IF with_request_id IS NOT NULL THEN
    IF with_request_id = new_id::text THEN PERFORM pg_advisory_xact_lock_shared(7308332047); END IF;
    PERFORM offstage.count_in_hand('request_id');
    PERFORM pg_advisory_xact_lock(offstage.request_lock(of_namespace, whose, with_request_id));
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
        PERFORM offstage.count_in_hand('key');
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
        format('%s has limits or labels that go by an expression, and cannot be queued by SQL behind a key', of_method),
        'Start it with another key_conflict_policy, or by the scheduler.');
    END IF;
    PERFORM offstage.refuse_full_queue(of_namespace, of_method);
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
