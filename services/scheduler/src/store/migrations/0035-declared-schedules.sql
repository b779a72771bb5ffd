-- Row K1: what code has declared of schedules, apart from what operators have made of them.

CREATE TABLE offstage.declared_schedules (
  namespace    text        NOT NULL,
  id           text        NOT NULL,
  owner        text        NOT NULL,
  version      integer     NOT NULL,                      -- only a higher one is applied
  said         jsonb,                                     -- of that version: see Said; null: that it is removed
  declare_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, id)
);
