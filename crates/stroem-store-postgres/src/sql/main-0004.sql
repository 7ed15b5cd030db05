-- Where an attempt runs, when it can outlive its worker, and since when it is up for adoption.
ALTER TABLE lease ADD COLUMN scope text;
ALTER TABLE lease ADD COLUMN handle text;
ALTER TABLE lease ADD COLUMN mark_json text;
ALTER TABLE lease ADD COLUMN offered_at bigint;

CREATE INDEX lease_offered ON lease (offered_at) WHERE offered_at IS NOT NULL;

-- The adoption, see adoption.rs. It locks the jobs first, as commits and claims do; whoever waited for one of them then
-- finds what is still on offer.
CREATE FUNCTION adopt(
    the_worker uuid, fences bigint[], now_us bigint, the_slot uuid, the_mark bigint
) RETURNS TABLE (job uuid, step bigint, attempt bigint, fence bigint, version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM job j WHERE j.id IN (SELECT l.job FROM lease l WHERE l.fence = ANY (fences))
    ORDER BY j.id FOR UPDATE;
    IF NOT EXISTS (SELECT 1 FROM lease l WHERE l.fence = ANY (fences) AND l.offered_at IS NOT NULL) THEN
        RETURN;
    END IF;
    PERFORM note_commit(the_slot, the_mark);
    RETURN QUERY
    WITH offered AS (
        SELECT l.fence AS before, nextval('fence') AS after FROM lease l
        WHERE l.fence = ANY (fences) AND l.offered_at IS NOT NULL
    ), moved AS (
        UPDATE lease l SET fence = o.after, worker = the_worker, claimed_at = now_us, offered_at = NULL,
            slot = the_slot, mark = the_mark
        FROM offered o WHERE l.fence = o.before
        RETURNING o.before, l.fence, l.job, l.step, l.attempt
    ), stepped AS (
        UPDATE step s SET fence = m.fence, worker = the_worker
        FROM moved m WHERE s.job = m.job AND s.step = m.step
    ), attempted AS (
        UPDATE attempt a SET fence = m.fence, worker = the_worker
        FROM moved m WHERE a.job = m.job AND a.step = m.step AND a.attempt = m.attempt
    ), timed AS (
        UPDATE timer t SET fence = m.fence
        FROM moved m WHERE t.job = m.job AND t.step = m.step AND t.attempt = m.attempt AND t.fence = m.before
    ), counted AS (
        SELECT m.job, count(*) AS adoptions FROM moved m GROUP BY m.job
    ), begun AS (
        UPDATE job j SET version = j.version + c.adoptions
        FROM counted c WHERE j.id = c.job
        RETURNING j.id, j.version - c.adoptions AS before
    )
    SELECT m.job, m.step, m.attempt, m.fence,
        b.before + row_number() OVER (PARTITION BY m.job ORDER BY m.fence)
    FROM moved m JOIN begun b ON b.id = m.job
    ORDER BY m.fence;
END
$$;
