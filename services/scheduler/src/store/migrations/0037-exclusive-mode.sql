-- Row L10: a namespace that somebody has for themselves, by a lease (caller_leases). It is void as soon as that has run out: nothing has to
-- be done then. Schedulers of the release before know nothing of it.
ALTER TABLE offstage.namespaces
  ADD COLUMN exclusive_lease    uuid,
  ADD COLUMN exclusive_owner    text,
  ADD COLUMN exclusive_ask_time timestamptz,          -- other starts are refused since then
  ADD COLUMN exclusive_time     timestamptz;          -- nothing else runs since then; null while it is waited for
ALTER TABLE offstage.jobs ADD COLUMN exclusive_lease uuid; -- the lease it belongs to, and its children

-- Who has a namespace, or is about to; no row where nobody does. A statement goes by the time it came at, and so does the start of what it
-- lets begin: the two agree on whether a lease had run out.
CREATE FUNCTION offstage.exclusive_holder(of_namespace text) RETURNS TABLE (lease uuid, is_waiting boolean) LANGUAGE sql STABLE AS $$
  SELECT n.exclusive_lease, n.exclusive_time IS NULL
  FROM offstage.namespaces n JOIN offstage.caller_leases l ON l.id = n.exclusive_lease
  WHERE n.name = of_namespace AND l.expire_time > statement_timestamp()
$$;

-- Queued jobs that begin all the same: the holder's own and, while others are waited for, the children that those may wait for.
CREATE FUNCTION offstage.exclusive_begins(of_namespace text) RETURNS SETOF offstage.jobs LANGUAGE sql STABLE AS $$
  SELECT j.* FROM offstage.exclusive_holder(of_namespace) held JOIN offstage.jobs j ON j.exclusive_lease = held.lease
  WHERE j.state = 2 AND j.namespace = of_namespace
  UNION ALL
  SELECT j.* FROM offstage.exclusive_holder(of_namespace) held
  JOIN offstage.jobs p ON p.namespace = of_namespace AND p.state IN (3, 4) AND p.attachment_id IS NOT NULL
  JOIN offstage.jobs j ON j.parent_id = p.id AND j.state = 2
  WHERE held.is_waiting AND j.exclusive_lease IS DISTINCT FROM held.lease
$$;

-- As in 0014-limited-claims.sql, by who has the namespace.
CREATE FUNCTION offstage.claim_limited(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], attachment_ids uuid[],
  after_key text,                                     -- the value of the key that had the last turn
  give_keys boolean,                                  -- look for jobs that were started before the method had a key
  in_exclusive boolean,                               -- those alone that may begin while somebody holds the namespace
  OUT job offstage.jobs,
  OUT busy boolean,                                   -- somebody else lets jobs of the method begin just now: nothing was taken
  OUT queued boolean,                                 -- jobs of the method are left, in whichever queues
  OUT again_ms float8,                                -- when a rate has room for them
  OUT last_key text
) RETURNS SETOF record LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
DECLARE
  of_all offstage.method_limits;
  of_key offstage.method_limits;
  moment timestamptz;
  room integer := cardinality(attachment_ids);
  tokens float8;
  ids uuid[];
