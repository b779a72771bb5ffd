-- The roles of Offstage, each with what it needs and no more. To be run in its database by an administrator, once or again:
--
--   psql -v ON_ERROR_STOP=1 -f roles.sql <database>
--
-- offstage_migrator makes and changes tables, and is used for nothing else. offstage_scheduler and offstage_storage read and
-- write the rows of their own schema. offstage_starter is for applications that start jobs by SQL: grant it to their logins, and say in
-- offstage.sql_starters for whom and where. Logins get no passwords here: give them some (\password), or let them come with certificates.

DO $$ BEGIN CREATE ROLE offstage_migrator LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE offstage_scheduler LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE offstage_storage LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE offstage_starter NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;

DO $$ BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO offstage_migrator, offstage_scheduler, offstage_storage, offstage_starter', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS offstage AUTHORIZATION offstage_migrator;
CREATE SCHEMA IF NOT EXISTS offstage_storage AUTHORIZATION offstage_migrator;
GRANT USAGE ON SCHEMA offstage TO offstage_scheduler, offstage_starter;
GRANT USAGE ON SCHEMA offstage_storage TO offstage_storage;

-- Which migrations have been applied is for the services to read only, unlike what the migrations make.
CREATE TABLE IF NOT EXISTS offstage.offstage_migrations (
  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS offstage_storage.offstage_migrations (
  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE offstage.offstage_migrations OWNER TO offstage_migrator;
ALTER TABLE offstage_storage.offstage_migrations OWNER TO offstage_migrator;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA offstage TO offstage_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA offstage_storage TO offstage_storage;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA offstage TO offstage_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA offstage_storage TO offstage_storage;
REVOKE INSERT, UPDATE, DELETE ON offstage.offstage_migrations FROM offstage_scheduler;
REVOKE INSERT, UPDATE, DELETE ON offstage_storage.offstage_migrations FROM offstage_storage;

ALTER DEFAULT PRIVILEGES FOR ROLE offstage_migrator IN SCHEMA offstage
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO offstage_scheduler;
ALTER DEFAULT PRIVILEGES FOR ROLE offstage_migrator IN SCHEMA offstage
  GRANT USAGE ON SEQUENCES TO offstage_scheduler;
ALTER DEFAULT PRIVILEGES FOR ROLE offstage_migrator IN SCHEMA offstage_storage
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO offstage_storage;
ALTER DEFAULT PRIVILEGES FOR ROLE offstage_migrator IN SCHEMA offstage_storage
  GRANT USAGE ON SEQUENCES TO offstage_storage;

-- The functions of starts by SQL come with the migrations, which grant them to this role where they find it.
DO $$ BEGIN
  IF to_regprocedure('offstage.start_job(text, text, jsonb, jsonb)') IS NOT NULL THEN
    GRANT EXECUTE ON FUNCTION offstage.start_job(text, text, jsonb, jsonb), offstage.start_jobs(text, text, jsonb[], jsonb[])
      TO offstage_starter;
  END IF;
  IF to_regprocedure('offstage.lock_in_transaction(text, text, jsonb)') IS NOT NULL THEN
    GRANT EXECUTE ON FUNCTION offstage.lock_in_transaction(text, text, jsonb) TO offstage_starter;
  END IF;
  -- For whom jobs may be started is for administrators to say.
  IF to_regclass('offstage.sql_starters') IS NOT NULL THEN
    REVOKE ALL ON offstage.sql_starters FROM offstage_scheduler;
  END IF;
END $$;
