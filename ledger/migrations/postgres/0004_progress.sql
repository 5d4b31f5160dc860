-- How far a job's last run that reported it has come.

ALTER TABLE asyncops_jobs ADD COLUMN progress text;  -- JSON object