BEGIN
  PERFORM FROM offstage.method_gates g
  WHERE g.namespace = of_namespace AND g.method = of_method AND g.limited
    AND NOT EXISTS (SELECT FROM offstage.gate_epoch held WHERE held.epoch IS NULL FOR KEY SHARE)
  FOR NO KEY UPDATE SKIP LOCKED;
  busy := NOT FOUND AND EXISTS (
    SELECT FROM offstage.method_gates g WHERE g.namespace = of_namespace AND g.method = of_method AND g.limited);
  queued := busy;
  IF NOT FOUND OR EXISTS (SELECT FROM offstage.namespaces n WHERE n.name = of_namespace AND n.pause_time IS NOT NULL)
    OR EXISTS (SELECT FROM offstage.method_gates g
      WHERE g.namespace = of_namespace AND g.method = of_method AND g.pause_time IS NOT NULL)
    OR in_exclusive <> EXISTS (SELECT FROM offstage.exclusive_holder(of_namespace))
  THEN
    RETURN NEXT;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM offstage.namespaces n WHERE n.name = of_namespace AND n.pool_pauses IS NOT NULL) THEN
    SELECT array_agg(q.lane), array_agg(q.pool), array_agg(q.schema) INTO lanes, pools, schemas
    FROM unnest(lanes, pools, schemas) AS q(lane, pool, schema)
    WHERE NOT EXISTS (SELECT FROM offstage.namespaces n WHERE n.name = of_namespace AND n.pool_pauses ? coalesce(q.pool, 'default'));
  END IF;
  SELECT l.* INTO of_all FROM offstage.method_limits l WHERE l.namespace = of_namespace AND l.method = of_method AND NOT l.keyed;
  SELECT l.* INTO of_key FROM offstage.method_limits l WHERE l.namespace = of_namespace AND l.method = of_method AND l.keyed;
  moment := clock_timestamp();
  IF of_all.rate IS NOT NULL OR of_key.rate IS NOT NULL THEN
    -- The clock was put back: what flows in counts from now on.
    UPDATE offstage.rate_tokens t SET refill_time = moment
    WHERE t.namespace = of_namespace AND t.method = of_method AND t.refill_time > moment;
  END IF;
  IF of_all.max_concurrency IS NOT NULL THEN
    room := least(room, of_all.max_concurrency - (SELECT count(*) FROM offstage.jobs j
      WHERE j.namespace = of_namespace AND j.method = of_method AND j.limited AND j.state IN (3, 4)));
  END IF;
  IF of_all.rate IS NOT NULL THEN
    tokens := offstage.available_tokens(of_all, (SELECT t FROM offstage.rate_tokens t
      WHERE t.namespace = of_namespace AND t.method = of_method AND NOT t.keyed AND t.limit_key = ''), moment);
    room := least(room, floor(tokens)::integer);
  END IF;

  IF room > 0 AND in_exclusive THEN
    ids := ARRAY(
      SELECT f.id FROM (
        SELECT j.id, j.priority, j.create_time, coalesce(j.limit_key, '') AS key,
          row_number() OVER (PARTITION BY coalesce(j.limit_key, '') ORDER BY j.priority DESC, j.create_time, j.id) AS nth
        FROM offstage.exclusive_begins(of_namespace) j JOIN unnest(lanes, pools, schemas) AS q(lane, pool, schema)
          ON j.lane = q.lane AND q.pool IS NOT DISTINCT FROM j.pool
            AND (q.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? q.schema)
        WHERE j.method = of_method
      ) f
      WHERE of_key.method IS NULL OR f.nth <= least(room,
        of_key.max_concurrency - CASE WHEN of_key.max_concurrency IS NOT NULL THEN (
          SELECT count(*) FROM offstage.jobs j
          WHERE j.namespace = of_namespace AND j.method = of_method AND j.limited AND j.state IN (3, 4) AND j.limit_key = f.key) END,
        CASE WHEN of_key.rate IS NOT NULL THEN floor(offstage.available_tokens(of_key, (
          SELECT t FROM offstage.rate_tokens t
          WHERE t.namespace = of_namespace AND t.method = of_method AND t.keyed AND t.limit_key = f.key), moment)) END)
      ORDER BY f.priority DESC, f.create_time, f.id LIMIT room);
  ELSIF room > 0 AND of_key.method IS NULL THEN
    ids := offstage.next_jobs(of_namespace, of_method, lanes, pools, schemas, room);
  ELSIF room > 0 THEN
    IF give_keys THEN
      UPDATE offstage.jobs SET limit_key = '' WHERE id IN (
        SELECT j.id FROM offstage.jobs j
        WHERE j.state = 2 AND j.namespace = of_namespace AND j.method = of_method AND j.lane = ANY (lanes) AND j.limit_key IS NULL
        LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    SELECT turn.ids, turn.last_key INTO ids, last_key
    FROM offstage.next_jobs_in_turn(of_key, lanes, pools, schemas, room, after_key, moment) turn;
  END IF;

  IF cardinality(ids) > 0 THEN
    -- IS TRUE keeps the planner away from the index of queues, which it would read for each.
    ids := ARRAY(SELECT j.id FROM unnest(ids) WITH ORDINALITY AS c(id, place) JOIN offstage.jobs j ON j.id = c.id
      WHERE (j.state = 2) IS TRUE ORDER BY c.place FOR UPDATE OF j SKIP LOCKED);
    RETURN QUERY
      UPDATE offstage.jobs j
      SET state = 3, attempt = j.attempt + 1, revision = j.revision + 1, attachment_id = attachment_ids[c.place],
        start_time = now(), limited = true
      FROM unnest(ids) WITH ORDINALITY AS c(id, place) WHERE j.id = c.id
      RETURNING j, NULL::boolean, NULL::boolean, NULL::float8, NULL::text;
    IF of_all.rate IS NOT NULL OR of_key.rate IS NOT NULL THEN
      PERFORM offstage.pay_tokens(of_namespace, of_method, ids, moment);
    END IF;
  END IF;
  queued := EXISTS (SELECT FROM offstage.jobs j WHERE j.state = 2 AND j.namespace = of_namespace AND j.method = of_method);
  IF queued THEN
    tokens := tokens - coalesce(cardinality(ids), 0);
    again_ms := least(CASE WHEN tokens < 1 THEN (1 - tokens) * of_all.rate_period_ms / of_all.rate END,
      of_key.rate_period_ms / of_key.rate);
  END IF;
  RETURN NEXT;
END $$;

-- For schedulers of the release before.
CREATE OR REPLACE FUNCTION offstage.claim_limited(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], attachment_ids uuid[], after_key text, give_keys boolean,
  OUT job offstage.jobs, OUT busy boolean, OUT queued boolean, OUT again_ms float8, OUT last_key text
) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT c.job, c.busy, c.queued, c.again_ms, c.last_key
  FROM offstage.claim_limited(of_namespace, of_method, lanes, pools, schemas, attachment_ids, after_key, give_keys, false) c
