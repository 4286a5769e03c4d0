"""Runs each engine once a round and case, so that all share the good and the bad hours of the machine."""

import http.client
import os
import subprocess
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from harness import cores, wrk
from harness.engines import HTTP
from harness.server import free_port, server
from harness.stage import TOPIC
from measure.process import CommandFailed

# Of the request that asks whether a server is there.
ASK_SECONDS = 10
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "footfall" / "peers"


@dataclass(frozen=True)
class Record:
    """One engine's turn with one case."""

    turn: int
    case: str
    engine: str
    load: wrk.Load

    def fields(self):
        return {"round": self.turn, "case": self.case, "engine": self.engine, **asdict(self.load)}


class LostEvents(Exception):
    """A server that has answered for events which are not in the topic."""


class Rounds:
    """The turns of all engines with all cases."""

    def __init__(self, engines, cases, stage, options, progress):
        self.engines = engines
        self.cases = cases
        self.stage = stage
        self.options = options
        self.progress = progress
        self.records = []
        self.requests = {case: stage.logs / f"{case.name}.requests" for case in cases}
        for case, file in self.requests.items():
            wrk.write_requests(case, file)

    def run(self, turn):
        # Nobody is always the first.
        first = turn % len(self.engines)
        for case in self.cases:
            for engine in filter(lambda engine: engine.has(case), self.engines[first:] + self.engines[:first]):
                self.progress.now(f"round {turn}: {case.title}, {engine.label}")
                self.records.append(Record(turn, case.name, engine.name, self.turn(case, engine)))

    def turn(self, case, engine):
        """A server started anew, loaded for a moment to be warm, then measured."""
        logs, name = self.stage.logs, f"{case.name}-{engine.name}"
        port = free_port()
        command = cores.on_servers(engine.command(case.application, self.stage.built))
        environment = {**self.stage.environment, "LISTEN_ADDR": f"127.0.0.1:{port}"}
        load = None
        ready = partial(answers, port, case, case.headers())
        with server(command, logs / f"{name}.log", ready, environment) as child:
            for part, seconds in (("warm-up", self.options.warm_up), ("measured", self.options.seconds)):
                before = self.count_events(case)
                load = wrk.run(
                    f"http://127.0.0.1:{port}", child.pid, case, self.requests[case], self.options.connections,
                    seconds, logs / f"{name}-{part}.log",
                )
        self.check_events(case, engine, load, before)
        return load

    def check_events(self, case, engine, load, before):
        """Whatever was answered 202 must be in Kafka. More may be: wrk leaves answers unread when its time is up."""
        acknowledged = (load.requests - load.refused) * case.events
        written = self.count_events(case) - before
        if written < acknowledged:
            raise LostEvents(f"{engine.label} answered for {acknowledged} events, and {written} are in {TOPIC}")

    def count_events(self, case):
        """How many events the topic has; of no interest to cases that send none."""
        if case.events == 0:
            return 0
        python = PEERS / "flask" / "venv" / "bin" / "python"
        command = [python, HTTP / "python" / "topic.py", self.stage.bootstrap, TOPIC]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            raise CommandFailed(f"the topic {TOPIC} cannot be counted: {ended.stderr}")
        return int(ended.stdout)


def answers(port, case, headers):
    """Whether a server takes requests of this case. A wrong answer is an error; none, or 503, is not yet one."""
    method, path, body = case.requests()[0]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
    except (ConnectionError, TimeoutError):
        return False
    finally:
        connection.close()
    if response.status == 503:
        return False
    case.check(path, response.status, text)
    return True
