-- Row J20: a claim of a method with limits tells, too, whether as many jobs run as may, in whichever queues the others are: nothing is to
-- be had then until one has ended, however many slots become free.
CREATE FUNCTION offstage.claim_within_limits(
  of_namespace text, of_method text, lanes smallint[], pools text[], schemas text[], attachment_ids uuid[], after_key text, give_keys boolean,
  OUT job offstage.jobs, OUT busy boolean, OUT queued boolean, OUT again_ms float8, OUT last_key text,
  OUT is_full boolean                                 -- the method as a whole has no place left; null where it has no such limit
) RETURNS SETOF record LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  claimed record;
BEGIN
  FOR claimed IN
    SELECT c.* FROM offstage.claim_limited(of_namespace, of_method, lanes, pools, schemas, attachment_ids, after_key, give_keys) c
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
