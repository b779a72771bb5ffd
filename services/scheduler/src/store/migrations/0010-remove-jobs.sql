-- Removing jobs takes two statements: what hangs on them is looked up by one that begins after their rows were locked, so that
-- nothing recorded in between stays behind. Functions, so that it is one round trip, and no row is locked while one is under way.

-- Of jobs whose rows the transaction has locked. Values that no other job names go the way of the outbox: storage takes them from there.
CREATE FUNCTION offstage.remove_jobs(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH removed AS (
    DELETE FROM offstage.jobs WHERE id = ANY (ids)
    RETURNING namespace, owner, params_address, result_address, additional_result->>'address' AS additional_address
  ), attempts AS (
    DELETE FROM offstage.job_attempts WHERE job_id = ANY (ids)
  ), progress AS (
    DELETE FROM offstage.job_progress WHERE job_id = ANY (ids)
  ), messages AS (
    DELETE FROM offstage.job_messages WHERE job_id = ANY (ids)
  )
  INSERT INTO offstage.discarded_values (namespace, owner, address)
  SELECT r.namespace, r.owner, v.address
  FROM removed r CROSS JOIN LATERAL
    (VALUES (r.params_address), (r.result_address), (r.additional_address)) AS v(address)
  WHERE v.address IS NOT NULL AND NOT EXISTS (
    SELECT FROM offstage.jobs k WHERE k.id <> ALL (ids) AND
      (k.params_address = v.address OR k.result_address = v.address OR k.additional_result->>'address' = v.address));
END $$;

-- The oldest of one kind and end that ended before a time, but what somebody else has locked, and children of a job that goes on,
-- which may still ask what came of them. How many it removed.
CREATE FUNCTION offstage.remove_finished(
  of_namespace text, of_kind smallint, of_state smallint, before timestamptz, at_most integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
BEGIN
  -- What a power loss brings back is removed again.
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT array_agg(held.id) INTO ids FROM (
    SELECT j.id FROM offstage.jobs j
    WHERE j.namespace = of_namespace AND j.kind = of_kind AND j.state = of_state AND j.state >= 5 AND j.pin_time IS NULL
      AND j.finish_time < before AND (j.parent_id IS NULL OR NOT EXISTS (
        SELECT FROM offstage.jobs p WHERE p.id = j.parent_id AND p.state < 5))
    ORDER BY j.finish_time LIMIT at_most FOR UPDATE OF j SKIP LOCKED) held;
  IF ids IS NULL THEN RETURN 0; END IF;
  PERFORM offstage.remove_jobs(ids);
  RETURN cardinality(ids);
END $$;
