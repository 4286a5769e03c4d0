"""How Flask is served. `GUNICORN_CMD_ARGS`, such as `--workers 4`, goes before it."""

import os
import shutil
import tempfile

from prometheus_flask_exporter.multiprocess import GunicornInternalPrometheusMetrics

bind = os.environ["LISTEN_ADDR"]
workers = int(os.environ["WORKERS"])
threads = int(os.environ["THREADS"])
# Plain workers close the connection after each answer; these keep it.
worker_class = "gthread"
keepalive = 75

# Where the workers put their metrics together.
metrics = tempfile.mkdtemp(prefix="metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics


def child_exit(_server, worker):
    GunicornInternalPrometheusMetrics.mark_process_dead_on_child_exit(worker.pid)


def on_exit(_server):
    shutil.rmtree(metrics)
