-- What a session is known by: its id together with the user and the namespace it attached with, so that whoever names the id of
-- another's has a session of their own. The default is nobody's: a stream opened before goes on, and its session attaches anew.
ALTER TABLE offstage.attachments ADD COLUMN session_key uuid NOT NULL DEFAULT gen_random_uuid();
DROP INDEX offstage.attachments_session;
CREATE INDEX attachments_session ON offstage.attachments (session_key);
COMMENT ON COLUMN offstage.jobs.crashed_sessions IS 'by their keys';
