-- stroem.db, version 3
CREATE TRIGGER job_count_delete AFTER DELETE ON job BEGIN
    UPDATE job_count SET jobs = jobs - 1
    WHERE workspace = old.workspace AND task = old.task AND shown = old.shown;
END;
CREATE TRIGGER job_count_insert AFTER INSERT ON job BEGIN
    INSERT INTO job_count (workspace, task, shown, jobs) VALUES (new.workspace, new.task, new.shown, 1)
    ON CONFLICT (workspace, task, shown) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER job_count_update AFTER UPDATE OF shown ON job WHEN old.shown <> new.shown BEGIN
    UPDATE job_count SET jobs = jobs - 1
    WHERE workspace = old.workspace AND task = old.task AND shown = old.shown;
    INSERT INTO job_count (workspace, task, shown, jobs) VALUES (new.workspace, new.task, new.shown, 1)
    ON CONFLICT (workspace, task, shown) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TABLE attempt (
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    worker BLOB NOT NULL,
    ready_at INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    outcome TEXT,
    PRIMARY KEY (job, step, attempt)
) WITHOUT ROWID;
CREATE TABLE fence (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
);
CREATE TABLE job (
    id BLOB NOT NULL PRIMARY KEY,
    workspace TEXT NOT NULL,
    task TEXT NOT NULL,
    revision TEXT NOT NULL,
    plan BLOB NOT NULL,
    source_type TEXT NOT NULL,
    source_id TEXT,
    status INTEGER NOT NULL,
    -- The state that people see: the final one as soon as a stop is asked for.
    shown INTEGER NOT NULL,
    version INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    open_steps INTEGER NOT NULL,
    failed_steps INTEGER NOT NULL,
    skipped_steps INTEGER NOT NULL,
    stop INTEGER,
    stop_requested_at INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    error TEXT
) WITHOUT ROWID;
CREATE TABLE job_count (
    workspace TEXT NOT NULL,
    task TEXT NOT NULL,
    shown INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (workspace, task, shown)
) WITHOUT ROWID;
CREATE TABLE job_input (
    job BLOB NOT NULL PRIMARY KEY,
    input TEXT NOT NULL
);
CREATE TABLE lease (
    fence INTEGER PRIMARY KEY,
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker BLOB NOT NULL,
    claimed_at INTEGER NOT NULL,
    kill TEXT
, scope TEXT, handle TEXT, mark_json TEXT, offered_at INTEGER);
CREATE TABLE plan (
    hash BLOB NOT NULL PRIMARY KEY,
    json TEXT NOT NULL
);
CREATE TABLE queue (
    queue_key INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    avoid_worker BLOB,
    PRIMARY KEY (queue_key, priority DESC, ready_at, job, step)
) WITHOUT ROWID;
CREATE TABLE queue_key (
    id INTEGER PRIMARY KEY,
    tags TEXT NOT NULL UNIQUE
);
CREATE TABLE step (
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    status INTEGER NOT NULL,
    unmet_deps INTEGER NOT NULL,
    skipped_deps INTEGER NOT NULL,
    failed_deps INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER,
    worker BLOB,
    requeues INTEGER NOT NULL,
    ready_at INTEGER,
    started_at INTEGER,
    completed_at INTEGER,
    outcome TEXT,
    error TEXT,
    PRIMARY KEY (job, step)
) WITHOUT ROWID;
CREATE TABLE step_data (
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    input TEXT,
    output TEXT,
    PRIMARY KEY (job, step)
);
CREATE TABLE timer (
    job BLOB NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (job, step, attempt, fence, kind)
) WITHOUT ROWID;
CREATE TABLE worker (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    instance BLOB NOT NULL,
    tags TEXT NOT NULL,
    withdrawn TEXT NOT NULL,
    exclusive INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    version TEXT NOT NULL,
    -- SHA-256 of the token of its newest session.
    session BLOB NOT NULL UNIQUE,
    registered_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    draining INTEGER NOT NULL,
    gone_at INTEGER
);
CREATE INDEX job_by_shown ON job (shown, id);
CREATE INDEX job_by_task ON job (workspace, task, id, shown);
CREATE INDEX job_by_workspace ON job (workspace, id, shown);
CREATE INDEX lease_by_worker ON lease (worker);
CREATE INDEX lease_offered ON lease (offered_at) WHERE offered_at IS NOT NULL;
CREATE UNIQUE INDEX queue_by_step ON queue (job, step);
CREATE INDEX step_open ON step (job, step) WHERE status < 4;
CREATE INDEX timer_by_due ON timer (due_at);

-- logs.db, version 2
CREATE TABLE log (
    job BLOB NOT NULL PRIMARY KEY,
    next_chunk_no INTEGER NOT NULL,
    -- The time of the newest line.
    newest_at INTEGER NOT NULL,
    -- Set when the log is sealed; its chunks are gone then.
    blob_key TEXT
, sealed_chunks INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
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
CREATE INDEX log_unsealed ON log (newest_at) WHERE next_chunk_no > sealed_chunks;
