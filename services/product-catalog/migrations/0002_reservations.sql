-- What orders have taken off the stock. A released reservation stays, so that its order can never reserve again.
CREATE TABLE reservations (
    -- The order service's id.
    order_id BIGINT PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    released_at TIMESTAMPTZ
);

CREATE TABLE reservation_lines (
    order_id BIGINT NOT NULL REFERENCES reservations,
    product_id BIGINT NOT NULL REFERENCES products,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    -- As they were when it was reserved, so that a repeated request gets the same answer. The price is in minor units.
    name TEXT NOT NULL,
    unit_price BIGINT NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
