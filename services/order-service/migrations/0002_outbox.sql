-- What others are told of orders, written in the transaction that makes it true. A row is sent to each of its targets, and
-- is deleted some time after the last of them has it.
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign key: the row outlives nothing and must not slow down changes of its order.
    order_id BIGINT NOT NULL,
    -- Of the event, by which receivers know it again.
    event_id TEXT UNIQUE,
    -- The event as it is sent. None for an order that was cancelled before anybody was told of it.
    payload TEXT,
    -- Whether the order's reservation is to be released.
    releases_stock BOOLEAN NOT NULL,
    -- When the target had it: none for those that it is due to.
    kafka_sent_at TIMESTAMPTZ,
    sqs_sent_at TIMESTAMPTZ,
    released_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT outbox_events_have_ids CHECK ((event_id IS NULL) = (payload IS NULL))
);

-- A row that commits late has a low id, so nothing is ever looked for behind the last id that was sent: what is due is
-- known by its flag alone.
CREATE INDEX outbox_due_to_kafka ON outbox (id) WHERE payload IS NOT NULL AND kafka_sent_at IS NULL;
CREATE INDEX outbox_due_to_sqs ON outbox (id) WHERE payload IS NOT NULL AND sqs_sent_at IS NULL;
CREATE INDEX outbox_due_to_stock ON outbox (id) WHERE releases_stock AND released_at IS NULL;
CREATE INDEX outbox_by_age ON outbox (created_at);
