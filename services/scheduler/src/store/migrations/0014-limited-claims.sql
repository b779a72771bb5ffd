-- Row J20: whatever lets jobs of a method with limits begin is one round trip, so that the row of the method in method_gates is locked
-- no longer than statements take, and whoever freezes holds nothing. In functions, because what runs is to be counted by a
-- statement that begins after the row was locked. Their settings: plans are made once for each connection, for planning takes
-- several times as long as running them, and look rows up one by one, for what they look at is little in a table that is large.

-- What a bucket of tokens has at a time; null where there is no rate. A clock that was put back adds none.
CREATE FUNCTION offstage.available_tokens(
  of_limit offstage.method_limits, of_tokens offstage.rate_tokens, moment timestamptz
) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN (of_limit).rate IS NOT NULL THEN least((of_limit).burst, coalesce((of_tokens).tokens
    + greatest(extract(epoch FROM moment - (of_tokens).refill_time)::float8, 0) * 1000 * (of_limit).rate / (of_limit).rate_period_ms,
    (of_limit).burst)) END
$$;

-- Which of the jobs that are about to be recorded do not begin, by their places from 1 on: those that have no room within the
-- concurrency of their methods, and those behind others in the queue. It is not to be asked about methods with a rate. It waits for
-- others for a moment, which is shorter than going through the queue.
CREATE FUNCTION offstage.jobs_held_back(
  are_limited boolean[], namespaces text[], methods text[], keys text[]
) RETURNS SETOF bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET lock_timeout = '50ms' AS $$
#variable_conflict use_column
DECLARE
  one record;
  of_all integer;
  of_key integer;
  is_held boolean;
  held integer;
BEGIN
  FOR one IN
    SELECT DISTINCT u.namespace, u.method FROM unnest(are_limited, namespaces, methods) AS u(is_limited, namespace, method)
    WHERE u.is_limited ORDER BY 1, 2
  LOOP
    BEGIN
      PERFORM FROM offstage.method_gates g
      WHERE g.namespace = one.namespace AND g.method = one.method AND g.limited FOR NO KEY UPDATE;
      is_held := FOUND;
    EXCEPTION WHEN lock_not_available THEN
      is_held := false;
    END;
    IF NOT is_held OR EXISTS (SELECT FROM offstage.jobs j WHERE j.state = 2 AND j.namespace = one.namespace AND j.method = one.method) THEN
      RETURN QUERY SELECT u.place FROM unnest(are_limited, namespaces, methods) WITH ORDINALITY AS u(is_limited, namespace, method, place)
      WHERE u.is_limited AND u.namespace = one.namespace AND u.method = one.method;
      CONTINUE;
    END IF;
    of_all := (SELECT l.max_concurrency FROM offstage.method_limits l
      WHERE l.namespace = one.namespace AND l.method = one.method AND NOT l.keyed);
    of_key := (SELECT l.max_concurrency FROM offstage.method_limits l
      WHERE l.namespace = one.namespace AND l.method = one.method AND l.keyed);
    held := CASE WHEN of_all IS NOT NULL THEN (SELECT count(*) FROM offstage.jobs j
      WHERE j.namespace = one.namespace AND j.method = one.method AND j.limited AND j.state IN (3, 4)) END;
    RETURN QUERY
      WITH given AS (
        SELECT u.place, coalesce(u.key, '') AS key
        FROM unnest(are_limited, namespaces, methods, keys) WITH ORDINALITY AS u(is_limited, namespace, method, key, place)
        WHERE u.is_limited AND u.namespace = one.namespace AND u.method = one.method
      ), room AS (
        SELECT k.key, CASE WHEN of_key IS NOT NULL THEN of_key - (SELECT count(*) FROM offstage.jobs j
          WHERE j.namespace = one.namespace AND j.method = one.method AND j.limited AND j.state IN (3, 4) AND j.limit_key = k.key)
          END AS jobs
        FROM (SELECT DISTINCT g.key FROM given g) k
      ), first AS (
        SELECT g.place, coalesce(row_number() OVER (PARTITION BY g.key ORDER BY g.place) <= r.jobs, true) AS fits
        FROM given g JOIN room r USING (key)
      )
      SELECT f.place FROM (
        SELECT first.place, first.fits, count(*) FILTER (WHERE first.fits) OVER (ORDER BY first.place) AS nth FROM first
      ) f
      WHERE NOT f.fits OR f.nth > of_all - held;
  END LOOP;
END $$;

-- What follows, to claim_limited, is run by it, with its settings, by who has locked the row of the method.

-- The heads of queues of a method without a key, best first.
CREATE FUNCTION offstage.next_jobs(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], room integer
) RETURNS uuid[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT head.id
    FROM unnest(lanes, pools, schemas) AS q(lane, pool, schema) CROSS JOIN LATERAL (
      SELECT j.id, j.priority, j.create_time FROM offstage.jobs j
      WHERE j.state = 2 AND j.namespace = of_namespace AND j.method = of_method AND j.lane = q.lane
        AND q.pool IS NOT DISTINCT FROM j.pool
        AND (q.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? q.schema)
      ORDER BY j.priority DESC, j.create_time, j.id LIMIT room
    ) head
    ORDER BY head.priority DESC, head.create_time, head.id LIMIT room);
END $$;

