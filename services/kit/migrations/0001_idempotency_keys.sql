-- Answers to requests that carried an idempotency key, so that a retry gets the same one.
CREATE TABLE idempotency_keys (
    -- SHA-256 of principal, method, path and the client's key.
    scope BYTEA PRIMARY KEY,
    -- HMAC-SHA-256 of the request's body: the body itself may hold a password.
    fingerprint BYTEA NOT NULL,
    status SMALLINT NOT NULL,
    location TEXT,
    etag TEXT,
    body BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX idempotency_keys_expire ON idempotency_keys (expires_at);
