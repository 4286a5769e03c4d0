"""What all servers stand on: a database with products, a broker with the topics, and their addresses as variables."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from harness import postgres, tokens
from measure.broker import KAFKA, broker
from measure.process import check

TOPIC = "ecom-raw-events"
RESULTS_TOPIC = "ecom-analytics-results"
PARTITIONS = 4


@dataclass(frozen=True)
class Stage:
    """Where everything is."""

    # Of the programs of this workspace.
    built: Path
    logs: Path
    bootstrap: str
    # What every server is told, but for its own address.
    environment: dict


@contextlib.contextmanager
def stage(work, built, progress):
    """Starts PostgreSQL and Kafka below `work`, makes the tables and fills them."""
    logs = work / "logs"
    progress.now("start PostgreSQL and Kafka")
    with postgres.postgres(work / "postgres") as database, broker(work / "kafka") as bootstrap:
        for topic in (TOPIC, RESULTS_TOPIC):
            command = [KAFKA, "topic", "--dir", work / "kafka", topic, "--partitions", PARTITIONS]
            check(command, logs / f"topic-{topic}.log")
        environment = {
            **database, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": TOPIC,
            "INTERNAL_TOKEN_SECRET": tokens.SECRET, "IDEMPOTENCY_SECRET": tokens.SECRET, "TMPDIR": str(work),
        }
        migrate = [built / "product-catalog", "--migrate-only"]
        check(migrate, logs / "migrate.log", environment={**os.environ, **environment})
        postgres.insert_products(database, logs / "insert.log")
        yield Stage(built, logs, bootstrap, environment)
