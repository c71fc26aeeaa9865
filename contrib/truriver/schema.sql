-- An export and its plan.
CREATE TABLE IF NOT EXISTS trulioo_exports (
    id         text PRIMARY KEY,
    plan       json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A piece of an export: one job.
CREATE TABLE IF NOT EXISTS trulioo_slices (
    export_id text NOT NULL REFERENCES trulioo_exports ON DELETE CASCADE,
    number    integer NOT NULL,
    slice     json NOT NULL,
    last      boolean NOT NULL,                -- it waits until all others have been listed
    cursor    json NOT NULL DEFAULT 'null',    -- all clients up to it are in trulioo_results; it holds a client's id
    turn      bigint NOT NULL DEFAULT 0,       -- of a worker; only the holder of the newest can write
    passes    integer NOT NULL DEFAULT 0,      -- 1: listed to its end; more: clients that failed were tried again
    finished  boolean NOT NULL DEFAULT false,
    gone      bigint NOT NULL DEFAULT 0,       -- clients that were deleted between the list and the fetch
    PRIMARY KEY (export_id, number)
);

-- A trulioo.ExportReport about the reading of the slice's list, once it has been read.
ALTER TABLE trulioo_slices ADD COLUMN IF NOT EXISTS report json;

-- A client of an export. Personal data: anybody who can read this table can read the account.
CREATE TABLE IF NOT EXISTS trulioo_results (
    export_id text NOT NULL,
    client_id text NOT NULL,                   -- one that PostgreSQL's text cannot hold is "hex:" and its bytes
    slice     integer NOT NULL,
    profile   bytea,                           -- the API's answer, byte for byte
    error     text,                            -- why there is no profile; nothing personal
    PRIMARY KEY (export_id, client_id),
    FOREIGN KEY (export_id, slice) REFERENCES trulioo_slices ON DELETE CASCADE,
    CHECK ((profile IS NULL) <> (error IS NULL))
);

CREATE INDEX IF NOT EXISTS trulioo_results_slice ON trulioo_results (export_id, slice);
