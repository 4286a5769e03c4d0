"""Publishes events to Kafka with the settings of activity-service, and tells when all of a request are acknowledged."""

import os
import threading
from concurrent.futures import Future

from confluent_kafka import KafkaException, Producer

# How long Kafka has to acknowledge the events of a request.
LIMIT_SECONDS = 5
# As in services/kafka-client/src/config.rs, with the time limit of services/activity-service/src/publisher.rs.
SETTINGS = {
    "enable.idempotence": True,
    "acks": "all",
    "allow.auto.create.topics": False,
    "compression.type": "zstd",
    "linger.ms": 5,
    "delivery.timeout.ms": LIMIT_SECONDS * 1000,
    "partitioner": "murmur2_random",
}


class Publisher:
    """One client for the whole process, served by a thread of its own."""

    def __init__(self):
        self.topic = os.environ["KAFKA_TOPIC"]
        self.producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], **SETTINGS})
        threading.Thread(target=self.serve, name="kafka", daemon=True).start()

    def publish(self, records):
        """Sends pairs of key and value; the future ends when all are acknowledged, or with the first that is not."""
        request = Request(len(records))
        for key, value in records:
            self.producer.produce(self.topic, value, key, on_delivery=request.take)
        return request.acknowledged

    def serve(self):
        # Ends with the process.
        while True:
            self.producer.poll(1.0)


class Request:
    """Counts the acknowledgements of a request; all come from the thread that serves the client."""

    def __init__(self, records):
        self.missing = records
        self.acknowledged = Future()
        # A request that has given up waiting may not take the future away from the client's thread.
        self.acknowledged.set_running_or_notify_cancel()

    def take(self, error, _record):
        self.missing -= 1
        if self.acknowledged.done():
            return
        if error is not None:
            self.acknowledged.set_exception(KafkaException(error))
        elif self.missing == 0:
            self.acknowledged.set_result(None)
