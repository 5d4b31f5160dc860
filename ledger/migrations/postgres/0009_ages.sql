-- How long the oldest due job of each queue had waited, by spans of time: the
-- most that was seen in each. Minutes at first, which are folded into longer
-- spans as they grow old.

CREATE TABLE asyncops_ages (
    step   integer NOT NULL,  -- length of the span in seconds
    at     bigint  NOT NULL,  -- when it begins
    queue  text    NOT NULL,
    oldest bigint  NOT NULL,  -- microseconds; 0: none waited
    PRIMARY KEY (step, at, queue)
);
