"""Products in the tables of product-catalog."""

import os

# Of each process; as many as product-catalog has.
MAX_CONNECTIONS = 16
# As in services/product-catalog/src/products/store.rs; the place of the id is the driver's.
FIND = (
    "SELECT id, name, description, price, category, stock_quantity, created_at, updated_at"
    " FROM product_catalog.products WHERE id = {} AND deleted_at IS NULL"
)


def settings():
    """Where the database is, by the names that both drivers have."""
    keys = ("host", "port", "user", "password")
    return {key: os.environ[f"DB_{key.upper()}"] for key in keys}


def name():
    return os.environ["DB_NAME"]


def amount(cents):
    """`19.99`."""
    return f"{cents // 100}.{cents % 100:02}"
