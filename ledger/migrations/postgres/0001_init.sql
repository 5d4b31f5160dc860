-- The first schema. Times are microseconds since 1970-01-01 UTC.

CREATE TABLE asyncops_jobs (
    id               uuid     PRIMARY KEY,
    epoch            bigint   NOT NULL DEFAULT 0,
    run_epoch        bigint   NOT NULL DEFAULT 0,  -- of the run that this row tells of; 0: of none
    claim            bigint,                       -- which call of Claim took it last
    run_at           bigint   NOT NULL,
    rung_at          bigint   NOT NULL DEFAULT 0,  -- 0: no doorbell rings for it
    created_at       bigint   NOT NULL,
    deadline         bigint,
    expires_at       bigint,
    started_at       bigint,
    finished_at      bigint,
    purge_at         bigint,                       -- set when it ends
    retention        bigint,                       -- NULL: the ledger's default
    attempt          integer  NOT NULL DEFAULT 0,
    max_attempts     integer  NOT NULL,
    crashes          integer  NOT NULL DEFAULT 0,
    generation       integer  NOT NULL DEFAULT 0,
    key_generation   integer  NOT NULL DEFAULT 0,
    cancel_requested boolean  NOT NULL DEFAULT false,
    run_once         boolean  NOT NULL DEFAULT false,  -- a lost run makes it unknown
    error_private    boolean  NOT NULL DEFAULT false,
    kind             text     NOT NULL,
    queue            text     NOT NULL,
    state            text     NOT NULL,
    delivery         text     NOT NULL,
    owner            text     NOT NULL,
    idempotency_key  text,
    worker           text,
    doorbell         text,
    parked           text,
    error_code       text,
    error_message    text,
    traceparent      text,
    tags             text,                         -- JSON array; NULL: none
    options          text,                         -- JSON object; NULL: defaults
    verdict          text,                         -- JSON object; the end it gets once sealed
    args             text     NOT NULL,            -- as submitted, byte for byte
    result           text,
    summary          text
);

-- Every job leaves dead rows behind: vacuum and look at it more often than at
-- one row in five and one in ten.
ALTER TABLE asyncops_jobs SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- What may start, in the order in which relay and claim take it. Sealing and
-- isolated jobs are few, and would be far apart in a long queue.
CREATE INDEX asyncops_jobs_startable ON asyncops_jobs (queue, rung_at, run_at)
    WHERE state IN ('scheduled', 'pending', 'retry', 'parked');
CREATE INDEX asyncops_jobs_sealing ON asyncops_jobs (queue, run_at) WHERE verdict IS NOT NULL;
CREATE INDEX asyncops_jobs_isolated ON asyncops_jobs (queue, run_at)
    WHERE crashes >= 2 AND state IN ('scheduled', 'pending', 'retry', 'parked');
-- What a worker runs: cancel requests, reaping, the list of workers.
CREATE INDEX asyncops_jobs_active ON asyncops_jobs (worker) WHERE state = 'active';
-- Searches by state. Completed jobs are most of the table: the primary key finds
-- them. Pending and active ones are found above; every job would pay for them here.
CREATE INDEX asyncops_jobs_state ON asyncops_jobs (state, id) WHERE state NOT IN ('completed', 'pending', 'active');
CREATE INDEX asyncops_jobs_tags ON asyncops_jobs USING gin ((tags::jsonb)) WHERE tags IS NOT NULL;
CREATE INDEX asyncops_jobs_purge ON asyncops_jobs (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX asyncops_jobs_deadline ON asyncops_jobs (deadline) WHERE deadline IS NOT NULL AND finished_at IS NULL;
CREATE INDEX asyncops_jobs_expires ON asyncops_jobs (expires_at) WHERE expires_at IS NOT NULL AND epoch = 0 AND finished_at IS NULL;

-- Runs that failed, were lost or belong to an earlier generation. The current
-- or last run is told by the job's own row.
CREATE TABLE asyncops_attempts (
    job_id        uuid    NOT NULL REFERENCES asyncops_jobs (id) ON DELETE CASCADE,
    epoch         bigint  NOT NULL,
    number        integer NOT NULL,
    generation    integer NOT NULL,
    worker        text    NOT NULL,
    started_at    bigint  NOT NULL,
    finished_at   bigint  NOT NULL,
    outcome       text    NOT NULL,
    error_code    text,
    error_message text,
    error_private boolean NOT NULL DEFAULT false,
    summary       text,
    PRIMARY KEY (job_id, epoch)
);

-- Outlives its job: a key is kept for at least a day.
CREATE TABLE asyncops_idempotency (
    owner       text   NOT NULL,
    key         text   NOT NULL,
    job_id      uuid   NOT NULL,
    fingerprint text   NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint,            -- set when its job is deleted
    PRIMARY KEY (owner, key)
);
CREATE INDEX asyncops_idempotency_expires ON asyncops_idempotency (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE asyncops_queues (
    name   text    PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false
);

-- One row per life of a worker process. Its lease covers all jobs it runs.
CREATE TABLE asyncops_workers (
    id          text    PRIMARY KEY,
    host        text    NOT NULL,
    pid         integer NOT NULL,
    version     text    NOT NULL,
    queues      text    NOT NULL,  -- JSON array
    concurrency integer NOT NULL,
    state       text    NOT NULL,  -- running, draining, gone
    running     integer NOT NULL DEFAULT 0,
    started_at  bigint  NOT NULL,
    beat_at     bigint  NOT NULL,
    lease_until bigint  NOT NULL
);

CREATE TABLE asyncops_keys (
    id         text   PRIMARY KEY,
    name       text   NOT NULL UNIQUE,
    hash       text   NOT NULL,    -- SHA-256 of the secret, in hexadecimal
    grants     text   NOT NULL,    -- JSON object: role, scopes, limits
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);
