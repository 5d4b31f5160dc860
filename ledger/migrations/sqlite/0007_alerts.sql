-- Alerts, and what processes tell of themselves for them.

ALTER TABLE asyncops_workers ADD COLUMN runs text;       -- JSON object: the runs of the minute before beat_at
ALTER TABLE asyncops_workers ADD COLUMN lost_at bigint;  -- when its lease was found to have ended; NULL: it left in order

-- Dead letters, the latest last. The others do not pay for it.
CREATE INDEX asyncops_jobs_dead ON asyncops_jobs (finished_at) WHERE state = 'archived';

CREATE TABLE asyncops_processes (
    id           text   PRIMARY KEY,
    role         text   NOT NULL,  -- api, worker, scheduler, dev
    host         text   NOT NULL,
    pid          integer NOT NULL,
    memory_used  bigint NOT NULL,  -- bytes
    memory_limit bigint NOT NULL,  -- bytes
    beat_at      bigint NOT NULL
);

CREATE TABLE asyncops_alerts (
    id          text             PRIMARY KEY,
    rule        text             NOT NULL,
    about_type  text             NOT NULL,
    about_name  text             NOT NULL,
    state       text             NOT NULL,  -- pending, firing, resolved
    value       real             NOT NULL,
    threshold   real             NOT NULL,
    detail      text             NOT NULL,
    since       bigint           NOT NULL,
    fired_at    bigint,
    clear_since bigint,
    resolved_at bigint,
    seen_at     bigint           NOT NULL
);
-- One at a time of everything that a rule watches.
CREATE UNIQUE INDEX asyncops_alerts_open ON asyncops_alerts (rule, about_type, about_name) WHERE state <> 'resolved';
CREATE INDEX asyncops_alerts_resolved ON asyncops_alerts (resolved_at) WHERE state = 'resolved';

-- The one row says who looks at the alerts, and when somebody did last.
CREATE TABLE asyncops_alert_turns (
    one      integer PRIMARY KEY,
    number   bigint  NOT NULL,
    holder   text    NOT NULL,
    taken_at bigint  NOT NULL,
    seen_at  bigint  NOT NULL,  -- of the last turn that came to its end
    since    bigint  NOT NULL   -- from when on the turns have followed each other without a gap
);
INSERT INTO asyncops_alert_turns (one, number, holder, taken_at, seen_at, since) VALUES (1, 0, '', 0, 0, 0);