$$;

-- As in 0032-full-methods.sql.
CREATE FUNCTION offstage.claim_within_limits(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], attachment_ids uuid[], after_key text, give_keys boolean,
  in_exclusive boolean,
  OUT job offstage.jobs, OUT busy boolean, OUT queued boolean, OUT again_ms float8, OUT last_key text,
  OUT is_full boolean                                 -- the method as a whole has no place left; null where it has no such limit
) RETURNS SETOF record LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  claimed record;
BEGIN
  FOR claimed IN
    SELECT c.* FROM offstage.claim_limited(of_namespace, of_method, lanes, pools, schemas, attachment_ids, after_key, give_keys, in_exclusive) c
  LOOP
    job := claimed.job;
    busy := claimed.busy;
    queued := claimed.queued;
    again_ms := claimed.again_ms;
    last_key := claimed.last_key;
    -- The last one, and the row of the method is still locked: a statement that begins now counts what was taken.
    IF queued AND NOT busy THEN
      is_full := (SELECT count(*) FROM offstage.jobs j
          WHERE j.namespace = of_namespace AND j.method = of_method AND j.limited AND j.state IN (3, 4))
        >= (SELECT l.max_concurrency FROM offstage.method_limits l
          WHERE l.namespace = of_namespace AND l.method = of_method AND NOT l.keyed);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Starts by SQL, as in 0015-sql-start-options.sql and 0028-labels-of-methods.sql.
CREATE OR REPLACE FUNCTION offstage.refuse_start(
  reason text, field text, message text, hint text, facts jsonb DEFAULT '{}'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = message, HINT = hint,
    DETAIL = (jsonb_strip_nulls(jsonb_build_object('reason', reason, 'field', field)) || facts)::text,
    ERRCODE = CASE reason
      WHEN 'INVALID_FIELD' THEN 'OS001'
      WHEN 'PARAMS_TOO_LARGE' THEN 'OS002'
      WHEN 'METHOD_UNKNOWN' THEN 'OS003'
      WHEN 'METHOD_NOT_STARTABLE' THEN 'OS004'
      WHEN 'METHOD_UNREADABLE' THEN 'OS005'
      WHEN 'NAMESPACE_NOT_FOUND' THEN 'OS006'
      WHEN 'PERMISSION_DENIED' THEN 'OS007'
      WHEN 'JOB_KEY_TAKEN' THEN 'OS008'
      WHEN 'REQUEST_ID_REUSED' THEN 'OS009'
      WHEN 'QUEUE_FULL' THEN 'OS010'
      WHEN 'NOT_IMPLEMENTED' THEN 'OS011'
      WHEN 'NAMESPACE_EXCLUSIVE' THEN 'OS012'
      ELSE 'OS000' END;
END $$;

CREATE FUNCTION offstage.refuse_exclusive(of_namespace text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  whose text;
  since timestamptz;
  at_least timestamptz;
BEGIN
  SELECT n.exclusive_owner, coalesce(n.exclusive_time, n.exclusive_ask_time), l.expire_time INTO whose, since, at_least
  FROM offstage.namespaces n JOIN offstage.caller_leases l ON l.id = n.exclusive_lease
  WHERE n.name = of_namespace AND l.expire_time > clock_timestamp();
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM offstage.refuse_start('NAMESPACE_EXCLUSIVE', 'namespace',
    format('%s has namespace %s exclusively since %s, until %s or longer', whose, of_namespace, since, at_least),
    'Start it again later, or with automatic: then it waits.',
    jsonb_build_object('namespace', of_namespace, 'owner', whose, 'since', since, 'until', at_least));
END $$;

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
    display_name,start_time,delay_ms,deadlines,retry_policy,want_additional_result,traceparent,tracestate,automatic}');
  IF jsonb_typeof(options->'automatic') NOT IN ('boolean', 'null') THEN
    PERFORM offstage.refuse_start_field('automatic', 'must be true or false');
  END IF;
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
    IF NOT coalesce((options->>'automatic')::boolean, false) THEN PERFORM offstage.refuse_exclusive(of_namespace); END IF;
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

REVOKE ALL ON FUNCTION offstage.refuse_exclusive(text) FROM PUBLIC;
