"""The load generator wrk: as many requests as a fixed number of connections carries, one after the other."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from harness import cores
from measure.process import check, read

SCRIPT = Path(__file__).with_name("wrk.lua")
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Load:
    """What one run of wrk has seen."""

    per_second: float
    requests: int
    p50_ms: float
    p99_ms: float
    # Answers other than 2xx and 3xx; the first answer of each server is looked at before.
    refused: int
    # Connections that were refused or broke, and requests without an answer.
    broken: int
    # The server's processor time for one request.
    cpu_us: float
    # How busy the server kept its core, and something else kept it, from 0 to 1.
    server_share: float
    others_share: float


def write_requests(case, file):
    lines = (" ".join(part for part in request if part is not None) for request in case.requests())
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def run(url, session, case, requests, connections, seconds, log):
    """Loads the server at `url`, whose processes are the session, with the requests of a file."""
    headers = [part for header in case.headers().items() for part in ("--header", ": ".join(header))]
    command = [
        "wrk", "--threads", 1, "--connections", connections, "--duration", f"{seconds}s",
        "--timeout", f"{ANSWER_SECONDS}s", "--script", SCRIPT, *headers, url, "--", requests,
    ]
    clock, before = cores.CoreClock(), cores.session_seconds(session)
    began = time.perf_counter()
    check(command, log, limit_seconds=seconds + 2 * ANSWER_SECONDS)
    cpu_seconds = cores.session_seconds(session) - before
    return parse(read(log), cpu_seconds, cpu_seconds / (time.perf_counter() - began), clock.busy())


def parse(output, cpu_seconds, server_share, core_busy):
    """The figures of the line that the script has printed last."""
    figures = json.loads(output.splitlines()[-1])
    return Load(
        figures["requests"] / figures["seconds"], figures["requests"], figures["p50_ms"], figures["p99_ms"],
        figures["refused"], figures["broken"], cpu_seconds * 1e6 / max(1, figures["requests"]),
        server_share, max(0.0, core_busy - server_share),
    )
