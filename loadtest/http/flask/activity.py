"""`POST /events` with Flask and confluent-kafka."""

import json
from datetime import datetime

from flask import Flask, abort, request
from prometheus_flask_exporter.multiprocess import GunicornInternalPrometheusMetrics
from publisher import LIMIT_SECONDS, Publisher

FIELDS = ("user_id", "product_id", "event_type", "timestamp")
MAX_EVENTS = 500

app = Flask(__name__)
GunicornInternalPrometheusMetrics(app)
publisher = Publisher()


@app.post("/events")
def send_events():
    body = request.get_json()
    events = body if isinstance(body, list) else [body]
    if not 1 <= len(events) <= MAX_EVENTS or not all(map(is_valid, events)):
        abort(422)
    records = [(str(event["user_id"]), json.dumps(event)) for event in events]
    publisher.publish(records).result(LIMIT_SECONDS)
    return {"accepted": len(events), "rejected": []}, 202


def is_valid(event):
    if not isinstance(event, dict) or not all(event.get(field) for field in FIELDS):
        return False
    try:
        datetime.fromisoformat(event["timestamp"])
    except (TypeError, ValueError):
        return False
    return True
