-- What servers share besides jobs: blobs, and what they agreed on.

CREATE TABLE agreed (
    name text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

CREATE SEQUENCE blob_content;

CREATE TABLE blob (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    content bigint NOT NULL,
    size_bytes bigint NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
);

-- Contents that no key names: they are being written, or somebody may still read them.
CREATE TABLE blob_unnamed (
    content bigint NOT NULL PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX blob_unnamed_by_age ON blob_unnamed (since);

CREATE TABLE blob_part (
    content bigint NOT NULL,
    part bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (content, part)
);

-- They are compressed already.
ALTER TABLE blob_part ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Gives a content its key; false when the content was removed before it was whole. One at a time for each key, so that
-- of two who make a key at once the earlier one's content is not forgotten.
CREATE FUNCTION name_blob(the_key text, the_content bigint, the_size bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    earlier bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stroem blob ' || current_schema() || ' ' || the_key, 0));
    DELETE FROM blob_unnamed WHERE content = the_content;
    IF NOT FOUND THEN
        RETURN EXISTS (SELECT 1 FROM blob WHERE key = the_key AND content = the_content);
    END IF;
    SELECT content INTO earlier FROM blob WHERE key = the_key FOR UPDATE;
    IF FOUND THEN
        INSERT INTO blob_unnamed (content) VALUES (earlier);
        UPDATE blob SET content = the_content, size_bytes = the_size, used_at = now() WHERE key = the_key;
    ELSE
        INSERT INTO blob (key, content, size_bytes) VALUES (the_key, the_content, the_size);
    END IF;
    RETURN true;
END
$$;
