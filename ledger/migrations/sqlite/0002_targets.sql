-- What a parked job waits for, such as "database main", and how a worker's
-- connections to its targets are used.

ALTER TABLE asyncops_jobs ADD COLUMN parked_on text;
-- Jobs that wait for room in a target, in the order in which they get it. A
-- release that does not know the column leaves it set when it claims a job:
-- the state decides.
CREATE INDEX asyncops_jobs_parked_on ON asyncops_jobs (parked_on, queue, id, expires_at) WHERE parked_on IS NOT NULL;

ALTER TABLE asyncops_workers ADD COLUMN pools text;  -- JSON object by database, as of beat_at
