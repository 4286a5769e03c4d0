-- Who buys. A deleted customer keeps its row, as orders refer to its id, and nothing that tells who it was.
CREATE TABLE customers (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    -- As the customer wrote it.
    email TEXT,
    -- The same without the difference of small and capital letters, by Unicode: the database's locale may know ASCII alone.
    folded_email TEXT CONSTRAINT customers_email_is_unique UNIQUE,
    phone TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Of Argon2id, as a PHC string, which tells its own costs.
    password_hash TEXT,
    -- Grows by every change that a client can see: the ETag.
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- When somebody last went on with its deletion. Until it is done or given up, no session of the customer begins.
    closing_at TIMESTAMPTZ,
    -- Which attempt that was: one that others have overtaken gives nothing up.
    closing_attempt BIGINT NOT NULL DEFAULT 0,
    deleted_at TIMESTAMPTZ,
    CONSTRAINT customers_are_erased_once_deleted CHECK (
        CASE WHEN deleted_at IS NULL
            THEN num_nonnulls(email, folded_email, password_hash) = 3
            ELSE num_nonnulls(email, folded_email, password_hash) = 0 AND name = '' AND phone = '' AND address = ''
        END
    )
);

-- Lists go by id, over customers that are there.
CREATE INDEX customers_listed ON customers (id) WHERE deleted_at IS NULL;
-- Deletions on their way. They are few: customers leave this index when they are deleted.
CREATE INDEX customers_closing ON customers (closing_at) WHERE closing_at IS NOT NULL AND deleted_at IS NULL;

-- A deletion also takes back the stored answer to the request that made the customer, which has everything in it.
CREATE INDEX idempotency_keys_by_location ON idempotency_keys (location);
