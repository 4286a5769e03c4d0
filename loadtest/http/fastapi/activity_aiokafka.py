"""`POST /events` with FastAPI and aiokafka."""

import asyncio
import os
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from events import Body, Receipt, records
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from publisher import LIMIT_SECONDS

TOPIC = os.environ["KAFKA_TOPIC"]


@asynccontextmanager
async def connected(app):
    # The settings of publisher.py, as this client names them; its partitioner is that of the Java clients.
    app.state.producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], enable_idempotence=True, acks="all",
        compression_type="zstd", linger_ms=5, request_timeout_ms=LIMIT_SECONDS * 1000,
    )
    async with app.state.producer:
        yield


app = FastAPI(lifespan=connected)
Instrumentator().instrument(app).expose(app)


@app.post("/events", status_code=202)
async def send_events(body: Body) -> Receipt:
    sent = records(body)
    acknowledgements = [await app.state.producer.send(TOPIC, value.encode(), key.encode()) for key, value in sent]
    await asyncio.wait_for(asyncio.gather(*acknowledgements), LIMIT_SECONDS)
    return Receipt(accepted=len(sent))
