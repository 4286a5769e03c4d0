"""`GET /products/{id}` with Flask and psycopg."""

from database import FIND, MAX_CONNECTIONS, amount, name, settings
from flask import Flask, abort
from prometheus_flask_exporter.multiprocess import GunicornInternalPrometheusMetrics
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

app = Flask(__name__)
GunicornInternalPrometheusMetrics(app)
pool = ConnectionPool(
    # A read needs no transaction.
    kwargs={**settings(), "dbname": name(), "row_factory": dict_row, "autocommit": True},
    min_size=MAX_CONNECTIONS, max_size=MAX_CONNECTIONS, timeout=2, open=True,
)


@app.get("/products/<int:product_id>")
def read_product(product_id):
    with pool.connection() as connection:
        product = connection.execute(FIND.format("%s"), (product_id,)).fetchone()
    if product is None:
        abort(404)
    return {
        **product,
        "id": str(product["id"]),
        "price": amount(product["price"]),
        "currency": "EUR",
        "created_at": product["created_at"].isoformat(timespec="milliseconds"),
        "updated_at": product["updated_at"].isoformat(timespec="milliseconds"),
    }
