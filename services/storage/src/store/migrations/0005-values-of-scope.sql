-- concurrently
-- A listing of a scope reads nothing of what others have in it (guarantee 8); sweeps and closings go by the scope alone, as before.
CREATE INDEX CONCURRENTLY IF NOT EXISTS temp_values_of_scope ON offstage_storage.temp_values (scope, namespace, owner) WHERE scope IS NOT NULL;
