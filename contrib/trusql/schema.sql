-- This is the same for PostgreSQL and for SQLite, which takes any name of a type. All
-- times are milliseconds since 1970 by the database's own clock.

-- The events that a Deduper knows, by key.
CREATE TABLE IF NOT EXISTS trulioo_claims (
    key   text PRIMARY KEY,
    claim text NOT NULL,   -- of the process that reserved it last
    done  integer NOT NULL, -- 1: committed
    ends  bigint NOT NULL  -- of the lease, or of the memory of a handled event
);

CREATE INDEX IF NOT EXISTS trulioo_claims_ends ON trulioo_claims (ends);

-- The events that an Inbox has acknowledged. Personal data.
CREATE TABLE IF NOT EXISTS trulioo_inbox (
    key       text PRIMARY KEY, -- Event.Key
    client_id text NOT NULL,
    type      text NOT NULL,
    event     bytea NOT NULL,   -- the callback without its token
    received  bigint NOT NULL,
    state     text NOT NULL,    -- waiting, done or dead
    due       bigint NOT NULL,  -- of the next attempt, or of the end of the lease; then of the end
    claim     text NOT NULL,    -- of the process that handles it; '' means none
    attempts  integer NOT NULL,
    error     text NOT NULL     -- of the last attempt
);

CREATE INDEX IF NOT EXISTS trulioo_inbox_due ON trulioo_inbox (state, due);
CREATE INDEX IF NOT EXISTS trulioo_inbox_received ON trulioo_inbox (received);

-- The profiles of accounts, for Profiles. Personal data.
CREATE TABLE IF NOT EXISTS trulioo_profiles (
    account       text NOT NULL,
    client_id     text NOT NULL,
    status        text NOT NULL,
    last_modified bigint NOT NULL, -- of the row of the list; 0 where it has none
    stored        bigint NOT NULL,
    gone          bigint NOT NULL, -- when it was found to be deleted; 0 means that it is there
    profile       bytea NOT NULL,  -- the API's answer, byte for byte
    PRIMARY KEY (account, client_id)
);
