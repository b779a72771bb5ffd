-- What there is of a label for each owner: without it the planner takes one value in a hundred to be anybody's (0030, an index of some rows, has no say).
CREATE STATISTICS IF NOT EXISTS offstage.jobs_owned_labels
  ON (jsonb_set(jsonb_object(ARRAY[namespace || '/' || owner, '']), ARRAY[namespace || '/' || owner], labels)) FROM offstage.jobs;
