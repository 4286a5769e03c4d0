-- Requests whose work takes more than one transaction: the resource that they work on, and until when they are believed to
-- be at work. A row without a status has no answer yet.
ALTER TABLE idempotency_keys
    ALTER COLUMN status DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL,
    ADD COLUMN resource_id BIGINT,
    ADD COLUMN leased_until TIMESTAMPTZ;

CREATE INDEX idempotency_keys_running ON idempotency_keys (resource_id) WHERE status IS NULL;
