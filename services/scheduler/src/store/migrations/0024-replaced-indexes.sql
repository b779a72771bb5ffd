-- breaks nothing: the release before reads by the indexes of 0023 what it read by these.
DROP INDEX offstage.jobs_parent;
DROP INDEX offstage.jobs_listed_key;
