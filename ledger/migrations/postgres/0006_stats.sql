-- What has happened to jobs, by spans of time: minutes at first, which are
-- folded into longer spans as they grow old.

CREATE TABLE asyncops_stats (
    step      integer NOT NULL,  -- length of the span in seconds
    at        bigint  NOT NULL,  -- when it begins
    queue     text    NOT NULL,
    kind      text    NOT NULL,
    source    text    NOT NULL,  -- the process that counted; '' once folded
    submitted bigint  NOT NULL,
    retried   bigint  NOT NULL,
    completed bigint  NOT NULL,
    archived  bigint  NOT NULL,
    canceled  bigint  NOT NULL,
    expired   bigint  NOT NULL,
    unknown   bigint  NOT NULL,
    wait      text    NOT NULL,  -- histogram
    run       text    NOT NULL,  -- histogram
    PRIMARY KEY (step, at, queue, kind, source)
);
