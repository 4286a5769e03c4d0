"""Sets engines up and runs them in turns, each run a process started anew."""

import os
import shutil
from dataclasses import dataclass, field

from measure.process import CommandFailed, Cost, check, measure
from measure.rows import BadRow, Difference, compare, read_rows, row_files

SETUP_LIMIT_SECONDS = 1800


@dataclass(frozen=True)
class Run:
    """One run of an engine."""

    turn: int
    cost: Cost
    # Against the answer key; `None` where the engine writes no rows.
    difference: Difference | None


@dataclass
class Record:
    """All runs of an engine, and why there are no more of them."""

    engine: object
    runs: list[Run] = field(default_factory=list)
    failure: str | None = None


@dataclass(frozen=True)
class Stage:
    """What an engine is run on: arguments that say where events are, and the rows that they must lead to."""

    events: list
    answers: dict


class Rounds:
    """The runs of several engines, kept in step."""

    def __init__(self, engines, stages, work, environment, limit_seconds, progress):
        self.records = [Record(engine) for engine in engines]
        self.stages = stages
        self.work = work
        self.environment = os.environ | environment
        self.limit_seconds = limit_seconds
        self.progress = progress

    def set_up(self):
        """Calls each peer's `setup` once; the engines of one that fails are left out, with the reason."""
        for peer in dict.fromkeys(record.engine.peer for record in self.records):
            records = [record for record in self.records if record.engine.peer == peer]
            self.progress.now(f"set up {peer}")
            try:
                setup = records[0].engine.folder / "setup"
                check([setup], self.work / "logs" / f"setup-{peer}.log", SETUP_LIMIT_SECONDS, self.environment)
            except CommandFailed as error:
                self.progress.note(f"{peer} is left out: {error}")
                for record in records:
                    record.failure = f"setup: {error}"

    def run(self, turn, rounds):
        """One run of each engine that has not failed: within a round all share the same mood of the machine."""
        for record in self.records:
            if record.failure is None:
                self.take_turn(record, turn, rounds)

    def take_turn(self, record, turn, rounds):
        engine = record.engine
        self.progress.now(f"round {turn} of {rounds}: {engine.label()}, {engine.source}")
        output = self.work / "rows"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        stage = self.stages[engine.source]
        log = self.work / "logs" / f"{engine.key.replace('/', '-')}.log"
        try:
            cost = measure(engine.command(output, stage.events), log, self.limit_seconds, self.environment)
            difference = compare(*read_rows(row_files(output)), stage.answers) if engine.has_rows else None
        except (CommandFailed, BadRow) as error:
            record.failure = f"round {turn}: {error}"
            self.progress.note(f"{engine.label()} is left out from now on: {error}")
            return
        record.runs.append(Run(turn, cost, difference))
        if difference is not None and not difference.is_equal:
            self.progress.note(f"{engine.label()}: {difference}")
