-- What runs note of the requests of their jobs before the outcome of the run is
-- written. A job that is run again by hand begins without notes.

CREATE TABLE asyncops_sends (
    job_id     uuid    NOT NULL REFERENCES asyncops_jobs (id) ON DELETE CASCADE,
    item       integer NOT NULL,  -- index of the request
    generation integer NOT NULL,
    sent_at    bigint  NOT NULL,  -- when it was first sent
    doubt      boolean NOT NULL DEFAULT false,  -- its run has ended, and nobody can tell whether it was carried out
    answer     text,              -- NULL: it may have been carried out
    PRIMARY KEY (job_id, item)
);
