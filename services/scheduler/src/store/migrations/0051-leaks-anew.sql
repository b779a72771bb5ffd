-- Which tracking it is: another one once the name is tracked anew, so that nothing found before is taken for what is found now.
ALTER TABLE offstage.leak_tracking ADD COLUMN tracking_id uuid NOT NULL DEFAULT gen_random_uuid();
