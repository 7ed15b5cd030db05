-- A sealed log can grow again: how many of its chunks are in the blob.

ALTER TABLE log ADD COLUMN sealed_chunks INTEGER NOT NULL DEFAULT 0;

UPDATE log SET sealed_chunks = next_chunk_no WHERE blob_key IS NOT NULL;

DROP INDEX log_unsealed;

CREATE INDEX log_unsealed ON log (newest_at) WHERE next_chunk_no > sealed_chunks;
