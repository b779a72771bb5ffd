-- How long finished jobs of a kind and end are kept (row J12), where that is not the default (domain/retention.ts).
CREATE TABLE offstage.retention (
  namespace    text        NOT NULL,
  kind         smallint    NOT NULL,
  state        smallint    NOT NULL,
  max_count    bigint,                                -- null: any number
  max_age_ms   float8      NOT NULL,
  PRIMARY KEY (namespace, kind, state)
);
