-- For a list of thousands of ids the planner weighs each, and on tables it has no statistics of yet it takes ways that are twenty
-- times as long. The way that suits any list is the right one.
ALTER FUNCTION offstage.remove_jobs(uuid[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION offstage.remove_finished(text, smallint, smallint, timestamptz, integer) SET plan_cache_mode = force_generic_plan;
