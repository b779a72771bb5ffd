-- Row J24: what callers of offstage.start_job give, checked by the rules that StartJob checks (domain/start-command.ts), and made
-- into what is stored (job-options-codec.ts). Here and there the rules are the same: sql-starts.test.ts asks both.

-- Refusals have SQLSTATEs of a class of their own (proto/src/sql-states.ts); DETAIL is JSON for programs: the reason, the field, and facts.
CREATE FUNCTION offstage.refuse_start(
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
      ELSE 'OS000' END;
END $$;

CREATE FUNCTION offstage.refuse_start_field(field text, rule text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM offstage.refuse_start('INVALID_FIELD', field, field || ' ' || rule, 'Correct ' || field || ' and start the job again.');
END $$;

-- A text of the options; null where it is not given, or empty.
CREATE FUNCTION offstage.start_text(options jsonb, name text, at_most integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  given text := nullif(options->>name, '');
BEGIN
  IF given IS NULL THEN RETURN NULL; END IF;
  IF jsonb_typeof(options->name) <> 'string' THEN PERFORM offstage.refuse_start_field(name, 'must be a text'); END IF;
  IF char_length(given) > at_most THEN
    PERFORM offstage.refuse_start_field(name, format('must be at most %s characters', at_most));
  END IF;
  RETURN given;
END $$;

-- A number of an object, which is the field `parent` of the options, or they themselves where that is null.
CREATE FUNCTION offstage.start_number(
  object jsonb, parent text, name text, lowest numeric, highest numeric, whole boolean DEFAULT false
) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  field text := concat_ws('.', parent, name);
  given numeric;
BEGIN
  IF object->>name IS NULL THEN RETURN NULL; END IF;
  IF jsonb_typeof(object->name) <> 'number' THEN PERFORM offstage.refuse_start_field(field, 'must be a number'); END IF;
  given := (object->>name)::numeric;
  IF given < lowest OR given > highest THEN
    PERFORM offstage.refuse_start_field(field, format('must be within %s and %s', lowest, highest));
  END IF;
  IF whole AND given <> trunc(given) THEN PERFORM offstage.refuse_start_field(field, 'must be a whole number'); END IF;
  RETURN given;
END $$;

-- An object with no other names than these: what is misspelled is refused, never passed over.
CREATE FUNCTION offstage.start_object(object jsonb, field text, names text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  unknown text;
BEGIN
  IF object IS NULL OR jsonb_typeof(object) = 'null' THEN RETURN '{}'; END IF;
  IF jsonb_typeof(object) <> 'object' THEN PERFORM offstage.refuse_start_field(field, 'must be a JSON object'); END IF;
  SELECT k.name INTO unknown FROM jsonb_object_keys(object) AS k(name) WHERE k.name <> ALL (names) ORDER BY 1 LIMIT 1;
  IF unknown IS NOT NULL THEN
    PERFORM offstage.refuse_start('INVALID_FIELD', concat_ws('.', nullif(field, 'options'), left(unknown, 100)),
      format('%s has no "%s"', field, left(unknown, 100)), 'There are: ' || array_to_string(names, ', ') || '.');
  END IF;
  RETURN object;
END $$;

CREATE FUNCTION offstage.start_labels(labels jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  label record;
BEGIN
  IF labels IS NULL OR jsonb_typeof(labels) = 'null' OR labels = '{}' THEN RETURN NULL; END IF;
  IF jsonb_typeof(labels) <> 'object' THEN PERFORM offstage.refuse_start_field('labels', 'must be a JSON object'); END IF;
  IF (SELECT count(*) FROM jsonb_object_keys(labels)) > 32 THEN
    PERFORM offstage.refuse_start_field('labels', 'must be at most 32');
  END IF;
  FOR label IN SELECT e.key, e.value, format('labels[%s]', left(e.key, 63)) AS field FROM jsonb_each(labels) e LOOP
    IF char_length(label.key) NOT BETWEEN 1 AND 63 THEN
      PERFORM offstage.refuse_start_field(label.field, 'must have a key of 1 to 63 characters');
    ELSIF jsonb_typeof(label.value) <> 'string' THEN
      PERFORM offstage.refuse_start_field(label.field, 'must be a text');
    ELSIF char_length(label.value #>> '{}') > 255 THEN
      PERFORM offstage.refuse_start_field(label.field, 'must be at most 255 characters');
    END IF;
  END LOOP;
  RETURN labels;
END $$;

-- Null where none is given. What is given in part is filled as RetryPolicy says.
CREATE FUNCTION offstage.start_retry(policy jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  field CONSTANT text := 'retry_policy';
  years CONSTANT numeric := 316224000000;
  first_ms numeric;
  most_ms numeric;
BEGIN
  IF policy IS NULL OR jsonb_typeof(policy) = 'null' THEN RETURN NULL; END IF;
  policy := offstage.start_object(policy, field,
    '{max_attempts,initial_backoff_ms,backoff_multiplier,max_backoff_ms,jitter}');
  first_ms := coalesce(offstage.start_number(policy, field, 'initial_backoff_ms', 0, years), 1000);
  most_ms := coalesce(offstage.start_number(policy, field, 'max_backoff_ms', 0, years), greatest(300000, first_ms));
  IF most_ms < first_ms THEN
    PERFORM offstage.refuse_start_field(field || '.max_backoff_ms', 'must not be below initial_backoff_ms');
  END IF;
  RETURN jsonb_build_object(
    'maxAttempts', coalesce(offstage.start_number(policy, field, 'max_attempts', 1, 1000, true), 1),
    'initialBackoffMs', first_ms,
    'backoffMultiplier', coalesce(offstage.start_number(policy, field, 'backoff_multiplier', 1, 100), 2),
    'backoffMsMax', most_ms,
    'jitter', coalesce(offstage.start_number(policy, field, 'jitter', 0, 1), 0.2));
END $$;

CREATE FUNCTION offstage.start_traceparent(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  given text := offstage.start_text(options, 'traceparent', 100);
BEGIN
  IF given !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[ -~]*)?$' OR given ~ '^(ff|.{3}0{32}|.{36}0{16}|00.{53}-)' THEN
    PERFORM offstage.refuse_start_field('traceparent',
      'must be a W3C trace context, "00-<trace id>-<span id>-<flags>" in lower-case hexadecimal digits');
  END IF;
  RETURN given;
END $$;

-- When it is due, by the clock of the database; null: at once.
CREATE FUNCTION offstage.start_due(options jsonb, started timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  delay_ms numeric := offstage.start_number(options, NULL, 'delay_ms', 0, 316224000000);
  given text := offstage.start_text(options, 'start_time', 100);
  due timestamptz;
BEGIN
  IF given IS NULL THEN RETURN started + nullif(delay_ms, 0)::float8 * interval '1 ms'; END IF;
  IF nullif(delay_ms, 0) IS NOT NULL THEN
    PERFORM offstage.refuse_start_field('delay_ms', 'excludes start_time: give one of them');
  END IF;
  IF given ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' THEN
    BEGIN
      due := given::timestamptz;
    EXCEPTION WHEN data_exception THEN
      due := NULL;
    END;
  END IF;
  IF due IS NULL OR due < '0001-01-01T00:00:00Z' THEN
    PERFORM offstage.refuse_start_field('start_time',
      'must be a time of the years 1 to 9999 with its zone, such as "2030-01-31T12:00:00Z"');
  END IF;
  RETURN due;
END $$;

-- What the options ask for that is stored with them, by the names it is stored by; what is not asked for is not there.
CREATE FUNCTION offstage.start_stored_options(options jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  deadlines jsonb := offstage.start_object(options->'deadlines', 'deadlines', '{queue_ms,attempt_ms,total_ms,heartbeat_ms}');
  years CONSTANT numeric := 316224000000;
  days CONSTANT numeric := 2073600000;
BEGIN
  IF jsonb_typeof(options->'want_additional_result') NOT IN ('boolean', 'null') THEN
    PERFORM offstage.refuse_start_field('want_additional_result', 'must be true or false');
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'displayName', offstage.start_text(options, 'display_name', 200),
    'tracestate', offstage.start_text(options, 'tracestate', 512),
    'wantAdditionalResult', nullif((options->>'want_additional_result')::boolean, false),
    'retry', offstage.start_retry(options->'retry_policy'),
    'queueDeadlineMs', offstage.start_number(deadlines, 'deadlines', 'queue_ms', 1, years),
    'attemptDeadlineMs', offstage.start_number(deadlines, 'deadlines', 'attempt_ms', 1, days),
    'totalDeadlineMs', offstage.start_number(deadlines, 'deadlines', 'total_ms', 1, years),
    'heartbeatDeadlineMs', offstage.start_number(deadlines, 'deadlines', 'heartbeat_ms', 1000, days)));
END $$;

-- One of a list of words, as its place in it; null where it is not given.
CREATE FUNCTION offstage.start_word(options jsonb, name text, words text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  given text := offstage.start_text(options, name, 100);
  place integer := array_position(words, given);
BEGIN
  IF given IS NOT NULL AND place IS NULL THEN
    PERFORM offstage.refuse_start_field(name, 'must be one of ' || array_to_string(words, ', '));
  END IF;
  RETURN place;
END $$;

-- Whether a text is a pattern, in which * stands for any characters.
CREATE FUNCTION offstage.fits(pattern text, given text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT given LIKE replace(regexp_replace(pattern, '([\\%_])', '\\\1', 'g'), '*', '%')
$$;
