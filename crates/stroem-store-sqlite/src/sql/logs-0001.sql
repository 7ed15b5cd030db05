-- Log chunks until they are sealed, in a file of their own so that logs never wait for jobs nor jobs for logs.

CREATE TABLE log (
    job BLOB NOT NULL PRIMARY KEY,
    next_chunk_no INTEGER NOT NULL,
    -- The time of the newest line.
    newest_at INTEGER NOT NULL,
    -- Set when the log is sealed; its chunks are gone then.
    blob_key TEXT
) WITHOUT ROWID;

CREATE INDEX log_unsealed ON log (newest_at) WHERE blob_key IS NULL;

-- How far each attempt's chunks are stored; kept after the sealing, so that a chunk sent twice is still known.
CREATE TABLE log_attempt (
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    PRIMARY KEY (job, step, attempt)
) WITHOUT ROWID;

CREATE TABLE log_chunk (
    job BLOB NOT NULL,
    chunk_no INTEGER NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (job, chunk_no)
);

CREATE INDEX log_chunk_by_step ON log_chunk (job, step, chunk_no);
