"""What `POST /events` takes and answers, whichever client publishes."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MAX_EVENTS = 500


class Event(BaseModel):
    model_config = ConfigDict(extra="allow")

    user_id: str | int
    product_id: str | int
    event_type: Annotated[str, Field(min_length=1)]
    timestamp: AwareDatetime


Body = Event | Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]


class Receipt(BaseModel):
    accepted: int
    rejected: list = []


def records(body):
    """Pairs of key and value for Kafka."""
    events = body if isinstance(body, list) else [body]
    return [(str(event.user_id), event.model_dump_json()) for event in events]
