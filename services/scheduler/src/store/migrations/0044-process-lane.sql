-- Starts by SQL may name the lane `process`, too. The function stays what it is otherwise, whichever migration has made it last.
DO $$
DECLARE
  starts oid;
BEGIN
  SELECT p.oid INTO STRICT starts FROM pg_proc p
  WHERE p.pronamespace = 'offstage'::regnamespace AND p.prosrc LIKE '%{inline,task,work}%';
  EXECUTE replace(pg_get_functiondef(starts), '{inline,task,work}', '{inline,task,work,process}');
END $$;
