"""Peers as their folders describe them: the contract is in loadtest/peers/README.md."""

import json
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).resolve().parents[1]
REFERENCE = "footfall"
SOURCES = ("files", "kafka")


class UnknownEngine(Exception):
    """A name that no peer and no variant has; the text lists those that exist."""


@dataclass(frozen=True)
class Engine:
    """A variant of a peer at one parallelism: what is run, measured and compared."""

    peer: str
    variant: str
    parallelism: int
    source: str
    name: str
    differs: str
    has_rows: bool

    @property
    def key(self):
        return f"{self.peer}/{self.variant}@{self.parallelism}"

    @property
    def folder(self):
        return PEERS / self.peer

    @property
    def is_reference(self):
        return self.peer == REFERENCE

    def label(self):
        """For people: `DuckDB batch, 2`."""
        return f"{self.name} {self.variant}, {self.parallelism}"

    def command(self, output, events):
        """What to run; `events` are the arguments that say where the events are."""
        return [self.folder / "run", self.variant, "--parallelism", self.parallelism, "--output", output, *events]


def all_engines():
    """Every engine of every folder with a peer.json, Footfall's first."""
    engines = []
    for path in sorted(PEERS.glob("*/peer.json"), key=lambda path: (path.parent.name != REFERENCE, path)):
        peer = json.loads(path.read_text(encoding="utf-8"))
        for variant, settings in peer["variants"].items():
            if settings["source"] not in SOURCES:
                raise ValueError(f"{path}: source of {variant}: {settings['source']!r} is not one of {SOURCES}")
            engines += [
                Engine(
                    path.parent.name, variant, parallelism, settings["source"], peer["name"],
                    settings.get("differs", peer["differs"]), settings.get("rows", True),
                )
                for parallelism in settings["parallelism"]
            ]
    return engines


def choose(engines, names, parallelisms, sources):
    """The engines with these names (`PEER` or `PEER/VARIANT`), parallelisms and sources; `None` means all."""
    known = {engine.peer for engine in engines} | {f"{engine.peer}/{engine.variant}" for engine in engines}
    for name in names or []:
        if name not in known:
            raise UnknownEngine(f"--engines: no engine {name!r}; there are {', '.join(sorted(known))}")
    return [
        engine for engine in engines
        if (names is None or engine.peer in names or f"{engine.peer}/{engine.variant}" in names)
        and (parallelisms is None or engine.parallelism in parallelisms)
        and engine.source in sources
    ]
