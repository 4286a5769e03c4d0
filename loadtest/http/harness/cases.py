"""What is asked of a server, and what it must answer."""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timezone

from harness import tokens
from harness.postgres import PRODUCTS

# Different requests of a case, which are sent in turn.
REQUESTS = 1000
USERS = 100_000


class WrongAnswer(Exception):
    """A server that answers, but something else; the text has both."""


@dataclass(frozen=True)
class Case:
    """A kind of request. `events` is how many a request carries, 0 for one that reads."""

    name: str
    title: str
    application: str
    service: str
    role: str
    status: int
    events: int

    def headers(self):
        """All servers get the same ones; only Footfall's look at the token."""
        headers = {"Authorization": tokens.authorization(self.service, self.role)}
        return {**headers, "Content-Type": "application/json"} if self.events else headers

    def requests(self):
        """Method, path and body (`None` for none) of each."""
        # The same for all servers and rounds.
        choice = random.Random(self.name)
        if self.events == 0:
            return [("GET", f"/products/{choice.randint(1, PRODUCTS)}", None) for _ in range(REQUESTS)]
        return [("POST", "/events", self.body(choice)) for _ in range(REQUESTS)]

    def body(self, choice):
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        events = [event(choice, now) for _ in range(self.events)]
        return json.dumps(events if self.events > 1 else events[0], separators=(",", ":"))

    def check(self, path, status, body):
        """Raises `WrongAnswer` unless the first answer of a server is what all are asked for."""
        if status != self.status:
            raise WrongAnswer(f"{self.name}: answered {status}, not {self.status}: {body[:200]!r}")
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise WrongAnswer(f"{self.name}: {path} answered no JSON ({error}): {body[:200]!r}") from error
        wanted = {"accepted": self.events, "rejected": []} if self.events else product(int(path.rpartition("/")[2]))
        found = {key: answer.get(key) for key in wanted}
        if found != wanted:
            raise WrongAnswer(f"{self.name}: {path} answered {found}, not {wanted}")


CASES = [
    Case("product", "GET /products/{id}", "products", "product-catalog", "anonymous", 200, 0),
    Case("event", "POST /events, 1 event", "activity", "activity-service", "writer", 202, 1),
    Case("events", "POST /events, 100 events", "activity", "activity-service", "writer", 202, 100),
]


def event(choice, now):
    return {
        "user_id": f"u{choice.randrange(USERS)}",
        "product_id": str(choice.randint(1, PRODUCTS)),
        "event_type": "VIEW_PRODUCT",
        "timestamp": now,
        "metadata": {"session_id": f"{choice.getrandbits(64):016x}"},
    }


def product(number):
    """What `postgres.INSERT` has made of this number, but for the times."""
    return {
        "id": str(number),
        "name": f"Product {number}",
        "description": f"What there is to say about product {number}",
        "price": f"{(1000 + number) / 100:.2f}",
        "currency": "EUR",
        "category": f"category-{number % 20}",
        "stock_quantity": 100,
    }
