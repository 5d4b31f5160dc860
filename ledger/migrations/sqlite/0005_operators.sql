-- Who steers by hand: logins, what operators did, and workers that were told to
-- take no more jobs.

CREATE TABLE asyncops_sessions (
    id         text   PRIMARY KEY,  -- SHA-256 of the token, in hexadecimal
    key_id     text   NOT NULL,
    binding    text   NOT NULL,     -- of token and key; whoever knows both can check it
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX asyncops_sessions_key ON asyncops_sessions (key_id, created_at);
CREATE INDEX asyncops_sessions_expires ON asyncops_sessions (expires_at);

CREATE TABLE asyncops_audit (
    id         text   PRIMARY KEY,  -- in the order of time
    at         bigint NOT NULL,
    key_id     text   NOT NULL,     -- '' where no key is asked for
    key_name   text   NOT NULL,
    via        text   NOT NULL,     -- key, session, open
    address    text   NOT NULL,
    action     text   NOT NULL,
    target     text   NOT NULL,     -- '' where the action has none
    outcome    text   NOT NULL,     -- ok, or the code of the problem
    request_id text   NOT NULL
);
CREATE INDEX asyncops_audit_target ON asyncops_audit (target, id);
CREATE INDEX asyncops_audit_key ON asyncops_audit (key_id, id);
CREATE INDEX asyncops_audit_at ON asyncops_audit (at);

ALTER TABLE asyncops_workers ADD COLUMN drain integer NOT NULL DEFAULT 0;  -- an operator wants it to take no more jobs