-- The values of the key take turns, from the one after `after_key` on: as many as there is room for, passing over those that have none
-- themselves. Within a value best first. Nobody's jobs are looked at beyond what may be taken, however many there are; to find
-- the next value costs one look into the index.
CREATE FUNCTION offstage.next_jobs_in_turn(
  of_limit offstage.method_limits, lanes smallint[], pools text[], schemas text[], room integer, after_key text, moment timestamptz,
  OUT ids uuid[], OUT last_key text
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  WITH RECURSIVE later AS (
    (SELECT j.limit_key FROM offstage.jobs j
      WHERE j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limit_key > after_key
      ORDER BY j.limit_key LIMIT 1)
    UNION ALL
    SELECT (SELECT j.limit_key FROM offstage.jobs j
      WHERE j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limit_key > later.limit_key
      ORDER BY j.limit_key LIMIT 1)
    FROM later WHERE later.limit_key IS NOT NULL
  ), earlier AS (
    (SELECT j.limit_key FROM offstage.jobs j
      WHERE j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limit_key >= '' AND j.limit_key <= after_key
      ORDER BY j.limit_key LIMIT 1)
    UNION ALL
    SELECT (SELECT j.limit_key FROM offstage.jobs j
      WHERE j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method
        AND j.limit_key > earlier.limit_key AND j.limit_key <= after_key
      ORDER BY j.limit_key LIMIT 1)
    FROM earlier WHERE earlier.limit_key IS NOT NULL
  ), turn AS MATERIALIZED (
    SELECT value.limit_key, own.room, row_number() OVER () AS place
    FROM (SELECT limit_key FROM later UNION ALL SELECT limit_key FROM earlier) value
    CROSS JOIN LATERAL (
      SELECT least(room,
        of_limit.max_concurrency - CASE WHEN of_limit.max_concurrency IS NOT NULL THEN (
          SELECT count(*)::integer FROM offstage.jobs j
          WHERE j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limited AND j.state IN (3, 4)
            AND j.limit_key = value.limit_key) END,
        CASE WHEN of_limit.rate IS NOT NULL THEN floor(offstage.available_tokens(of_limit, (
          SELECT t FROM offstage.rate_tokens t
          WHERE t.namespace = of_limit.namespace AND t.method = of_limit.method AND t.keyed AND t.limit_key = value.limit_key),
          moment))::integer END) AS room
    ) own
    WHERE value.limit_key IS NOT NULL AND own.room > 0 AND EXISTS (
      SELECT FROM unnest(lanes, pools, schemas) AS q(lane, pool, schema) JOIN offstage.jobs j
        ON j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limit_key = value.limit_key
        AND j.lane = q.lane AND q.pool IS NOT DISTINCT FROM j.pool
        AND (q.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? q.schema))
    LIMIT room
  ), share AS MATERIALIZED (
    SELECT ceil(room::float8 / greatest(count(*), 1))::integer AS jobs, max(turn.place) AS last FROM turn
  ), head AS (
    SELECT first.id, first.nth, turn.place
    FROM turn CROSS JOIN LATERAL (
      SELECT one.id, row_number() OVER (ORDER BY one.priority DESC, one.create_time, one.id) AS nth
      FROM unnest(lanes, pools, schemas) AS q(lane, pool, schema) CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.create_time FROM offstage.jobs j
        WHERE j.state = 2 AND j.namespace = of_limit.namespace AND j.method = of_limit.method AND j.limit_key = turn.limit_key
          AND j.lane = q.lane AND q.pool IS NOT DISTINCT FROM j.pool
          AND (q.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? q.schema)
        ORDER BY j.priority DESC, j.create_time, j.id LIMIT least(turn.room, (SELECT jobs FROM share))
      ) one
      ORDER BY nth LIMIT least(turn.room, (SELECT jobs FROM share))
    ) first
  )
  SELECT ARRAY(SELECT head.id FROM head ORDER BY head.nth, head.place LIMIT room),
    (SELECT turn.limit_key FROM turn WHERE turn.place = (SELECT share.last FROM share))
  INTO ids, last_key;
END $$;

-- Takes from the buckets what these jobs cost.
CREATE FUNCTION offstage.pay_tokens(of_namespace text, of_method text, ids uuid[], moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO offstage.rate_tokens (namespace, method, keyed, limit_key, tokens, refill_time)
  SELECT l.namespace, l.method, l.keyed, cost.limit_key, offstage.available_tokens(l, t, moment) - cost.jobs, moment
  FROM offstage.method_limits l
  CROSS JOIN LATERAL (
    SELECT CASE WHEN l.keyed THEN j.limit_key ELSE '' END AS limit_key, count(*) AS jobs
    FROM unnest(ids) AS b(id) JOIN offstage.jobs j USING (id) GROUP BY 1
  ) cost
  LEFT JOIN offstage.rate_tokens t ON t.namespace = l.namespace AND t.method = l.method AND t.keyed = l.keyed AND t.limit_key = cost.limit_key
  WHERE l.namespace = of_namespace AND l.method = of_method AND l.rate IS NOT NULL
  ON CONFLICT (namespace, method, keyed, limit_key) DO UPDATE SET tokens = excluded.tokens, refill_time = excluded.refill_time;
END $$;

-- Lets as many queued jobs of a method begin as there are attachments given, one for each slot, and as its limits have room for. The
-- last row tells what else there is to know, the others are the jobs. It waits for nobody: who holds the method is done soon.
CREATE FUNCTION offstage.claim_limited(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], attachment_ids uuid[],
  after_key text,                                     -- the value of the key that had the last turn
  give_keys boolean,                                  -- look for jobs that were started before the method had a key
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

  IF room > 0 AND of_key.method IS NULL THEN
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
