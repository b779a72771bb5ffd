-- Rows J24, L10: a SQLSTATE tells one reason. OS012 is that of a lock that is taken (0036-locks-of-transactions.sql).
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
      WHEN 'NAMESPACE_EXCLUSIVE' THEN 'OS013'
      ELSE 'OS000' END;
END $$;
