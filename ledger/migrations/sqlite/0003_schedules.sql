-- Periodic jobs.

-- The schedule that made a job, and the fire that it is for; no fire for one
-- that was run by hand.
ALTER TABLE asyncops_jobs ADD COLUMN schedule text;
ALTER TABLE asyncops_jobs ADD COLUMN fire_at bigint;
-- One job for each fire, whoever fires.
CREATE UNIQUE INDEX asyncops_jobs_fire ON asyncops_jobs (schedule, fire_at) WHERE schedule IS NOT NULL;
-- Searches by schedule.
CREATE INDEX asyncops_jobs_schedule ON asyncops_jobs (schedule, id) WHERE schedule IS NOT NULL;
-- What of a schedule has not ended, in the order of its fires.
CREATE INDEX asyncops_jobs_schedule_open ON asyncops_jobs (schedule, fire_at) WHERE schedule IS NOT NULL AND finished_at IS NULL;

CREATE TABLE asyncops_schedules (
    name       text    PRIMARY KEY,
    version    bigint  NOT NULL,
    source     text    NOT NULL,  -- config, api
    owner      text    NOT NULL,
    cron       text    NOT NULL,
    timezone   text    NOT NULL,
    template   text    NOT NULL,  -- JSON object: what each fire submits
    missed     text    NOT NULL,
    overlap    text    NOT NULL,
    jitter     bigint  NOT NULL,
    start_at   bigint,
    end_at     bigint,
    paused     integer NOT NULL,
    anchor     bigint  NOT NULL,  -- from where intervals count
    created_at bigint  NOT NULL,
    updated_at bigint  NOT NULL,
    next_fire  bigint,            -- NULL: none, or paused
    last_fire  bigint,
    last_job   text
);
CREATE INDEX asyncops_schedules_due ON asyncops_schedules (next_fire) WHERE next_fire IS NOT NULL;
