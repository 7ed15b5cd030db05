-- Jobs are counted by task as well, so that the list of one task or workspace knows its length without reading the
-- history. As before: a sum of rows that are only ever added, folded now and then.

DROP TABLE job_count;

CREATE TABLE job_count (
    workspace text NOT NULL,
    task text NOT NULL,
    shown bigint NOT NULL,
    jobs bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX job_count_by_task ON job_count (workspace, task, shown);

INSERT INTO job_count (workspace, task, shown, jobs)
SELECT workspace, task, shown, count(*) FROM job GROUP BY workspace, task, shown;

CREATE OR REPLACE FUNCTION note_job_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op <> 'INSERT' THEN
        INSERT INTO job_count (workspace, task, shown, jobs) VALUES (old.workspace, old.task, old.shown, -1);
    END IF;
    IF tg_op <> 'DELETE' THEN
        INSERT INTO job_count (workspace, task, shown, jobs) VALUES (new.workspace, new.task, new.shown, 1);
    END IF;
    RETURN NULL;
END
$$;
