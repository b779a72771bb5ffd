-- Row J24: who may start jobs by SQL. Whoever may call offstage.start_job is told by PostgreSQL: EXECUTE is granted to offstage_starter
-- (deploy/postgres/roles.sql). For whom, and in which namespaces, by this table; a login that no row is for starts jobs in `default`, as
-- the user sql:<login>.
CREATE TABLE offstage.sql_starters (
  role_name    text        PRIMARY KEY,             -- the login, or a role it is a member of
  namespaces   text[]      NOT NULL DEFAULT '{default}', -- in both * stands for any characters
  owners       text[]      NOT NULL DEFAULT '{}'    -- other users whose jobs it may start
);

-- Whose the job is. Who could write the tables themselves is asked for nothing.
CREATE FUNCTION offstage.start_owner(asked text, of_namespace text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  own CONSTANT text := 'sql:' || session_user;
  whose text := coalesce(asked, own);
  enters boolean;
  names boolean;
BEGIN
  IF char_length(whose) > 255 OR whose ~ '^\s|\s$' OR whose ~
    '[\u0001-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]'
  THEN
    PERFORM offstage.refuse_start_field('owner',
      'must be at most 255 characters without control or format characters, and without blanks at its ends');
  END IF;
  IF has_table_privilege(session_user, 'offstage.jobs', 'INSERT') THEN RETURN whose; END IF;
  SELECT bool_or(true), bool_or(EXISTS (SELECT FROM unnest(g.owners) AS o(pattern) WHERE offstage.fits(o.pattern, whose)))
  INTO enters, names
  FROM (
    SELECT s.namespaces, s.owners FROM offstage.sql_starters s
    JOIN pg_catalog.pg_roles r ON r.rolname = s.role_name AND pg_has_role(session_user, r.oid, 'MEMBER')
    UNION ALL
    SELECT '{default}', '{}' WHERE NOT EXISTS (
      SELECT FROM offstage.sql_starters s
      JOIN pg_catalog.pg_roles r ON r.rolname = s.role_name AND pg_has_role(session_user, r.oid, 'MEMBER'))
  ) g
  WHERE EXISTS (SELECT FROM unnest(g.namespaces) AS n(pattern) WHERE offstage.fits(n.pattern, of_namespace));
  IF enters IS NULL THEN
    PERFORM offstage.refuse_start('NAMESPACE_NOT_FOUND', 'namespace',
      format('there is no namespace %s, or you may not see it', of_namespace),
      format('A row for the role %s in offstage.sql_starters says which namespaces it may start jobs in.', session_user),
      jsonb_build_object('namespace', of_namespace));
  ELSIF whose <> own AND NOT names THEN
    PERFORM offstage.refuse_start('PERMISSION_DENIED', 'owner',
      format('the role %s may not start jobs of the user "%s"', session_user, whose),
      format('Leave owner out, so that the job is of %s, or name the user in the row for the role in offstage.sql_starters.', own));
  END IF;
  RETURN whose;
END $$;

-- What was announced of a method, for who may start it as a user of this name.
CREATE FUNCTION offstage.start_definition(of_namespace text, of_method text, whose text) RETURNS jsonb LANGUAGE plpgsql AS $$
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
  RETURN found;
END $$;
