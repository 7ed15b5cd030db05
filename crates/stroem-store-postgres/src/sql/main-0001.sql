-- Jobs and everything that a commit writes. Ids are UUIDv7, which sort by creation; times are microseconds since 1970
-- UTC; states are the numbers in codec.rs; structures are JSON text, since jsonb would lose the order of keys and
-- refuses zero characters. Numbers are 64 bits wide, as in the embedded store.

CREATE TABLE plan (
    hash bytea NOT NULL PRIMARY KEY,
    json text NOT NULL
);

-- A claim and every event write the job's row: there is room for a new version on its page.
CREATE TABLE job (
    id uuid NOT NULL PRIMARY KEY,
    workspace text NOT NULL,
    task text NOT NULL,
    revision text NOT NULL,
    plan bytea NOT NULL,
    source_type text NOT NULL,
    source_id text,
    status bigint NOT NULL,
    -- The state that people see: the final one as soon as a stop is asked for.
    shown bigint NOT NULL,
    version bigint NOT NULL,
    priority bigint NOT NULL,
    open_steps bigint NOT NULL,
    failed_steps bigint NOT NULL,
    skipped_steps bigint NOT NULL,
    stop bigint,
    stop_requested_at bigint,
    created_at bigint NOT NULL,
    started_at bigint,
    completed_at bigint,
    error text
) WITH (fillfactor = 80);

CREATE INDEX job_by_shown ON job (shown, id);
CREATE INDEX job_by_workspace ON job (workspace, id, shown);
CREATE INDEX job_by_task ON job (workspace, task, id, shown);

-- How many jobs show each state, as the sum of rows that are only ever added: two transactions never wait for one
-- another here. Now and then the rows of a state are folded into one.
CREATE TABLE job_count (
    shown bigint NOT NULL,
    jobs bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE FUNCTION note_job_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op <> 'INSERT' THEN
        INSERT INTO job_count (shown, jobs) VALUES (old.shown, -1);
    END IF;
    IF tg_op <> 'DELETE' THEN
        INSERT INTO job_count (shown, jobs) VALUES (new.shown, 1);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER job_count_insert AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION note_job_count();
CREATE TRIGGER job_count_update AFTER UPDATE OF shown ON job FOR EACH ROW WHEN (old.shown <> new.shown)
    EXECUTE FUNCTION note_job_count();
CREATE TRIGGER job_count_delete AFTER DELETE ON job FOR EACH ROW EXECUTE FUNCTION note_job_count();

CREATE TABLE job_input (
    job uuid NOT NULL PRIMARY KEY,
    input text NOT NULL
);

CREATE TABLE step (
    job uuid NOT NULL,
    step bigint NOT NULL,
    status bigint NOT NULL,
    unmet_deps bigint NOT NULL,
    skipped_deps bigint NOT NULL,
    failed_deps bigint NOT NULL,
    attempt bigint NOT NULL,
    fence bigint,
    worker uuid,
    requeues bigint NOT NULL,
    ready_at bigint,
    started_at bigint,
    completed_at bigint,
    outcome text,
    error text,
    PRIMARY KEY (job, step)
) WITH (fillfactor = 70);

-- States below 4 are not terminal.
CREATE INDEX step_open ON step (job, step) WHERE status < 4;

-- What may be large, apart from the rows that every event reads.
CREATE TABLE step_data (
    job uuid NOT NULL,
    step bigint NOT NULL,
    input text,
    output text,
    PRIMARY KEY (job, step)
);

CREATE TABLE attempt (
    job uuid NOT NULL,
    step bigint NOT NULL,
    attempt bigint NOT NULL,
    fence bigint NOT NULL,
    worker uuid NOT NULL,
    ready_at bigint NOT NULL,
    claimed_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint,
    outcome text,
    PRIMARY KEY (job, step, attempt)
) WITH (fillfactor = 70);

-- Sets of required tags by their canonical text.
CREATE TABLE queue_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tags text NOT NULL UNIQUE
);

