"""Who is measured, and how each is started. All have the same variables: those of the services."""

from dataclasses import dataclass
from pathlib import Path

from measure.program import ROOT

HTTP = ROOT / "loadtest" / "http"
REFERENCE = "footfall"


@dataclass(frozen=True)
class Engine:
    """A server for each application that it has: a program of this workspace, or an argument of `folder`'s `run`."""

    name: str
    label: str
    applications: dict
    # `None` for programs of this workspace.
    folder: Path | None = None

    def has(self, case):
        return case.application in self.applications

    def packages(self):
        """Those of this workspace, whose programs have the same names."""
        return set(self.applications.values()) if self.folder is None else set()

    def command(self, application, built):
        """What serves the application; `built` is the folder of programs."""
        served = self.applications[application]
        return [built / served] if self.folder is None else [self.folder / "run", served]


ENGINES = [
    Engine(REFERENCE, "Footfall", {"products": "product-catalog", "activity": "activity-service"}),
    Engine("bare", "bare axum", {"products": "bare-limit", "activity": "bare-limit"}),
    Engine("flask", "Flask", {"products": "products", "activity": "activity"}, HTTP / "flask"),
    Engine("fastapi", "FastAPI", {"products": "products", "activity": "activity"}, HTTP / "fastapi"),
    # The other client that is usual there.
    Engine("aiokafka", "FastAPI, aiokafka", {"activity": "activity_aiokafka"}, HTTP / "fastapi"),
]
