"""A real Kafka for a measurement: loadtest/kafka/kafka."""

import contextlib
import os

from measure.process import check
from measure.program import ROOT

KAFKA = ROOT / "loadtest" / "kafka" / "kafka"


@contextlib.contextmanager
def broker(folder):
    """Runs a broker with its data in `folder`; gives its HOST:PORT. It ends with this process at the latest."""
    log = folder.with_suffix(".log")
    try:
        check([KAFKA, "start", "--dir", folder, "--watch-pid", os.getpid()], log, limit_seconds=600)
        yield (folder / "bootstrap").read_text(encoding="ascii").strip()
    finally:
        if folder.exists():
            check([KAFKA, "stop", "--dir", folder], log, limit_seconds=60)
