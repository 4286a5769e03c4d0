-- What customers ordered, from the moment at which an order begins to be placed.
CREATE TABLE orders (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Ids of other services, thus without foreign keys.
    customer_id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    -- As they were reserved, so that what the customer pays stays the same. Prices are in minor units of the currency. All
    -- of them are there once the order was confirmed, and none before.
    product_name TEXT,
    unit_price BIGINT CHECK (unit_price >= 0),
    total_price BIGINT CHECK (total_price = unit_price * quantity),
    currency TEXT,
    status TEXT NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'CONFIRMED', 'PAID', 'SHIPPED', 'DELIVERED', 'CANCELLED', 'REFUNDED')),
    -- Grows by every change that a client can see: the ETag.
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- When somebody last began to place it.
    attempted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- The time for the payment runs from here.
    confirmed_at TIMESTAMPTZ,
    -- It came to nothing: no client sees it any more, and it goes once its reservation is released.
    abandoned_at TIMESTAMPTZ CHECK (abandoned_at IS NULL OR status = 'PENDING'),
    -- Until when somebody is believed to be releasing its reservation.
    releasing_until TIMESTAMPTZ,
    CONSTRAINT orders_have_prices_once_confirmed CHECK (
        num_nonnulls(product_name, unit_price, total_price, currency, confirmed_at) IN (0, 5)
        AND (confirmed_at IS NOT NULL OR status IN ('PENDING', 'CANCELLED'))
    )
)
-- The status changes a few times in an order's life and is in indexes: little is gained by more room.
WITH (fillfactor = 90);

-- Lists go by descending id.
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE abandoned_at IS NULL;
CREATE INDEX orders_by_status ON orders (status, id) WHERE abandoned_at IS NULL;
-- What keeps a customer's account from being closed.
CREATE INDEX orders_open ON orders (customer_id)
    WHERE abandoned_at IS NULL AND status IN ('PENDING', 'CONFIRMED', 'PAID', 'SHIPPED');
-- What time runs out for. They are few: orders leave these indexes as they go on.
CREATE INDEX orders_being_placed ON orders (attempted_at) WHERE status = 'PENDING' AND abandoned_at IS NULL;
CREATE INDEX orders_abandoned ON orders (id) WHERE abandoned_at IS NOT NULL;
CREATE INDEX orders_unpaid ON orders (confirmed_at) WHERE status = 'CONFIRMED';

-- Customers of whom no order is taken any more.
CREATE TABLE closed_customers (
    customer_id BIGINT PRIMARY KEY,
    closed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