-- Rows come and go all the time, at the head of the index: what is dead there is cleaned away by number, not by share.
CREATE TABLE queue (
    queue_key bigint NOT NULL,
    priority bigint NOT NULL,
    ready_at bigint NOT NULL,
    job uuid NOT NULL,
    step bigint NOT NULL,
    avoid_worker uuid,
    PRIMARY KEY (job, step)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

CREATE INDEX queue_in_order ON queue (queue_key, priority DESC, ready_at, job, step);

-- `slot` and `mark` name the transaction of the claim, see commit_mark.
CREATE TABLE lease (
    fence bigint NOT NULL PRIMARY KEY,
    job uuid NOT NULL,
    step bigint NOT NULL,
    attempt bigint NOT NULL,
    worker uuid NOT NULL,
    claimed_at bigint NOT NULL,
    kill text,
    slot uuid NOT NULL,
    mark bigint NOT NULL
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

CREATE INDEX lease_by_worker ON lease (worker, fence);

CREATE SEQUENCE fence;

CREATE TABLE timer (
    job uuid NOT NULL,
    step bigint NOT NULL,
    attempt bigint NOT NULL,
    fence bigint NOT NULL,
    kind bigint NOT NULL,
    due_at bigint NOT NULL,
    PRIMARY KEY (job, step, attempt, fence, kind)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE INDEX timer_by_due ON timer (due_at);

CREATE TABLE worker (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    instance uuid NOT NULL,
    tags text NOT NULL,
    withdrawn text NOT NULL,
    exclusive boolean NOT NULL,
    capacity bigint NOT NULL,
    version text NOT NULL,
    -- SHA-256 of the token of its newest session.
    session bytea NOT NULL UNIQUE,
    registered_at bigint NOT NULL,
    last_seen bigint NOT NULL,
    draining boolean NOT NULL,
    gone_at bigint
) WITH (fillfactor = 50);

-- The newest transaction of each connection that wrote something. When a connection breaks in the middle of a commit,
-- its row tells what became of it. One row for a connection, so it does not grow with the commits.
CREATE TABLE commit_mark (
    slot uuid NOT NULL PRIMARY KEY,
    mark bigint NOT NULL,
    noted_at timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION note_commit(the_slot uuid, the_mark bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO commit_mark AS m (slot, mark, noted_at) VALUES (the_slot, the_mark, now())
    ON CONFLICT (slot) DO UPDATE SET mark = excluded.mark, noted_at = excluded.noted_at;
$$;

-- Ends the transaction unless a statement touched as many rows as it must.
CREATE FUNCTION expect_rows(touched bigint, expected bigint, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF touched <> expected THEN
        RAISE EXCEPTION '% rows of % where % must be', touched, what, expected USING ERRCODE = 'data_corrupted';
    END IF;
END
$$;

-- The claim, see dispatch.rs. Statement by statement:
-- 1. Walks the asked-for queues in order and takes rows that no other claim holds. It takes one row at a time, so that
--    no row is held that is not taken. It looks at a window of each queue, and at a larger one when others hold so many
--    rows that the window was not enough.
-- 2. Locks the jobs, in one order for all claims. A commit holds its job and never waits for a queue row, so there is
--    no circle.
-- 3. Moves the steps that are still ready. A step that was cancelled between 1 and 2 just loses its queue row.
CREATE FUNCTION claim(
    the_worker uuid, keys text[], slots bigint, now_us bigint, avoids_until bigint, the_slot uuid, the_mark bigint
) RETURNS TABLE (job uuid, step bigint, attempt bigint, fence bigint, version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    key_ids bigint[] := ARRAY(SELECT k.id FROM queue_key k WHERE k.tags = ANY (keys));
    window_size bigint := slots + 8;
    seen bigint;
    jobs uuid[] := '{}';
    steps bigint[] := '{}';
    ready bigint[] := '{}';
    fences bigint[] := '{}';
    candidate record;
BEGIN
    WHILE cardinality(jobs) < slots LOOP
        seen := 0;
        FOR candidate IN
            SELECT c.queue_key, c.job, c.step, c.ready_at
            FROM unnest(key_ids) AS k(id)
            CROSS JOIN LATERAL (
                SELECT q.* FROM queue q
                WHERE q.queue_key = k.id
                    AND (q.avoid_worker IS NULL OR q.avoid_worker <> the_worker OR q.ready_at <= avoids_until)
                ORDER BY q.priority DESC, q.ready_at, q.job, q.step
                LIMIT window_size
            ) AS c
            ORDER BY c.priority DESC, c.ready_at, c.job, c.step
        LOOP
            seen := seen + 1;
            DELETE FROM queue q WHERE q.ctid = (
                SELECT l.ctid FROM queue l
                WHERE l.job = candidate.job AND l.step = candidate.step AND l.queue_key = candidate.queue_key
                FOR UPDATE SKIP LOCKED
            );
            IF FOUND THEN
                jobs := jobs || candidate.job;
                steps := steps || candidate.step;
                ready := ready || candidate.ready_at;
                fences := fences || nextval('fence');
                EXIT WHEN cardinality(jobs) = slots;
            END IF;
        END LOOP;
        EXIT WHEN seen < window_size;
        window_size := window_size * 8;
    END LOOP;
    IF cardinality(jobs) = 0 THEN
        RETURN;
    END IF;
    PERFORM 1 FROM job j WHERE j.id = ANY (jobs) ORDER BY j.id FOR UPDATE;
    PERFORM note_commit(the_slot, the_mark);
    RETURN QUERY
    WITH taken AS (
        SELECT * FROM unnest(jobs, steps, ready, fences) AS t(job, step, ready_at, fence)
    ), moved AS (
        UPDATE step s SET status = 2, attempt = s.attempt + 1, fence = t.fence, worker = the_worker,
            started_at = NULL, outcome = NULL, error = NULL
        FROM taken t WHERE s.job = t.job AND s.step = t.step AND s.status = 1
        RETURNING s.job, s.step, s.attempt, t.fence, t.ready_at
    ), leased AS (
        INSERT INTO lease (fence, job, step, attempt, worker, claimed_at, slot, mark)
        SELECT m.fence, m.job, m.step, m.attempt, the_worker, now_us, the_slot, the_mark FROM moved m
    ), attempted AS (
        INSERT INTO attempt (job, step, attempt, fence, worker, ready_at, claimed_at)
        SELECT m.job, m.step, m.attempt, m.fence, the_worker, m.ready_at, now_us FROM moved m
    ), counted AS (
        SELECT m.job, count(*) AS claims FROM moved m GROUP BY m.job
    ), begun AS (
        UPDATE job j SET version = j.version + c.claims,
            status = CASE j.status WHEN 0 THEN 1 ELSE j.status END,
            shown = CASE j.status WHEN 0 THEN 1 ELSE j.shown END,
            started_at = CASE j.status WHEN 0 THEN now_us ELSE j.started_at END
        FROM counted c WHERE j.id = c.job
        RETURNING j.id, j.version - c.claims AS before
    )
    SELECT m.job, m.step, m.attempt, m.fence,
        b.before + row_number() OVER (PARTITION BY m.job ORDER BY m.fence)
    FROM moved m JOIN begun b ON b.id = m.job
    ORDER BY m.fence;
END
$$;

-- Log chunks until they are sealed. They are compressed already.
CREATE TABLE log (
    job uuid NOT NULL PRIMARY KEY,
    next_chunk_no bigint NOT NULL,
    -- The time of the newest line.
    newest_at bigint NOT NULL,
    -- Set when the log is sealed; chunks before `sealed_chunks` are in the blob and gone from here.
    blob_key text,
    sealed_chunks bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

CREATE INDEX log_unsealed ON log (newest_at) WHERE next_chunk_no > sealed_chunks;

-- How far each attempt's chunks are stored; kept after the sealing, so that a chunk sent twice is still known.
CREATE TABLE log_attempt (
    job uuid NOT NULL,
    step bigint NOT NULL,
    attempt bigint NOT NULL,
    next_seq bigint NOT NULL,
    PRIMARY KEY (job, step, attempt)
) WITH (fillfactor = 80);

CREATE TABLE log_chunk (
    job uuid NOT NULL,
    chunk_no bigint NOT NULL,
    step bigint NOT NULL,
    attempt bigint NOT NULL,
    seq bigint NOT NULL,
    lines bigint NOT NULL,
    raw_bytes bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (job, chunk_no)
);

ALTER TABLE log_chunk ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX log_chunk_by_step ON log_chunk (job, step, chunk_no);
