"""`GET /products/{id}` with FastAPI and asyncpg."""

from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from database import FIND, MAX_CONNECTIONS, amount, name, settings
from fastapi import FastAPI, HTTPException
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel


class Product(BaseModel):
    id: str
    name: str
    description: str
    price: str
    currency: str
    category: str
    stock_quantity: int
    created_at: datetime
    updated_at: datetime


@asynccontextmanager
async def connected(app):
    options = {**settings(), "database": name(), "min_size": MAX_CONNECTIONS, "max_size": MAX_CONNECTIONS}
    async with asyncpg.create_pool(**options) as app.state.pool:
        yield


app = FastAPI(lifespan=connected)
Instrumentator().instrument(app).expose(app)


@app.get("/products/{product_id}")
async def read_product(product_id: int) -> Product:
    record = await app.state.pool.fetchrow(FIND.format("$1"), product_id)
    if record is None:
        raise HTTPException(404)
    texts = {"id": str(record["id"]), "price": amount(record["price"]), "currency": "EUR"}
    return Product(**{**record, **texts})
