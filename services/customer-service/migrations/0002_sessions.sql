-- Every session that DynamoDB has, and perhaps some that it has not: what must be ended to end all of a customer.
CREATE TABLE sessions (
    -- SHA-256 of the token, in hexadecimal, as in DynamoDB.
    token_hash TEXT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX sessions_by_customer ON sessions (customer_id);
CREATE INDEX sessions_expire ON sessions (expires_at);
