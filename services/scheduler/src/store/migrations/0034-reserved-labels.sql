-- Row K3: what a schedule says of itself in the labels of its jobs, nobody else says.
CREATE OR REPLACE FUNCTION offstage.start_labels(labels jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
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
    ELSIF starts_with(label.key, 'offstage.') THEN
      PERFORM offstage.refuse_start_field(label.field, 'is reserved: labels that begin with "offstage." are Offstage''s own');
    ELSIF jsonb_typeof(label.value) <> 'string' THEN
      PERFORM offstage.refuse_start_field(label.field, 'must be a text');
    ELSIF char_length(label.value #>> '{}') > 255 THEN
      PERFORM offstage.refuse_start_field(label.field, 'must be at most 255 characters');
    END IF;
  END LOOP;
  RETURN labels;
END $$;
