"""`POST /events` with FastAPI and confluent-kafka."""

import asyncio
from contextlib import asynccontextmanager

from events import Body, Receipt, records
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from publisher import LIMIT_SECONDS, Publisher


@asynccontextmanager
async def connected(app):
    app.state.publisher = Publisher()
    yield


app = FastAPI(lifespan=connected)
Instrumentator().instrument(app).expose(app)


@app.post("/events", status_code=202)
async def send_events(body: Body) -> Receipt:
    sent = records(body)
    acknowledged = asyncio.wrap_future(app.state.publisher.publish(sent))
    await asyncio.wait_for(acknowledged, LIMIT_SECONDS)
    return Receipt(accepted=len(sent))
