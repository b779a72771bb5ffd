-- Row L7. A session may ask for a longer lease than others have: by so many rounds, such as while its process is under a debugger.
ALTER TABLE offstage.attachments ADD COLUMN extra_rounds integer NOT NULL DEFAULT 0;

-- What is started by SQL runs in the background, which a method may not be able to.
CREATE OR REPLACE FUNCTION offstage.start_definition(of_namespace text, of_method text, whose text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  found jsonb;
  known text;
  starters jsonb;
BEGIN
  IF of_method IS NULL OR of_method !~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$' OR char_length(of_method) > 200 THEN
    PERFORM offstage.refuse_start_field('method',
      'must be segments of letters, digits, "_" and "-" joined by dots, at most 200 characters');
  END IF;
  SELECT m.definition INTO found FROM offstage.methods m WHERE m.namespace = of_namespace AND m.name = of_method;
  IF found IS NULL THEN
    SELECT string_agg(m.name, ', ') INTO known
    FROM (SELECT name FROM offstage.methods WHERE namespace = of_namespace ORDER BY name LIMIT 10) m;
    PERFORM offstage.refuse_start('METHOD_UNKNOWN', 'method',
      format('no executor has announced the method "%s" in namespace "%s"', of_method, of_namespace),
      coalesce('Known methods: ' || known, 'No executor has attached to this namespace yet')
        || '. Start an executor that defines it, or check the spelling.',
      jsonb_build_object('method', of_method, 'namespace', of_namespace));
  ELSIF jsonb_typeof(found) <> 'object' OR found->'v' IS DISTINCT FROM '1' THEN
    PERFORM offstage.refuse_start('METHOD_UNREADABLE', 'method', format('what is known of the method "%s" cannot be read', of_method),
      'It was announced by a newer release: finish the update of the schedulers.', jsonb_build_object('method', of_method));
  END IF;
  starters := found->'startableBy';
  IF starters IS NOT NULL AND NOT coalesce(starters->'roles' ? 'user', false) AND NOT EXISTS (
    SELECT FROM jsonb_array_elements_text(starters->'users') AS u(pattern) WHERE offstage.fits(u.pattern, whose))
  THEN
    PERFORM offstage.refuse_start('METHOD_NOT_STARTABLE', 'method',
      format('the method "%s" may not be started by the user "%s" in the role user', of_method, whose),
      format('Starts by SQL are in the role user. Name the user in startableBy of the method: users: [''%s''].', whose),
      jsonb_build_object('method', of_method));
  END IF;
  IF found->'foregroundOnly' = 'true' THEN
    PERFORM offstage.refuse_start('METHOD_FOREGROUND_ONLY', 'method',
      format('the method "%s" cannot run in the background', of_method),
      'Start it with the mode foreground, in a process that has its handler.', jsonb_build_object('method', of_method));
  END IF;
  RETURN found;
END $$;
