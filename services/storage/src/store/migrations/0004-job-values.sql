-- Values that are the own of a job, its large parameters and results, live as long as a job names them: the scheduler is asked at
-- their `look_time`, which has the place of an end.
-- breaks nothing: the rule that goes comes back wider; a release before may only not replace such a value.
ALTER TABLE offstage_storage.temp_values ADD COLUMN look_time timestamptz;
ALTER TABLE offstage_storage.temp_values DROP CONSTRAINT ends;
ALTER TABLE offstage_storage.temp_values ADD CONSTRAINT ends CHECK (num_nonnulls(scope, expire_time, look_time) = 1);
CREATE INDEX temp_values_looked ON offstage_storage.temp_values (look_time) WHERE look_time IS NOT NULL;
ALTER TABLE offstage_storage.uploads ADD COLUMN for_job boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW offstage_storage.live_values AS
  SELECT * FROM offstage_storage.temp_values v
  WHERE v.expire_time > now() OR v.look_time IS NOT NULL OR EXISTS (
    SELECT FROM offstage_storage.scopes s
    WHERE s.id = v.scope AND s.close_time IS NULL AND s.expire_time > now());
