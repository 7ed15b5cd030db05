-- Where an attempt runs, when it can outlive its worker, and since when it is up for adoption.
ALTER TABLE lease ADD COLUMN scope TEXT;
ALTER TABLE lease ADD COLUMN handle TEXT;
ALTER TABLE lease ADD COLUMN mark_json TEXT;
ALTER TABLE lease ADD COLUMN offered_at INTEGER;

CREATE INDEX lease_offered ON lease (offered_at) WHERE offered_at IS NOT NULL;
