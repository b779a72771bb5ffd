-- Row A5: attached children. A child names the parent that ends only when it has, and which attempt of it has started it; a parent counts how
-- many it ever had, so that whoever ends it notices one more, and remembers up to which attempt they count no more.
ALTER TABLE offstage.jobs
  ADD COLUMN attached_to uuid,
  ADD COLUMN attached_attempt integer,
  ADD COLUMN attached_count integer,
  ADD COLUMN attached_after integer;
