-- A start may require a version of its method. Its job is in a queue of its own: `pool` is that of the job, or `default`, with `@` and the
-- version behind it, so that no claim for other executors comes past it, nor one of a release that knows of no versions.
ALTER TABLE offstage.executors ADD COLUMN versions jsonb;           -- by method, of those that have one

-- Functions stay what they are otherwise, whichever migration has made them last.
DO $$
DECLARE
  claims oid;
BEGIN
  -- A pool is paused with all versions.
  FOR claims IN
    SELECT p.oid FROM pg_proc p
    WHERE p.pronamespace = 'offstage'::regnamespace AND p.prosrc LIKE '%n.pool\_pauses ? coalesce(q.pool, ''default'')%'
  LOOP
    EXECUTE replace(pg_get_functiondef(claims), 'coalesce(q.pool, ''default'')', 'split_part(coalesce(q.pool, ''default''), ''@'', 1)');
  END LOOP;
END $$;

-- Starts by SQL may require one, too, and name no pool that is Offstage's own.
CREATE FUNCTION offstage.start_pool(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  of_pool CONSTANT text := nullif(offstage.start_text(options, 'pool', 63), 'default');
  version CONSTANT text := offstage.start_text(options, 'required_version', 100);
BEGIN
  IF of_pool !~ '^[A-Za-z0-9._-]+$' THEN
    PERFORM offstage.refuse_start_field('pool', 'must be 1 to 63 letters, digits, ".", "_" and "-"');
  ELSIF starts_with(of_pool, 'offstage.') THEN
    PERFORM offstage.refuse_start_field('pool', 'is reserved: pools that begin with "offstage." are Offstage’s own');
  ELSIF version !~ '^[A-Za-z0-9._+:-]+$' THEN
    PERFORM offstage.refuse_start_field('required_version', 'must be 1 to 100 letters, digits, ".", "_", "+", ":" and "-"');
  END IF;
  RETURN CASE WHEN version IS NULL THEN of_pool ELSE coalesce(of_pool, 'default') || '@' || version END;
END $$;
REVOKE ALL ON FUNCTION offstage.start_pool(jsonb) FROM PUBLIC;

DO $$
DECLARE
  starts oid;
  body text;
BEGIN
  SELECT p.oid INTO STRICT starts FROM pg_proc p
  WHERE p.pronamespace = 'offstage'::regnamespace AND p.prosrc LIKE '%{owner,key,key\_conflict\_policy,%';
  body := replace(pg_get_functiondef(starts), 'lane,pool,labels,', 'lane,pool,required_version,labels,');
  body := regexp_replace(body, 'of_pool := nullif\(offstage\.start_text\(options, ''pool'', 63\), ''default''\);.*?END IF;',
    'of_pool := offstage.start_pool(options);');
  EXECUTE body;
END $$;
