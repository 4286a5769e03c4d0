-- What the shop sells. A deleted product keeps its row, as orders refer to it.
CREATE TABLE products (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name without the difference of small and capital letters, by Unicode: the database's locale may know ASCII alone.
    folded_name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- In minor units of the shop's currency: 1999 is EUR 19.99.
    price BIGINT NOT NULL CONSTRAINT products_price_is_not_negative CHECK (price >= 0),
    category TEXT NOT NULL,
    -- How many pieces can be ordered now: those that orders have reserved are taken off.
    stock_quantity BIGINT NOT NULL CONSTRAINT products_stock_is_not_negative CHECK (stock_quantity >= 0),
    -- Grows by every change that a client can see: the ETag.
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    deleted_at TIMESTAMPTZ
)
-- Stock changes often and is in no index: room in the page lets a new version of a row stay beside the old one.
WITH (fillfactor = 85);

-- Lists go by id, over products that are there; those of a name read them in the same order.
CREATE INDEX products_listed ON products (id) WHERE deleted_at IS NULL;
CREATE INDEX products_by_category ON products (category, id) WHERE deleted_at IS NULL;
