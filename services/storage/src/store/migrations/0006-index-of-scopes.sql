-- breaks nothing: the release before reads by the index of 0005 what it read by this one.
DROP INDEX offstage_storage.temp_values_scope;
