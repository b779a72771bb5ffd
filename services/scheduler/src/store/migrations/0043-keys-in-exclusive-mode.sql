-- As in 0037-exclusive-mode.sql; but what was started before its method had a key expression gets the empty value as it begins while somebody
-- has the namespace, too: a job without one is in no count, and has no bucket of tokens.
CREATE OR REPLACE FUNCTION offstage.claim_limited(
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
        start_time = now(), limited = true,
        limit_key = CASE WHEN of_key.method IS NULL THEN j.limit_key ELSE coalesce(j.limit_key, '') END
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
