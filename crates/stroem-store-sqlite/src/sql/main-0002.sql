-- Jobs are counted by task as well, so that the list of one task or workspace knows its length without reading the
-- history.

DROP TRIGGER job_count_insert;
DROP TRIGGER job_count_update;
DROP TRIGGER job_count_delete;
DROP TABLE job_count;

CREATE TABLE job_count (
    workspace TEXT NOT NULL,
    task TEXT NOT NULL,
    shown INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (workspace, task, shown)
) WITHOUT ROWID;

INSERT INTO job_count (workspace, task, shown, jobs)
SELECT workspace, task, shown, count(*) FROM job GROUP BY workspace, task, shown;

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

CREATE TRIGGER job_count_delete AFTER DELETE ON job BEGIN
    UPDATE job_count SET jobs = jobs - 1
    WHERE workspace = old.workspace AND task = old.task AND shown = old.shown;
END;
