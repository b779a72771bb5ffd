-- How many scopes and uploads an owner has open is counted when one more is opened, up to the limit.
CREATE INDEX scopes_open_of_owner ON offstage_storage.scopes (owner) WHERE close_time IS NULL;
CREATE INDEX uploads_of_owner ON offstage_storage.uploads (owner);
